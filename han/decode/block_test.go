package decode

import (
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

// TestBlocksOfALongMessageAreNamed, and their fields cover every byte.
func TestBlocksOfALongMessageAreNamed(t *testing.T) {
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 5, Originator: 1, Recipient: 2, Code: gbcs.CodeActivateFirmware, Payload: make([]byte, 1300)}
	message := m.Append(nil)
	var s block.Sender
	for _, want := range []string{"GET-RESPONSE, 1 more: block 1, of CS06 Activate Firmware", "GET-RESPONSE, 0 more: block 2, the last, of CS06 Activate Firmware"} {
		r := tunnel.GetResponse{Remaining: uint8(s.Left(message)), Message: s.Next(message)}
		header := zcl.Header{ClusterSpecific: true, ToClient: true, Command: tunnel.CommandTransferDataToClient}
		data := zcl.AppendFrame(nil, header, tunnel.TransferData{TunnelID: 1, Data: r.Append(nil)})
		tree, err := Frame(han.Frame{Cluster: tunnel.ClusterID, Payload: data})
		if err != nil {
			t.Error(err)
		}
		whole(t, tree, data)
		if got := tree.Detail; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		s.Confirmed(message)
	}
}
