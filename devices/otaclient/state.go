package otaclient

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// State is what the client is doing.
type State uint8

// The states; see the package comment.
const (
	StateIdle State = iota
	StateQuerying
	StateDownloading
	StatePaused
	StateComplete
	StateEnding
	StateWaiting
)

var stateNames = [...]string{"idle", "querying", "downloading", "paused", "complete", "ending", "waiting"}

// String returns the state's name.
func (s State) String() string { return stateNames[s] }

// UpgradeStatus returns the value of the ImageUpgradeStatus attribute.
func (s State) UpgradeStatus() ota.UpgradeStatus {
	switch s {
	case StateIdle, StateQuerying:
		return ota.UpgradeNormal
	case StateDownloading, StatePaused:
		return ota.UpgradeDownloading
	case StateComplete, StateEnding:
		return ota.UpgradeDownloaded
	case StateWaiting:
		// Activation is out of band (Smart Energy 1.2b UpgradeActivationPolicy 1).
		return ota.UpgradeWaitingExternal
	default:
		panic(fmt.Sprintf("otaclient: no such state: %d", uint8(s)))
	}
}

// edges are the transitions that there are. A download that starts over goes from
// downloading to downloading; an image that does not fit is told without one.
var edges = [...][]State{
	StateIdle:        {StateQuerying},
	StateQuerying:    {StateIdle, StateWaiting, StateDownloading, StateEnding},
	StateDownloading: {StatePaused, StateComplete, StateIdle, StateDownloading, StateEnding},
	StatePaused:      {StateDownloading},
	StateComplete:    {StateEnding},
	StateEnding:      {StateIdle, StateWaiting},
	StateWaiting:     {StateQuerying},
}

// enter is the one place where the state changes.
func (c *Client) enter(s State) {
	if !slices.Contains(edges[c.state], s) {
		panic(fmt.Sprintf("otaclient: no way from %s to %s", c.state, s))
	}
	c.state = s
}

func (c *Client) becomeQuerying(now time.Time, out *han.Outbox) {
	c.enter(StateQuerying)
	c.retries = 0
	c.record(out, trace.Record{At: now, Kind: trace.QuerySent, Version: c.running.FileVersion})
	c.sendQuery(now, out)
}

func (c *Client) becomeDownloading(now time.Time, out *han.Outbox) {
	slot := c.boot.Candidate()
	c.enter(StateDownloading)
	c.retries = 0
	c.skip = 0
	c.deadlines.Clear(timerResume)
	if slot.Offset() > 0 {
		c.record(out, trace.Record{At: now, Kind: trace.DownloadResumed,
			Version: slot.ID().FileVersion, Offset: slot.Offset(), Size: slot.Size()})
	}
	c.requestBlock(now, out)
}

func (c *Client) becomeEnding(now time.Time, out *han.Outbox, status zcl.Status, image ota.ImageID) {
	c.enter(StateEnding)
	c.retries = 0
	c.endStatus, c.endImage = status, image
	c.sendEnd(now, out)
}

func (c *Client) becomePaused() { c.enter(StatePaused) }

func (c *Client) becomeComplete(now time.Time, out *han.Outbox) {
	c.enter(StateComplete)
	slot := c.boot.Candidate()
	c.record(out, trace.Record{At: now, Kind: trace.DownloadComplete, Version: slot.ID().FileVersion, Size: slot.Size()})
	c.owner.ImageComplete(now, out)
}

// becomeResting goes where a client is that has nothing to ask.
func (c *Client) becomeResting() {
	if c.boot.HoldsImage() {
		c.enter(StateWaiting)
		return
	}
	c.enter(StateIdle)
}
