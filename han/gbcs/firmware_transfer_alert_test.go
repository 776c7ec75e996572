package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var firmwareTransferAlertTests = []struct {
	name, golden string
	want         FirmwareTransferAlert
}{
	{"success", `
		30 29                                  # SEQUENCE
		   02 03 00 8F 8A                      # INTEGER: 8F8A
		   18 0F 32 30 31 35 30 31 30 31 30 30 30 30 30 30 5A
		   04 08 00 DB 12 34 56 78 90 A4       # OCTET STRING: device
		   04 04 09 03 0A 07                   # OCTET STRING: version
		   02 01 00                            # INTEGER: success`,
		FirmwareTransferAlert{Code: AlertFirmwareTransferSuccess, Time: 0x1C374A80, Device: 0x00DB1234567890A4,
			FirmwareVersion: 0x09030A07, Outcome: TransferSuccess}},
	{"hardware version mismatch", `
		30 29                                  # SEQUENCE
		   02 03 00 8F 89                      # INTEGER: 8F89
		   18 0F 32 30 31 35 30 31 30 31 30 30 30 30 30 30 5A
		   04 08 00 DB 12 34 56 78 90 A4       # OCTET STRING: device
		   04 04 09 03 0A 07                   # OCTET STRING: version
		   02 01 02                            # INTEGER: hardware version mismatch`,
		FirmwareTransferAlert{Code: AlertFirmwareTransferFail, Time: 0x1C374A80, Device: 0x00DB1234567890A4,
			FirmwareVersion: 0x09030A07, Outcome: TransferHardwareVersionMismatch}},
}

func TestFirmwareTransferAlert(t *testing.T) {
	for _, tt := range firmwareTransferAlertTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, FirmwareTransferAlert.Append, ParseFirmwareTransferAlert)
			codectest.RefusesPrefixes(t, golden, ParseFirmwareTransferAlert)
			refusesTrailingByte(t, golden, ParseFirmwareTransferAlert)
		})
	}
}

func TestParseFirmwareTransferAlertRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseFirmwareTransferAlert, []refusal{
		{"another alert", "30 29 02 03 00 8F 72 18 0F 32 30 31 35 30 31 30 31 30 30 30 30 30 30 5A 04 08 00 DB 12 34 56 78 90 A4 04 04 09 03 0A 07 02 01 00", "alert code 8F72, want 8F8A or 8F89"},
		{"an unknown outcome", "30 29 02 03 00 8F 8A 18 0F 32 30 31 35 30 31 30 31 30 30 30 30 30 30 5A 04 08 00 DB 12 34 56 78 90 A4 04 04 09 03 0A 07 02 01 04", "outcome 4, want at most 3"},
	})
}

func FuzzParseFirmwareTransferAlert(f *testing.F) {
	for _, tt := range firmwareTransferAlertTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseFirmwareTransferAlert(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, FirmwareTransferAlert.Append, ParseFirmwareTransferAlert)
		}
	})
}
