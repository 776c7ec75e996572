package filestreams

import (
	"fmt"
	"slices"

	"github.com/commshub/commshub/transport/bridge"
)

// The states of a download, as the hub hears them. What the device says of its job ends
// it, whether it took all blocks or not; a device may also have them from elsewhere.
//
//	Pending ─► Downloading ─► Transferred ─┐
//	   └───────────┴───────────────────────┴─► Activated, Failed

// become moves a download to another state from one of those named; from any other is
// a programmer's error and panics.
func (o *download) become(to bridge.State, from ...bridge.State) {
	if !slices.Contains(from, o.state) {
		panic(fmt.Sprintf("filestreams: stream %s: a download that is %s cannot become %s", o.stream, o.state, to))
	}
	o.state = to
}

// becomeDownloading: a block was sent, or the device says that its job is in progress.
func (o *download) becomeDownloading() { o.become(bridge.Downloading, bridge.Pending) }

// becomeTransferred: every block was sent.
func (o *download) becomeTransferred() {
	o.become(bridge.Transferred, bridge.Downloading)
	o.urgent = true
}

// becomeActivated: the device says that it runs the image.
func (o *download) becomeActivated() {
	o.become(bridge.Activated, bridge.Pending, bridge.Downloading, bridge.Transferred)
	o.outcome, o.urgent = "", true
}

// becomeFailed: the device gave up, or does not want the image.
func (o *download) becomeFailed(outcome string) {
	o.become(bridge.Failed, bridge.Pending, bridge.Downloading, bridge.Transferred)
	o.outcome, o.urgent = outcome, true
}

// consistent reports whether a download that was kept can have been one: a file may
// hold anything.
func (k keptDownload) consistent() bool {
	if k.Job.Status.ended() {
		return k.State == bridge.Activated || k.State == bridge.Failed
	}
	return k.State == bridge.Pending || k.State == bridge.Downloading || k.State == bridge.Transferred
}
