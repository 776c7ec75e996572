package tasmota

import (
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

// state is how far a device is with an image.
type state uint8

const (
	stateWaiting state = iota // for the device, for its turn, or for another try
	stateAsking               // what does it run?
	stateReadingURL
	stateSettingURL
	stateUpgrading
	stateClearing
	stateStarting
	stateSending
	stateEnding
	stateRestarting
	stateDone // the hub was told how it ended
)

// busy reports whether a device has its turn.
func (s state) busy() bool { return s != stateWaiting && s != stateDone }

// uploads reports whether the bridge is sending an image.
func (s state) uploads() bool { return s >= stateClearing && s <= stateEnding }

const (
	answerTime  = 15 * time.Second // until an answer is overdue
	retryTime   = time.Minute      // between two tries
	upgradeTime = 15 * time.Minute // to fetch an image by HTTP
	restartTime = 5 * time.Minute  // to come back with it
	askInterval = 20 * time.Second // between questions whether it is back
	maxTries    = 3
)

// job is an image on its way to a device.
type job struct {
	image    bridge.Image
	state    state
	deadline time.Time // zero if nothing is waited for
	until    time.Time // of stateRestarting: when to give up
	tries    int       // that failed
	previous *string   // the device's OtaUrl before
	result   bridge.State
	outcome  string
	upload   upload
}

func (j *job) become(s state, deadline time.Time) { j.state, j.deadline = s, deadline }

func (j *job) becomeWaiting(at time.Time) { j.become(stateWaiting, at) }

// keptJob is what outlives a restart of the bridge.
type keptJob struct {
	Image    bridge.Hash `json:"image"`
	Tries    int         `json:"tries"`
	Previous *string     `json:"previous,omitempty"`
	// Taken tells that the device has the image, or fetches it without the bridge.
	Taken bool `json:"taken"`
}

func (j *job) keep() keptJob {
	taken := j.state == stateUpgrading || j.state == stateRestarting
	return keptJob{Image: j.image.Hash, Tries: j.tries, Previous: j.previous, Taken: taken}
}
