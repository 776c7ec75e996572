package store

import (
	"crypto/sha256"

	"github.com/commshub/commshub/han"
)

// Update is the distribution of one image to one device.
type Update struct {
	Device    han.EUI64         `cbor:"1,keyasint"`
	FileHash  [sha256.Size]byte `cbor:"2,keyasint"` // of the image's OTA file
	State     UpdateState       `cbor:"3,keyasint,omitempty"`
	StartedAt int64             `cbor:"4,keyasint,omitempty"`
	ChangedAt int64             `cbor:"5,keyasint,omitempty"`
	Windows   uint32            `cbor:"6,keyasint,omitempty"` // heartbeat windows used so far
	Blocks    uint32            `cbor:"7,keyasint,omitempty"`
	Retries   uint32            `cbor:"8,keyasint,omitempty"`
	Outcome   string            `cbor:"9,keyasint,omitempty"`  // in words, why the state is as it is
	Order     uint64            `cbor:"10,keyasint,omitempty"` // counter of the order to activate in force; 0 = none
	Attempts  uint8             `cbor:"11,keyasint,omitempty"` // that ended before this one
	NotBefore int64             `cbor:"12,keyasint,omitempty"` // when the image is offered again
	Given     uint32            `cbor:"13,keyasint,omitempty"` // of the updates of a device, the one it was given blocks of last has the highest; 0 = none
	Whole     bool              `cbor:"14,keyasint,omitempty"` // the device had the whole file since
	Downgrade bool              `cbor:"20,keyasint,omitempty"` // offered also if the device runs a newer version
	// What the whole download was expected to take when the image was distributed, or when
	// the device first asked for it if it had not been heard before.
	ForeseenAt          int64  `cbor:"15,keyasint,omitempty"` // 0 = it was not foreseen
	ForeseenCompletesAt int64  `cbor:"16,keyasint,omitempty"` // 0 = never, at the pacing of then
	ForeseenWindows     uint32 `cbor:"17,keyasint,omitempty"` // tenths of a heartbeat window
	ForeseenCharge      int64  `cbor:"18,keyasint,omitempty"` // nanocoulombs
	ForeseenRadioOn     int64  `cbor:"19,keyasint,omitempty"` // microseconds
}

func (Update) table() Table                { return TableUpdates }
func (u Update) appendKey(b []byte) []byte { return append(u.Device.AppendPrint(b), u.FileHash[:]...) }
func (u Update) check() error              { return checkLength("update", "outcome", len(u.Outcome), MaxText) }
func (u Update) detached() Record          { return u }

// Update returns the distribution of one image to one device.
func (s *Store) Update(device han.EUI64, fileHash [sha256.Size]byte) (Update, bool) {
	return first[Update](s, TableUpdates, Update{Device: device, FileHash: fileHash}.appendKey(nil))
}

// Updates returns all updates, sorted by device and file hash.
func (s *Store) Updates() []Update { return whole[Update](s, TableUpdates) }

// UpdatesOf returns the updates of one device, sorted by file hash.
func (s *Store) UpdatesOf(device han.EUI64) []Update {
	return all[Update](s, TableUpdates, device.AppendPrint(nil))
}

// CurrentUpdate returns the update of a device that has not ended. There is at most one.
// It is asked for at every report of a meter.
func (s *Store) CurrentUpdate(device han.EUI64) (Update, bool) {
	r, ok := s.live.pick(TableUpdates, device.AppendPrint(nil), goesOn).(Update)
	return r, ok
}

func goesOn(r Record) bool { return !r.(Update).State.Ended() }
