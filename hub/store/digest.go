package store

import (
	"encoding/binary"
	"fmt"
)

// digest sums up all records of a file: how many there are, and the sum of their
// checksums. It is kept up to date by every transaction, so that records that
// damage made unreachable are missed when the file is opened.
type digest struct{ count, sum uint64 }

const digestSize = 16

// add takes in a stored value.
func (d *digest) add(value []byte) {
	d.count++
	d.sum += uint64(binary.BigEndian.Uint32(value))
}

// remove takes out what was stored under a key before, if anything.
func (d *digest) remove(value []byte) {
	if value == nil {
		return
	}
	d.count--
	d.sum -= uint64(binary.BigEndian.Uint32(value))
}

func (d digest) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, d.count), d.sum)
}

// check compares the digest of what was read with the stored one.
func (d digest) check(stored []byte) error {
	if len(stored) != digestSize {
		return fmt.Errorf("damaged file: digest of %d bytes, want %d", len(stored), digestSize)
	}
	want := digest{binary.BigEndian.Uint64(stored), binary.BigEndian.Uint64(stored[8:])}
	switch {
	case d.count != want.count:
		return fmt.Errorf("damaged file: %d records, want %d", d.count, want.count)
	case d.sum != want.sum:
		return fmt.Errorf("damaged file: the checksums of all %d records do not add up", d.count)
	default:
		return nil
	}
}
