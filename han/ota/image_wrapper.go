package ota

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Wrapper says what surrounds the OTA file in a file as vendors publish it.
type Wrapper struct {
	Name   string // "none", or the wrapper's
	Prefix int    // bytes before the OTA file
	Suffix int    // bytes after it
	Fault  string // what the wrapper says of the OTA file and is not so; empty if nothing
}

// wrapperSearch is how far into a file an OTA file may start. The farthest seen
// in 1,348 public files is 712 bytes.
const wrapperSearch = 4096

const ngisName = "NGIS"

var (
	magicBytes = binary.LittleEndian.AppendUint32(nil, magic)
	ngisBytes  = []byte(ngisName)
)

// Unwrap finds the OTA file inside a file and returns exactly its TotalSize
// bytes. It knows bare files, IKEA's NGIS container, and any other wrapper that
// puts the OTA file within the first 4 KiB (Legrand, ThirdReality). The error for a
// file without one says what the file is instead, and what to do.
func Unwrap(file []byte) ([]byte, Wrapper, error) {
	w := Wrapper{Name: "none"}
	if !bytes.HasPrefix(file, magicBytes) {
		if k, ok := archiveOf(file); ok {
			return nil, Wrapper{}, k.err()
		}
		at, fault, ok := locate(file)
		if !ok {
			return nil, Wrapper{}, notFound(file)
		}
		w = Wrapper{Name: "prefix", Prefix: at, Fault: fault}
		if bytes.HasPrefix(file, ngisBytes) {
			w.Name = ngisName
		}
	}
	h, err := ParseImageHeader(file[w.Prefix:])
	if err != nil {
		if at, inner, ok := findHeader(file, len(file)); ok {
			err = fmt.Errorf("%w; an OTA file, %s, begins at byte %d: if that is meant, cut it out (tail -c +%d)", err, inner.ImageID, at, at+1)
		}
		return nil, Wrapper{}, err
	}
	have := uint64(len(file) - w.Prefix)
	if uint64(h.TotalSize) > have {
		return nil, Wrapper{}, fmt.Errorf("parse OTA file: total image size %d, but only %d bytes are there (truncated?)", h.TotalSize, have)
	}
	w.Suffix = int(have - uint64(h.TotalSize))
	return file[w.Prefix : w.Prefix+int(h.TotalSize)], w, nil
}

// locate returns where the OTA file begins in a file that does not begin with it, and
// what of the wrapper around it is wrong.
func locate(file []byte) (at int, fault string, ok bool) {
	at, h, ok := findHeader(file, wrapperSearch-len(magicBytes))
	switch {
	case !ok && !bytes.HasPrefix(file, ngisBytes):
		return 0, "", false
	case !bytes.HasPrefix(file, ngisBytes):
		return at, prefixFault(file, at), true
	}
	offset, size, err := ngisImage(file)
	switch {
	case err != nil:
		return at, err.Error(), ok
	case bytes.HasPrefix(file[min(uint64(offset), uint64(len(file))):], magicBytes):
		if !ok || at != int(offset) {
			if h, err = ParseImageHeader(file[offset:]); err != nil {
				return int(offset), "", true // whoever reads the header says what is wrong with it
			}
		}
		if size != h.TotalSize {
			fault = fmt.Sprintf("the NGIS container says %d bytes, the OTA file in it %d", size, h.TotalSize)
		}
		return int(offset), fault, true
	default:
		return at, fmt.Sprintf("the NGIS container says that the OTA file begins at byte %d; it begins at byte %d", offset, at), ok
	}
}

// prefixFault says what is wrong with the bytes in front of the OTA file that is taken.
func prefixFault(file []byte, at int) string {
	if first, h, ok := nextHeader(file, 0); ok && first < at {
		return fmt.Sprintf("a header, %s, at byte %d says %d bytes, which is not so; the OTA file at byte %d is the one taken", h.ImageID, first, h.TotalSize, at)
	}
	return strangeStart(file[:at])
}

// findHeader returns the first OTA header at one of the first bytes, the last of which is
// given too: one whose image is there as a whole, and if there is none such, any. An
// identifier can be there by chance, and a header as a copy.
func findHeader(b []byte, last int) (at int, h ImageHeader, ok bool) {
	const most = 16 // headers looked at
	for from, n := 0, 0; n < most; n++ {
		i, found, is := nextHeader(b, from)
		if !is || i > last {
			break
		}
		if size := int64(found.TotalSize); size > int64(found.Size()) && size <= int64(len(b)-i) {
			return i, found, true
		}
		if !ok {
			at, h, ok = i, found, true
		}
		from = i + 1
	}
	return at, h, ok
}

// nextHeader returns the first OTA header from a byte on.
func nextHeader(b []byte, from int) (at int, h ImageHeader, ok bool) {
	for ; ; from++ {
		i := bytes.Index(b[min(from, len(b)):], magicBytes)
		if i < 0 {
			return 0, ImageHeader{}, false
		}
		from += i
		if h, err := ParseImageHeader(b[from:]); err == nil {
			return from, h, true
		}
	}
}

// ngisImage reads from an NGIS container where the OTA file starts and how long it is: 32
// bits each at bytes 16 and 20.
func ngisImage(file []byte) (offset, size uint32, err error) {
	const at = 16
	if len(file) < at+8 {
		return 0, 0, fmt.Errorf("the NGIS container ends after %d bytes, want at least %d", len(file), at+8)
	}
	return binary.LittleEndian.Uint32(file[at:]), binary.LittleEndian.Uint32(file[at+4:]), nil
}
