package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var readGSMEFirmwareVersionCommandTests = []struct {
	name, golden string
	want         ReadGSMEFirmwareVersionCommand
}{
	{"the one form", `
		01 09 01             # profile, one component
		01 07 02 00 05       # last, Metering, 5 bytes:
		00 00 00 06 02       # Read Attributes 0206`,
		ReadGSMEFirmwareVersionCommand{}},
}

func TestReadGSMEFirmwareVersionCommand(t *testing.T) {
	for _, tt := range readGSMEFirmwareVersionCommandTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ReadGSMEFirmwareVersionCommand.Append, ParseReadGSMEFirmwareVersionCommand)
			codectest.RefusesPrefixes(t, golden, ParseReadGSMEFirmwareVersionCommand)
			refusesTrailingByte(t, golden, ParseReadGSMEFirmwareVersionCommand)
		})
	}
}

func TestParseReadGSMEFirmwareVersionCommandRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseReadGSMEFirmwareVersionCommand, []refusal{
		{"another attribute", "01 09 01 01 07 02 00 05 00 00 00 05 02", "request"},
	})
}

func FuzzParseReadGSMEFirmwareVersionCommand(f *testing.F) {
	for _, tt := range readGSMEFirmwareVersionCommandTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReadGSMEFirmwareVersionCommand(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReadGSMEFirmwareVersionCommand.Append, ParseReadGSMEFirmwareVersionCommand)
		}
	})
}
