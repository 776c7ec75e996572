package esme_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
)

// holding returns a home whose meter holds a verified image and told everything.
func holding(t *testing.T) *home {
	t.Helper()
	h := newHome(t, devicetest.Chip())
	before, _ := devicetest.Record().Until(devicetest.ESMEAddress, devicetest.Waiting)
	h.Play(before)
	tell(h, ota.ClusterID, zcl.Header{Command: zcl.CommandDefaultResponse}, zcl.DefaultResponse{Command: ota.CommandUpgradeEndRequest})
	for h.Advance(h.Now.Add(time.Second)); ; h.Advance(h.Now.Add(time.Second)) {
		if _, waits := h.meter.Remote.Outgoing(); !waits {
			break
		}
		h.Advance(h.Now.Add(10 * time.Second))
		h.confirm()
	}
	h.sent = nil
	return h
}

// activate returns an Activate Firmware command for the image held.
func activate(counter uint64, e gbcs.Execution, at time.Time) []byte {
	c := gbcs.ActivateFirmwareCommand{ImageHash: devicetest.ImageHash, OriginatorCounter: counter, Execution: e, ExecutionTime: zcl.UTCTimeOf(at)}
	return devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: devicetest.Supplier,
		Recipient: devicetest.ESMEAddress, Code: gbcs.CodeActivateFirmware, Payload: c.Append(nil)})
}

// TestADatedActivationDoesNotWaitForTheHub: a meter with an alert that it cannot
// deliver, because the hub is gone, switches at the time it was given.
func TestADatedActivationDoesNotWaitForTheHub(t *testing.T) {
	h := holding(t)
	due := h.Now.Add(time.Hour).Truncate(time.Second)
	h.command(1, activate(1<<50, gbcs.ExecuteAt, due)) // its response is never confirmed
	h.Advance(due.Add(15 * time.Second))
	if got := h.meter.Status(h.Now).Version; got != 2 {
		t.Errorf("runs version %d a quarter of a minute after the date", got)
	}
}

// TestARestartWaitsForTheMessageInFlight: it is not sent twice because of it, and
// while the meter is about to restart it takes no command and confirms none.
func TestARestartWaitsForTheMessageInFlight(t *testing.T) {
	h := holding(t)
	h.command(1, readVersion(1<<50))
	h.demand("a response is in flight", h.said(), "SUCCESS, deliver")
	h.command(1, activate(1<<50+1, gbcs.ExecuteNow, h.Now))
	h.demand("activation", h.said(), "SUCCESS")
	h.command(1, readVersion(1<<50+2))
	h.demand("a command that comes too late", h.said(), "")
	if !h.meter.On() {
		t.Fatal("it restarted at once")
	}
	h.Advance(h.Now.Add(10 * time.Second))
	h.demand("the confirmation is overdue", h.said(), "")
	h.Advance(h.Now.Add(3 * time.Second))
	if got := h.meter.Status(h.Now).Version; got != 2 {
		t.Errorf("runs version %d", got)
	}
	h.demand("after the restart", h.said(), "report, deliver")
}

func TestAMeterThatRestartsHearsNothing(t *testing.T) {
	h := holding(t)
	h.command(1, activate(1<<50, gbcs.ExecuteNow, h.Now))
	h.said()
	if h.meter.On() {
		t.Fatal("it does not restart")
	}
	h.openTunnel(tunnel.ProtocolGBHRGP)
	h.demand("in reset", h.said(), "")
}
