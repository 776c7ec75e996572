package tree

import (
	"bytes"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
)

// FuzzDecode: whatever the message, the fields cover it, there are not more leaves than
// bytes, and what is wrong is a line with an offset in the message.
func FuzzDecode(f *testing.F) {
	f.Add(message(0x0019, gbcs.Command, codectest.Hex(f, goldenOrder)))
	f.Add(message(0x006B, gbcs.Command, codectest.Hex(f, goldenGBZ)))
	f.Add(message(0x0027, gbcs.Response, codectest.Hex(f, `DA 20 0003E8 00 00  01`+goldenSealed+` 01 03 00`)))
	f.Add(message(0x00CC, gbcs.Alert, codectest.Hex(f, `0F 20 0007D0 00  02 02  12 8F66  09 00`)))
	f.Add(message(gbcs.CodeActivateFirmware, gbcs.Response, codectest.Hex(f, `30 07 02 01 00 04 02 01 02`)))
	f.Add(message(0x000B, gbcs.Command, codectest.Hex(f, `30 03 30 01 00`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree := Decode(b)
		covers(t, "message", tree.Fields, 0, len(b))
		if got := tree.Append(nil); !bytes.Equal(got, b) {
			t.Errorf("% X became % X", b, got)
		}
		if !bytes.Equal(tree.Again, b) {
			t.Errorf("% X is written again as % X", b, tree.Again)
		}
		if n := tree.Leaves(); n > len(b) {
			t.Errorf("%d leaves of %d bytes", n, len(b))
		}
		for _, p := range tree.Problems {
			if p.Start < 0 || p.Start > len(b) || strings.ContainsRune(p.Text, '\n') {
				t.Errorf("problem %q of a message of %d bytes", line(p), len(b))
			}
		}
	})
}

func TestAMessageThatIsTooLongIsOneField(t *testing.T) {
	tree := Decode(make([]byte, MaxMessage+1))
	if len(tree.Fields) != 1 || tree.Fields[0].Name != NotRead || len(tree.Problems) != 1 ||
		!strings.Contains(tree.Problems[0].Text, "want at most 8192") {
		t.Errorf("%d fields, %v", len(tree.Fields), tree.Problems)
	}
	if empty := Decode(nil); len(empty.Fields) != 0 || len(empty.Problems) != 1 {
		t.Errorf("nothing: %d fields, %v", len(empty.Fields), empty.Problems)
	}
}
