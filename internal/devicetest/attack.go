package devicetest

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
)

// Attack is a sequence of calls in the form that a fuzzer changes:
//
//	call:   0 seconds(2)                                   up to an hour passes; what is due fires
//	        1                                              the next deadline comes
//	        2                                              a call without a deadline
//	        3 who(1) from(1) to(1) cluster(2) length(2) payload   a frame
//
// Other first bytes count modulo 4. who is an index into the peers of the node
// under attack, from and to are endpoints. Integers are big-endian.
type Attack []byte

const (
	callAdvance byte = iota
	callNext
	callSpurious
	callFrame
	numCalls
)

// Bounds of one attack.
const (
	maxCalls   = 60
	maxSeconds = 3600
)

// Append appends the calls that inputs of a recording stand for, each after the
// deadlines before it.
func (a Attack) Append(inputs []Input, peers []han.EUI64, start time.Time) Attack {
	now := start
	for _, in := range inputs {
		if in.Operate != nil {
			continue
		}
		if s := in.At.Sub(now) / time.Second; s > 0 {
			a = binary.BigEndian.AppendUint16(append(a, callAdvance), uint16(min(s, maxSeconds)))
			now = in.At
		}
		f := in.Frame
		who := byte(len(peers))
		for i, p := range peers {
			if p == f.Src {
				who = byte(i)
			}
		}
		a = append(a, callFrame, who, f.SrcEndpoint, f.DstEndpoint)
		a = binary.BigEndian.AppendUint16(a, f.Cluster)
		a = binary.BigEndian.AppendUint16(a, uint16(len(f.Payload)))
		a = append(a, f.Payload...)
	}
	return a
}

// Run carries the attack out.
func (a Attack) Run(p *Player, peers []han.EUI64) {
	for calls := 0; len(a) > 0 && calls < maxCalls; calls++ {
		call := a[0] % numCalls
		a = a[1:]
		switch call {
		case callAdvance:
			p.Advance(p.Now.Add(time.Duration(a.uint16()%(maxSeconds+1)) * time.Second))
		case callNext:
			if next, ok := p.Node.NextTimer(); ok {
				p.Advance(next.At)
			}
		case callSpurious:
			p.spurious()
		case callFrame:
			f := han.Frame{
				Src: peers[int(a.byte())%len(peers)], Dst: p.Node.EUI64(), Profile: han.ProfileSmartEnergy,
				SrcEndpoint: a.byte(), DstEndpoint: a.byte(), Cluster: a.uint16(),
			}
			f.Payload = a.take(int(a.uint16()) % (han.MaxPayload + 1))
			p.Frame(f)
		}
	}
}

// spurious calls HandleTimer without a deadline: nothing may happen.
func (p *Player) spurious() {
	before, set := p.Node.NextTimer()
	if set && !before.At.After(p.Now) {
		return
	}
	p.Node.HandleTimer(p.Now, &p.out)
	after, still := p.Node.NextTimer()
	if len(p.out.Frames)+len(p.out.Records) > 0 || before != after || set != still {
		p.TB.Fatalf("a call without a deadline sent %d frames, recorded %d, and moved the deadline from %v to %v",
			len(p.out.Frames), len(p.out.Records), before, after)
	}
}

func (a *Attack) byte() byte {
	b := a.take(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (a *Attack) uint16() uint16 { return uint16(a.byte())<<8 | uint16(a.byte()) }

// take takes up to n bytes.
func (a *Attack) take(n int) []byte {
	n = min(n, len(*a))
	b := (*a)[:n:n]
	*a = (*a)[n:]
	return b
}

// Fuzz makes a fuzz target of a kind of node. build makes a new one, peers are who
// may speak to it. The seeds are what came in the recording after each state.
func (r *Recording) Fuzz(f *testing.F, build func() han.Node, peers []han.EUI64, maxSleep time.Duration) {
	node := build().EUI64()
	for s := range NumStates {
		_, after := r.Until(node, s)
		start := r.mark(node, s)
		f.Add(uint8(s), []byte(Attack{}.Append(after[:min(len(after), 12)], peers, start)))
		f.Add(uint8(s), []byte{callNext, callNext, callSpurious, callNext, callAdvance, 0x70, 0x80})
	}
	f.Fuzz(func(t *testing.T, state uint8, attack []byte) {
		p, _ := r.Bring(t, build(), State(state)%NumStates)
		p.MaxSleep = maxSleep
		Attack(attack).Run(p, peers)
		p.Advance(p.Now.Add(2 * time.Hour)) // whatever came, the node goes on
	})
}
