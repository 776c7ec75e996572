package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/fxamacker/cbor/v2"
)

// Limits on what one record may hold, checked on commit in memory and on disk
// alike, so that a simulation refuses what the real store would.
const (
	// MaxText is the longest text in bytes.
	MaxText = 4096
	// MaxBytes is the longest byte string: several of the longest GBCS message.
	MaxBytes = 64 << 10
	// MaxMirrorAttributes is the largest number of attributes in one mirror.
	MaxMirrorAttributes = 1024
)

// Record is one of the record types of this package.
type Record interface {
	table() Table
	// appendKey appends the key, unique in the table; keys sort as records do.
	appendKey(b []byte) []byte
	// check refuses a record beyond the limits.
	check() error
	// detached returns a copy that shares no memory with the original. An empty
	// slice becomes nil, as it does on its way through the file.
	detached() Record
}

// checksumSize is what precedes the CBOR map in a value.
const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var encMode, decMode = newModes()

// newModes returns the codec. The decoder takes byte sequences that are not
// UTF-8 as text, because texts come from image headers, where a vendor may have
// put anything: what was stored must open again.
func newModes() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(fmt.Sprintf("store: CBOR encoder: %v", err))
	}
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8DecodeInvalid,
		MaxNestedLevels:  4,
		MaxArrayElements: MaxMirrorAttributes,
		MaxMapPairs:      64,
	}.DecMode()
	if err != nil {
		panic(fmt.Sprintf("store: CBOR decoder: %v", err))
	}
	return enc, dec
}

// encode returns the value that r is stored as.
func encode(r Record) ([]byte, error) {
	body, err := encMode.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record of %s: %w", r.table(), err)
	}
	value := make([]byte, checksumSize, checksumSize+len(body))
	value = append(value, body...)
	binary.BigEndian.PutUint32(value, checksum(r.table(), r.appendKey(nil), body))
	return value, nil
}

// decode reads the record that table holds under key.
func decode(table Table, key, value []byte) (Record, error) {
	r, err := decodeValue(table, key, value)
	if err != nil {
		return nil, fmt.Errorf("damaged file: record %x of %s: %w", key, table, err)
	}
	return r, nil
}

func decodeValue(table Table, key, value []byte) (Record, error) {
	if len(value) < checksumSize {
		return nil, fmt.Errorf("%d bytes, want at least %d", len(value), checksumSize)
	}
	body := value[checksumSize:]
	if binary.BigEndian.Uint32(value) != checksum(table, key, body) {
		return nil, errors.New("checksum does not match")
	}
	r, err := tables[table].decode(body)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(r.appendKey(nil), key) {
		return nil, fmt.Errorf("holds the record of key %x", r.appendKey(nil))
	}
	return r, nil
}

func checksum(table Table, key, body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(table.String()))
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, body)
}

// decodeAs reads a record of type R.
func decodeAs[R Record](body []byte) (Record, error) {
	var r R
	if err := decMode.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	return r, nil
}

// checkLength refuses a text or byte string that is too long.
func checkLength(record, field string, have, most int) error {
	if have > most {
		return fmt.Errorf("put %s: %s of %d bytes, want at most %d", record, field, have, most)
	}
	return nil
}

// detach returns a copy of b, nil if b is empty.
func detach(b []byte) []byte { return append([]byte(nil), b...) }
