package gasproxy_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
)

const blockSize = 48

func TestAWindowOpensOncePerHeartbeat(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	for _, at := range []time.Duration{
		0, 3 * time.Second, 6 * time.Second, // the answers were lost
		30*time.Minute - 40*time.Second, // the meter's clock drifts
		60 * time.Minute,
	} {
		h.now = start.Add(at)
		h.heartbeat(gsme, endpoint)
	}
	if len(h.hub.windows) != 3 || !h.hub.windows[1].Equal(start.Add(30*time.Minute-40*time.Second)) {
		t.Errorf("windows at %v", h.hub.windows)
	}
	if at, period := h.LastHeard(gsme); !at.Equal(h.now) || period != gasproxy.DefaultPeriod {
		t.Errorf("last heard at %v, period %v", at, period)
	}
}

// TestAMetersPeriodIsKept, through a restart: the next window is told by it.
func TestAMetersPeriodIsKept(t *testing.T) {
	h := newHome(t, gasproxy.Blocks(1))
	endpoint := h.mirrored(gsme)
	h.configure(gsme, 4*time.Minute)
	for range 3 {
		h.heartbeat(gsme, endpoint)
		if ok, _ := h.admit(gsme, 0); !ok {
			t.Errorf("at %v no block is admitted in a new window", h.now)
		}
		if ok, until := h.admit(gsme, blockSize); ok || !until.Equal(h.now.Add(4*time.Minute)) {
			t.Errorf("the second block: %v until %v, want the next heartbeat", ok, until)
		}
		h.now = h.now.Add(4 * time.Minute)
		h.restart()
		if _, period := h.LastHeard(gsme); period != 4*time.Minute {
			t.Errorf("period %v after a restart", period)
		}
	}
}

// TestAProxyThatStartsInAWindowGoesOn: the first block it is asked for opens one.
func TestAProxyThatStartsInAWindowGoesOn(t *testing.T) {
	h := newHome(t, gasproxy.Blocks(2))
	h.now = start.Add(7 * time.Minute)
	for i := range uint32(2) {
		if ok, _ := h.admit(gsme, i*blockSize); !ok {
			t.Errorf("block %d was not admitted", i)
		}
	}
	ok, until := h.admit(gsme, 2*blockSize)
	if ok || !until.Equal(h.now.Add(gasproxy.DefaultPeriod)) {
		t.Errorf("%v until %v", ok, until)
	}
}

// TestADeviceIsNeverToldToAskAtOnce, its heartbeats overdue or not.
func TestADeviceIsNeverToldToAskAtOnce(t *testing.T) {
	h := newHome(t, gasproxy.Blocks(1))
	h.heartbeat(gsme, h.mirrored(gsme))
	h.admit(gsme, 0)
	h.now = start.Add(2 * time.Hour)
	h.admit(gsme, blockSize)
	if ok, until := h.admit(gsme, 2*blockSize); ok || !until.After(h.now) {
		t.Errorf("%v until %v at %v", ok, until, h.now)
	}
}

// TestBlocksAreCountedPerWindow, whatever is asked for again: no window ever gets more
// different blocks than the policy says, and a meter that asks gets as many.
func TestBlocksAreCountedPerWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint32Range(1, 20).Draw(t, "limit")
		blocks := rapid.Uint32Range(1, 100).Draw(t, "blocks")
		h := newHome(t, gasproxy.Blocks(limit))
		endpoint := h.mirrored(gsme)
		windows := uint32(0)
		for next := uint32(0); next < blocks; windows++ {
			h.heartbeat(gsme, endpoint)
			for got := uint32(0); next < blocks; got++ {
				ok, _ := h.admit(gsme, next*blockSize)
				if ok != (got < limit) {
					t.Fatalf("block %d of window %d: %v, the limit is %d", got, windows, ok, limit)
				}
				if !ok {
					break
				}
				for range rapid.IntRange(0, 2).Draw(t, "lost answers") {
					if ok, _ := h.admit(gsme, next*blockSize); !ok {
						t.Fatalf("block %d was not admitted again", next)
					}
				}
				next++
			}
			h.now = h.now.Add(gasproxy.DefaultPeriod)
		}
		if want := (blocks + limit - 1) / limit; windows != want {
			t.Fatalf("%d blocks took %d windows at %d a window, want %d", blocks, windows, limit, want)
		}
	})
}

// TestRadioOnTimeStaysWithinItsLimit with everything that happens in a window: reports,
// tunnels, lost answers, and being told to wait at the end.
func TestRadioOnTimeStaysWithinItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.Int64Range(int64(200*time.Millisecond), int64(2*time.Second)).Draw(t, "limit"))
		h := newHome(t, gasproxy.Radio(limit))
		endpoint, id := h.mirrored(gsme), h.tunnelled(gsme)
		h.now = start.Add(time.Hour)
		h.heartbeat(gsme, endpoint)
		for range rapid.IntRange(0, 3).Draw(t, "messages") {
			h.get(gsme, id)
		}
		before := h.CurrentWindow(gsme).RadioOn
		blocks, offset := 0, uint32(0)
		for {
			if ok, _ := h.admit(gsme, offset); !ok {
				break
			}
			if blocks++; blocks > 1000 {
				t.Fatal("the window has no end")
			}
			if rapid.IntRange(0, 9).Draw(t, "lost") > 0 {
				offset += blockSize
			}
		}
		w := h.CurrentWindow(gsme)
		if w.RadioOn > limit {
			t.Fatalf("radio on for %v of %v", w.RadioOn, limit)
		}
		if blocks > 0 {
			if each := (w.RadioOn - before) / time.Duration(blocks); w.RadioOn+2*each < limit {
				t.Fatalf("stopped at %v of %v after %d blocks of %v", w.RadioOn, limit, blocks, each)
			}
		}
	})
}

// TestMetersArePacedEachForItself.
func TestMetersArePacedEachForItself(t *testing.T) {
	h := newHome(t, gasproxy.Blocks(1))
	for _, eui := range []han.EUI64{gsme, second} {
		if ok, _ := h.admit(eui, 0); !ok {
			t.Errorf("%s: its first block was not admitted", eui)
		}
		if ok, _ := h.admit(eui, blockSize); ok {
			t.Errorf("%s: its second block was admitted", eui)
		}
	}
}

// TestAWindowCountsWhatTheMeterSendsAndFetches, each at its length.
func TestAWindowCountsWhatTheMeterSendsAndFetches(t *testing.T) {
	h := newHome(t, nil)
	endpoint, id := h.mirrored(gsme), h.tunnelled(gsme)
	h.now = start.Add(time.Hour)
	h.heartbeat(gsme, endpoint)
	before := h.CurrentWindow(gsme).RadioOn
	if err := h.Post(gsme, gasproxy.Message{Data: make([]byte, 300), Expires: h.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	h.get(gsme, id)
	const request = 3 + 2 + 1 // ZCL header, tunnel, GET
	want := h.cfg.Battery.Radio.Send(request).RadioOn() + h.cfg.Battery.Radio.Fetch(len(h.sent[0].Payload)).RadioOn()
	if got := h.CurrentWindow(gsme).RadioOn - before; got != want {
		t.Errorf("radio on for %v, want %v", got, want)
	}
}

// TestAMeterThatReturnsWithoutAReport, at the time that it was told, is served: a window
// opens for it all the same.
func TestAMeterThatReturnsWithoutAReport(t *testing.T) {
	h := newHome(t, gasproxy.Blocks(2))
	h.heartbeat(gsme, h.mirrored(gsme))
	offset := uint32(0)
	for window := range 5 {
		for range 2 {
			if ok, _ := h.admit(gsme, offset); !ok {
				t.Fatalf("window %d: no block at %d", window, offset)
			}
			offset += blockSize
		}
		ok, until := h.admit(gsme, offset)
		if ok || until.Sub(h.now) != gasproxy.DefaultPeriod {
			t.Fatalf("window %d: told to come back after %v", window, until.Sub(h.now))
		}
		h.now = until.Truncate(time.Second)
	}
}

// TestASlowWindowIsOneWindow: a meter that asks on and on, over more than its period,
// has no more blocks than in a quick one. After a pause it has the next ones.
func TestASlowWindowIsOneWindow(t *testing.T) {
	const limit = 6
	h := newHome(t, gasproxy.Blocks(limit))
	h.heartbeat(gsme, h.mirrored(gsme))
	for i := range uint32(2*limit + 1) {
		ok, _ := h.admit(gsme, i*blockSize)
		if i == limit {
			if ok {
				t.Fatalf("more than %d blocks in a window of %v", limit, h.now.Sub(start))
			}
			h.now = h.now.Add(time.Second)
		} else if !ok {
			t.Fatalf("no block at %d, %v after the window opened", i*blockSize, h.now.Sub(start))
		}
		h.now = h.now.Add(10 * time.Minute)
	}
}

// TestNoMeterIsCalledBackAtOnceForEver: one that goes by a clock that is far too fast
// hears "soon" twice, and then its period.
func TestNoMeterIsCalledBackAtOnceForEver(t *testing.T) {
	h := newHome(t, gasproxy.Blocks(1))
	h.heartbeat(gsme, h.mirrored(gsme))
	h.admit(gsme, 0)
	h.now = h.now.Add(29 * time.Minute)
	for i, want := range []time.Duration{time.Minute, time.Minute, gasproxy.DefaultPeriod, gasproxy.DefaultPeriod} {
		if ok, until := h.admit(gsme, blockSize); ok || until.Sub(h.now) != want {
			t.Errorf("time %d: told to come back after %v, want %v", i, until.Sub(h.now), want)
		}
	}
}
