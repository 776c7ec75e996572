package metering

import (
	"strings"
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
		Scheme: SchemeB, Words: 5, Flags: [MaxNotificationWords]uint32{0x00200001, 0, 0, 0x40, 0},
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
	if err != nil || c.Words != c.Scheme.Words() || c.Functional() != FlagNewOTAFirmware {
		t.Errorf("got %+v, %v, functional flags %v; want new OTA firmware in scheme A", c, err, c.Functional())
	}
}

func TestMirrorReportAttributeResponseWithMoreWordsThanThereAre(t *testing.T) {
	payload := make([]byte, 1+4*MaxNotificationWords)
	if c, err := ParseMirrorReportAttributeResponse(payload); err != nil || c.Words != MaxNotificationWords {
		t.Errorf("all words give %+v, %v", c, err)
	}
	if c, err := ParseMirrorReportAttributeResponse(append(payload, 0, 0, 0, 0)); err == nil || !strings.Contains(err.Error(), "more than 8 words") {
		t.Errorf("one word more gives %+v, %v", c, err)
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
