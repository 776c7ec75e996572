package firmware

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
)

// verdict is the result of the last verification.
type verdict struct {
	Set, Good bool
	Hash      ota.ImageHash
}

// activation is an Activate Firmware command that is dated, or in the middle of
// being carried out.
type activation struct {
	Set   bool
	Dated bool
	Hash  ota.ImageHash
	Order remote.Order
	At    zcl.UTCTime
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

// state is what the agent keeps in flash.
type state struct {
	ReportedVersion uint32 // firmware version last told to the supplier
	Verdict         verdict
	Dated           activation
	Activating      activation
	Update          UpdateReport
}

const stateVersion = 3

func (s *state) append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, stateVersion)
	b = le.AppendUint32(b, s.ReportedVersion)
	b = append(b, flags(s.Verdict.Set, s.Verdict.Good))
	b = append(b, s.Verdict.Hash[:]...)
	b = s.Dated.append(b)
	b = s.Activating.append(b)
	return s.Update.append(b)
}

func (a *activation) append(b []byte) []byte {
	b = append(b, flags(a.Set, a.Dated))
	b = append(b, a.Hash[:]...)
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(a.Order.Code))
	b = le.AppendUint64(b, uint64(a.Order.Originator))
	b = le.AppendUint64(b, a.Order.Counter)
	return le.AppendUint32(b, uint32(a.At))
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

// parseState reads what append wrote.
func parseState(b []byte) (state, error) {
	r := zcl.NewReader(b)
	if v := r.Uint8(); v != stateVersion {
		return state{}, fmt.Errorf("state of the firmware agent: layout %d, want %d", v, stateVersion)
	}
	var s state
	s.ReportedVersion = r.Uint32()
	s.Verdict.Set, s.Verdict.Good = unflags(r.Uint8())
	copy(s.Verdict.Hash[:], r.Bytes(len(s.Verdict.Hash)))
	s.Dated = readActivation(&r)
	s.Activating = readActivation(&r)
	s.Update.read(&r)
	return s, r.Err("state of the firmware agent")
}

// read reads what append wrote.
func (u *UpdateReport) read(r *zcl.Reader) {
	for _, v := range []*uint32{&u.Version, &u.Size, &u.Offset, &u.Windows, &u.Blocks, &u.Retries} {
		*v = r.Uint32()
	}
	u.StartedAt, u.CompletedAt, u.ActivatedAt = int64(r.Uint64()), int64(r.Uint64()), int64(r.Uint64())
	u.RadioOn, u.Charge = time.Duration(r.Uint64()), battery.Charge(r.Uint64())
}

func readActivation(r *zcl.Reader) activation {
	var a activation
	a.Set, a.Dated = unflags(r.Uint8())
	copy(a.Hash[:], r.Bytes(len(a.Hash)))
	a.Order = remote.Order{Code: gbcs.MessageCode(r.Uint16()), Originator: han.EUI64(r.Uint64()), Counter: r.Uint64()}
	a.At = zcl.UTCTime(r.Uint32())
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
