package gbcs

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var readESMELogCommandTests = []struct {
	name, golden string
	want         ReadESMELogCommand
}{
	{"event log", `
		D9 20 0003E8 00               # access request, invoke identifier
		01 04 0007 0000636200FF 02    # one Get with selection, of the buffer
		01 0204                       # by range
		0204 12 0001 09 06 00005E2C64FF 0F 02 12 0000
		06 1C35F900 06 1C374A80       # from, to
		01 00  01 00`,
		ReadESMELogCommand{InvokeID: 1000, From: 0x1C35F900, To: 0x1C374A80}},
	{"security log", `
		D9 20 0003E8 00
		01 04 0007 0000636201FF 02
		01 0204
		0204 12 0001 09 06 00005E2C64FF 0F 02 12 0000
		06 00000000 06 FFFFFFFE
		01 00  01 00`,
		ReadESMELogCommand{InvokeID: 1000, Log: SecurityLog, To: 0xFFFFFFFE}},
}

var readESMELogResponseTests = []struct {
	name, golden string
	want         ReadESMELogResponse
}{
	{"event log", `
		DA 20 0003E8 00 00
		01 13 02 03 06 12 09 10       # 16 bytes of structures
		1C361064 8154 02 009B
		1C364884 8183 00
		01 01 00`,
		ReadESMELogResponse{InvokeID: 1000, Entries: []LogEntry{
			{0x1C361064, AlertImmediateCommandActioned, []byte{0, 0x9B}}, {0x1C364884, AlertDeviceJoinedSMHAN, nil}}}},
	{"security log", `
		DA 20 0003E8 00 00
		01 13 02 02 06 12 06
		1C3602FD 8F1C
		01 01 00`,
		ReadESMELogResponse{InvokeID: 1000, Log: SecurityLog, Entries: []LogEntry{{0x1C3602FD, AlertFirmwareVerificationFailed, nil}}}},
	{"an empty log", `
		DA 20 0003E8 00 00
		01 13 02 03 06 12 09 00
		01 01 00`,
		ReadESMELogResponse{InvokeID: 1000}},
	{"none to be had", `
		DA 20 0003E8 00 00
		01 00
		01 01 02`,
		ReadESMELogResponse{InvokeID: 1000, Result: AccessTemporaryFailure}},
}

func TestReadESMELogCommand(t *testing.T) {
	for _, tt := range readESMELogCommandTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			parse := func(b []byte) (ReadESMELogCommand, error) { return parseReadESMELogCommand(tt.want.Log, b) }
			codectest.RoundTrip(t, golden, tt.want, ReadESMELogCommand.Append, parse)
			codectest.RefusesPrefixes(t, golden, parse)
			refusesTrailingByte(t, golden, parse)
			if _, err := parseReadESMELogCommand(1-tt.want.Log, golden); err == nil {
				t.Error("it is read as one of the other log")
			}
		})
	}
}

func TestReadESMELogResponse(t *testing.T) {
	for _, tt := range readESMELogResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			parse := func(b []byte) (ReadESMELogResponse, error) { return parseReadESMELogResponse(tt.want.Log, b) }
			codectest.RoundTrip(t, golden, tt.want, ReadESMELogResponse.Append, parse)
			codectest.RefusesPrefixes(t, golden, parse)
			refusesTrailingByte(t, golden, parse)
		})
	}
}

func TestParseReadESMELogResponseRefusesWhatIsNotInItsForm(t *testing.T) {
	refuses(t, func(b []byte) (ReadESMELogResponse, error) { return parseReadESMELogResponse(EventLog, b) }, []refusal{
		{"entries of the security log", "DA 20 0003E8 00 00 01 13 02 02 06 12 06 1C3602FD 8F1C 01 01 00", "entries"},
		{"an entry over their end", "DA 20 0003E8 00 00 01 13 02 03 06 12 09 07 1C361064 8154 02 009B 01 01 00", "entry of 9 bytes, but 7 are left"},
		{"entries without a success", "DA 20 0003E8 00 00 01 13 02 03 06 12 09 00 01 01 02", "contradicts the entries"},
		{"a success without entries", "DA 20 0003E8 00 00 01 00 01 01 00", "contradicts the entries"},
	})
}

func FuzzParseReadESMELogResponse(f *testing.F) {
	for _, tt := range readESMELogResponseTests {
		f.Add(tt.want.Log == SecurityLog, codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, security bool, data []byte) {
		log := EventLog
		if security {
			log = SecurityLog
		}
		parse := func(b []byte) (ReadESMELogResponse, error) { return parseReadESMELogResponse(log, b) }
		if c, err := parse(data); err == nil {
			codectest.RoundTrip(t, data, c, ReadESMELogResponse.Append, parse)
		}
	})
}
