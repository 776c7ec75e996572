package served

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/transport/fault"
)

// TestTheInterfaceHasEveryFaultOfALink, by the name that it has everywhere.
func TestTheInterfaceHasEveryFaultOfALink(t *testing.T) {
	var keys []string
	of := reflect.TypeFor[api.LinkFault]()
	for i := range of.NumField() {
		key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		keys = append(keys, strings.TrimSuffix(strings.TrimSuffix(key, "_percent"), "_s"))
	}
	want := []string{fault.Loss.String(), fault.Duplication.String(), fault.Reordering.String(), "reorder_by", fault.Corruption.String(), fault.Delay.String(), "frames"}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestPercentAndPartsPerMillion(t *testing.T) {
	n := 7
	in := api.LinkFault{Loss: 12.5, Duplication: 100, Reordering: 0.0001, ReorderBy: 0.02, Corruption: 3, Delay: 0.04, Frames: &n}
	got := linkFault(&in)
	want := live.LinkFault{Frames: 7, Link: fault.Link{
		Loss: 125_000, Duplication: fault.Million, Reordering: 1, ReorderBy: 20 * time.Millisecond, Corruption: 30_000, Delay: 40 * time.Millisecond,
	}}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	status := live.FaultStatus{Device: 1, Fault: got}
	status.Struck[fault.Loss] = 3
	out := faultOf(status)
	if out.Loss != 12.5 || out.Reordering != 0.0001 || out.Delay != 0.04 || *out.FramesLeft != 7 || len(out.Struck) != 1 || out.Struck["loss"] != 3 {
		t.Errorf("%+v", out)
	}
}
