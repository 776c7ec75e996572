package gbcs

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var readGSMELogCommandTests = []struct {
	name, golden string
	want         ReadGSMELogCommand
}{
	{"event log", `
		01 09 01                         # profile, one component
		01 07 09 00 11                   # last, Events, 17 bytes:
		01 00 00                         # Get Event Log
		13 00 00  00 F9 35 1C  00 95 6E 38  00 00 00`,
		ReadGSMELogCommand{From: 0x1C35F900, To: 0x386E9500}},
	{"security log", `
		01 09 01
		01 07 09 00 11
		01 00 00
		04 00 00  00 F9 35 1C  80 4A 37 1C  00 00 00`,
		ReadGSMELogCommand{Log: SecurityLog, From: 0x1C35F900, To: 0x1C374A80}},
}

var readGSMELogResponseTests = []struct {
	name, golden string
	want         ReadGSMELogResponse
}{
	{"event log", `
		01 09 01
		01 07 09 00 1A                   # last, Events, 26 bytes:
		19 00 01                         # Publish Event Log
		02 00  00 01 00
		03 1F 8F  00 F9 35 1C  00        # low battery
		03 54 81  D1 09 36 1C  02 00 9B`,
		ReadGSMELogResponse{Entries: []LogEntry{
			{0x1C35F900, AlertLowBatteryCapacity, nil}, {0x1C3609D1, AlertImmediateCommandActioned, []byte{0, 0x9B}}}}},
	{"security log", `
		01 09 01
		01 07 09 00 10
		19 00 01
		01 00  00 01 00
		04 1C 8F  21 01 36 1C  00`,
		ReadGSMELogResponse{Log: SecurityLog, Entries: []LogEntry{{0x1C360121, AlertFirmwareVerificationFailed, nil}}}},
	{"an empty log", `
		01 09 01
		01 07 09 00 05
		08 00 0B 00 8B                   # Default Response: NOT_FOUND`,
		ReadGSMELogResponse{Status: zcl.StatusNotFound}},
}

func TestReadGSMELogCommand(t *testing.T) {
	for _, tt := range readGSMELogCommandTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			parse := func(b []byte) (ReadGSMELogCommand, error) { return parseReadGSMELogCommand(tt.want.Log, b) }
			codectest.RoundTrip(t, golden, tt.want, ReadGSMELogCommand.Append, parse)
			codectest.RefusesPrefixes(t, golden, parse)
			refusesTrailingByte(t, golden, parse)
			if _, err := parseReadGSMELogCommand(1-tt.want.Log, golden); err == nil {
				t.Error("it is read as one of the other log")
			}
		})
	}
}

func TestReadGSMELogResponse(t *testing.T) {
	for _, tt := range readGSMELogResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			parse := func(b []byte) (ReadGSMELogResponse, error) { return parseReadGSMELogResponse(tt.want.Log, b) }
			codectest.RoundTrip(t, golden, tt.want, ReadGSMELogResponse.Append, parse)
			codectest.RefusesPrefixes(t, golden, parse)
			refusesTrailingByte(t, golden, parse)
		})
	}
}

func TestParseReadGSMELogResponseRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, func(b []byte) (ReadGSMELogResponse, error) { return parseReadGSMELogResponse(EventLog, b) }, []refusal{
		{"a component that lies about its length", "01 09 01 01 07 09 00 06 08 00 0B 00 8B", "announces 6 bytes, but 5 follow"},
		{"a success without entries", "01 09 01 01 07 09 00 05 08 00 0B 00 00", "a success without entries"},
		{"an entry of the other log", "01 09 01 01 07 09 00 10 19 00 01 01 00 00 01 00 04 1C 8F 21 01 36 1C 00", "log 04, want 03"},
		{"one of several commands", "01 09 01 01 07 09 00 08 19 00 01 00 00 00 02 00", "number of the command"},
	})
}

func FuzzParseReadGSMELogResponse(f *testing.F) {
	for _, tt := range readGSMELogResponseTests {
		f.Add(tt.want.Log == SecurityLog, codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, security bool, data []byte) {
		log := EventLog
		if security {
			log = SecurityLog
		}
		parse := func(b []byte) (ReadGSMELogResponse, error) { return parseReadGSMELogResponse(log, b) }
		if c, err := parse(data); err == nil {
			codectest.RoundTrip(t, data, c, ReadGSMELogResponse.Append, parse)
		}
	})
}
