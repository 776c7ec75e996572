package decode

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
)

// messageTree decodes a GBCS message outside of a frame. The error says why it could
// not be read; the tree is whole nevertheless.
func messageTree(message []byte) (Tree, error) {
	c := cutter{data: message}
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		c.rest("message")
		return Tree{Summary{Cluster: "GBCS", Command: "not a GBCS message"}, c.fields}, err
	}
	c.message(m)
	return Tree{Summary{"GBCS", m.Code.String(), m.CRA.String()}, c.fields}, nil
}

// TestAPayloadThatNobodyActsOnHasItsFieldsNevertheless: the tables of all use cases name
// them.
func TestAPayloadThatNobodyActsOnHasItsFieldsNevertheless(t *testing.T) {
	m := gbcs.Message{CRA: gbcs.Command, Originator: 1, Recipient: 2, PreCommand: true}
	for want, payload := range map[string]struct {
		code  gbcs.MessageCode
		bytes string
	}{
		`34 2 payload = 0500
. 34 2 readDeviceJoinDetailsCommand
`: {0x0013, "05 00"},
		`34 18 payload = 301002010204080000000000000007020100
. 34 18 joinDeviceCommand
. . 34 2 head = 3010
. . 36 3 joinMethodAndRole = 2 methodB
. . 39 10 otherDeviceEntityIdentifier = 0000000000000007
. . 49 3 otherDeviceType = 0 gSME
`: {0x000E, "30 10  02 01 02  04 08 0000000000000007  02 01 00"},
		`34 2 payload = 30FF
. 34 2 not read
`: {0x000E, "30 FF"},
	} {
		m.Code, m.Payload = payload.code, codectest.Hex(t, payload.bytes)
		b := m.Append(nil)
		tree, err := messageTree(b)
		if err != nil {
			t.Fatal(err)
		}
		whole(t, tree, b)
		if diff := cmp.Diff(want, outline(tree.Fields[len(tree.Fields)-1:], "")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
