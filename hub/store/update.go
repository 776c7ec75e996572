package store

import (
	"crypto/sha256"

	"github.com/commshub/commshub/han"
)

// Update is the distribution of one image to one device.
type Update struct {
	Device    han.EUI64         `cbor:"1,keyasint"`
	FileHash  [sha256.Size]byte `cbor:"2,keyasint"`           // of the image's OTA file
	State     uint8             `cbor:"3,keyasint,omitempty"` // the hub's own enum
	StartedAt int64             `cbor:"4,keyasint,omitempty"`
	ChangedAt int64             `cbor:"5,keyasint,omitempty"`
	Windows   uint32            `cbor:"6,keyasint,omitempty"` // heartbeat windows used so far
	Blocks    uint32            `cbor:"7,keyasint,omitempty"`
	Retries   uint32            `cbor:"8,keyasint,omitempty"`
	Outcome   string            `cbor:"9,keyasint,omitempty"` // in words, once it ended
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
	return all[Update](s, TableUpdates, indexKeyPrefix, device.AppendPrint(nil))
}

// UpdatesIn returns the updates in one state, sorted by device and file hash.
func (s *Store) UpdatesIn(state uint8) []Update {
	return all[Update](s, TableUpdates, indexState, []byte{state})
}
