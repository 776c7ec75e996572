package live

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/transport/fault"
)

const theHub han.EUI64 = 0xA3

// pass sends frames of a gas meter through faults and returns how many arrive.
func pass(x *Faults, n int) (arrived int) {
	disturb := x.disturb(theHub)
	for range n {
		fate := han.Unharmed
		if disturb != nil {
			fate, _ = disturb(&han.Frame{Src: home.DefaultGSME, Dst: theHub, Payload: []byte("x")})
		}
		arrived += fate.Copies
	}
	return arrived
}

func TestNoFaultsPassEverything(t *testing.T) {
	for name, x := range map[string]*Faults{"none": nil, "another device's": NewFaults(1)} {
		if x != nil {
			x.Set(home.DefaultESME, LinkFault{Link: fault.Link{Loss: fault.Million}})
		}
		if n := pass(x, 10); n != 10 {
			t.Errorf("%s: %d of 10 arrive", name, n)
		}
	}
}

// Both ways are the device's link.
func TestFaultsAreTheDevicesBothWays(t *testing.T) {
	x := NewFaults(1)
	x.Set(home.DefaultGSME, LinkFault{Link: fault.Link{Loss: fault.Million}})
	down := &han.Frame{Src: theHub, Dst: home.DefaultGSME, Payload: []byte("x")}
	if fate, struck := x.disturb(theHub)(down); fate.Copies != 0 || !struck.Has(fault.Loss) {
		t.Errorf("a frame to it: %+v, struck %b", fate, struck)
	}
	if n := pass(x, 1); n != 0 {
		t.Error("a frame from it arrives")
	}
}

func TestALinkThatLosesFramesHealsAfterSoMany(t *testing.T) {
	x := NewFaults(1)
	x.Set(home.DefaultGSME, LinkFault{Link: fault.Link{Loss: fault.Million}, Frames: 3})
	if n := pass(x, 2); n != 0 {
		t.Errorf("%d of the first two arrive", n)
	}
	if s := x.Status(); len(s) != 1 || s[0].Struck[fault.Loss] != 2 || s[0].Fault.Frames != 1 || s[0].Device != home.DefaultGSME {
		t.Errorf("%+v", s)
	}
	if n := pass(x, 2); n != 1 || len(x.Status()) != 0 {
		t.Errorf("%d of the next two arrive, %+v", n, x.Status())
	}
	x.Set(home.DefaultGSME, LinkFault{Link: fault.Link{Loss: fault.Million}})
	x.Heal(home.DefaultGSME)
	if n := pass(x, 1); n != 1 {
		t.Error("a healed link loses frames")
	}
}

func TestAboutSoManyFramesAreLost(t *testing.T) {
	x := NewFaults(1)
	x.Set(home.DefaultGSME, LinkFault{Link: fault.Link{Loss: fault.Percent(20)}})
	if n := pass(x, 10_000); n < 7_800 || n > 8_200 {
		t.Errorf("%d of 10,000 came through a link that loses one in five", n)
	}
}

func TestADelayIsEmulatedTime(t *testing.T) {
	x := NewFaults(1)
	x.Set(home.DefaultGSME, LinkFault{Link: fault.Link{Delay: time.Second}})
	fate, struck := x.disturb(theHub)(&han.Frame{Src: home.DefaultGSME, Dst: theHub, Payload: []byte("x")})
	if fate.Copies != 1 || fate.Delay[0] != time.Second || !struck.Has(fault.Delay) {
		t.Errorf("%+v, struck %b", fate, struck)
	}
}
