package flash

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/commshub/commshub/internal/atrest"
)

// An encrypted file has a header of one page, and then the part's bytes in units of
// [atrest.UnitSize]:
//
//	0     magic, padded with zeros
//	64    the key's header (package atrest)
//	1024  the unit written last, once more: CRC-32C of what follows u32, its number u32, the unit
//	4096  the part
//
// Programming one byte changes all 16 that are encrypted with it, and a process that is
// killed in the middle would spoil bytes that the operation has nothing to do with. So each
// unit is written to the header before it is written to its place, and again when the file
// is opened: what was programmed before is never at stake, as on the part itself.
const (
	sealedMagic  = "commshub flash, encrypted, version 1\n"
	sealedKeyAt  = 64
	sealedLastAt = 1024
	sealedHeader = 4096
)

var (
	// ErrEncrypted is wrapped by Open and Convert if a key is needed for the file.
	ErrEncrypted = errors.New("it is encrypted: name the file with its key with --storage-key")
	// ErrPlain is wrapped by Open and Convert if the file is not encrypted and should be.
	ErrPlain = errors.New("it is not encrypted: run commshub storage encrypt first, or leave --storage-key out")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sealed is the file of an encrypted part.
type sealed struct {
	file    []byte // header and units, mapped
	sectors *atrest.Sectors
}

func isSealed(file []byte) bool { return bytes.HasPrefix(file, []byte(sealedMagic)) }

// seal returns the file of a part.
func seal(plain []byte, key *atrest.Key) []byte {
	f := key.New()
	file := make([]byte, sealedHeader+len(plain))
	copy(file, sealedMagic)
	f.Header(file[:sealedKeyAt])
	f.Sectors().Encrypt(file[sealedHeader:], plain, 0)
	return file
}

// openSealed opens the file of a part, and writes again what was written last.
func openSealed(file []byte, key *atrest.Key) (*sealed, error) {
	f, err := key.OfHeader(file[sealedKeyAt : sealedKeyAt+atrest.HeaderSize])
	if err != nil {
		return nil, err
	}
	s := &sealed{file, f.Sectors()}
	if last := s.last(); binary.BigEndian.Uint32(last) == crc32.Checksum(last[4:], castagnoli) {
		if unit := s.unit(int(binary.BigEndian.Uint32(last[4:]))); unit != nil {
			copy(unit, last[8:])
		}
	}
	return s, nil
}

// last returns what stands in the header of the unit written last.
func (s *sealed) last() []byte { return s.file[sealedLastAt : sealedLastAt+8+atrest.UnitSize] }

// unit returns a unit's place, nil if there is none.
func (s *sealed) unit(number int) []byte {
	units := s.file[sealedHeader:]
	if number < 0 || number >= len(units)/atrest.UnitSize {
		return nil
	}
	return units[number*atrest.UnitSize : (number+1)*atrest.UnitSize]
}

// plain returns the part's bytes.
func (s *sealed) plain() []byte {
	mem := make([]byte, len(s.file)-sealedHeader)
	s.sectors.Decrypt(mem, s.file[sealedHeader:], 0)
	return mem
}

// keep writes the units in which n bytes of mem changed. A part without encryption has
// nothing to write.
func (s *sealed) keep(mem []byte, offset, n int) {
	if s == nil || n == 0 {
		return
	}
	for number := offset / atrest.UnitSize; number <= (offset+n-1)/atrest.UnitSize; number++ {
		last := s.last()
		binary.BigEndian.PutUint32(last[4:], uint32(number))
		s.sectors.Encrypt(last[8:], mem[number*atrest.UnitSize:(number+1)*atrest.UnitSize], number)
		binary.BigEndian.PutUint32(last, crc32.Checksum(last[4:], castagnoli))
		copy(s.unit(number), last[8:])
	}
}

// opened returns the bytes of a part from its file.
func opened(file []byte, key *atrest.Key) ([]byte, error) {
	switch is := isSealed(file); {
	case !is && (key == nil || len(file) == 0): // an empty one is made when it is opened
		return file, nil
	case !is:
		return nil, ErrPlain
	case key == nil:
		return nil, ErrEncrypted
	case len(file) < sealedHeader || len(file)%atrest.UnitSize != 0:
		return nil, errors.New("an encrypted flash that is cut short")
	}
	s, err := openSealed(file, key)
	if err != nil {
		return nil, err
	}
	return s.plain(), nil
}
