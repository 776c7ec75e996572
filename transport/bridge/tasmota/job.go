package tasmota

import (
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

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
	halfway  bool      // the device runs the minimal build, and fetches the image itself
	previous *string   // the device's OtaUrl before; it is put back at the end
	result   bridge.State
	outcome  string
	upload   upload
}

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
