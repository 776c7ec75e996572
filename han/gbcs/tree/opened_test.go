package tree

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
)

// openedValue is what the first encrypted value of a message holds, in hex, and how it is
// read.
type openedValue struct {
	message     []byte
	value, want string
	problem     string
}

func openedValues(t *testing.T) map[string]openedValue {
	imports := message(0x0027, gbcs.Response, codectest.Hex(t, `DA 20 0003E8 00 00  01`+goldenSealed+` 01 03 00`))
	log := message(0x0061, gbcs.Alert, codectest.Hex(t, `0F 20 0007D0 00  02 04  12 8F0A  09 0C 07E8 01 02 FF FF FF FF FF 8000 FF`+
		strings.Replace(goldenSealed, "02 02", "", 1)))
	return map[string]openedValue{
		"attribute": {imports, `02 01  02 04  06 000003E8  02 02 0F 00 16 1E  06 00000007  02 02 0F FD 16 1F`, `103 26 attributes
105 24   ImportRegisterCollection
107 5     active_import_value 1000
112 6     active_scaler_unit
114 2       scaler 0
116 2       unit 30
118 5     reactive_import_value 7
123 6     reactive_scaler_unit
125 2       scaler -3
127 2       unit 31
`, ""},
		"attributes of a name, in the table's order": {log, `02 02  13 02 01 06 04 1C374A80  01 00`, `118 13 attributes
120 9   BillingDataLog(BillingCalendarTriggeredExcExport) 1
125 4     registerReadLogEntry [0]
125 4       double-long-unsigned 0 473385600
129 2   BillingDataLog(BillingCalendarTriggeredExcExport) 0
`, ""},
		"more attributes than the table has": {imports, `02 02 11 05 11 06`, `103 6 attributes
105 2   unsigned 0 5
107 2   unsigned 1 6
`, ""},
		"no data": {imports, `FE 00`, "103 2 not read\n", "byte 103: parse DLMS at byte 103: type 254 is none of DLMS"},
		"payload of a command": {message(0x006B, gbcs.Command, codectest.Hex(t, goldenGBZ)), `01000000 804A371C 02 00 01 08000000 06  900000000000
			04 010000000000 020000000000 030000000000 040000000000  14 050000000000 060000000000 070000000000 080000000000`, `138 4 Snapshot ID 1
142 4 Snapshot Time 2015-01-01 00:00:00
146 1 Snapshots Found 2
147 1 Command Index 0
148 1 Number of Commands 1
149 4 Snapshot Cause 00000008
153 1 Snapshot Payload Type 6
154 6 Current Summation Delivered 144
160 1 Number of Tiers in Use 4
161 6 [0]
161 6   Tariff TOU Register Matrix 1
167 6 [1]
167 6   Tariff TOU Register Matrix 2
173 6 [2]
173 6   Tariff TOU Register Matrix 3
179 6 [3]
179 6   Tariff TOU Register Matrix 4
185 1 Number of Tiers and Block Thresholds in Use 14
186 6 [0]
186 6   Tariff TOU Block Counter Matrix 5
192 6 [1]
192 6   Tariff TOU Block Counter Matrix 6
198 6 [2]
198 6   Tariff TOU Block Counter Matrix 7
204 6 [3]
204 6   Tariff TOU Block Counter Matrix 8
`, ""},
		"payload that ends too early": {message(0x006B, gbcs.Command, codectest.Hex(t, goldenGBZ)), `01000000 1C37`, "138 4 Snapshot ID 1\n142 2 not read\n",
			"byte 142: Snapshot Time of 4 bytes, but 2 are left in the component"},
	}
}

// TestWhatIsOpenedIsReadToNamedFields, at the offsets of its ciphertext: what an object of
// the same name as the protected one holds, and the payload of the command that is sealed.
func TestWhatIsOpenedIsReadToNamedFields(t *testing.T) {
	for name, tt := range openedValues(t) {
		t.Run(name, func(t *testing.T) {
			sealed := Decode(tt.message).Encrypted[0]
			value := codectest.Hex(t, tt.value)
			fields, problems := sealed.Opened(value)
			covers(t, "opened", fields, sealed.Start, sealed.Start+len(value))
			opened := Field{Name: "opened", Start: sealed.Start, Raw: value, Children: fields}
			got := ""
			for _, f := range fields {
				got += lines(Tree{Fields: []Field{f}}, f.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := opened.Append(nil); string(again) != string(value) {
				t.Errorf("leaves put together: % X, want % X", again, value)
			}
			said := ""
			for _, p := range problems {
				said += line(p)
			}
			if said != tt.problem {
				t.Errorf("problems %q, want %q", said, tt.problem)
			}
		})
	}
}

// FuzzOpened: whatever a value holds, its fields cover it, and what is wrong is a line with
// an offset in the message.
func FuzzOpened(f *testing.F) {
	messages := [][]byte{
		message(0x0027, gbcs.Response, codectest.Hex(f, `DA 20 0003E8 00 00  01`+goldenSealed+` 01 03 00`)),
		message(0x006B, gbcs.Command, codectest.Hex(f, goldenGBZ)),
	}
	f.Add(codectest.Hex(f, `02 01  02 04  06 000003E8  02 02 0F 00 16 1E  06 00000007  02 02 0F FD 16 1F`))
	f.Add(codectest.Hex(f, `01000000 804A371C 02 00 01 08000000 06  900000000000 01 EA0000000000 00`))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, m := range messages {
			sealed := Decode(m).Encrypted[0]
			fields, problems := sealed.Opened(value)
			covers(t, "opened", fields, sealed.Start, sealed.Start+len(value))
			for _, p := range problems {
				if p.Start < sealed.Start || p.Start > sealed.Start+len(value) || strings.ContainsRune(p.Text, '\n') {
					t.Errorf("problem %q of a value of %d bytes", line(p), len(value))
				}
			}
		}
	})
}
