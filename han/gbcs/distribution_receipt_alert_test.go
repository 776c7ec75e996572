package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var distributionReceiptAlertTests = []struct {
	name, golden string
	want         DistributionReceiptAlert
}{
	{"an ESME found the image good", `
		0F 20 00 07 D0 00 # data notification, invoke-id 7D0, no date-time
		02 03             # structure of 3
		12 8F 72          # long-unsigned: Firmware Verification Successful
		09 0C 07 DF 01 01 FF 00 00 00 00 80 00 FF
		09 20             # octet string: hash
		00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F`,
		DistributionReceiptAlert{AlertHead{LayoutDLMS, 0x7D0, AlertFirmwareVerificationSuccessful, 0x1C374A80}, countingHash()}},
	{"a GSME found the image bad", `
		01 09       # profile
		01          # one thing more
		8F 1C       # Firmware Verification Failed
		1C 37 4A 80 # 2015-01-01 00:00:00
		09 20       # octet string: hash
		00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F`,
		DistributionReceiptAlert{AlertHead{LayoutGBZ, 0, AlertFirmwareVerificationFailed, 0x1C374A80}, countingHash()}},
}

func TestDistributionReceiptAlert(t *testing.T) {
	for _, tt := range distributionReceiptAlertTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, DistributionReceiptAlert.Append, ParseDistributionReceiptAlert)
			codectest.RefusesPrefixes(t, golden, ParseDistributionReceiptAlert)
			refusesTrailingByte(t, golden, ParseDistributionReceiptAlert)
		})
	}
}

func TestParseDistributionReceiptAlertRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseDistributionReceiptAlert, []refusal{
		{"another alert", "01 09 01 8F 1B 1C 37 4A 80 09 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F", "alert code 8F1B, want 8F72 or 8F1C"},
		{"a hash of another type", "01 09 01 8F 72 1C 37 4A 80 00 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F", "hash"},
		{"no component counted", "01 09 00 8F 72 1C 37 4A 80 09 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F", "components"},
	})
}

func FuzzParseDistributionReceiptAlert(f *testing.F) {
	for _, tt := range distributionReceiptAlertTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseDistributionReceiptAlert(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, DistributionReceiptAlert.Append, ParseDistributionReceiptAlert)
		}
	})
}
