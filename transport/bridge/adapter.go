package bridge

import (
	"time"

	"github.com/commshub/commshub/han"
)

// Adapter speaks one dialect on the outside broker. Calls come one at a time from
// one goroutine; none of them may block. After an error of HandleMessage nothing
// may have changed; the error becomes one line in the log.
type Adapter interface {
	// Name is the adapter's section in the configuration, such as zigbee2mqtt. It
	// also names what is kept.
	Name() string
	// Devices are the outside devices it maps to devices of the hub.
	Devices() []Mapping
	// Territories are the topics that, with everything under them, the adapter writes
	// to for a home, and nobody else shall.
	Territories(home *Home) []string
	// Filters are the topic filters it listens to, all at QoS 1.
	Filters() []string
	// Restore takes what was last given to Outbox.Keep, before any other call.
	Restore(kept []byte) error
	// HandleUp tells that the broker is connected, every filter subscribed, and this
	// bridge the one that works: retained messages are to be published again.
	// presence is a topic that says active as long as that is so, and is empty
	// otherwise.
	HandleUp(now time.Time, presence string, out *Outbox)
	// HandleMessage takes a message that matches one of the filters. The adapter
	// may keep the payload.
	HandleMessage(now time.Time, m Message, out *Outbox) error
	// HandleHome takes a picture of the hub, also if nothing changed. It may be a
	// little older than the last report. The adapter may keep it until the next.
	HandleHome(now time.Time, home *Home, out *Outbox)
	// NextTimer returns when HandleTimer is to be called, if ever.
	NextTimer() (time.Time, bool)
	HandleTimer(now time.Time, out *Outbox)
	// HandleDown publishes what takes back everything the adapter left on the
	// broker: the bridge stops. It is not called when the connection is lost.
	HandleDown(out *Outbox)
}

// HubWatcher is an Adapter that shows whether the hub can be reached.
type HubWatcher interface {
	// HandleHubLost tells that the hub does not answer: what it said last does not hold
	// any more. The next HandleHome tells that it answers again.
	HandleHubLost(now time.Time, out *Outbox)
}

// Mapping is an outside device and the identifier it has in the hub.
type Mapping struct {
	EUI64 han.EUI64 `yaml:"id"`
	// Label is what a person calls it.
	Label string `yaml:"label"`
}

// Message is a message of the outside broker.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// Outbox collects what an adapter wants to happen.
type Outbox struct {
	messages []Message
	reports  []Report
	kept     []byte
	installs []han.EUI64
	notes    []string
	warnings []string
}

// Publish publishes a message that the broker does not keep.
func (o *Outbox) Publish(topic string, payload []byte) {
	o.messages = append(o.messages, Message{Topic: topic, Payload: payload})
}

// Retain publishes a message that the broker keeps; an empty payload takes the
// one it has back.
func (o *Outbox) Retain(topic string, payload []byte) {
	o.messages = append(o.messages, Message{Topic: topic, Payload: payload, Retained: true})
}

// Keep makes state last. It is on disk before any message of this outbox leaves.
func (o *Outbox) Keep(state []byte) { o.kept = state }

// Report tells the hub how an outside device stands. Of several about the same
// device the last one counts, so a report says everything about it.
func (o *Outbox) Report(r Report) { o.reports = append(o.reports, r) }

// Install orders a meter of the hub to activate the image it holds. The adapter
// has checked that its configuration allows it.
func (o *Outbox) Install(meter han.EUI64) { o.installs = append(o.installs, meter) }

// Note logs a line for a person: something began or ended.
func (o *Outbox) Note(line string) { o.notes = append(o.notes, line) }

// Warn logs a line about something that is not as it should be.
func (o *Outbox) Warn(line string) { o.warnings = append(o.warnings, line) }

// Messages returns what is to be published, in order, for tests of adapters.
func (o *Outbox) Messages() []Message { return o.messages }

// Reports returns the reports, for tests of adapters.
func (o *Outbox) Reports() []Report { return o.reports }

// Kept returns the state to keep, for tests of adapters; nil if it did not change.
func (o *Outbox) Kept() []byte { return o.kept }

// Installs returns the meters to activate, for tests of adapters.
func (o *Outbox) Installs() []han.EUI64 { return o.installs }

// Lines returns notes and warnings, for tests of adapters.
func (o *Outbox) Lines() []string { return append(append([]string(nil), o.notes...), o.warnings...) }

// Reset empties the outbox.
func (o *Outbox) Reset() { *o = Outbox{messages: o.messages[:0], reports: o.reports[:0]} }
