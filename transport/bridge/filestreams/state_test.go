package filestreams

import (
	"strings"
	"testing"

	"github.com/commshub/commshub/transport/bridge"
)

var (
	openStates  = []bridge.State{bridge.Pending, bridge.Downloading, bridge.Transferred}
	endedStates = []bridge.State{bridge.Activated, bridge.Failed}
)

// TestEdgesThatADownloadDoesNotHavePanic, naming both states.
func TestEdgesThatADownloadDoesNotHavePanic(t *testing.T) {
	for name, tt := range map[string]struct {
		become func(*download)
		to     bridge.State
		from   []bridge.State
	}{
		"downloading": {(*download).becomeDownloading, bridge.Downloading, openStates[:1]},
		"transferred": {(*download).becomeTransferred, bridge.Transferred, openStates[1:2]},
		"activated":   {(*download).becomeActivated, bridge.Activated, openStates},
		"failed":      {func(o *download) { o.becomeFailed("") }, bridge.Failed, openStates},
	} {
		for _, from := range append(openStates, endedStates...) {
			o := &download{state: from}
			panicked := panics(func() { tt.become(o) })
			allowed := strings.Contains(states(tt.from), states([]bridge.State{from}))
			switch {
			case allowed && (panicked != "" || o.state != tt.to):
				t.Errorf("%s from %s: %s, %q", name, from, o.state, panicked)
			case !allowed && (!strings.Contains(panicked, string(from)) || !strings.Contains(panicked, string(tt.to))):
				t.Errorf("%s from %s: panicked %q, want both named", name, from, panicked)
			}
		}
	}
}

func states(of []bridge.State) (text string) {
	for _, s := range of {
		text += "<" + string(s) + ">"
	}
	return text
}

func panics(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}

// TestAKeptDownloadThatCannotHaveBeenStartsOver: its file may hold anything.
func TestAKeptDownloadThatCannotHaveBeenStartsOver(t *testing.T) {
	for _, tt := range []struct {
		state bridge.State
		job   jobStatus
		good  bool
	}{
		{bridge.Pending, jobQueued, true},
		{bridge.Downloading, jobInProgress, true},
		{bridge.Transferred, jobInProgress, true},
		{bridge.Activated, jobSucceeded, true},
		{bridge.Failed, jobRejected, true},
		{bridge.Activated, jobInProgress, false},
		{bridge.Pending, jobSucceeded, false},
		{bridge.Dated, jobInProgress, false},
		{"whatever", jobInProgress, false},
	} {
		file := sampleFile(300)
		a := newAdapter(t, plainDevice, file)
		d := a.devices[0]
		o := d.offer
		d.offer = nil
		kept := o.keep()
		kept.State, kept.Job.Status, kept.Blocks = tt.state, tt.job, 7
		d.begin(noon, o.image, kept, new(bridge.Outbox))
		if resumed := d.offer.state == tt.state && d.offer.blocks == 7; resumed != tt.good {
			t.Errorf("kept as %s with a job that is %s: goes on %t, want %t", tt.state, tt.job, resumed, tt.good)
		}
		if !tt.good && d.offer.state != bridge.Pending {
			t.Errorf("kept as %s: begins %s", tt.state, d.offer.state)
		}
	}
}
