// Package devicetest puts single devices of a home under test. It has what a short
// life of a home said to each of them, plays that to a device of the test's own up to
// a state of interest, and then lets fuzzed input loose on it.
//
//	joined ──► downloading ──► waiting (image verified) ──► updating (Activate Firmware taken)
//
// After every call [Check] demands what drivers rely on (package han). It knows no
// hub, so that tests of devices link none; internal/nodetest made the recording and
// does the same for a hub. Only tests import it.
package devicetest

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Input is what a node is called with: a frame, or an operation of its own.
type Input struct {
	At      time.Time
	Frame   han.Frame
	Operate func(node han.Node, now time.Time, out *han.Outbox) error
}

// Player calls a node as a driver does, and checks it after every call.
type Player struct {
	TB   testing.TB
	Node han.Node
	Now  time.Time
	// Sent, if set, takes the frames that the node sends; they are only valid
	// during the call.
	Sent func(f han.Frame)
	// Recorded, if set, takes the node's records.
	Recorded func(r *trace.Record)
	// MaxSleep, if set, is how far away the node's next deadline may be.
	MaxSleep time.Duration

	out han.Outbox
}

// Play plays inputs in order, each after the deadlines that come before it.
func (p *Player) Play(inputs []Input) {
	for i := range inputs {
		p.Advance(inputs[i].At)
		if operate := inputs[i].Operate; operate != nil {
			p.call(func() {
				if err := operate(p.Node, p.Now, &p.out); err != nil {
					p.TB.Fatal(err)
				}
			})
			continue
		}
		p.Frame(inputs[i].Frame)
	}
}

// Frame hands the node a frame.
func (p *Player) Frame(f han.Frame) {
	p.call(func() { p.Node.HandleFrame(p.Now, f, &p.out) })
}

// Advance lets time go on to an instant and fires the deadlines up to it.
func (p *Player) Advance(to time.Time) {
	for {
		next, ok := p.Node.NextTimer()
		if !ok || next.At.After(to) {
			break
		}
		if next.At.After(p.Now) {
			p.Now = next.At
		}
		p.Timer()
	}
	if to.After(p.Now) {
		p.Now = to
	}
}

// maxFirings is how often a node may ask for the same instant again.
const maxFirings = 20

// Timer fires what is due, as often as the node asks for it at this instant.
func (p *Player) Timer() {
	for range maxFirings {
		p.call(func() { p.Node.HandleTimer(p.Now, &p.out) })
		next, ok := p.Node.NextTimer()
		if !ok || next.At.After(p.Now) {
			return
		}
		if next.At.Before(p.Now) {
			p.TB.Fatalf("after HandleTimer the next deadline is %v in the past", p.Now.Sub(next.At))
		}
	}
	p.TB.Fatalf("the node asks for %v again and again", p.Now)
}

func (p *Player) call(f func()) {
	f()
	Check(p.TB, p.Node, &p.out)
	if p.MaxSleep > 0 {
		if next, ok := p.Node.NextTimer(); !ok || next.At.Sub(p.Now) > p.MaxSleep {
			p.TB.Fatalf("the next deadline is %v away (%v), want at most %v", next.At.Sub(p.Now), ok, p.MaxSleep)
		}
	}
	for i := range p.out.Records {
		if p.Recorded != nil {
			p.Recorded(&p.out.Records[i])
		}
	}
	for i := range p.out.Frames {
		if p.Sent != nil {
			p.Sent(p.out.Frames[i])
		}
	}
	p.out.Reset()
}

// maxFrames is how many frames one call may lead to.
const maxFrames = 32

// Check demands of what a node put into its outbox what every driver and every
// peer relies on.
func Check(tb testing.TB, node han.Node, out *han.Outbox) {
	tb.Helper()
	if len(out.Frames) > maxFrames {
		tb.Fatalf("%d frames in one call", len(out.Frames))
	}
	for _, f := range out.Frames {
		_, _, err := zcl.ParseHeader(f.Payload)
		switch {
		case err != nil:
			tb.Fatalf("sent %s: %v", f, err)
		case f.Src != node.EUI64():
			tb.Fatalf("%s sent %s", node.EUI64(), f)
		case f.Dst == 0 || f.Dst == f.Src:
			tb.Fatalf("sent to nobody: %s", f)
		case f.Profile != han.ProfileSmartEnergy:
			tb.Fatalf("sent in profile %04X: %s", f.Profile, f)
		case len(f.Payload) > han.MaxPayload:
			tb.Fatalf("sent more than %d bytes: %s", han.MaxPayload, f)
		}
	}
	for _, r := range out.Records {
		if r.At.IsZero() || r.Node != uint64(node.EUI64()) {
			tb.Fatalf("record without time or node: %s", r)
		}
	}
}
