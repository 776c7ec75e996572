package gsme

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
)

type state uint8

const (
	stateOff state = iota // booting, hung or bricked
	stateAsleep
	stateRequestingMirror
	stateConfiguringMirror
	stateRequestingTunnel
	stateReporting
	stateReadingTime
	stateGetting
	statePutting
	stateReportingAccount
	stateUpdating
)

var stateNames = [...]string{
	"off", "asleep", "requesting mirror", "configuring mirror", "requesting tunnel",
	"reporting", "reading time", "getting", "putting", "reporting account", "updating",
}

func (s state) String() string { return stateNames[s] }

// edges are the transitions that there are. The steps of a window follow one
// another in the order of the states, each left out if it is not needed; a hub that
// forgets the mirror or the tunnel leads back to asking for it.
var edges = [...]states{
	stateOff:               set(stateAsleep),
	stateAsleep:            set(stateOff, stateRequestingMirror, stateConfiguringMirror, stateRequestingTunnel, stateReporting),
	stateRequestingMirror:  set(stateConfiguringMirror, stateRequestingTunnel, stateReporting, stateReadingTime, stateGetting, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	stateConfiguringMirror: set(stateRequestingMirror, stateRequestingTunnel, stateReporting, stateReadingTime, stateGetting, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	stateRequestingTunnel:  set(stateRequestingMirror, stateReporting, stateReadingTime, stateGetting, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	stateReporting:         set(stateRequestingMirror, stateRequestingTunnel, stateReadingTime, stateGetting, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	stateReadingTime:       set(stateRequestingMirror, stateRequestingTunnel, stateGetting, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	stateGetting:           set(stateRequestingMirror, stateRequestingTunnel, stateReadingTime, stateGetting, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	statePutting:           set(stateRequestingMirror, stateRequestingTunnel, stateReadingTime, statePutting, stateReportingAccount, stateUpdating, stateAsleep, stateOff),
	stateReportingAccount:  set(stateRequestingMirror, stateRequestingTunnel, stateReadingTime, statePutting, stateUpdating, stateAsleep, stateOff),
	stateUpdating:          set(stateRequestingMirror, stateRequestingTunnel, stateReadingTime, statePutting, stateReportingAccount, stateAsleep, stateOff),
}

// states is a set of states, one bit each: it is asked for at each step of a window.
type states uint16

func set(members ...state) (s states) {
	for _, m := range members {
		s |= 1 << m
	}
	return s
}

// enter is the one place where the state changes.
func (m *Meter) enter(s state) {
	if edges[m.state]&(1<<s) == 0 {
		panic(fmt.Sprintf("gsme: no way from %s to %s", m.state, s))
	}
	m.state = s
}

// becomeAsking takes a step and sends what it asks. What the window has no room for
// waits for the next one; a report always is sent.
func (m *Meter) becomeAsking(now time.Time, out *han.Outbox, step state) {
	m.enter(step)
	if step != stateReporting && !m.affords(now, out) {
		m.sleep(now, out)
		return
	}
	m.clockRead = m.clockRead || step == stateReadingTime
	m.worked = m.worked || step != stateReporting && step != stateReadingTime
	m.ask(now, out)
}

// becomeUpdating takes the step in which the OTA client asks.
func (m *Meter) becomeUpdating() {
	m.enter(stateUpdating)
	m.worked = true
}

// becomeAsleep switches the radio off.
func (m *Meter) becomeAsleep() {
	m.enter(stateAsleep)
	m.deadlines.Clear(timerAnswer)
}

// becomeOff resets the processor.
func (m *Meter) becomeOff(now time.Time) {
	m.enter(stateOff)
	m.deadlines.Clear(timerAnswer)
	m.deadlines.Clear(timerHeartbeat)
	m.deadlines.Clear(timerEnd)
	m.Restart(now)
}
