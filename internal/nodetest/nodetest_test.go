package nodetest

import (
	"bytes"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario"
)

// TestAReplayedNodeSaysWhatItSaid: a recording is only of use if a node of one's
// own that gets the same input does the same.
func TestAReplayedNodeSaysWhatItSaid(t *testing.T) {
	r := Record()
	for name, node := range map[string]han.Node{"GSME": GSME(), "ESME": ESME(), "IHD": IHD(), "hub": Hub(store.NewMemory())} {
		t.Run(name, func(t *testing.T) {
			want := r.Sent(node.EUI64())
			if len(want) < 3 {
				t.Fatalf("%d frames were recorded", len(want))
			}
			n := 0
			p := &Player{TB: t, Node: node, Now: Start, Sent: func(f han.Frame) {
				if n < len(want) && (f.Dst != want[n].Dst || f.Cluster != want[n].Cluster || !bytes.Equal(f.Payload, want[n].Payload)) {
					t.Fatalf("frame %d is %s %x, was %s %x", n, f, f.Payload, want[n], want[n].Payload)
				}
				n++
			}}
			p.Play(r.Inputs(node.EUI64()))
			p.Advance(End)
			if n != len(want) {
				t.Errorf("%d frames, want %d", n, len(want))
			}
		})
	}
}

func TestStatesFollowOneAnother(t *testing.T) {
	r := Record()
	for _, node := range []han.EUI64{scenario.DefaultGSME, scenario.DefaultESME, scenario.DefaultIHD, Config().EUI64} {
		last := -1
		for s := range NumStates {
			before, after := r.Until(node, s)
			t.Logf("%s is %s after %d inputs of %d", node, s, len(before), len(before)+len(after))
			if len(before) < last {
				t.Errorf("%s is %s after %d inputs, before that %d", node, s, len(before), last)
			}
			last = len(before)
		}
	}
}
