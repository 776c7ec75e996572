package gsme_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
)

// TestAClockThatIsSetMovesTheNextHeartbeatOnce: by no more than a period, wherever
// the hub's clock was; from then on heartbeats come in their period.
func TestAClockThatIsSetMovesTheNextHeartbeatOnce(t *testing.T) {
	for _, skew := range []time.Duration{
		-26 * 365 * 24 * time.Hour, -24 * time.Hour, -45 * time.Minute, -gsme.DefaultPeriod, -time.Second, 0,
		time.Second, gsme.DefaultPeriod, 45 * time.Minute, 24 * time.Hour, 100 * 365 * 24 * time.Hour,
	} {
		t.Run(skew.String(), func(t *testing.T) {
			h := newHome(t, nil)
			h.run(5 * time.Minute)
			h.skew = skew // the clock is read once a day
			h.run(26 * time.Hour)
			set := 48 // the window in which it was
			for i := 1; i < len(h.beats); i++ {
				gap := h.beats[i].Sub(h.beats[i-1])
				switch {
				case i == set+1 && (gap <= 0 || gap > gsme.DefaultPeriod+time.Second):
					t.Errorf("after the clock was set the next heartbeat came %v later", gap)
				case i != set+1 && (gap-gsme.DefaultPeriod).Abs() > time.Second:
					t.Errorf("heartbeat %d came %v after the one before", i, gap)
				}
			}
			if len(h.beats) < 52 {
				t.Errorf("%d heartbeats in a day and two hours", len(h.beats))
			}
		})
	}
}

// TestHeartbeatsNeverDouble: a clock that drifts and is put right once a day, and
// one that counts whole seconds, must not bring two heartbeats near one another.
func TestHeartbeatsNeverDouble(t *testing.T) {
	for _, ppm := range []int64{-1000, -100, -20, 0, 20, 100, 1000} {
		t.Run(fmt.Sprintf("%d ppm", ppm), func(t *testing.T) {
			h := newHome(t, func(c *gsme.Config) { c.DriftPPM, c.FirstHeartbeat = ppm, 777*time.Millisecond })
			h.run(5 * 24 * time.Hour)
			for i := 1; i < len(h.beats); i++ {
				if gap := h.beats[i].Sub(h.beats[i-1]); gap < gsme.DefaultPeriod-2*time.Minute || gap > gsme.DefaultPeriod+3*time.Second {
					t.Errorf("heartbeat %d came %v after the one before", i, gap)
				}
			}
			if n := len(h.beats); n < 239 || n > 241 {
				t.Errorf("%d heartbeats in five days, want 240", n)
			}
		})
	}
}

// TestTheRegisterDoesNotFollowTheClock: metrology has its own; a reading that went
// back would be a consumer's complaint.
func TestTheRegisterDoesNotFollowTheClock(t *testing.T) {
	h := newHome(t, func(c *gsme.Config) { c.DriftPPM = 500 })
	var last uint64
	h.Sent = func(f han.Frame) {
		h.take(f)
		if reading, ok := registerOf(t, f); ok {
			if reading < last {
				t.Errorf("at %v the meter reports %d after %d", h.Now, reading, last)
			}
			last = reading
		}
	}
	h.run(23 * time.Hour)
	h.skew = -24 * time.Hour
	h.run(25 * time.Hour)
	if want := h.meter.Metrology.Register(h.beats[len(h.beats)-1]); last != want {
		t.Errorf("the last reading reported is %d, the register stood at %d", last, want)
	}
}

// registerOf returns the register in a report.
func registerOf(t *testing.T, f han.Frame) (uint64, bool) {
	t.Helper()
	if nameOf(f) != "report" {
		return 0, false
	}
	_, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zcl.ParseReportAttributes(payload)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Attributes {
		if a.ID == metering.AttributeCurrentSummationDelivered {
			return a.Value.Number, true
		}
	}
	return 0, false
}

func TestTheFirstHeartbeatComesAsConfigured(t *testing.T) {
	h := newHome(t, func(c *gsme.Config) { c.FirstHeartbeat = 7 * time.Minute })
	h.run(7*time.Minute - time.Millisecond)
	h.demand("before it", strings.Join(h.said, ", "), "")
	h.run(time.Minute)
	h.demand("then", strings.Join(h.said, ", "), firstWindow)
	if len(h.beats) != 1 || !h.beats[0].Equal(devicetest.Start.Add(7*time.Minute)) {
		t.Errorf("heartbeats at %v", h.beats)
	}
}
