package hub_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

const register = metering.AttributeCurrentSummationDelivered

// liar is a meter that reports what it likes, every half an hour.
type liar struct {
	*home
	eui      han.EUI64
	endpoint uint8 // of its mirror, or of the hub
}

// newLiar returns a meter of one of the two kinds, whose first reading is believed.
func newLiar(t *testing.T, eui han.EUI64) *liar {
	l := &liar{home: newHome(t), eui: eui, endpoint: 1}
	if eui == gsme {
		frames := l.say(gsme, metering.ClusterID, asServer(metering.CommandRequestMirror), zcl.Empty{})
		l.endpoint = uint8(parsed(t, frames, metering.CommandRequestMirrorResponse, metering.ParseRequestMirrorResponse).Endpoint)
	}
	l.claim(count(123_456), zcl.Attribute{ID: metering.AttributeRemainingBatteryLife, Value: zcl.Value{Type: zcl.TypeUint8, Number: 90}})
	return l
}

func count(n uint64) zcl.Attribute {
	return zcl.Attribute{ID: register, Value: zcl.Value{Type: zcl.TypeUint48, Number: n}}
}

// claim has the meter report, half an hour after it did last.
func (l *liar) claim(attributes ...zcl.Attribute) {
	l.t.Helper()
	l.Now = l.Now.Add(30 * time.Minute)
	complete := zcl.Attribute{ID: metering.AttributeReportingStatus, Value: zcl.Value{Type: zcl.TypeEnum8, Number: uint64(metering.ReportingComplete)}}
	var out han.Outbox
	zcl.Send(l.devices[l.eui], &out, zcl.Peer{Node: l.hub.EUI64(), Endpoint: l.endpoint, Cluster: metering.ClusterID},
		zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, zcl.ReportAttributes{Attributes: append(slices.Clone(attributes), complete)})
	l.Frame(out.Frames[0])
	if refused := l.refused(); len(refused) > 0 {
		l.t.Fatal(refused)
	}
}

// believes demands what the hub's records say of an attribute.
func (l *liar) believes(id uint16, want uint64) {
	l.t.Helper()
	m, _ := l.store.Mirror(l.eui)
	for _, a := range m.Attributes {
		if a.ID == id && a.Number != want {
			l.t.Errorf("attribute %04X is %d, want %d", id, a.Number, want)
		}
	}
	if !slices.ContainsFunc(m.Attributes, func(a store.MirrorAttribute) bool { return a.ID == id }) {
		l.t.Errorf("attribute %04X is gone", id)
	}
}

func (l *liar) accept(id uint16) error {
	return l.operate(func(now time.Time, out *han.Outbox) error { return l.hub.AcceptReading(now, out, l.eui, id) })
}

// TestWhatIsNotBelieved: each lie is put aside with its rule, told to the supplier once, and
// never the base of the next reading; also by a hub that starts anew.
func TestWhatIsNotBelieved(t *testing.T) {
	text := zcl.Attribute{ID: register, Value: zcl.Value{Type: zcl.TypeCharString, Bytes: []byte("nonsense")}}
	percent := zcl.Attribute{ID: metering.AttributeRemainingBatteryLife, Value: zcl.Value{Type: zcl.TypeUint8, Number: 250}}
	for name, tt := range map[string]struct {
		lie   zcl.Attribute
		rule  string
		alert string
	}{
		"a meter that was reset":   {count(5), "backwards", "CurrentSummationDelivered 5, a register never goes back, but for another meter's (123456 is believed)"},
		"2^48-1":                   {count(1<<48 - 1), "invalid", "CurrentSummationDelivered 281474976710655, it is the value"},
		"text for a number":        {text, "type", "CurrentSummationDelivered 6e6f6e73656e7365, the attribute has another data type"},
		"250 % battery":            {percent, "range", "RemainingBatteryLife 250, the attribute has no such value (90 is believed)"},
		"more than can be":         {count(9_999_999), "supply", "CurrentSummationDelivered 9999999, the supply cannot"},
		"a single litre backwards": {count(123_455), "backwards", "(123456 is believed)"},
	} {
		for _, eui := range []han.EUI64{gsme, esme} {
			t.Run(name+" of "+eui.String(), func(t *testing.T) {
				l := newLiar(t, eui)
				since := l.alerts()
				l.claim(tt.lie)
				l.restart()
				l.claim(tt.lie)
				l.believes(register, 123_456)
				l.believes(metering.AttributeRemainingBatteryLife, 90)
				q := l.store.QuarantineOf(eui)
				if len(q) != 1 || q[0].Rule != tt.rule || q[0].Count != 2 || q[0].Over || q[0].Attribute.Number != tt.lie.Value.Number ||
					q[0].At != l.Now.UnixMicro() || q[0].Since != l.Now.Add(-30*time.Minute).UnixMicro() {
					t.Fatalf("in quarantine: %+v", q)
				}
				l.expectAlerts(since, gbcs.AlertMeasurementFault)
				if told := l.store.Inbox(since, 1)[0]; told.Device != eui || !strings.Contains(told.Text, tt.alert) {
					t.Errorf("told: %s", told.Text)
				}
				l.claim(count(123_460), zcl.Attribute{ID: percent.ID, Value: zcl.Value{Type: zcl.TypeUint8, Number: 89}})
				l.believes(register, 123_460)
				if q := l.store.QuarantineOf(eui); !q[0].Over {
					t.Errorf("after a reading that is believed: %+v", q)
				}
			})
		}
	}
}

// TestAnOperatorAcceptsAnotherMetersRegister, and what follows is judged by it.
func TestAnOperatorAcceptsAnotherMetersRegister(t *testing.T) {
	for _, eui := range []han.EUI64{gsme, esme} {
		l := newLiar(t, eui)
		if err := l.accept(register); err == nil || !strings.Contains(err.Error(), "no reading is in quarantine") {
			t.Errorf("nothing to accept: %v", err)
		}
		l.claim(count(5))
		l.restart()
		l.must(l.accept(register))
		if n := len(l.store.QuarantineOf(eui)); n > 0 || !slices.ContainsFunc(l.records, func(r trace.Record) bool { return r.Kind == trace.ReadingAccepted }) {
			t.Errorf("%d readings in quarantine", n)
		}
		l.restart()
		l.believes(register, 5)
		l.claim(count(7))
		l.believes(register, 7)
		l.claim(count(123_500))
		l.believes(register, 7)
		l.must(l.remove(eui))
		if n := len(l.store.QuarantineOf(eui)); n > 0 {
			t.Errorf("a device that is gone has %d readings in quarantine", n)
		}
		if err := l.accept(register); err == nil || !strings.Contains(err.Error(), "device log") {
			t.Errorf("a device that is gone: %v", err)
		}
	}
}

// TestADisplaySeesWhatIsNotBelieved: the last reading that is believed, when it was taken,
// and Check Meter.
func TestADisplaySeesWhatIsNotBelieved(t *testing.T) {
	l := newLiar(t, gsme)
	taken := l.Now
	show := func() (values [3]uint64, known bool) {
		l.forget()
		var out han.Outbox
		zcl.Send(l.devices[ihd], &out, zcl.Peer{Node: l.hub.EUI64(), Endpoint: l.endpoint, Cluster: metering.ClusterID},
			zcl.Header{Command: zcl.CommandReadAttributes}, zcl.ReadAttributes{IDs: []uint16{register, metering.AttributeReadingSnapshotTime, metering.AttributeStatus}})
		l.Frame(out.Frames[0])
		_, payload, err := zcl.ParseHeader(l.sent[0].Payload)
		l.must(err)
		r, err := zcl.ParseReadAttributesResponse(payload)
		l.must(err)
		for i, a := range r.Attributes {
			values[i] = a.Value.Number
		}
		return values, r.Attributes[2].Status == zcl.StatusSuccess
	}
	if v, known := show(); v[0] != 123_456 || known {
		t.Errorf("before: %v, status %v", v, known)
	}
	l.claim(count(5))
	l.restart()
	want := [3]uint64{123_456, uint64(zcl.UTCTimeOf(taken)), uint64(metering.StatusCheckMeter)}
	if v, _ := show(); v != want {
		t.Errorf("shown %v, want %v", v, want)
	}
	l.claim(count(123_457))
	if v, known := show(); v[0] != 123_457 || v[1] != uint64(zcl.UTCTimeOf(l.Now)) || known {
		t.Errorf("after: %v, status %v", v, known)
	}
}
