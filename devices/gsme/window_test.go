package gsme_test

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

const firstWindow = "request mirror, configure mirror, request tunnel, report, read time"

func TestAMeterJoinsOnceAndThenReports(t *testing.T) {
	h := newHome(t, nil)
	h.demand("first window", h.window(), firstWindow)
	h.demand("second window", h.window(), "report")
	if !h.meter.Asleep() {
		t.Error("it does not sleep")
	}
}

// TestAStepWithoutAnAnswer is asked three times, 3 s apart; then the meter sleeps
// until its next heartbeat, and goes on with that step.
func TestAStepWithoutAnAnswer(t *testing.T) {
	tests := []struct{ step, first, later string }{
		{"request mirror", repeat("request mirror", 3), firstWindow},
		{"configure mirror", "request mirror, " + repeat("configure mirror", 3), "configure mirror, request tunnel, report, read time"},
		{"request tunnel", "request mirror, configure mirror, " + repeat("request tunnel", 3), "request tunnel, report, read time"},
		{"report", "request mirror, configure mirror, request tunnel, " + repeat("report", 3), "report, read time"},
		{"read time", "request mirror, configure mirror, request tunnel, report, " + repeat("read time", 3), "report, read time"},
		{"get", firstWindow + ", " + repeat("get", 3), "report, get, confirm, put"},
		{"put", firstWindow + ", get, confirm, " + repeat("put", 3), "report, put"},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			h := newHome(t, nil)
			if tt.step == "get" || tt.step == "put" {
				h.messages = [][]byte{readVersion(1)}
			}
			h.mute = tt.step
			h.demand("without an answer", h.window(), tt.first)
			if took := h.Now.Add(-time.Minute); !h.meter.Asleep() || took.After(h.meter.NextHeartbeat()) {
				t.Errorf("asleep %v, next heartbeat %v", h.meter.Asleep(), h.meter.NextHeartbeat())
			}
			h.mute = ""
			h.demand("in the next window", h.window(), tt.later)
		})
	}
}

func TestAHubWithoutRoom(t *testing.T) {
	for _, endpoint := range []uint16{metering.MirrorFailed, 0, 0x100} {
		h := newHome(t, nil)
		h.mirror = endpoint
		h.demand("no mirror", h.window(), "request mirror")
		h.demand("still none", h.window(), "request mirror")
		h.mirror = 9
		h.demand("one at last", h.window(), firstWindow)
		if n := h.count(trace.FrameRefused); n != 2 {
			t.Errorf("endpoint %04X: %d refusals were recorded, want 2", endpoint, n)
		}
	}
	h := newHome(t, nil)
	h.refusal = tunnel.StatusBusy
	h.demand("no tunnel", h.window(), "request mirror, configure mirror, request tunnel")
	h.refusal = tunnel.StatusSuccess
	h.demand("one at last", h.window(), "request tunnel, report, read time")
}

// TestFramesThatAreNotTaken: neither a sleeping meter nor one that is awake lets
// frames of strangers in, and a sleeping one nobody's. They cost nothing.
func TestFramesThatAreNotTaken(t *testing.T) {
	notify := ota.ImageNotify{}
	for _, asleep := range []bool{true, false} {
		h := newHome(t, nil)
		h.window()
		from := han.EUI64(stranger)
		if asleep {
			from = h.hub.Node
		} else {
			h.mute = "report"
			h.Advance(h.meter.NextHeartbeat())
		}
		before, said := h.meter.Status(h.Now), len(h.said)
		deadline, _ := h.meter.NextTimer()
		f := frame(h, han.Frame{Src: h.meter.EUI64(), SrcEndpoint: 1, Cluster: ota.ClusterID}, zcl.Header{}, true, ota.CommandImageNotify, notify)
		f.Src = from
		h.Frame(f)
		after, _ := h.meter.NextTimer()
		if h.meter.Status(h.Now) != before || len(h.said) != said || after != deadline {
			t.Errorf("asleep %v: a frame of %s was taken", asleep, from)
		}
	}
}

// TestMalformedAnswersLeaveTheStepInHand: they are recorded, and the step is
// repeated when its time is over.
func TestMalformedAnswersLeaveTheStepInHand(t *testing.T) {
	short := zcl.Empty{}
	tests := []struct {
		step    string
		cluster uint16
		command uint8
	}{
		{"request mirror", metering.ClusterID, metering.CommandRequestMirrorResponse},
		{"request tunnel", tunnel.ClusterID, tunnel.CommandRequestTunnelResponse},
		{"report", metering.ClusterID, metering.CommandMirrorReportAttributeResponse},
		{"get", tunnel.ClusterID, tunnel.CommandTransferDataToClient},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			h := newHome(t, nil)
			h.messages = [][]byte{readVersion(1)}
			h.mute = tt.step
			h.run(time.Second)
			deadline, _ := h.meter.NextTimer()
			tell(h, tt.cluster, true, tt.command, short)
			if after, _ := h.meter.NextTimer(); after != deadline || h.count(trace.FrameRefused) != 1 {
				t.Errorf("deadline moved from %v to %v, records %v", deadline, after, h.kinds)
			}
			h.mute = ""
			h.said = nil
			h.run(10 * time.Second)
			if len(h.said) == 0 || h.said[0] != tt.step {
				t.Errorf("then said %v, want %s again", h.said, tt.step)
			}
		})
	}
	h := newHome(t, nil)
	h.mute = "report"
	h.run(time.Second)
	h.Frame(han.Frame{Src: h.hub.Node, Dst: h.meter.EUI64(), Cluster: ota.ClusterID, Payload: []byte{1}})
	h.Frame(han.Frame{Src: h.hub.Node, Dst: h.meter.EUI64(), Cluster: ota.ClusterID})
	if n := h.count(trace.FrameRefused); n != 2 {
		t.Errorf("%d frames without a header were recorded, want 2", n)
	}
}

// TestWhatTheHubRefusedIsSentAgain: a refusal may be of a frame of which a bit was turned,
// and the message in it is not with the supplier.
func TestWhatTheHubRefusedIsSentAgain(t *testing.T) {
	for _, step := range []string{"configure mirror", "put"} {
		h := newHome(t, nil)
		h.messages = [][]byte{readVersion(1)}
		h.refuses = step
		h.run(10 * time.Second)
		times := 0
		for _, said := range h.said {
			if said == step {
				times++
			}
		}
		if times != 2 || len(h.put) != 1 {
			t.Errorf("%s was refused once: said %d times, and %d messages put; want 2 and 1", step, times, len(h.put))
		}
	}
}

// TestAnswersToOtherQuestions: an answer that belongs to another step or another
// transaction moves nothing.
func TestAnswersToOtherQuestions(t *testing.T) {
	h := newHome(t, nil)
	h.mute = "report"
	h.run(time.Second)
	deadline, _ := h.meter.NextTimer()
	tell(h, metering.ClusterID, true, metering.CommandRequestMirrorResponse, metering.RequestMirrorResponse{Endpoint: 5})
	tell(h, metering.ClusterID, false, zcl.CommandDefaultResponse, zcl.DefaultResponse{})
	tell(h, tunnel.ClusterID, true, tunnel.CommandRequestTunnelResponse, tunnel.RequestTunnelResponse{TunnelID: 9})
	tell(h, tunnel.ClusterID, false, zcl.CommandDefaultResponse, zcl.DefaultResponse{})
	tell(h, zcl.ClusterTime, false, zcl.CommandReadAttributesResponse, zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{{Status: zcl.StatusUnsupAttribute}}})
	if after, _ := h.meter.NextTimer(); after != deadline || h.count(trace.TimeSet) != 0 {
		t.Errorf("deadline moved from %v to %v, records %v", deadline, after, h.kinds)
	}
	tell(h, zcl.ClusterBasic, true, 0, zcl.Empty{})
	if last := h.said[len(h.said)-1]; last != "refuse" {
		t.Errorf("a cluster not spoken was answered with %q", last)
	}
}

// TestARemovedMirrorIsAskedForAnew in the same window, and kept over a restart.
func TestARemovedMirrorIsAskedForAnew(t *testing.T) {
	h := newHome(t, nil)
	h.window()
	h.mute = "report"
	h.run(h.meter.NextHeartbeat().Sub(h.Now))
	h.mirror, h.said = 3, nil
	h.mute = ""
	tell(h, metering.ClusterID, true, metering.CommandMirrorRemoved, metering.MirrorRemoved{Endpoint: 2})
	h.run(time.Second)
	h.demand("after the mirror was removed", strings.Join(h.said, ", "), "request mirror, configure mirror, request tunnel, report")
	h.demand("next window", h.window(), "report")
}

// TestAForgottenTunnelIsAskedForAnew: what was to go through it goes afterwards.
func TestAForgottenTunnelIsAskedForAnew(t *testing.T) {
	h := newHome(t, nil)
	h.messages = [][]byte{readVersion(1)}
	h.noTunnel = true
	h.demand("first window", h.window(), firstWindow+", get, request tunnel, get, confirm, put")
	h.messages = [][]byte{readVersion(2)}
	h.mute = "put"
	h.window()
	h.mute, h.noTunnel = "", true
	h.demand("third window", h.window(), "report, put, request tunnel, put")
	if len(h.put) != 2 {
		t.Errorf("%d messages came, want 2", len(h.put))
	}
}

// TestALateMessageIsTaken: the hub drops what the meter confirms, so a message
// that comes when the meter has gone on must be obeyed, or not be confirmed.
func TestALateMessageIsTaken(t *testing.T) {
	h := newHome(t, nil)
	h.messages = [][]byte{readVersion(1)}
	h.mute = "put"
	h.run(time.Second)
	h.said = nil
	late := tunnel.TransferData{TunnelID: 7, Data: tunnel.GetResponse{Message: readVersion(2)}.Append(nil)}
	tell(h, tunnel.ClusterID, true, tunnel.CommandTransferDataToClient, late)
	h.mute = ""
	h.run(10 * time.Second)
	h.demand("after a late message", strings.Join(h.said, ", "), "confirm, put, put")
	var counters []uint64
	for _, m := range h.put {
		if m.CRA == gbcs.Response {
			counters = append(counters, m.OriginatorCounter)
		}
	}
	if len(counters) != 2 || counters[1] != 2 {
		t.Errorf("answered commands %v, want 1 and 2", counters)
	}
}

// TestSeveralMessagesAreFetchedInOneWindow, those that make no sense too.
func TestSeveralMessagesAreFetchedInOneWindow(t *testing.T) {
	h := newHome(t, nil)
	h.messages = [][]byte{readVersion(1), {0xFF}, readVersion(2)}
	h.demand("first window", h.window(), firstWindow+", get, confirm, get, confirm, get, confirm, put, put, put")
	if len(h.put) != 3 || h.put[1].CRA != gbcs.Alert {
		t.Errorf("put %v", h.put)
	}
}

// TestAWindowEndsInTime: what cannot be had while the meter stays awake waits for its
// next heartbeat, which comes when it is due.
func TestAWindowEndsInTime(t *testing.T) {
	h := newHome(t, func(c *gsme.Config) { c.Awake = 4 * time.Second })
	h.window()
	due := h.meter.NextHeartbeat()
	h.mute = "report"
	h.said = nil
	h.run(due.Add(4*time.Second - time.Millisecond).Sub(h.Now))
	if h.meter.Asleep() {
		t.Error("it sleeps before its time is over")
	}
	h.run(time.Millisecond)
	h.demand("while it is awake", strings.Join(h.said, ", "), repeat("report", 2))
	if !h.meter.Asleep() || !h.meter.NextHeartbeat().Equal(due.Add(gsme.DefaultPeriod)) {
		t.Errorf("asleep %v, next heartbeat %v, want %v", h.meter.Asleep(), h.meter.NextHeartbeat(), due.Add(gsme.DefaultPeriod))
	}
	h.mute = ""
	h.demand("in the next window", h.window(), "report")
}

// TestAWindowIsNeverLongerThanHalfAPeriod, so that no heartbeat finds the meter awake.
func TestAWindowIsNeverLongerThanHalfAPeriod(t *testing.T) {
	h := newHome(t, func(c *gsme.Config) { c.Period = 12 * time.Second })
	h.mute = "request mirror"
	h.run(time.Minute)
	if want := 5; len(h.beats) < want {
		t.Errorf("%d heartbeats in a minute, want %d or more", len(h.beats), want)
	}
	h.demand("in each window", strings.Join(h.said[:6], ", "), repeat("request mirror", 6))
	if per := len(h.said) / len(h.beats); per > 2 {
		t.Errorf("%d requests in a window of 6 s, want 2", per)
	}
}

// TestABudgetCountsWhatIsLost: repeating is held against the window's share too, and
// what the window has no room for waits. What comes first after the report, does not.
func TestABudgetCountsWhatIsLost(t *testing.T) {
	h := newHome(t, func(c *gsme.Config) { c.Budget.RadioOn = 76 * time.Millisecond })
	h.window()
	h.window() // the clock is read
	h.messages = [][]byte{readVersion(1)}
	h.mute = "get"
	h.demand("a share for one try", h.window(), "report, get")
	h.mute = "put"
	h.demand("two tries of its answer fit beside the message", h.window(), "report, get, confirm, put, put")
	h.demand("all of them in the next window", h.window(), "report, put, put, put")
	h.mute = ""
	h.demand("again", h.window(), "report, put")
}

// TestTheLastWordOfAWindow is what the meter spent: in this window, the report itself
// included, and since its cell was put in.
func TestTheLastWordOfAWindow(t *testing.T) {
	h := newHome(t, nil)
	h.window()
	h.window()
	before := h.meter.Ledger.Active()
	h.window()
	if len(h.consumptions) != 3 {
		t.Fatalf("%d reports of consumption in three windows", len(h.consumptions))
	}
	f := h.consumptions[2]
	_, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		t.Fatal(err)
	}
	report, err := zcl.ParseReportAttributes(payload)
	if err != nil {
		t.Fatal(err)
	}
	c, err := metering.ParseConsumption(report.Attributes[0].Value.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ledger := h.meter.Ledger
	for cause := range battery.NumCauses {
		got, want := battery.Charge(c.Charge[cause]*metering.ChargeUnit), ledger.Spent(cause)
		if late := want - got; late < 0 || late > 100_000 { // this frame and keeping the ledger
			t.Errorf("%s: %d nC told, %d in the ledger", cause, got, want)
		}
	}
	records := ledger.Spent(battery.CauseFlash) - battery.Charge(c.Charge[battery.CauseFlash]*metering.ChargeUnit)
	if got, want := battery.Charge(c.WindowCharge), ledger.Active()-before-records; got < want-100 || got > want+metering.ChargeUnit {
		t.Errorf("the window took %d nC by the report, %d by the ledger", got, want)
	}
	if c.Capacity != 19_000 || c.Causes != int(battery.NumCauses) || f.DstEndpoint != 2 {
		t.Errorf("%+v to endpoint %d", c, f.DstEndpoint)
	}
	h.mute = "report"
	h.window()
	if len(h.consumptions) != 3 {
		t.Error("a hub that did not take the readings is told what the meter spent")
	}
}

// TestAUsedCellIsToldOfBeforeAnyWork: a hub that a meter joins knows nothing of what its cell
// gave elsewhere, and could not tell what the first window took.
func TestAUsedCellIsToldOfBeforeAnyWork(t *testing.T) {
	joins := func(h *home) int {
		told := len(h.consumptions)
		h.messages, h.mirror = [][]byte{readVersion(1)}, 2
		if said := h.window(); !strings.HasSuffix(said, ", put") {
			t.Fatalf("the window of joining is %s", said)
		}
		return len(h.consumptions) - told
	}
	if n := joins(newHome(t, nil)); n != 1 {
		t.Errorf("a new meter told %d times in the window in which it joined", n)
	}
	h := newHome(t, nil)
	for h.mirror = 0; h.meter.Ledger.Total() < 2*h.meter.OrdinaryDay() || len(h.beats) < 100; h.window() {
	}
	if n := joins(h); n != 2 {
		t.Errorf("a meter with a used cell told %d times", n)
	}
	h.messages = [][]byte{readVersion(2)}
	told := len(h.consumptions)
	if h.window(); len(h.consumptions) != told+1 {
		t.Errorf("told %d times in a later window", len(h.consumptions)-told)
	}
}

// TestIdleWindowsAreToldOfRarely: each in the beginning, at last once a day, and work at
// once.
func TestIdleWindowsAreToldOfRarely(t *testing.T) {
	const day = 48
	h := newHome(t, nil)
	told := func(windows int) int {
		before := len(h.consumptions)
		for range windows {
			h.window()
		}
		return len(h.consumptions) - before
	}
	if n := told(day); n < day-2 {
		t.Errorf("told %d times on the first day", n)
	}
	told(200 * day)
	if n := told(20 * day); n < 18 || n > 25 {
		t.Errorf("told %d times in twenty days after two hundred", n)
	}
	told(1)
	h.messages = [][]byte{readVersion(1)}
	if n := told(1); n != 1 {
		t.Errorf("told %d times of a window with a message", n)
	}
}
