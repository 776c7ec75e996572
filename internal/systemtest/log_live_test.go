package systemtest

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/testimage"
)

// TestALogIsReadOverTheRealStack, through broker and DTLS: that of a gas meter to which
// power came back, and which the supplier does not know of otherwise.
func TestALogIsReadOverTheRealStack(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, gasproxy.Blocks(100))
	defer h.close()
	h.start(live.HubOptions{Speed: 1200})
	h.addDevice(theGSME, store.KindGSME)
	meter := h.meter(newMeter(theGSME, store.KindGSME, testimage.GB(testimage.Options{Version: 1, Sequence: 1})))
	h.until(func() bool { _, ok := h.Store().Mirror(theGSME); return ok })
	meter.CutPower()
	for _, log := range []gbcs.Log{gbcs.EventLog, gbcs.SecurityLog} {
		if err := h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
			return e.ReadLog(now, out, theGSME, log)
		}); err != nil {
			t.Fatal(err)
		}
		h.until(func() bool { _, ok, err := h.hub.HeadEnd.Log(theGSME, log); return ok && err == nil })
	}
	events, _, _ := h.hub.HeadEnd.Log(theGSME, gbcs.EventLog)
	security, _, _ := h.hub.HeadEnd.Log(theGSME, gbcs.SecurityLog)
	if len(events.Entries) != 1 || events.Entries[0].Code != gbcs.AlertGSMEPowerSupplyLoss || len(security.Entries) != 0 {
		t.Errorf("the event log has %v, the security log %v; want an outage alone", events.Entries, security.Entries)
	}
}
