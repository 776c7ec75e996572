package systemtest

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/sim"
)

// TestAMeterThatWasResetIsNotBelieved: its flash is blank after a power cut, so that it is a
// new meter with a register of nothing. The hub goes on with the last reading that is
// believed and tells the supplier; the display shows it, with its age and a warning; and
// after an operator accepted the new register, all goes on from there.
func TestAMeterThatWasResetIsNotBelieved(t *testing.T) {
	h := virtual.New(sim.Config{Start: storyStart, Seed: 1}, hub.DefaultConfig())
	meters := []han.EUI64{theGSME, theESME}
	for i, kind := range []store.Kind{store.KindGSME, store.KindESME} {
		if err := h.AddMeter(newMeter(meters[i], kind, testimage.GB(testimage.Options{Version: 1}))); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddDisplay(theIHD); err != nil {
		t.Fatal(err)
	}
	register := func(eui han.EUI64) uint64 {
		m, _ := h.Store().Mirror(eui)
		for _, a := range m.Attributes {
			if a.ID == metering.AttributeCurrentSummationDelivered {
				return a.Number
			}
		}
		t.Fatalf("no register of %s is kept", eui)
		return 0
	}
	h.Run(storyStart.Add(24 * time.Hour))
	before := map[han.EUI64]uint64{theGSME: register(theGSME), theESME: register(theESME)}
	for _, eui := range meters {
		h.Cut(eui, time.Minute)
		part := h.Chip(eui).Region(0, h.Chip(eui).Geometry().Sectors)
		for at := 0; at < part.Size(); at += part.SectorSize() {
			part.Erase(at)
		}
	}
	h.Run(storyStart.Add(27 * time.Hour))
	for eui, was := range before {
		if got := register(eui); got != was {
			t.Errorf("%s: the hub shows %d, want %d", eui, got, was)
		}
		if is := h.MeterStatus(eui).Register; is >= was {
			t.Fatalf("%s: the meter was not reset: %d", eui, is)
		}
		told := 0
		for _, e := range h.Store().Inbox(0, 1000) {
			if e.Device == eui && gbcs.AlertCode(e.Code) == gbcs.AlertMeasurementFault {
				told++
			}
		}
		if told != 1 {
			t.Errorf("%s: the supplier was told %d times", eui, told)
		}
	}
	if shown := h.Display(theIHD).Reading(); shown.Litres != before[theGSME] || !shown.Doubted || shown.Age < 3*time.Hour || !strings.HasSuffix(shown.String(), "; check meter") {
		t.Errorf("the display shows %s", shown)
	}
	for _, eui := range meters {
		if err := h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			return hb.AcceptReading(now, out, eui, metering.AttributeCurrentSummationDelivered)
		}); err != nil {
			t.Fatal(err)
		}
	}
	h.Run(storyStart.Add(29 * time.Hour))
	for _, eui := range meters {
		if got, is := register(eui), h.MeterStatus(eui).Register; got == 0 || got > is || is-got > 250 {
			t.Errorf("%s: the hub shows %d, the meter %d", eui, got, is)
		}
	}
	if shown := h.Display(theIHD).Reading(); shown.Doubted || shown.Age > time.Hour {
		t.Errorf("the display shows %s", shown)
	}
}
