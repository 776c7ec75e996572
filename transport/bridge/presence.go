package bridge

import (
	"strings"
	"time"
)

// Bridges that serve the same home on the same broker share a group. Each keeps
// a retained message at
//
//	commshub/bridge/<group>/<instance>   "standby" or "active"
//
// and leaves its removal as its last will. A bridge that connects looks around
// for a while, and hears from each of the others again: brokers there are that keep
// a retained message a moment after they delivered it, and who subscribes in between
// never gets it. If nobody is active, the one with the lowest instance works; the
// others stand by until its message is gone. Should two work because they could
// not see each other, the higher instance steps down as soon as it can.
const presenceRoot = "commshub/bridge/"

const (
	presenceStandby = "standby"
	// PresenceActive is what the presence topic of a working bridge says.
	PresenceActive = "active"
	// settleTime is how long a bridge looks around. Retained messages come at once;
	// what takes time is another bridge that connects at the same moment.
	settleTime = 2 * time.Second
	// maxOthers bounds what is remembered of other bridges.
	maxOthers = 64
)

// presence decides whether this bridge works. It is passive.
type presence struct {
	prefix  string // of the topics of the group
	self    string
	settle  time.Duration
	until   time.Time       // looking around; zero when done
	others  map[string]bool // whether they are active, by instance
	working bool
}

func newPresence(group, instance string) *presence {
	return &presence{prefix: presenceRoot + group + "/", self: instance, settle: settleTime, others: map[string]bool{}}
}

func (p *presence) topic() string  { return p.prefix + p.self }
func (p *presence) filter() string { return p.prefix + "+" }

// payload is what is to stand at the topic.
func (p *presence) payload() []byte {
	if p.working {
		return []byte(PresenceActive)
	}
	return []byte(presenceStandby)
}

// begin looks around on a new connection, whose first messages may have come
// already.
func (p *presence) begin(now time.Time) { p.until = now.Add(p.settle) }

// end forgets the others with the connection.
func (p *presence) end() {
	clear(p.others)
	p.working, p.until = false, time.Time{}
}

// handle takes a message of the group. It reports whether this bridge's own message
// is to be published again: because it is not there, or for a newcomer.
func (p *presence) handle(m Message) (announce bool) {
	instance, ok := strings.CutPrefix(m.Topic, p.prefix)
	if !ok || !isInstance(instance) {
		return false
	}
	if instance == p.self {
		return len(m.Payload) == 0
	}
	if len(m.Payload) == 0 {
		delete(p.others, instance)
		return false
	}
	_, known := p.others[instance]
	if !known && len(p.others) == maxOthers {
		return false
	}
	p.others[instance] = string(m.Payload) == PresenceActive
	return !known
}

// decide brings working up to date and reports whether it changed.
func (p *presence) decide(now time.Time) bool {
	if now.Before(p.until) {
		return false
	}
	p.until = time.Time{}
	before := p.working
	lowest, active := true, false
	for other, isActive := range p.others {
		lower := other < p.self
		lowest = lowest && !lower
		active = active || isActive && (lower || !p.working)
	}
	p.working = !active && (p.working || lowest)
	return p.working != before
}

// worker returns the active bridge among the others, for a line in the log.
func (p *presence) worker() string {
	for other, active := range p.others {
		if active {
			return other
		}
	}
	return "another one"
}
