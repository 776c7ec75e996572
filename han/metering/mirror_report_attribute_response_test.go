package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const mirrorReportAttributeResponseGolden = `
	02          # scheme B
	01 00 20 00 # new OTA firmware, tunnel message pending
	00 00 00 00 # price
	00 00 00 00 # calendar
	40 00 00 00 # prepayment: get prepay snapshot
	00 00 00 00 # device management`

func TestMirrorReportAttributeResponse(t *testing.T) {
	golden := codectest.Hex(t, mirrorReportAttributeResponseGolden)
	codectest.RoundTrip(t, golden, MirrorReportAttributeResponse{
		Scheme: SchemeB, Flags: []uint32{0x00200001, 0, 0, 0x40, 0},
	}, MirrorReportAttributeResponse.Append, ParseMirrorReportAttributeResponse)
	for n := range golden {
		c, err := ParseMirrorReportAttributeResponse(golden[:n:n])
		if whole := n > 1 && n%4 == 1; whole != (err == nil) {
			t.Errorf("the first %d bytes give %+v, %v", n, c, err)
		}
	}
}

func TestMirrorReportAttributeResponseFunctional(t *testing.T) {
	c, err := ParseMirrorReportAttributeResponse(codectest.Hex(t, "01 01 00 00 00"))
	if err != nil || len(c.Flags) != c.Scheme.Words() || c.Functional() != FlagNewOTAFirmware {
		t.Errorf("got %+v, %v, functional flags %v; want new OTA firmware in scheme A", c, err, c.Functional())
	}
	if got := (MirrorReportAttributeResponse{}).Functional(); got != 0 {
		t.Errorf("without words the functional flags are %v, want none", got)
	}
}

func FuzzParseMirrorReportAttributeResponse(f *testing.F) {
	f.Add(codectest.Hex(f, mirrorReportAttributeResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseMirrorReportAttributeResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, MirrorReportAttributeResponse.Append, ParseMirrorReportAttributeResponse)
		}
	})
}
