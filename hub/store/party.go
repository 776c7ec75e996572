package store

import (
	"fmt"

	"github.com/commshub/commshub/han"
)

// RemoteParty is what one of the hub's own functions must not forget of a remote
// party that commands it.
type RemoteParty struct {
	Function han.EUI64 `cbor:"1,keyasint"` // of the hub: the CHF or the GPF
	Party    han.EUI64 `cbor:"2,keyasint"`
	Counter  uint64    `cbor:"3,keyasint,omitempty"` // originator counter of the last command taken
	Response []byte    `cbor:"4,keyasint,omitempty"` // the last response to it
	Alerts   uint64    `cbor:"5,keyasint,omitempty"` // originator counter of the last alert to it
	// Former are devices that left the device log, oldest first, of the record whose party is
	// the CHF itself.
	Former []FormerDevice `cbor:"6,keyasint,omitempty"`
}

// FormerDevice is what is kept of a device that left the device log: what a backup does not
// say, and restoring it takes.
type FormerDevice struct {
	Device han.EUI64 `cbor:"1,keyasint"`
	Kind   Kind      `cbor:"2,keyasint,omitempty"`
}

// MaxFormer is how many former devices are kept.
const MaxFormer = 64

func (RemoteParty) table() Table { return TableParties }

func (p RemoteParty) appendKey(b []byte) []byte {
	return p.Party.AppendPrint(p.Function.AppendPrint(b))
}

func (p RemoteParty) check() error {
	if n := len(p.Former); n > MaxFormer {
		return fmt.Errorf("put remote party: %d former devices, want at most %d", n, MaxFormer)
	}
	return checkLength("remote party", "response", len(p.Response), MaxBytes)
}

func (p RemoteParty) detached() Record {
	p.Response, p.Former = detach(p.Response), append([]FormerDevice(nil), p.Former...)
	return p
}

// RemoteParty returns what a function of the hub remembers of a remote party.
func (s *Store) RemoteParty(function, party han.EUI64) (RemoteParty, bool) {
	return first[RemoteParty](s, TableParties, RemoteParty{Function: function, Party: party}.appendKey(nil))
}
