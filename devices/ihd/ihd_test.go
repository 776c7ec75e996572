package ihd_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/trace"
)

// home is a display and what came of it.
type home struct {
	*devicetest.Player
	display *ihd.Display
	hub     zcl.Station
	sent    []zcl.Header
	records []trace.Kind
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{display: devicetest.IHD(), hub: zcl.Station{Node: devicetest.HubAddress, Endpoint: 2}}
	h.Player = &devicetest.Player{TB: t, Node: h.display, Now: devicetest.Start,
		Sent: func(f han.Frame) {
			header, _, err := zcl.ParseHeader(f.Payload)
			if err != nil || f.DstEndpoint != 2 || f.Cluster != metering.ClusterID {
				t.Errorf("sent %s: %v", f, err)
			}
			h.sent = append(h.sent, header)
		},
		Recorded: func(r *trace.Record) { h.records = append(h.records, r.Kind) },
	}
	h.Timer()
	return h
}

// answer answers the reading with the given transaction.
func answer[C zcl.Command](h *home, tsn uint8, command uint8, c C) {
	var out han.Outbox
	zcl.Answer(&h.hub, &out, zcl.Peer{Node: h.display.EUI64(), Endpoint: 1, Cluster: metering.ClusterID},
		zcl.Header{ToClient: true, DisableDefaultResponse: true, TSN: tsn, Command: command}, c)
	h.Frame(out.Frames[0])
}

func value(id uint16, t zcl.DataType, n uint64) zcl.AttributeStatus {
	return zcl.AttributeStatus{ID: id, Value: zcl.Value{Type: t, Number: n}}
}

// mirror is what a proxy answers about readings taken at an instant.
func mirror(litres uint64, taken time.Time) zcl.ReadAttributesResponse {
	return zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{
		value(metering.AttributeCurrentSummationDelivered, zcl.TypeUint48, litres),
		value(metering.AttributeReadingSnapshotTime, zcl.TypeUTCTime, uint64(zcl.UTCTimeOf(taken))),
		value(metering.AttributeRemainingBatteryLifeInDays, zcl.TypeUint16, 3650),
	}}
}

func (h *home) tsn() uint8 { return h.sent[len(h.sent)-1].TSN }

func TestItReadsTheMirrorInItsInterval(t *testing.T) {
	h := newHome(t)
	h.Advance(devicetest.Start.Add(10*ihd.DefaultInterval - 1))
	if len(h.sent) != 10 {
		t.Errorf("%d readings in just under ten intervals, want 10", len(h.sent))
	}
	h.Advance(devicetest.Start.Add(10 * ihd.DefaultInterval))
	if len(h.sent) != 11 || h.sent[0].Command != zcl.CommandReadAttributes || h.sent[0].TSN == h.sent[1].TSN {
		t.Errorf("then %d, the first %+v", len(h.sent), h.sent[0])
	}
}

func TestWhatItShows(t *testing.T) {
	tests := []struct {
		name string
		give zcl.ReadAttributesResponse
		want string
	}{
		{"a reading of just now", mirror(1_234_567, devicetest.Start), "1234.567 m³, 0s old"},
		{"a reading of last night", mirror(7, devicetest.Start.Add(-8*time.Hour)), "0.007 m³, 8h0m0s old"},
		{"a reading from the future", mirror(7, devicetest.Start.Add(8*time.Hour)), "0.007 m³, 0s old"},
		{"a mirror that is empty", zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{
			{ID: metering.AttributeCurrentSummationDelivered, Status: zcl.StatusUnsupAttribute},
			{ID: metering.AttributeReadingSnapshotTime, Status: zcl.StatusUnsupAttribute},
		}}, "no reading yet"},
		{"a time without a reading", zcl.ReadAttributesResponse{Attributes: mirror(7, devicetest.Start).Attributes[1:]}, "no reading yet"},
		{"a reading without its time", zcl.ReadAttributesResponse{Attributes: mirror(7, devicetest.Start).Attributes[:1]}, "0.007 m³, of unknown age"},
		{"a reading after which others are not believed", zcl.ReadAttributesResponse{Attributes: append(mirror(7, devicetest.Start).Attributes,
			value(metering.AttributeStatus, zcl.TypeBitmap8, uint64(metering.StatusCheckMeter)))}, "0.007 m³, 0s old; check meter"},
		{"what was not asked for", zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{value(0x0400, zcl.TypeInt24, 9)}}, "no reading yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			answer(h, h.tsn(), zcl.CommandReadAttributesResponse, tt.give)
			if got := h.display.Reading().String(); got != tt.want {
				t.Errorf("shows %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff([]trace.Kind{trace.MirrorRead}, h.records); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
	h := newHome(t)
	answer(h, h.tsn(), zcl.CommandReadAttributesResponse, mirror(5, devicetest.Start))
	want := ihd.Reading{Valid: true, Litres: 5, BatteryDays: 3650, Taken: devicetest.Start}
	if diff := cmp.Diff(want, h.display.Reading()); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
}

// TestAnswersThatAreNotTaken: what is shown stays, and only an answer that no
// question belongs to is refused.
func TestAnswersThatAreNotTaken(t *testing.T) {
	other := mirror(9, devicetest.Start)
	tests := []struct {
		name    string
		do      func(h *home)
		refuses int // Default Responses sent
		records []trace.Kind
	}{
		{"of a stranger", func(h *home) {
			h.Frame(han.Frame{Src: stranger, Cluster: metering.ClusterID, Payload: zcl.AppendFrame(nil, zcl.Header{TSN: h.tsn(), Command: 1}, other)})
		}, 0, nil},
		{"late, of the reading before", func(h *home) {
			tsn := h.tsn()
			h.Advance(h.Now.Add(ihd.DefaultInterval))
			h.sent = h.sent[:0]
			answer(h, tsn, zcl.CommandReadAttributesResponse, other)
		}, 0, nil},
		{"the mirror does not exist", func(h *home) {
			answer(h, h.tsn(), zcl.CommandDefaultResponse, zcl.DefaultResponse{Status: zcl.StatusNotFound})
		}, 0, nil},
		{"cut short", func(h *home) { answer(h, h.tsn(), zcl.CommandReadAttributesResponse, zcl.Empty{}) }, 0, []trace.Kind{trace.FrameRefused}},
		{"without a header", func(h *home) { h.Frame(han.Frame{Src: h.hub.Node, Cluster: metering.ClusterID}) }, 0, []trace.Kind{trace.FrameRefused}},
		{"a command to a display", func(h *home) { answer(h, h.tsn(), zcl.CommandReadAttributes, zcl.ReadAttributes{IDs: []uint16{0}}) }, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			answer(h, h.tsn(), zcl.CommandReadAttributesResponse, mirror(5, devicetest.Start))
			h.Advance(h.Now.Add(ihd.DefaultInterval))
			tsn := h.sent[len(h.sent)-1]
			h.records, h.sent = nil, []zcl.Header{tsn}
			tt.do(h)
			refused := 0
			for _, s := range h.sent {
				if s.Command == zcl.CommandDefaultResponse {
					refused++
				}
			}
			if refused != tt.refuses || h.display.Reading().Litres != 5 {
				t.Errorf("sent %+v, shows %s", h.sent, h.display.Reading())
			}
			if diff := cmp.Diff(tt.records, h.records); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}
