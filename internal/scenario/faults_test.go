package scenario

import (
	"bytes"
	"math/bits"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/commshub/commshub/han"
)

// passing returns a link through faults, and what came through it so far.
func passing(x *Faults) (send func(payload string), came func() []string) {
	var mu sync.Mutex // late frames come at the same time
	var all []string
	pass := x.around(func(f *han.Frame) han.EUI64 { return f.Src }, func(f han.Frame) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, string(f.Payload))
	})
	came = func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
	return func(payload string) { pass(han.Frame{Src: DefaultGSME, Payload: []byte(payload)}) }, came
}

func TestNoFaultsPassEverything(t *testing.T) {
	for name, x := range map[string]*Faults{"none": nil, "another device's": NewFaults(1)} {
		if x != nil {
			x.Set(DefaultESME, LinkFault{Drop: 1})
		}
		send, came := passing(x)
		send("a")
		if len(came()) != 1 {
			t.Errorf("%s: %q", name, came())
		}
	}
}

func TestALinkThatLosesFramesHealsAfterSoMany(t *testing.T) {
	x := NewFaults(1)
	send, came := passing(x)
	x.Set(DefaultGSME, LinkFault{Drop: 1, Frames: 3})
	for _, payload := range []string{"1", "2"} {
		send(payload)
	}
	if s := x.Status(); len(s) != 1 || s[0].Dropped != 2 || s[0].Fault.Frames != 1 || s[0].Device != DefaultGSME {
		t.Errorf("%+v", s)
	}
	send("3")
	send("4")
	if len(came()) != 1 || came()[0] != "4" || len(x.Status()) != 0 {
		t.Errorf("%q, %+v", came(), x.Status())
	}
	x.Set(DefaultGSME, LinkFault{Drop: 1})
	x.Heal(DefaultGSME)
	send("5")
	if len(came()) != 2 {
		t.Errorf("%q", came())
	}
}

func TestAboutSoManyFramesAreLost(t *testing.T) {
	x := NewFaults(1)
	send, came := passing(x)
	x.Set(DefaultGSME, LinkFault{Drop: 0.2})
	for range 10_000 {
		send("x")
	}
	if n := len(came()); n < 7_800 || n > 8_200 {
		t.Errorf("%d of 10,000 came through a link that loses one in five", n)
	}
}

func TestACorruptFrameHasOneBitTurned(t *testing.T) {
	x := NewFaults(1)
	x.Set(DefaultGSME, LinkFault{Corrupt: 1})
	original := bytes.Repeat([]byte{0xA5}, 20)
	payload := bytes.Clone(original)
	turned := 0
	pass := x.around(func(f *han.Frame) han.EUI64 { return f.Src }, func(f han.Frame) {
		for i := range f.Payload {
			turned += bits.OnesCount8(f.Payload[i] ^ original[i])
		}
	})
	for range 50 {
		pass(han.Frame{Src: DefaultGSME, Payload: payload})
	}
	if turned != 50 || !bytes.Equal(payload, original) {
		t.Errorf("%d bits turned in 50 frames, the sender's bytes are %x", turned, payload)
	}
	pass(han.Frame{Src: DefaultGSME}) // nothing to turn
}

func TestALateFrameComesLateWhateverItsBufferHoldsThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := NewFaults(1)
		send, came := passing(x)
		x.Set(DefaultGSME, LinkFault{Delay: time.Second})
		for range maxDelayed + 10 {
			send("x")
		}
		if len(came()) != 0 {
			t.Errorf("%d frames came at once", len(came()))
		}
		time.Sleep(2 * time.Second) // of the bubble's clock
		synctest.Wait()
		s := x.Status()[0]
		if len(came()) != maxDelayed || s.Delayed != maxDelayed || s.Dropped != 10 {
			t.Errorf("%d frames came, %+v", len(came()), s)
		}
		send("y")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(came()) != maxDelayed+1 {
			t.Error("there is no room again")
		}
	})
}
