package gbcs

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var readGSMEFirmwareVersionResponseTests = []struct {
	name, golden string
	want         ReadGSMEFirmwareVersionResponse
}{
	{"a version", `
		01 09 01             # profile, one component
		01 07 02 00 0C       # last, Metering, 12 bytes:
		08 00 01             # Read Attributes Response
		06 02 00             # 0206, SUCCESS
		41 04 09 03 0A 07    # octet string`,
		ReadGSMEFirmwareVersionResponse{FirmwareVersion: 0x09030A07}},
	{"none", `
		01 09 01             # profile, one component
		01 07 02 00 06       # last, Metering, 6 bytes:
		08 00 01             # Read Attributes Response
		06 02 86             # 0206, UNSUPPORTED_ATTRIBUTE`,
		ReadGSMEFirmwareVersionResponse{Status: zcl.StatusUnsupAttribute}},
}

func TestReadGSMEFirmwareVersionResponse(t *testing.T) {
	for _, tt := range readGSMEFirmwareVersionResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ReadGSMEFirmwareVersionResponse.Append, ParseReadGSMEFirmwareVersionResponse)
			codectest.RefusesPrefixes(t, golden, ParseReadGSMEFirmwareVersionResponse)
			refusesTrailingByte(t, golden, ParseReadGSMEFirmwareVersionResponse)
		})
	}
}

func TestParseReadGSMEFirmwareVersionResponseRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseReadGSMEFirmwareVersionResponse, []refusal{
		{"a component that lies about its length", "01 09 01 01 07 02 00 0B 08 00 01 06 02 00 41 04 09 03 0A 07", "announces 11 bytes, but 12 follow"},
		{"a version of 3 bytes", "01 09 01 01 07 02 00 0B 08 00 01 06 02 00 41 03 09 03 0A", "type of the firmware version"},
		{"another attribute", "01 09 01 01 07 02 00 06 08 00 01 05 02 86", "read attributes response"},
		{"a value behind a failure", "01 09 01 01 07 02 00 0C 08 00 01 06 02 86 41 04 09 03 0A 07", "6 bytes after the last field"},
	})
}

func FuzzParseReadGSMEFirmwareVersionResponse(f *testing.F) {
	for _, tt := range readGSMEFirmwareVersionResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReadGSMEFirmwareVersionResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReadGSMEFirmwareVersionResponse.Append, ParseReadGSMEFirmwareVersionResponse)
		}
	})
}
