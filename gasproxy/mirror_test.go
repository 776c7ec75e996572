package gasproxy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

func TestAMirrorShowsTheLastReport(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	text := zcl.Attribute{ID: 0x0307, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: []byte("firmware")}}
	h.report(gsme, endpoint, number(5, 50), number(1, 10), text, complete)
	h.now = start.Add(time.Hour)
	h.report(gsme, endpoint, number(1, 11), complete)
	r, ok := h.ReadMirror(endpoint, metering.ClusterID, []uint16{1, 5, 0x0307, 9, metering.AttributeReadingSnapshotTime})
	if !ok || len(r.Attributes) != 5 {
		t.Fatalf("read %+v (%v)", r, ok)
	}
	for i, want := range []zcl.AttributeStatus{
		{ID: 1, Value: zcl.Value{Type: zcl.TypeUint48, Number: 11}},
		{ID: 5, Value: zcl.Value{Type: zcl.TypeUint48, Number: 50}},
		{ID: 0x0307, Value: text.Value},
		{ID: 9, Status: zcl.StatusUnsupAttribute},
		{ID: metering.AttributeReadingSnapshotTime, Value: zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(h.now))}},
	} {
		got := r.Attributes[i]
		if got.ID != want.ID || got.Status != want.Status || got.Value.Number != want.Value.Number || string(got.Value.Bytes) != string(want.Value.Bytes) {
			t.Errorf("attribute %04X is %+v, want %+v", want.ID, got, want)
		}
	}
	if m, ok := h.Mirror(gsme); !ok || !m.UpdatedAt.Equal(h.now) || len(m.Attributes) != 3 {
		t.Errorf("mirror %+v (%v)", m, ok)
	}
	if r, ok := h.ReadMirror(endpoint+1, metering.ClusterID, []uint16{1}); ok {
		t.Errorf("an endpoint without a mirror shows %+v", r)
	}
	if r, ok := h.ReadMirror(0, metering.ClusterID, []uint16{1}); ok {
		t.Errorf("endpoint 0, which no mirror has, shows %+v", r)
	}
}

// An invalid string is none, an empty one is a value of no length (ZCL §2.6.2.12).
func TestAMirrorTellsAnInvalidStringFromAnEmptyOne(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	for _, want := range [][]byte{nil, {}, []byte("x"), {}, nil, []byte("y"), nil} {
		h.report(gsme, endpoint, zcl.Attribute{ID: 0x0307, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: want}}, complete)
		m, _ := h.Mirror(gsme)
		got, ok := m.Attribute(0x0307)
		if !ok || string(got.Bytes) != string(want) || (got.Bytes == nil) != (want == nil) {
			t.Errorf("the mirror shows %#v, want %#v", got.Bytes, want)
		}
	}
}

func TestOnlyACompleteReportIsAnswered(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	partial := zcl.Attribute{ID: metering.AttributeReportingStatus, Value: zcl.Value{Type: zcl.TypeEnum8, Number: uint64(metering.ReportingComplete) + 1}}
	for _, attributes := range [][]zcl.Attribute{{number(1, 1)}, {number(2, 1), partial}} {
		if frames := h.report(gsme, endpoint, attributes...); len(frames) > 0 || h.err != nil {
			t.Errorf("%d answers (%v)", len(frames), h.err)
		}
	}
	if m, _ := h.Mirror(gsme); len(h.hub.windows) > 0 || h.hub.mirrors > 0 || !m.UpdatedAt.IsZero() {
		t.Errorf("%d windows, %d mirrors stored, updated at %v", len(h.hub.windows), h.hub.mirrors, m.UpdatedAt)
	}
	h.heartbeat(gsme, endpoint)
	if m, _ := h.Mirror(gsme); len(h.hub.windows) != 1 || h.hub.mirrors != 1 || len(m.Attributes) != 3 {
		t.Errorf("%d windows, %d mirrors stored, attributes %v", len(h.hub.windows), h.hub.mirrors, m.Attributes)
	}
}

func TestFlagsTellWhatWaits(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	if f := h.heartbeat(gsme, endpoint); f != 0 {
		t.Errorf("flags %v with nothing to tell", f)
	}
	h.hub.image = true
	if f := h.heartbeat(gsme, endpoint); f != metering.FlagNewOTAFirmware {
		t.Errorf("flags %v with an image", f)
	}
	if err := h.Post(gsme, message(1, start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if f := h.heartbeat(gsme, endpoint); f != metering.FlagNewOTAFirmware|metering.FlagTunnelMessagePending {
		t.Errorf("flags %v with an image and a message", f)
	}
}

// TestAReportToAMirrorThatIsNotThereMakesTheMeterJoin: the meter was removed from the
// device log and added again.
func TestAReportToAMirrorThatIsNotThereMakesTheMeterJoin(t *testing.T) {
	h := newHome(t, nil)
	old := h.mirrored(second)
	for name, endpoint := range map[string]uint8{"none yet": 7, "another meter's": old} {
		frames := h.report(gsme, endpoint, number(1, 1), complete)
		r := answer(h, frames, metering.CommandMirrorRemoved, metering.ParseMirrorRemoved)
		if r.Endpoint != uint16(endpoint) {
			t.Errorf("%s: mirror %d removed, want %d", name, r.Endpoint, endpoint)
		}
	}
	h.mirrored(gsme) // now with one of its own
	answer(h, h.report(gsme, old, number(1, 1), complete), metering.CommandMirrorRemoved, metering.ParseMirrorRemoved)
	if m, _ := h.Mirror(second); len(m.Attributes) > 0 || h.hub.mirrors > 0 {
		t.Errorf("the other meter's mirror took %v", m.Attributes)
	}
}

func TestAMirrorHasAnEnd(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	for id := range uint16(128) {
		if h.report(gsme, endpoint, number(0x1000+id*2, 1)); h.err != nil {
			t.Fatalf("attribute %d: %v", id, h.err)
		}
	}
	if h.report(gsme, endpoint, number(0x1001, 1)); h.err == nil || !strings.Contains(h.err.Error(), "mirror is full") {
		t.Errorf("one attribute more: %v", h.err)
	}
	if h.report(gsme, endpoint, number(0x1004, 44), complete); h.err != nil {
		t.Errorf("a known attribute: %v", h.err)
	}
	if v, ok := must(h.Mirror(gsme)).Attribute(0x1004); !ok || v.Number != 44 {
		t.Errorf("attribute 4 is %v (%v)", v, ok)
	}
}

func must(m gasproxy.Mirror, _ bool) *gasproxy.Mirror { return &m }

func TestMalformedReportsChangeNothing(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	whole := zcl.ReportAttributes{Attributes: []zcl.Attribute{number(1, 1), complete}}.Append(nil)
	for n := range whole {
		if n == 9 {
			continue // the first attribute alone is a good report
		}
		frames := h.say(gsme, metering.ClusterID, endpoint, zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, raw(whole[:n]))
		if len(frames) > 0 || h.err == nil {
			t.Errorf("%d of %d bytes: %d answers (%v)", n, len(whole), len(frames), h.err)
		}
	}
	if m, _ := h.Mirror(gsme); len(m.Attributes) > 0 {
		t.Errorf("the mirror took %v", m.Attributes)
	}
}

// raw is a payload as it is.
type raw []byte

func (r raw) Append(b []byte) []byte { return append(b, r...) }

// TestAMeterAnswersOnTheEndpointItSpeaksFrom.
func TestAMeterIsAnsweredOnTheEndpointItSpeaksFrom(t *testing.T) {
	h := newHome(t, nil)
	endpoint := h.mirrored(gsme)
	h.from[gsme].Endpoint = 123
	if frames := h.report(gsme, endpoint, complete); len(frames) != 1 || frames[0].DstEndpoint != 123 || frames[0].Dst != han.EUI64(gsme) {
		t.Errorf("answered %v", frames)
	}
}
