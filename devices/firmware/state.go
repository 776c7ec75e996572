package firmware

import (
	"encoding/binary"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// Keys of the application's journal that the agent owns. The outbox has
// keyOutbox and those after it; the meter around it uses keys from 0x80.
const (
	keyState    journal.Key = 1
	keyResponse journal.Key = 2 // response to the last command
	keyOutbox   journal.Key = 0x10
)

// verdict is the result of the last verification.
type verdict struct {
	Set, Good bool
	Hash      ota.ImageHash
}

// activation is an Activate Firmware command that is dated, or in the middle of
// being carried out.
type activation struct {
	Set     bool
	Dated   bool
	Hash    ota.ImageHash
	Counter uint64 // originator counter of the command
	At      zcl.UTCTime
}

// UpdateReport are the figures of one update, from its first block to its
// activation. Times are Unix microseconds of emulated time.
type UpdateReport struct {
	Version     uint32
	Size        uint32 // bytes
	Offset      uint32 // bytes stored
	StartedAt   int64
	CompletedAt int64 // all bytes there
	ActivatedAt int64
	Windows     uint32 // heartbeat windows in which blocks came
	Blocks      uint32
	Retries     uint32
	RadioOn     time.Duration
	Charge      battery.Charge // spent on work in the windows of the update
}

// state is what the agent keeps in flash besides its outbox.
type state struct {
	AlertCounter    uint64 // originator counter of the last alert
	CommandCounter  uint64 // of the last command taken
	ReportedVersion uint32 // firmware version last told to the supplier
	Verdict         verdict
	Dated           activation
	Activating      activation
	BatteryLow      bool // the supplier was told
	Update          UpdateReport
}

const stateVersion = 2

func (s *state) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, stateVersion)
	b = le.AppendUint64(b, s.AlertCounter)
	b = le.AppendUint64(b, s.CommandCounter)
	b = le.AppendUint32(b, s.ReportedVersion)
	b = append(b, flags(s.Verdict.Set, s.Verdict.Good), flags(s.BatteryLow, false))
	b = append(b, s.Verdict.Hash[:]...)
	b = s.Dated.append(b)
	b = s.Activating.append(b)
	return s.Update.append(b)
}

func (a *activation) append(b []byte) []byte {
	b = append(b, flags(a.Set, a.Dated))
	b = append(b, a.Hash[:]...)
	b = binary.LittleEndian.AppendUint64(b, a.Counter)
	return binary.LittleEndian.AppendUint32(b, uint32(a.At))
}

func (u *UpdateReport) append(b []byte) []byte {
	le := binary.LittleEndian
	for _, v := range []uint32{u.Version, u.Size, u.Offset, u.Windows, u.Blocks, u.Retries} {
		b = le.AppendUint32(b, v)
	}
	for _, v := range []int64{u.StartedAt, u.CompletedAt, u.ActivatedAt, int64(u.RadioOn), int64(u.Charge)} {
		b = le.AppendUint64(b, uint64(v))
	}
	return b
}

// parseState reads what append wrote. The journal vouches for its being whole,
// so anything else is a bug.
func parseState(b []byte) state {
	r := zcl.NewReader(b)
	if v := r.Uint8(); v != stateVersion {
		panic("firmware: state record of another version")
	}
	var s state
	s.AlertCounter, s.CommandCounter, s.ReportedVersion = r.Uint64(), r.Uint64(), r.Uint32()
	s.Verdict.Set, s.Verdict.Good = unflags(r.Uint8())
	s.BatteryLow, _ = unflags(r.Uint8())
	copy(s.Verdict.Hash[:], r.Bytes(len(s.Verdict.Hash)))
	s.Dated = readActivation(&r)
	s.Activating = readActivation(&r)
	u := &s.Update
	for _, v := range []*uint32{&u.Version, &u.Size, &u.Offset, &u.Windows, &u.Blocks, &u.Retries} {
		*v = r.Uint32()
	}
	u.StartedAt, u.CompletedAt, u.ActivatedAt = int64(r.Uint64()), int64(r.Uint64()), int64(r.Uint64())
	u.RadioOn, u.Charge = time.Duration(r.Uint64()), battery.Charge(r.Uint64())
	if err := r.Err("firmware state"); err != nil {
		panic(err)
	}
	return s
}

func readActivation(r *zcl.Reader) activation {
	var a activation
	a.Set, a.Dated = unflags(r.Uint8())
	copy(a.Hash[:], r.Bytes(len(a.Hash)))
	a.Counter, a.At = r.Uint64(), zcl.UTCTime(r.Uint32())
	return a
}

func flags(first, second bool) (b byte) {
	if first {
		b |= 1
	}
	if second {
		b |= 2
	}
	return b
}

func unflags(b byte) (first, second bool) { return b&1 != 0, b&2 != 0 }
