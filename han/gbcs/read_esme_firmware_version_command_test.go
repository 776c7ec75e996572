package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var readESMEFirmwareVersionCommandTests = []struct {
	name, golden string
	want         ReadESMEFirmwareVersionCommand
}{
	{"the one form", `
		D9 20 00 03 E8 00 # access request, invoke-id 3E8, no date-time
		01                # one request:
		01 00 01 00 00 00 02 01 FF 02 # Get class 1, 0-0:0.2.1.255, attribute 2
		01 00             # one datum: null`,
		ReadESMEFirmwareVersionCommand{InvokeID: 0x3E8}},
}

func TestReadESMEFirmwareVersionCommand(t *testing.T) {
	for _, tt := range readESMEFirmwareVersionCommandTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ReadESMEFirmwareVersionCommand.Append, ParseReadESMEFirmwareVersionCommand)
			codectest.RefusesPrefixes(t, golden, ParseReadESMEFirmwareVersionCommand)
			refusesTrailingByte(t, golden, ParseReadESMEFirmwareVersionCommand)
		})
	}
}

func TestParseReadESMEFirmwareVersionCommandRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseReadESMEFirmwareVersionCommand, []refusal{
		{"another object", "D9 20 00 03 E8 00 01 01 00 01 00 00 00 02 00 FF 02 01 00", "request"},
		{"another service", "DA 20 00 03 E8 00 01 01 00 01 00 00 00 02 01 FF 02 01 00", "access request"},
	})
}

func FuzzParseReadESMEFirmwareVersionCommand(f *testing.F) {
	for _, tt := range readESMEFirmwareVersionCommandTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReadESMEFirmwareVersionCommand(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReadESMEFirmwareVersionCommand.Append, ParseReadESMEFirmwareVersionCommand)
		}
	})
}
