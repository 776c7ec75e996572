package messageview

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/secretfile"
)

// maxText is more than the longest message takes, in hex with spaces, and than any
// certificate.
const maxText = 8 * tree.MaxMessage

// How the files of a folder end that hold a message, or a certificate.
var (
	messageFiles     = []string{".hex", ".b64", ".bin"}
	certificateFiles = []string{".pem", ".crt", ".cer", ".der"}
	keyFiles         = []string{".key"}
)

// Message is a message and the file that it comes from, empty if it comes from none.
type Message struct {
	File  string
	Bytes []byte
}

// Read returns the messages that arguments are or name: hex or base64, files, folders, or -
// for in, which no argument means too. single tells that it is one and of no folder. The
// error names what could not be read.
func Read(ctx context.Context, in io.Reader, args []string) (messages []Message, single bool, err error) {
	if len(args) == 0 {
		args = []string{"-"}
	}
	single = len(args) == 1
	for _, arg := range args {
		info, missing := os.Stat(arg)
		if missing == nil && info.IsDir() {
			single = false
			before := len(messages)
			err = eachFile(arg, messageFiles, func(file string) error {
				m, err := readFile(ctx, file)
				messages = append(messages, m)
				return err
			})
			if err == nil && len(messages) == before {
				err = fmt.Errorf("folder %s: no file that ends in %s", arg, strings.Join(messageFiles, ", "))
			}
		} else {
			var m Message
			m, err = readArgument(ctx, in, arg, missing)
			messages = append(messages, m)
		}
		if err != nil {
			return nil, false, err
		}
	}
	return messages, single, nil
}

// ReadWith reads the certificates and keys in a folder, as [ReadCertificates] does, and then
// messages.
func ReadWith(ctx context.Context, folder string, in io.Reader, args []string) (certs *Certificates, messages []Message, single bool, err error) {
	if certs, err = ReadCertificates(ctx, folder); err != nil {
		return nil, nil, false, err
	}
	messages, single, err = Read(ctx, in, args)
	return certs, messages, single, err
}

// readArgument returns the message that an argument is or names; missing says why it names
// no file.
func readArgument(ctx context.Context, in io.Reader, arg string, missing error) (Message, error) {
	if arg == "-" {
		text, err := inputfile.ReadStandard(ctx, in, maxText)
		if err != nil {
			return Message{}, err
		}
		b, err := Parse(text)
		if err != nil {
			err = fmt.Errorf("standard input: %w", err)
		}
		return Message{Bytes: b}, err
	}
	if missing == nil {
		return readFile(ctx, arg)
	}
	b, err := Parse([]byte(arg))
	if err != nil || !Starts(b) { // many a file's name is base64
		return Message{}, fmt.Errorf("%s: neither a file nor a message in hex or base64: %w", shorten(arg), inputfile.Reason(missing))
	}
	return Message{Bytes: b}, nil
}

func readFile(ctx context.Context, file string) (Message, error) {
	text, err := inputfile.Read(ctx, file, maxText)
	if err != nil {
		return Message{}, err
	}
	b, err := Parse(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return Message{file, b}, err
}

// ReadCertificates reads the certificates in a folder, and the private keys beside them;
// without a folder there are none. Keys that others may read are refused.
func ReadCertificates(ctx context.Context, folder string) (*Certificates, error) {
	var certs Certificates
	if folder == "" {
		return &certs, nil
	}
	each := func(endings []string, read func(file string) ([]byte, error), add func(file []byte) error) error {
		return eachFile(folder, endings, func(file string) error {
			data, err := read(file)
			if err != nil {
				return err
			}
			if err := add(data); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			return nil
		})
	}
	public := func(file string) ([]byte, error) { return inputfile.Read(ctx, file, maxText) }
	if err := each(certificateFiles, public, certs.Add); err != nil {
		return nil, err
	}
	private := func(file string) ([]byte, error) { return secretfile.ReadKey(file, maxText) }
	if err := each(keyFiles, private, certs.AddKey); err != nil {
		return nil, err
	}
	certs.Pair()
	if err := certs.Check(); err != nil {
		return nil, fmt.Errorf("folder %s: %w", folder, err)
	}
	return &certs, nil
}

// eachFile calls do for the files of a folder whose names end in one of the endings.
func eachFile(folder string, endings []string, do func(file string) error) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("folder %s: %w", folder, inputfile.Reason(err))
	}
	for _, e := range entries {
		if e.IsDir() || !endsIn(e.Name(), endings) {
			continue
		}
		if err := do(filepath.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func endsIn(name string, endings []string) bool {
	for _, end := range endings {
		if strings.EqualFold(filepath.Ext(name), end) {
			return true
		}
	}
	return false
}

// shorten returns an argument that is too long for a line as its start.
func shorten(arg string) string {
	const most = 40
	if len(arg) <= most {
		return arg
	}
	return arg[:most] + "…"
}
