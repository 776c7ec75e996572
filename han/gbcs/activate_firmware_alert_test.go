package gbcs

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var activateFirmwareAlertTests = []struct {
	name, golden string
	want         ActivateFirmwareAlert
}{
	{"actioned", `
		30 25                   # SEQUENCE
		   02 03 00 8F 66       # INTEGER: 8F66
		   18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 5A
		   02 02 03 E9          # INTEGER: counter 1001
		   30 09                # SEQUENCE
		      02 01 00          # success
		      04 04 09 03 0A 07 # version`,
		ActivateFirmwareAlert{Code: AlertFutureDatedCommandActioned,
			ExecutionTime: zcl.UTCTimeOf(time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)), OriginatorCounter: 1001,
			Outcome: ActivationOutcome{ActivationSuccess, 0x09030A07}}},
	{"not actioned", `
		30 25                   # SEQUENCE
		   02 03 00 8F 67       # INTEGER: 8F67
		   18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 5A
		   02 02 03 E9          # INTEGER: counter 1001
		   30 09                # SEQUENCE
		      02 01 03          # activation failure
		      04 04 09 03 0A 06 # version`,
		ActivateFirmwareAlert{Code: AlertFutureDatedCommandNotActioned,
			ExecutionTime: zcl.UTCTimeOf(time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)), OriginatorCounter: 1001,
			Outcome: ActivationOutcome{ActivationFailure, 0x09030A06}}},
}

func TestActivateFirmwareAlert(t *testing.T) {
	for _, tt := range activateFirmwareAlertTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ActivateFirmwareAlert.Append, ParseActivateFirmwareAlert)
			codectest.RefusesPrefixes(t, golden, ParseActivateFirmwareAlert)
			refusesTrailingByte(t, golden, ParseActivateFirmwareAlert)
		})
	}
}

func TestParseActivateFirmwareAlertRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseActivateFirmwareAlert, []refusal{
		{"another alert", "30 25 02 03 00 8F 72 18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 5A 02 02 03 E9 30 09 02 01 00 04 04 09 03 0A 07", "alert code 8F72, want 8F66 or 8F67"},
		{"a code over 16 bits", "30 25 02 03 01 8F 66 18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 5A 02 02 03 E9 30 09 02 01 00 04 04 09 03 0A 07", "want at most 65535"},
		{"an outcome that does not end the alert", "30 27 02 03 00 8F 66 18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 5A 02 02 03 E9 30 09 02 01 00 04 04 09 03 0A 07 05 00", "announces 9 bytes, but 11 follow"},
	})
}

func FuzzParseActivateFirmwareAlert(f *testing.F) {
	for _, tt := range activateFirmwareAlertTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseActivateFirmwareAlert(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ActivateFirmwareAlert.Append, ParseActivateFirmwareAlert)
		}
	})
}
