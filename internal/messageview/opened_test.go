package messageview

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/internal/codectest"
)

// sealedComponents is a gas meter's answer with two encrypted payloads of two attributes.
const sealedComponents = `0109 02
	02 0702 0021  00 00  18 00 01  001A 31 00000000 AABBCCDDEEFF001122  000102030405060708090A0B
	03 0702 0021  00 01  18 01 01  001A 31 00000000 AABBCCDDEEFF001122  000102030405060708090A0B`

// TestAnOpenedValueIsShownFieldByField: in place of its ciphertext, to people and to programs,
// and what of it cannot be read is a problem of the message. One that stays closed is shown as
// it is.
func TestAnOpenedValueIsShownFieldByField(t *testing.T) {
	m := gbcs.Message{CRA: gbcs.Response, OriginatorCounter: 7, Originator: meter, Recipient: supplier, Code: 0x00B5,
		Payload: codectest.Hex(t, sealedComponents)}.Append(nil)
	d := tree.Decode(m)
	if len(d.Encrypted) != 2 || len(d.Problems) > 0 {
		t.Fatalf("%d encrypted values, %v; want 2", len(d.Encrypted), d.Problems)
	}
	first := d.Encrypted[0].Start
	closed := withOpened(m, d, nil)
	v := withOpened(m, d, map[int][]byte{first: codectest.Hex(t, `0203 00 22 E80300  00 00`)})
	if v.Opened != 1 || v.Leaves != closed.Leaves+4 || len(v.Problems) != 1 || v.Problems[0].Start != first+7 {
		t.Errorf("%d opened, %d leaves where %d were, problems %v", v.Opened, v.Leaves, closed.Leaves, v.Problems)
	}
	var b strings.Builder
	v.Print(&b)
	for _, want := range []string{
		"9      encrypted value of Read Attributes Response  opens to\n",
		"7        attribute record                    Divisor 1000\n",
		"3          value                             1000\n",
		"2        not read                            0000\n",
		"9      encrypted value of Read Attributes Response  AABBCCDDEEFF001122\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no line …%sin\n%s", want, b.String())
		}
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"opened":"02030022E803000000","fields":[{"name":"attribute record","value":"Divisor 1000",`; !strings.Contains(string(data), want) {
		t.Errorf("the JSON has no %s", want)
	}
}
