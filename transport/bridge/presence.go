package bridge

import (
	"strings"
	"time"
)

// Bridges that serve the same home on the same broker share a group, which has the home's
// id in its name. Each keeps a retained message at
//
//	commshub/bridge/<group>-<home>/<instance>   "standby" or "active"
//
// and leaves its removal as its last will. A bridge that connects looks around
// for a while, and hears from each of the others again: brokers there are that keep
// a retained message a moment after they delivered it, and who subscribes in between
// never gets it. If nobody is active, the one with the lowest instance works; the
// others stand by until its message is gone. Should two work because they could
// not see each other, the higher instance steps down as soon as it can.
//
// No single message decides, a farewell or a last will least of all: each bridge says
// again and again what it does, and is forgotten when it has been silent for a while
// in which a bridge's own messages came back to it.
const presenceRoot = "commshub/bridge/"

const (
	presenceStandby = "standby"
	// PresenceActive is what the presence topic of a working bridge says.
	PresenceActive = "active"
	// settleTime is how long a bridge looks around. Retained messages come at once;
	// what takes time is another bridge that connects at the same moment.
	settleTime = 2 * time.Second
	// tellPeriod is how often a bridge says again what it does.
	tellPeriod = 5 * time.Second
	// silence is how long another may say nothing. It is forgotten, and its work taken over, at
	// most a tellPeriod later.
	silence = 3 * tellPeriod
	// maxOthers bounds what is remembered of other bridges.
	maxOthers = 64
)

// presence decides whether this bridge works. It is passive.
type presence struct {
	prefix  string // of the topics of the group
	self    string
	settle  time.Duration
	until   time.Time // looking around; zero when done
	tellAt  time.Time // when to say again what this bridge does; zero without a connection
	echo    time.Time // when its own message came back last: who does not hear itself hears nobody
	others  map[string]other
	working bool
}

// other is what is known of another bridge.
type other struct {
	active bool
	heard  time.Time
}

func newPresence(group, instance string) *presence {
	return &presence{prefix: presenceRoot + group + "/", self: instance, settle: settleTime, others: map[string]other{}}
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
func (p *presence) begin(now time.Time) {
	p.until, p.tellAt = now.Add(p.settle), now.Add(tellPeriod)
}

// next returns when time alone changes something; zero for never.
func (p *presence) next() time.Time {
	if !p.until.IsZero() && p.until.Before(p.tellAt) {
		return p.until
	}
	return p.tellAt
}

// tell reports whether it is time to publish this bridge's message again.
func (p *presence) tell(now time.Time) bool {
	if p.tellAt.IsZero() || now.Before(p.tellAt) {
		return false
	}
	p.tellAt = now.Add(tellPeriod)
	return true
}

// end forgets the others with the connection.
func (p *presence) end() {
	clear(p.others)
	p.working, p.until, p.tellAt, p.echo = false, time.Time{}, time.Time{}, time.Time{}
}

// handle takes a message of the group. It reports whether this bridge's own message
// is to be published again: because it is not there, or for a newcomer.
func (p *presence) handle(now time.Time, m Message) (announce bool) {
	instance, ok := strings.CutPrefix(m.Topic, p.prefix)
	if !ok || !isInstance(instance) {
		return false
	}
	if instance == p.self {
		p.echo = now
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
	p.others[instance] = other{string(m.Payload) == PresenceActive, now}
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
	for instance, o := range p.others {
		if p.echo.Sub(o.heard) >= silence {
			delete(p.others, instance)
			continue
		}
		lower := instance < p.self
		lowest = lowest && !lower
		active = active || o.active && (lower || !p.working)
	}
	p.working = !active && (p.working || lowest)
	return p.working != before
}

// worker returns the active bridge among the others, for a line in the log.
func (p *presence) worker() string {
	for instance, o := range p.others {
		if o.active {
			return instance
		}
	}
	return "another one"
}
