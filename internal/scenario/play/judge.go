package play

import (
	"fmt"
	"math"
	"time"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario/judge"
)

// bench is where a judge sits: it shows it the home after each event.
type bench struct {
	judge   *judge.Judge
	shown   judge.Snapshot // kept for its memory
	commits uint64         // of the hub's store when the records were shown last
	inbox   uint64         // sequence of the last message shown
	files   map[imagecache.Hash]uint32
	hashes  map[ota.ImageHash]uint32
}

func newBench(s *Stage) *bench {
	b := &bench{judge: judge.New(), files: map[imagecache.Hash]uint32{}, hashes: map[ota.ImageHash]uint32{}}
	for _, im := range s.images {
		b.files[im.FileHash], b.hashes[im.ImageHash] = im.Header.FileVersion, im.Header.FileVersion
	}
	return b
}

// show shows the judge the home as it is between two events.
func (b *bench) show(r *run) {
	s := &b.shown
	s.At, s.Records, s.Meters = r.sim.Now(), false, s.Meters[:0]
	for _, w := range r.watches {
		eui := w.device.Address()
		v := r.sim.Vitals(eui)
		s.Meters = append(s.Meters, judge.Meter{
			EUI64: uint64(eui), Powered: r.sim.Powered(eui), On: v.On, Bricked: v.Bricked, Version: v.Version, Register: v.Register,
		})
	}
	if n := r.sim.Commits(); n != b.commits {
		b.commits, s.Records = n, true
		b.records(r.sim.Store())
	}
	b.judge.Look(s)
}

// records puts the supplier's records into the snapshot.
func (b *bench) records(records *store.Store) {
	s := &b.shown
	s.Updates, s.Orders, s.Inbox = s.Updates[:0], s.Orders[:0], s.Inbox[:0]
	for _, u := range records.Updates() {
		s.Updates = append(s.Updates, judge.Update{
			Device: uint64(u.Device), File: u.FileHash, Version: b.files[u.FileHash], State: u.State.String(), Started: u.StartedAt,
		})
	}
	for _, o := range records.Orders() {
		s.Orders = append(s.Orders, judge.Order{
			Device: uint64(o.Device), Counter: o.Counter, State: o.State.String(), Due: time.UnixMicro(max(o.GivenAt, o.ExecuteAt)),
			Activates: gbcs.MessageCode(o.Code) == gbcs.CodeActivateFirmware && !o.Cancels, Version: b.hashes[o.Hash],
		})
	}
	for _, a := range records.Inbox(b.inbox, math.MaxInt) {
		b.inbox = a.Sequence
		m := judge.Message{Device: uint64(a.Device), Code: a.Code, Bytes: a.Bytes, Forged: a.Forged}
		if parsed, err := gbcs.ParseMessage(a.Bytes); err == nil {
			// An alert of the hub's is about a device, and counted by the hub.
			m.Device, m.Counter = uint64(parsed.Originator), parsed.OriginatorCounter
		}
		s.Inbox = append(s.Inbox, m)
	}
}

// verdict adds the promises that were broken to a result.
func (b *bench) verdict(r *run, out *Result) {
	if r.ended {
		b.judge.Settled(r.sim.Now())
	}
	out.Broken, out.Seen = b.judge.Broken(), b.judge.Seen()
	for _, broken := range out.Broken {
		name := fmt.Sprintf("%016X", broken.Device)
		if w := r.byEUI64[broken.Device]; w != nil {
			name = string(w.device.Name)
		}
		out.Failures = append(out.Failures, Failure{name, "promise: " + broken.Promise.String(),
			fmt.Sprintf("after %v: %s", broken.At.Sub(r.home.Start.Time).Round(time.Millisecond), broken.Text)})
	}
}
