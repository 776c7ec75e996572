package gbcs

import (
	"math"
	"testing"
	"time"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var activateFirmwareCommandTests = []struct {
	name, golden string
	want         ActivateFirmwareCommand
}{
	{"at once", `
		30 25    # SEQUENCE
		   # OCTET STRING: hash
		   04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		         10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F
		   02 01 05 # INTEGER: counter 5`,
		ActivateFirmwareCommand{ImageHash: countingHash(), OriginatorCounter: 5}},
	{"dated, with a counter whose top bit is set", `
		30 3B    # SEQUENCE
		   # OCTET STRING: hash
		   04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		         10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F
		   02 06 00 80 00 00 00 07 # INTEGER: counter with a leading 00
		   # GeneralizedTime 20300115090000Z
		   18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 5A`,
		ActivateFirmwareCommand{ImageHash: countingHash(), OriginatorCounter: 0x80_0000_0007,
			Execution: ExecuteAt, ExecutionTime: zcl.UTCTimeOf(time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC))}},
	{"cancellation, with the largest counter", `
		30 3E    # SEQUENCE
		   # OCTET STRING: hash
		   04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		         10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F
		   02 09 00 FF FF FF FF FF FF FF FF # INTEGER: counter
		   # GeneralizedTime 99991231235959Z
		   18 0F 39 39 39 39 31 32 33 31 32 33 35 39 35 39 5A`,
		ActivateFirmwareCommand{ImageHash: countingHash(), OriginatorCounter: math.MaxUint64, Execution: ExecuteCancel}},
}

func TestActivateFirmwareCommand(t *testing.T) {
	for _, tt := range activateFirmwareCommandTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ActivateFirmwareCommand.Append, ParseActivateFirmwareCommand)
			codectest.RefusesPrefixes(t, golden, ParseActivateFirmwareCommand)
			refusesTrailingByte(t, golden, ParseActivateFirmwareCommand)
		})
	}
}

func TestParseActivateFirmwareCommandRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, ParseActivateFirmwareCommand, []refusal{
		{"another tag", "31 25 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05", "command"},
		{"a sequence that lies about its length", "30 26 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05", "announces 38 bytes, but 37 follow"},
		{"a length not in its shortest form", "30 81 25 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05", "shortest form"},
		{"a hash of 31 bytes", "30 24 04 1F 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 01 05", "hash"},
		{"a counter with a needless zero", "30 26 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 02 00 05", "shortest form"},
		{"an empty counter", "30 24 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 00", "shortest form"},
		{"a negative counter", "30 25 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 80", "out of range"},
		{"a counter over 64 bits", "30 2D 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 09 01 00 00 00 00 00 00 00 00", "out of range"},
		{"a time that is none", "30 36 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05 18 0F 32 30 33 30 31 33 31 35 30 39 30 30 30 30 5A", "20301315090000Z"},
		{"a time before 2000", "30 36 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05 18 0F 31 39 39 39 31 32 33 31 32 33 35 39 35 39 5A", "19991231235959Z"},
		{"a time in another zone", "30 36 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05 18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 30 2B", "execution date-time"},
		{"a time with a fraction", "30 36 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05 18 0F 32 30 33 30 30 31 31 35 30 39 30 30 30 2E 35", "execution date-time"},
		{"a boolean behind the counter", "30 28 04 20 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 02 01 05 01 01 FF", "execution date-time"},
	})
}

func FuzzParseActivateFirmwareCommand(f *testing.F) {
	for _, tt := range activateFirmwareCommandTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseActivateFirmwareCommand(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ActivateFirmwareCommand.Append, ParseActivateFirmwareCommand)
		}
	})
}
