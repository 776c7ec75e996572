package imagecache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/commshub/commshub/internal/atrest"
)

// An encrypted image is a header and a stream:
//
//	magic ‖ the key's header (package atrest) ‖ the OTA file, encrypted
//
// What it decrypts to is held to the SHA-256 in its name, as that of a plain one is.
const (
	sealedMagic  = "commshub image, encrypted, version 1\n"
	sealedHeader = len(sealedMagic) + atrest.HeaderSize
)

// plainMagic is how each OTA file begins.
var plainMagic = []byte{0x1E, 0xF1, 0xEE, 0x0B}

var (
	// ErrEncrypted is wrapped by Open if there are images that need a key.
	ErrEncrypted = errors.New("it is encrypted: name the file with its key with --storage-key")
	// ErrPlain is wrapped by Open if there are images that are not encrypted and should be.
	ErrPlain = errors.New("it is not encrypted: run commshub storage encrypt first, or leave --storage-key out")
)

// sealedIncoming encrypts what comes in.
type sealedIncoming struct {
	incoming
	key    *atrest.Key
	stream atrest.Stream
	size   int64
}

// sealIncoming begins an encrypted file.
func sealIncoming(file incoming, key *atrest.Key) (incoming, error) {
	s := &sealedIncoming{incoming: file, key: key}
	_, err := file.Write(s.begin())
	return s, err
}

// begin takes a fresh key for the file and returns its header.
func (s *sealedIncoming) begin() []byte {
	f := s.key.New()
	s.stream = f.Stream()
	return f.Header([]byte(sealedMagic))
}

func (s *sealedIncoming) Write(p []byte) (int, error) {
	b := bytes.Clone(p)
	s.stream.XOR(b, s.size)
	n, err := s.incoming.Write(b)
	s.size += int64(n)
	return n, err
}

func (s *sealedIncoming) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.incoming.ReadAt(p, off+int64(sealedHeader))
	s.stream.XOR(p[:n], off)
	return n, err
}

// rewrite begins the file anew, under another key: what is written over must not be told
// by comparing the two.
func (s *sealedIncoming) rewrite(p []byte) error {
	b := append(s.begin(), p...)
	s.stream.XOR(b[sealedHeader:], 0)
	return s.incoming.rewrite(b)
}

// sealedSource is an encrypted image that is read.
type sealedSource struct {
	source
	stream atrest.Stream
}

func (s sealedSource) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.source.ReadAt(p, off+int64(sealedHeader))
	s.stream.XOR(p[:n], off)
	return n, err
}

// head returns how a file begins, as far as it goes.
func head(file io.ReaderAt) ([]byte, error) {
	b := make([]byte, sealedHeader)
	n, err := file.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

func isSealed(head []byte) bool { return bytes.HasPrefix(head, []byte(sealedMagic)) }

// unsealed returns what a file of size bytes holds, and how much that is.
func unsealed(file source, size int64, key *atrest.Key) (source, int64, error) {
	if key == nil {
		return file, size, nil
	}
	b, err := head(file)
	if err != nil {
		return nil, 0, err
	}
	if !isSealed(b) || len(b) < sealedHeader {
		return nil, 0, errors.New("changed on disk: it has not the header of an encrypted image")
	}
	f, err := key.OfHeader(b[len(sealedMagic):])
	if err != nil {
		return nil, 0, err
	}
	return sealedSource{file, f.Stream()}, size - int64(sealedHeader), nil
}

// checkForm refuses a folder with images of the other form. One that is damaged is
// neither, and none of its business.
func (d *disk) checkForm() error {
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := d.head(name)
		switch {
		case err != nil:
			continue // whoever opens it is told
		case d.key == nil && isSealed(b):
			return fmt.Errorf("%s: %w", name, ErrEncrypted)
		case d.key != nil && bytes.HasPrefix(b, plainMagic):
			return fmt.Errorf("%s: %w", name, ErrPlain)
		}
	}
	return nil
}

func (d *disk) head(name string) ([]byte, error) {
	file, err := d.folder.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return head(file)
}

// names returns the names of all images in the folder, and of those that were put aside.
func (d *disk) names() ([]string, error) {
	hashes, err := d.list()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range hashes {
		names = append(names, h.path())
	}
	entries, err := d.folder.entries(".")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), damagedPrefix) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Encrypt encrypts all images in a folder that are not encrypted, and Decrypt does the
// reverse: a file at a time, each of which is the one or the other at any instant. They
// return how many they changed; a folder that is not there has none.
func Encrypt(dir string, key *atrest.Key) (changed int, err error) {
	return convert(dir, func(plain []byte) ([]byte, error) {
		if isSealed(plain) {
			_, err := key.OfHeader(plain[len(sealedMagic):min(len(plain), sealedHeader)])
			return nil, err
		}
		f := key.New()
		b := append(f.Header([]byte(sealedMagic)), plain...)
		f.Stream().XOR(b[sealedHeader:], 0)
		return b, nil
	})
}

// Decrypt is the reverse of Encrypt.
func Decrypt(dir string, key *atrest.Key) (changed int, err error) {
	return convert(dir, func(b []byte) ([]byte, error) {
		if !isSealed(b) {
			return nil, nil
		}
		f, err := key.OfHeader(b[len(sealedMagic):min(len(b), sealedHeader)])
		if err != nil {
			return nil, err
		}
		f.Stream().XOR(b[sealedHeader:], 0)
		return b[sealedHeader:], nil
	})
}

// convert replaces each file by what f makes of it, unless that is nil.
func convert(dir string, f func([]byte) ([]byte, error)) (changed int, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	folder, err := openFolder(dir)
	if err != nil {
		return 0, fmt.Errorf("open image cache %s: %w", dir, reason(err))
	}
	d := &disk{folder: folder}
	names, err := d.names()
	for _, name := range names {
		var done bool
		if done, err = d.replace(name, f); err != nil {
			err = fmt.Errorf("convert image %s: %w", name, reason(err))
			break
		}
		if done {
			changed++
		}
	}
	return changed, errors.Join(err, d.close())
}

// replace replaces a file by what f makes of it, unless that is nil.
func (d *disk) replace(name string, f func([]byte) ([]byte, error)) (done bool, err error) {
	file, err := d.folder.open(name)
	if err != nil {
		return false, err
	}
	b, err := io.ReadAll(file)
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return false, err
	}
	if b, err = f(b); b == nil {
		return false, err
	}
	up, err := d.begin()
	if err != nil {
		return false, err
	}
	if _, err = up.file.Write(b); err == nil {
		err = up.file.Sync()
	}
	if err == nil {
		err = d.folder.rename(up.name, name)
	}
	if err == nil {
		err = d.folder.sync(filepath.Dir(name))
	}
	_, err = d.end(up, &Image{}, err)
	return err == nil, err
}
