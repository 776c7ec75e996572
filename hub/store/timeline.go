package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/commshub/commshub/han"
)

// MaxSpans is the largest number of spans, or of offsets, in one record.
const MaxSpans = 256

// Span is a run of bytes of an image, from From up to and without To.
type Span struct {
	_    struct{} `cbor:",toarray"`
	From uint32
	To   uint32
}

// Timeline is what is known of the staged transfer of one image to one device as a
// whole; each of its windows is a record of its own.
type Timeline struct {
	Device    han.EUI64         `cbor:"1,keyasint"`
	FileHash  [sha256.Size]byte `cbor:"2,keyasint"` // of the image's OTA file
	Since     int64             `cbor:"3,keyasint,omitempty"`
	Complete  bool              `cbor:"4,keyasint,omitempty"` // watched from the beginning of the transfer
	StartedAt int64             `cbor:"5,keyasint,omitempty"` // of the first block
	TouchedAt int64             `cbor:"6,keyasint,omitempty"`
	BlockSize uint32            `cbor:"7,keyasint,omitempty"`
	Served    []Span            `cbor:"8,keyasint,omitempty"`
	Missed    []Span            `cbor:"9,keyasint,omitempty"` // served, but not recorded when
	// Sums over windows that are not kept any more.
	EarlierWindows uint32 `cbor:"10,keyasint,omitempty"`
	EarlierBlocks  uint32 `cbor:"11,keyasint,omitempty"`
	EarlierRepeats uint32 `cbor:"12,keyasint,omitempty"`
	EarlierWaits   uint32 `cbor:"13,keyasint,omitempty"`
	EarlierBytes   uint32 `cbor:"14,keyasint,omitempty"`
	EarlierRadioOn int64  `cbor:"15,keyasint,omitempty"` // nanoseconds
	EarlierCharge  int64  `cbor:"16,keyasint,omitempty"` // nanocoulombs
	// SpentBefore is what the device's cell had given, by its last account before the
	// first window that is kept.
	SpentBefore []uint64 `cbor:"17,keyasint,omitempty"`
}

// Window is one heartbeat window of a transfer.
type Window struct {
	Device      han.EUI64         `cbor:"1,keyasint"`
	FileHash    [sha256.Size]byte `cbor:"2,keyasint"`
	Number      uint32            `cbor:"3,keyasint"` // from 1
	OpenedAt    int64             `cbor:"4,keyasint,omitempty"`
	EndedAt     int64             `cbor:"5,keyasint,omitempty"`
	Blocks      uint32            `cbor:"6,keyasint,omitempty"`
	Repeats     uint32            `cbor:"7,keyasint,omitempty"`
	Waits       uint32            `cbor:"8,keyasint,omitempty"`
	Bytes       uint32            `cbor:"9,keyasint,omitempty"`
	Runs        []Span            `cbor:"10,keyasint,omitempty"`
	Repeated    []uint32          `cbor:"11,keyasint,omitempty"` // offsets
	Resumed     bool              `cbor:"12,keyasint,omitempty"`
	ResumedAt   uint32            `cbor:"13,keyasint,omitempty"` // offset
	Wait        int64             `cbor:"14,keyasint,omitempty"` // microseconds
	RadioOn     int64             `cbor:"15,keyasint,omitempty"` // nanoseconds
	Interrupted bool              `cbor:"16,keyasint,omitempty"` // the hub stopped in it
	Told        bool              `cbor:"17,keyasint,omitempty"` // the device said what it took
	Charge      int64             `cbor:"18,keyasint,omitempty"` // nanocoulombs
	// Spent is what the device's cell had given by the end of the window, by number of the
	// cause in units of 10 microcoulombs, as a consumption has it.
	Spent []uint64 `cbor:"19,keyasint,omitempty"`
}

func (Timeline) table() Table { return TableTimelines }
func (t Timeline) appendKey(b []byte) []byte {
	return append(t.Device.AppendPrint(b), t.FileHash[:]...)
}

func (t Timeline) check() error {
	return checkSpans("timeline", max(len(t.Served), len(t.Missed), len(t.SpentBefore)))
}

func (t Timeline) detached() Record {
	t.Served, t.Missed, t.SpentBefore = slices.Clone(t.Served), slices.Clone(t.Missed), slices.Clone(t.SpentBefore)
	if len(t.Served) == 0 {
		t.Served = nil
	}
	if len(t.Missed) == 0 {
		t.Missed = nil
	}
	if len(t.SpentBefore) == 0 {
		t.SpentBefore = nil
	}
	return t
}

func (Window) table() Table { return TableWindows }

func (w Window) appendKey(b []byte) []byte {
	return binary.BigEndian.AppendUint32(append(w.Device.AppendPrint(b), w.FileHash[:]...), w.Number)
}

func (w Window) check() error {
	return checkSpans("window", max(len(w.Runs), len(w.Repeated), len(w.Spent)))
}

func (w Window) detached() Record {
	w.Runs, w.Repeated, w.Spent = slices.Clone(w.Runs), slices.Clone(w.Repeated), slices.Clone(w.Spent)
	if len(w.Runs) == 0 {
		w.Runs = nil
	}
	if len(w.Repeated) == 0 {
		w.Repeated = nil
	}
	if len(w.Spent) == 0 {
		w.Spent = nil
	}
	return w
}

func checkSpans(record string, have int) error {
	if have > MaxSpans {
		return fmt.Errorf("put %s: %d spans, want at most %d", record, have, MaxSpans)
	}
	return nil
}

// Timelines returns all timelines, sorted by device and file hash.
func (s *Store) Timelines() []Timeline { return whole[Timeline](s, TableTimelines) }

// Windows returns all windows, sorted by device, file hash and number.
func (s *Store) Windows() []Window { return whole[Window](s, TableWindows) }
