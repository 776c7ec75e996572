package ihd_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
)

// A display of a prepayment home reads the balance with the readings, and keeps the last one that
// it was told; any other asks for none.
func TestADisplayShowsTheBalance(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		cfg := devicetest.IHDConfig()
		cfg.Prepayment = wanted
		d := ihd.New(cfg, devicetest.Start)
		var out han.Outbox
		d.HandleTimer(devicetest.Start, &out)
		asked := 0
		for _, f := range out.Frames {
			if f.Cluster != prepayment.ClusterID {
				continue
			}
			asked++
			h, _, err := zcl.ParseHeader(f.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for tsn, value := range map[uint8]uint64{h.TSN + 1: 1, h.TSN: 12_501_999} { // the first is late
				answer := zcl.Header{ToClient: true, TSN: tsn, Command: zcl.CommandReadAttributesResponse}
				d.HandleFrame(devicetest.Start.Add(time.Second), han.Frame{Src: cfg.Hub, Dst: cfg.EUI64, Cluster: prepayment.ClusterID,
					Payload: zcl.AppendFrame(nil, answer, zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{{
						ID: prepayment.AttributeCreditRemaining, Value: zcl.Value{Type: zcl.TypeInt32, Number: value}}}})}, &out)
			}
		}
		if want := map[bool]int{true: 1}[wanted]; asked != want {
			t.Errorf("prepayment %v: asked %d times", wanted, asked)
		}
		want := map[bool]string{true: "no reading yet; balance £125.01", false: "no reading yet"}[wanted]
		if got := d.Reading().String(); got != want {
			t.Errorf("prepayment %v: %q, want %q", wanted, got, want)
		}
	}
}
