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
}

// wrapperSearch is how far into a file an OTA file may start. The farthest seen
// in 1,348 public files is 712 bytes.
const wrapperSearch = 4096

var (
	magicBytes = binary.LittleEndian.AppendUint32(nil, magic)
	ngisBytes  = []byte("NGIS")
)

// Unwrap finds the OTA file inside a file and returns exactly its TotalSize
// bytes. It knows bare files, IKEA's NGIS container, and any other wrapper that
// puts the OTA file within the first 4 KiB (Legrand, ThirdReality).
func Unwrap(file []byte) ([]byte, Wrapper, error) {
	w := Wrapper{Name: "none"}
	switch {
	case bytes.HasPrefix(file, magicBytes):
	case bytes.HasPrefix(file, ngisBytes):
		offset, err := ngisOffset(file)
		if err != nil {
			return nil, Wrapper{}, err
		}
		w = Wrapper{Name: "NGIS", Prefix: offset}
	default:
		at := bytes.Index(file[:min(len(file), wrapperSearch)], magicBytes)
		if at < 0 {
			return nil, Wrapper{}, fmt.Errorf("parse OTA file: upgrade file identifier %08X not found in the first %d of %d bytes",
				magic, min(len(file), wrapperSearch), len(file))
		}
		w = Wrapper{Name: "prefix", Prefix: at}
	}
	h, err := ParseImageHeader(file[w.Prefix:])
	if err != nil {
		return nil, Wrapper{}, err
	}
	have := uint64(len(file) - w.Prefix)
	if uint64(h.TotalSize) > have {
		return nil, Wrapper{}, fmt.Errorf("parse OTA file: total image size %d, but only %d bytes are there (truncated?)", h.TotalSize, have)
	}
	w.Suffix = int(have - uint64(h.TotalSize))
	return file[w.Prefix : w.Prefix+int(h.TotalSize)], w, nil
}

// ngisOffset reads where the OTA file starts in an NGIS container: 32 bits at
// byte 16.
func ngisOffset(file []byte) (int, error) {
	const at = 16
	if len(file) < at+4 {
		return 0, fmt.Errorf("parse NGIS container: %d bytes, want at least %d", len(file), at+4)
	}
	offset := binary.LittleEndian.Uint32(file[at:])
	if uint64(offset) >= uint64(len(file)) {
		return 0, fmt.Errorf("parse NGIS container: image offset %d, but only %d bytes are there", offset, len(file))
	}
	return int(offset), nil
}
