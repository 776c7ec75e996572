package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var readESMEFirmwareVersionResponseTests = []struct {
	name, golden string
	want         ReadESMEFirmwareVersionResponse
}{
	{"a version", `
		DA 20 00 03 E8 00 00 # access response, invoke-id 3E8
		01                   # one datum:
		09 04 09 03 0A 07    # octet string: version
		01                   # one result:
		01 00                # Get, success`,
		ReadESMEFirmwareVersionResponse{InvokeID: 0x3E8, FirmwareVersion: 0x09030A07}},
	{"none", `
		DA 20 00 03 E8 00 00 # access response, invoke-id 3E8
		01                   # one datum:
		00                   # null
		01                   # one result:
		01 01                # Get, hardware fault`,
		ReadESMEFirmwareVersionResponse{InvokeID: 0x3E8, Result: AccessHardwareFault}},
}

func TestReadESMEFirmwareVersionResponse(t *testing.T) {
	for _, tt := range readESMEFirmwareVersionResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ReadESMEFirmwareVersionResponse.Append, ParseReadESMEFirmwareVersionResponse)
			codectest.RefusesPrefixes(t, golden, ParseReadESMEFirmwareVersionResponse)
			refusesTrailingByte(t, golden, ParseReadESMEFirmwareVersionResponse)
		})
	}
}

func TestParseReadESMEFirmwareVersionResponseRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseReadESMEFirmwareVersionResponse, []refusal{
		{"success without a version", "DA 20 00 03 E8 00 00 01 00 01 01 00", "contradicts"},
		{"a version and no success", "DA 20 00 03 E8 00 00 01 09 04 09 03 0A 07 01 01 01", "contradicts"},
		{"the result of a Set", "DA 20 00 03 E8 00 00 01 09 04 09 03 0A 07 01 02 00", "start of the result"},
	})
}

func FuzzParseReadESMEFirmwareVersionResponse(f *testing.F) {
	for _, tt := range readESMEFirmwareVersionResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReadESMEFirmwareVersionResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReadESMEFirmwareVersionResponse.Append, ParseReadESMEFirmwareVersionResponse)
		}
	})
}
