package firmware

import (
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
)

// First is the agent's record of a part of flash layout 1. Some of it others keep today.
type First struct {
	AlertCounter   uint64 // originator counter of the last alert
	CommandCounter uint64 // of the last command taken
	BatteryLow     bool   // the supplier was told
	State          []byte // the rest, as [New] reads it
}

// Upgrade reads that record. Its orders to activate do not name who gave them: no one but the
// supplier could.
func Upgrade(b []byte, supplier han.EUI64) (First, error) {
	const version = 2
	r := zcl.NewReader(b)
	if v := r.Uint8(); v != version {
		return First{}, fmt.Errorf("state of the firmware agent: version %d, want %d", v, version)
	}
	var f First
	var s state
	f.AlertCounter, f.CommandCounter, s.ReportedVersion = r.Uint64(), r.Uint64(), r.Uint32()
	s.Verdict.Set, s.Verdict.Good = unflags(r.Uint8())
	f.BatteryLow, _ = unflags(r.Uint8())
	copy(s.Verdict.Hash[:], r.Bytes(len(s.Verdict.Hash)))
	for _, a := range []*activation{&s.Dated, &s.Activating} {
		a.Set, a.Dated = unflags(r.Uint8())
		copy(a.Hash[:], r.Bytes(len(a.Hash)))
		counter := r.Uint64()
		if a.Set {
			a.Order = remote.Order{Code: gbcs.CodeActivateFirmware, Originator: supplier, Counter: counter}
		}
		a.At = zcl.UTCTime(r.Uint32())
	}
	s.Update.read(&r)
	if err := r.Err("state of the firmware agent"); err != nil {
		return First{}, err
	}
	if n := r.Remaining(); n > 0 {
		return First{}, fmt.Errorf("state of the firmware agent: %d bytes too many", n)
	}
	f.State = s.append(nil)
	return f, nil
}
