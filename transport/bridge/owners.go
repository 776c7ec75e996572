package bridge

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Homes share brokers. What a home writes to there it says to be its own, retained:
//
//	commshub/bridge/owner/<territory>   the home's id
//
// A territory is a topic with everything under it. Who comes and finds a territory that
// is another home's keeps off, writing and clearing, until the other gives it up. Of two
// that claim one at the same moment the lower id has it.
const ownerRoot = presenceRoot + "owner/"

// maxOwners bounds what is remembered of what belongs to whom.
const maxOwners = 1 << 16

// owners are who owns what on the broker, as it was told. It is told by the connection,
// not by way of the queue of messages, in which some may be lost.
type owners struct {
	changed chan struct{} // something did, since it was last received from

	mu   sync.Mutex
	self string
	of   map[string]string // by territory
	mine map[string]bool   // territories that were claimed on this connection
}

func newOwners() *owners {
	return &owners{changed: make(chan struct{}, 1), of: map[string]string{}, mine: map[string]bool{}}
}

// begin says which home this is, before anything is asked.
func (o *owners) begin(self string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.self = self
}

// end forgets everything with the connection.
func (o *owners) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.of)
	clear(o.mine)
}

// take takes a message, and reports whether it was about who owns something.
func (o *owners) take(topic string, payload []byte) bool {
	territory, ok := strings.CutPrefix(topic, ownerRoot)
	if !ok {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.of[territory]; len(payload) == 0 {
		delete(o.of, territory)
	} else if known || len(o.of) < maxOwners {
		o.of[territory] = string(payload[:min(len(payload), maxHomeID)])
	}
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return true
}

// claim wants territories for this home. It returns those that are to be claimed now, or the
// first that is another's; disputed tells that another claimed one that is to be claimed again,
// and may have written there.
func (o *owners) claim(territories []string) (missing []string, taken *conflict, disputed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range territories {
		owner := o.of[t]
		switch {
		case owner == o.self:
			o.mine[t] = true
			continue
		case owner != "" && (!o.mine[t] || owner < o.self):
			clear(o.mine)
			return nil, &conflict{t, owner}, false
		}
		disputed = disputed || owner != ""
		missing = append(missing, t)
	}
	for _, t := range missing {
		o.of[t], o.mine[t] = o.self, true
	}
	return missing, nil, disputed
}

// foreign reports whether a topic is in a territory of another home.
func (o *owners) foreign(topic string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	owner := o.find(topic)
	return owner != "" && owner != o.self
}

// owner returns whose territory a topic is in; "" if nobody's.
func (o *owners) owner(topic string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.find(topic)
}

func (o *owners) find(topic string) string {
	if territory, ok := strings.CutPrefix(topic, ownerRoot); ok {
		topic = territory
	}
	for at := topic; at != ""; at = at[:max(0, strings.LastIndexByte(at, '/'))] {
		if owner := o.of[at]; owner != "" {
			return owner
		}
	}
	return ""
}

// own returns the territories that are this home's.
func (o *owners) own() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.mine))
}

// conflict is a territory of another home.
type conflict struct{ territory, owner string }

// String tells what to do about it.
func (c *conflict) String() string {
	return c.territory + " belongs to another home on this broker, " + c.owner +
		": nothing is written or cleared; give this home a base topic or identities of its own, or, if that home is gone, remove the retained message at " + ownerRoot + c.territory
}
