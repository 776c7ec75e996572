package play

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// Options are what a run may do besides running.
type Options struct {
	// Hash has the result carry the SHA-256 of the trace.
	Hash bool
	// Trace, if set, gets the trace: one record per line.
	Trace io.Writer
	// Capture, if set, gets a capture of every frame as it is sent, in pcapng.
	Capture io.Writer
	// Report has the result carry what a page tells of the run.
	Report bool
	// Judge has the run watched by a judge, to whom broken promises are failures.
	Judge bool
}

// run is a home in the middle of a run.
type run struct {
	*Stage
	sim      *virtual.Home
	end      time.Time
	watches  []*watch // in the order of the meters
	byEUI64  map[uint64]*watch
	supplier supplier
	pending  int               // faults that a settled run waits for
	apart    map[han.EUI64]int // how many partitions cut a node off now
	bad      map[han.EUI64][]*homefile.BadLink
	look     bool // something happened that the supplier may act on
	ended    bool // settled
	trace    traceWriter
	capture  *captureWriter    // nil without
	history  *observe.Observer // what the hub saw, for a report; nil without
	bench    *bench            // nil if nobody judges
}

// traceWriter turns records into lines.
type traceWriter struct {
	w    io.Writer
	hash hash.Hash
	line []byte
	err  error
}

func (t *traceWriter) take(r *trace.Record) {
	if t.w == nil && t.hash == nil {
		return
	}
	t.line = append(r.Append(t.line[:0]), '\n')
	if t.hash != nil {
		t.hash.Write(t.line)
	}
	if t.w != nil && t.err == nil {
		_, t.err = t.w.Write(t.line)
	}
}

// Play runs the home once. An error is one of writing the trace or the capture.
func (s *Stage) Play(seed uint64, o Options) (*Result, error) {
	r := s.newRun(seed, o)
	start := s.home.Start.Time
	r.sim.RunUntil(r.end, func() bool {
		if r.bench != nil {
			r.bench.show(r)
		}
		if r.look {
			r.look = false
			r.act()
		}
		return r.ended
	})
	result := r.result(seed, r.sim.Now().Sub(start))
	if r.bench != nil {
		r.bench.verdict(r, result)
	}
	if r.trace.hash != nil {
		result.TraceSHA256 = hexHash(r.trace.hash)
	}
	if r.history != nil {
		result.report = r.report(result)
	}
	return result, errors.Join(r.trace.err, r.capture.end())
}

// newRun puts the home together.
func (s *Stage) newRun(seed uint64, o Options) *run {
	h := s.home
	r := &run{
		Stage: s, end: h.Start.Add(duration(h.Duration)), byEUI64: map[uint64]*watch{},
		apart: map[han.EUI64]int{}, bad: map[han.EUI64][]*homefile.BadLink{},
		trace: traceWriter{w: o.Trace},
	}
	if o.Hash {
		r.trace.hash = sha256.New()
	}
	if o.Capture != nil {
		r.capture = newCapture(o.Capture, &s.config)
	}
	if o.Judge {
		r.bench = newBench(s)
	}
	r.sim = virtual.New(sim.Config{
		Start: h.Start.Time, Seed: seed, Link: s.link(h.Link), Observer: han.Observer{Record: r.take, Frame: r.carry},
	}, s.config)
	if o.Report {
		r.observeFor()
	}
	for _, m := range s.meters {
		r.addMeter(seed, m)
	}
	for i := range h.Devices {
		if d := &h.Devices[i]; !d.IsMeter() {
			must(r.enter(d))
			must(r.sim.AddDisplay(d.Address()))
		}
	}
	r.scheduleFaults()
	if h.Image != nil {
		r.schedule(duration(h.Distribute.At), func() { r.supplier.distribute(r, h.Image) })
	}
	return r
}

// link returns a quality of the HAN for the radio model.
func (s *Stage) link(l homefile.Link) radio.Link {
	out := radio.Link{Params: s.config.Battery.Radio, Faults: fault.Link{
		Loss: fault.Share(l.Loss), Duplication: fault.Share(l.Duplication), Reordering: fault.Share(l.Reordering),
		Corruption: fault.Share(l.Corruption), ReorderBy: duration(l.ReorderBy), Delay: duration(l.Delay),
	}}
	if b := l.Bursts; b != nil {
		out.Faults.Bursts = fault.Bursts{Begin: fault.Share(b.Begin), End: fault.Share(b.End), Loss: fault.Share(b.Loss)}
	}
	return out
}

// addMeter adds a meter with its own dice.
func (r *run) addMeter(seed uint64, m home.Meter) {
	d := r.device(m.EUI64)
	m.Dice = sim.Dice(seed, m.EUI64)
	m.FirstHeartbeat = time.Duration(m.Dice.Int64N(int64(m.Period)))
	if d.First != nil {
		m.FirstHeartbeat = duration(*d.First)
	}
	w := &watch{device: d, set: m.Battery, gas: m.Kind == store.KindGSME}
	r.watches = append(r.watches, w)
	r.byEUI64[uint64(m.EUI64)] = w
	must(r.enter(d))
	must(r.sim.AddMeter(m))
	if left := d.Battery.Charge; left < fullBattery {
		r.schedule(0, func() { r.drain(m.EUI64, left.Of(&m.Battery)) })
	}
}

const fullBattery = homefile.Share(fault.Million)

// schedule runs f at a time after the start.
func (r *run) schedule(after time.Duration, f func()) {
	r.sim.Schedule(r.home.Start.Add(after), f)
}

// retryAfter is how long somebody who finds a node without power waits.
const retryAfter = time.Second

// drain lowers a meter's charge, as soon as the meter runs.
func (r *run) drain(eui han.EUI64, left battery.Charge) {
	if !r.sim.Drain(eui, left) {
		r.sim.Schedule(r.sim.Now().Add(retryAfter), func() { r.drain(eui, left) })
	}
}

// act has the supplier act on what happened, and looks whether the run is over.
func (r *run) act() {
	if r.supplier.image == nil {
		return
	}
	settled := r.supplier.act(r)
	if settled && r.home.Stop == homefile.StopSettled && r.pending == 0 {
		for _, w := range r.watches {
			if !r.sim.AtRest(w.device.Address()) {
				return
			}
		}
		r.ended = true
	}
}

// take sees every record.
func (r *run) take(rec *trace.Record) {
	r.trace.take(rec)
	if r.history != nil {
		r.history.Record(rec)
	}
	if r.bench != nil {
		r.bench.judge.Take(rec)
	}
	if w := r.byEUI64[rec.Node]; w != nil {
		w.take(rec)
	}
	if fault.OfFrames(rec.Kind) {
		if w := r.byEUI64[rec.Peer]; w != nil {
			w.take(rec) // a link has two ends
		}
		return
	}
	switch rec.Kind {
	case trace.BlockReceived, trace.RequestRetried, trace.HeartbeatStarted, trace.MirrorRead, trace.TimeSet:
	default:
		r.look = true
	}
}

// carry sees every frame, and looks at those with a block that is not lost.
func (r *run) carry(now time.Time, f *han.Frame, fate han.Fate) {
	if r.history != nil && (fate.Copies > 0 || f.Src == r.config.EUI64) { // the hub does not hear what is lost
		r.history.Frame(now, f, fate)
	}
	r.capture.take(now, f, fate)
	if f.Cluster != ota.ClusterID || fate.Copies == 0 {
		return
	}
	w := r.byEUI64[uint64(f.Dst)]
	if w == nil {
		return
	}
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil || !h.ClusterSpecific || h.Command != ota.CommandImageBlockResponse {
		return
	}
	if b, err := ota.ParseImageBlockResponse(payload); err == nil && b.Status == zcl.StatusSuccess {
		w.served(b.Offset, len(b.Data))
	}
}

func must(err error) {
	if err != nil {
		panic(err) // the scenario was checked
	}
}

func duration(d homefile.Duration) time.Duration { return time.Duration(d) }
