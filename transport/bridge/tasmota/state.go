package tasmota

import (
	"fmt"
	"slices"
	"time"
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

var stateNames = [...]string{
	"waiting", "asking", "reading the URL", "setting the URL", "upgrading",
	"clearing", "starting", "sending", "ending", "restarting", "done",
}

// String returns the state in words.
func (s state) String() string { return stateNames[s] }

// busy reports whether a device has its turn.
func (s state) busy() bool { return s != stateWaiting && s != stateDone }

// uploads reports whether the bridge is sending an image.
func (s state) uploads() bool { return s >= stateClearing && s <= stateEnding }

// become moves a job to another state, until a deadline, from one of those named; from
// any other is a programmer's error and panics.
func (j *job) become(to state, deadline time.Time, from ...state) {
	if !slices.Contains(from, j.state) {
		panic(fmt.Sprintf("tasmota: a job that is %s cannot become %s", j.state, to))
	}
	j.state, j.deadline = to, deadline
}

// busyStates are those that can fail or end.
var busyStates = []state{
	stateAsking, stateReadingURL, stateSettingURL, stateUpgrading,
	stateClearing, stateStarting, stateSending, stateEnding, stateRestarting,
}

// becomeWaiting: a try failed, and the next one is at an instant.
func (j *job) becomeWaiting(at time.Time) { j.become(stateWaiting, at, busyStates...) }

// becomeAsking: its turn has come.
func (j *job) becomeAsking(now time.Time) {
	j.become(stateAsking, now.Add(answerTime), stateWaiting)
}

// becomeReadingURL, becomeSettingURL and becomeUpgrading: the device fetches the image.
func (j *job) becomeReadingURL(now time.Time) {
	j.become(stateReadingURL, now.Add(answerTime), stateAsking)
}

func (j *job) becomeSettingURL(now time.Time) {
	j.become(stateSettingURL, now.Add(answerTime), stateReadingURL)
}

func (j *job) becomeUpgrading(now time.Time) {
	j.become(stateUpgrading, now.Add(upgradeTime), stateSettingURL)
}

// becomeClearing, becomeStarting, becomeSending and becomeEnding: the bridge sends it.
func (j *job) becomeClearing(now time.Time) {
	j.become(stateClearing, now.Add(answerTime), stateAsking)
}

func (j *job) becomeStarting(now time.Time) {
	j.become(stateStarting, now.Add(answerTime), stateClearing)
}

// becomeSending: a piece was acknowledged, or the start; the next one goes now.
func (j *job) becomeSending(now time.Time) { j.become(stateSending, now, stateStarting, stateSending) }

func (j *job) becomeEnding(now time.Time) {
	j.become(stateEnding, now.Add(answerTime), stateSending)
}

// becomeRestarting: the device has the image; one that waits had it when the bridge
// was started.
func (j *job) becomeRestarting(now time.Time) {
	j.become(stateRestarting, now.Add(askInterval), stateUpgrading, stateEnding, stateWaiting)
}

// becomeDone: the hub is told how it ended.
func (j *job) becomeDone() { j.become(stateDone, time.Time{}, busyStates...) }
