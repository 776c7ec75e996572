package nodetest

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/home"
)

// TestAReplayedNodeSaysWhatItSaid: a recording is only of use if a node of one's
// own that gets the same input does the same.
func TestAReplayedNodeSaysWhatItSaid(t *testing.T) {
	r := Record()
	for name, node := range map[string]han.Node{"GSME": devicetest.GSME(), "ESME": devicetest.ESME(), "IHD": devicetest.IHD(), "hub": Hub(store.NewMemory())} {
		t.Run(name, func(t *testing.T) {
			want := r.Sent(node.EUI64())
			if len(want) < 3 {
				t.Fatalf("%d frames were recorded", len(want))
			}
			n := 0
			p := &devicetest.Player{TB: t, Node: node, Now: devicetest.Start, Sent: func(f han.Frame) {
				if n < len(want) && (f.Dst != want[n].Dst || f.Cluster != want[n].Cluster || !bytes.Equal(f.Payload, want[n].Payload)) {
					t.Fatalf("frame %d is %s %x, was %s %x", n, f, f.Payload, want[n], want[n].Payload)
				}
				n++
			}}
			p.Play(r.Inputs(node.EUI64()))
			p.Advance(devicetest.End)
			if n != len(want) {
				t.Errorf("%d frames, want %d", n, len(want))
			}
		})
	}
}

func TestStatesFollowOneAnother(t *testing.T) {
	r := Record()
	for _, node := range []han.EUI64{home.DefaultGSME, home.DefaultESME, home.DefaultIHD, Config().EUI64} {
		last := -1
		for s := range devicetest.NumStates {
			before, after := r.Until(node, s)
			t.Logf("%s is %s after %d inputs of %d", node, s, len(before), len(before)+len(after))
			if len(before) < last {
				t.Errorf("%s is %s after %d inputs, before that %d", node, s, len(before), last)
			}
			last = len(before)
		}
	}
}

var rewrite = flag.Bool("rewrite", false, "write the devices' recording anew")

// TestTheDevicesRecordingIsOfThisHome: the file that tests of devices play is what a
// home of today says to them. When nodes are meant to behave differently, write it anew:
//
//	go test ./internal/nodetest -run TestTheDevicesRecording -rewrite
func TestTheDevicesRecordingIsOfThisHome(t *testing.T) {
	const file = "../devicetest/testdata/recording.txt"
	got := Record().Text(home.DefaultGSME, home.DefaultESME, home.DefaultIHD)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%s is not what a home says to its devices (%v): run this test with -rewrite, and read the difference", file, err)
	}
}

// TestDevicesAreAsInAHome: what devicetest builds is what the description of a home
// leads to.
func TestDevicesAreAsInAHome(t *testing.T) {
	for name, same := range map[string]bool{
		"gas meter":         reflect.DeepEqual(devicetest.GSMEConfig(), Meter(store.KindGSME).GSME(Config())),
		"electricity meter": reflect.DeepEqual(devicetest.ESMEConfig(), Meter(store.KindESME).ESME(Config())),
		"display":           devicetest.IHDConfig() == home.IHD(home.DefaultIHD, Config()),
	} {
		if !same {
			t.Errorf("the %s of devicetest is configured otherwise than that of a home", name)
		}
	}
}
