package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var genericAlertTests = []struct {
	name, golden string
	want         GenericAlert
}{
	{"from an ESME", `
		0F 20 00 07 D0 00 # data notification, invoke-id 7D0, no date-time
		02 02             # structure of 2
		12 8F 1F          # long-unsigned: Low Battery Capacity
		09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF`,
		GenericAlert{AlertHead{LayoutDLMS, 0x7D0, AlertLowBatteryCapacity, 0x1C374A80}}},
	{"from a GSME", `
		01 09       # profile
		00          # nothing more
		8F 1F       # Low Battery Capacity
		1C 37 4A 80 # 2015-01-01 00:00:00`,
		GenericAlert{AlertHead{LayoutGBZ, 0, AlertLowBatteryCapacity, 0x1C374A80}}},
}

func TestGenericAlert(t *testing.T) {
	for _, tt := range genericAlertTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, GenericAlert.Append, ParseGenericAlert)
			codectest.RefusesPrefixes(t, golden, ParseGenericAlert)
			refusesTrailingByte(t, golden, ParseGenericAlert)
		})
	}
}

func TestInvokeIDIsTheLow24BitsOfTheCounter(t *testing.T) {
	if got := InvokeIDOf(0x1122334455667788); got != 0x667788 {
		t.Errorf("InvokeIDOf = %06X, want 667788", got)
	}
	c := GenericAlert{AlertHead{InvokeID: 0xFF667788}}
	if got := c.Append(nil)[1:5]; [4]byte(got) != [4]byte{0x20, 0x66, 0x77, 0x88} {
		t.Errorf("invoke-id and priority % X, want 20 66 77 88", got)
	}
}

func TestParseGenericAlertRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseGenericAlert, []refusal{
		{"another profile", "01 04 00 8F 1F 1C 37 4A 80", "profile"},
		{"a GBZ time that is none", "01 09 00 8F 1F FF FF FF FF", "not a time"},
		{"a component that GBZ counts but does not have", "01 09 01 8F 1F 1C 37 4A 80", "components"},
		{"a DLMS date-time that is none", "0F 20 00 07 D0 00 02 02 12 8F 1F 09 0C 07 DF 02 1E FF 00 00 00 00 80 00 FF", "not a time"},
		{"another priority", "0F 60 00 07 D0 00 02 02 12 8F 1F 09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF", "priority"},
		{"a structure of 3", "0F 20 00 07 D0 00 02 03 12 8F 1F 09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF", "structure"},
	})
}

func FuzzParseGenericAlert(f *testing.F) {
	for _, tt := range genericAlertTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseGenericAlert(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, GenericAlert.Append, ParseGenericAlert)
		}
	})
}
