package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var activateFirmwareResponseTests = []struct {
	name, golden string
	want         ActivateFirmwareResponse
}{
	{"accepted for later", `
		05 00 # NULL`,
		ActivateFirmwareResponse{Accepted: true}},
	{"success", `
		30 09                # SEQUENCE
		   02 01 00          # INTEGER: success
		   04 04 09 03 0A 07 # OCTET STRING: version`,
		ActivateFirmwareResponse{Outcome: ActivationOutcome{ActivationSuccess, 0x09030A07}}},
	{"hash mismatch", `
		30 09                # SEQUENCE
		   02 01 02          # INTEGER: hash mismatch
		   04 04 09 03 0A 06 # OCTET STRING: version`,
		ActivateFirmwareResponse{Outcome: ActivationOutcome{ActivationHashMismatch, 0x09030A06}}},
}

func TestActivateFirmwareResponse(t *testing.T) {
	for _, tt := range activateFirmwareResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ActivateFirmwareResponse.Append, ParseActivateFirmwareResponse)
			codectest.RefusesPrefixes(t, golden, ParseActivateFirmwareResponse)
			refusesTrailingByte(t, golden, ParseActivateFirmwareResponse)
		})
	}
}

func TestParseActivateFirmwareResponseRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseActivateFirmwareResponse, []refusal{
		{"a NULL with content", "05 01 00", "acceptance"},
		{"an unknown code", "30 09 02 01 04 04 04 09 03 0A 07", "activation code 4, want at most 3"},
		{"a version of 3 bytes", "30 08 02 01 00 04 03 09 03 0A", "firmware version"},
		{"code and version the wrong way round", "30 09 04 04 09 03 0A 07 02 01 00", "activation code"},
	})
}

func FuzzParseActivateFirmwareResponse(f *testing.F) {
	for _, tt := range activateFirmwareResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseActivateFirmwareResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ActivateFirmwareResponse.Append, ParseActivateFirmwareResponse)
		}
	})
}
