// Package remote is a device's end of GBCS: it takes the commands of remote parties,
// has them carried out by whoever knows their use case, and answers and alerts.
//
//	message ─► whole? ─► for this device? ─► from one with authority? ─► MAC and signature hold?
//	              │8F1E       │8F53                 │8F30                    │MAC 8F1E, signature 8F3D
//	              ▼           ▼                     ▼                        ▼
//	           refused     refused               refused                  refused
//
//	  ─► counter above the last? ─► use case ─► its [Handler]
//	              │ no: answered again,             │
//	              ▼ or refused, 8F53    response ◄──┘
//
// Handlers are found by the message code, through the table of package gbcs; they
// get and give payloads and know nothing of the message around them. What must last
// is kept by a [Memory]: meters keep it in flash (devices/remote), a hub in its
// store. All that belongs together is in one [Endpoint.Commit].
//
// The endpoint defends against replay by a counter per originator. A command that
// comes twice is carried out once and answered twice, with the stored response.
package remote

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is what an endpoint needs to know about its device.
type Config struct {
	Device han.EUI64
	Role   gbcs.Roles // which kind of device it is, one of them
	// Layout is how this kind of device encodes alerts: DLMS for an ESME, GBZ for a GSME.
	Layout gbcs.Layout
	// Parties are the remote parties with authority over the device. Alerts go to
	// the first, the supplier, but for those of use cases that tell the access control broker.
	// That gives commands of its own only to a device that has it among them.
	Parties []han.EUI64
	Clock   Clock
	// Log, if set, enters an event into the device's logs. All that the supplier is alerted
	// of is entered before the alert counts.
	Log func(now time.Time, code gbcs.AlertCode, information ...byte)
	Security
}

// Clock is the device's own clock.
type Clock interface {
	Read(now time.Time) time.Time
}

// Memory keeps what an endpoint must not forget. Changes may wait for Commit, which
// makes all of them durable at once.
type Memory interface {
	// Counter returns the originator counter of the last command taken from a party.
	Counter(party han.EUI64) uint64
	SetCounter(party han.EUI64, counter uint64)
	// Response returns the last response to a party, nil if there was none: to a command that
	// is counted apart, or to any other.
	Response(party han.EUI64, apart bool) []byte
	SetResponse(party han.EUI64, apart bool, message []byte)
	// NextAlert counts an alert and returns its originator counter.
	NextAlert() uint64
	// Post gives a message to the outbox. It reports false if there is no room; for
	// what must not be lost some is kept back.
	Post(message []byte, must bool) bool
	// Waits reports whether a message is still in the outbox.
	Waits(message []byte) bool
	Commit()
}

// Command is a command that was found good, as its handler sees it.
type Command struct {
	Order
	Payload gbcs.Payload
}

// Order names a command, for a response that comes later.
type Order struct {
	Code       gbcs.MessageCode
	Originator han.EUI64
	Counter    uint64 // originator counter
}

// Handler carries out the commands of a use case. Without a response it answers
// later, with [Endpoint.Respond]. With an error the command counts as never come: it
// is refused as malformed (8F1E).
type Handler func(now time.Time, out *han.Outbox, c Command) (response gbcs.Payload, err error)

// Endpoint is a device's end of GBCS.
type Endpoint struct {
	cfg      Config
	memory   Memory
	handlers map[gbcs.MessageCode]Handler
	apart    map[gbcs.MessageCode]bool // see RegisterApart
	secrets  map[han.EUI64]seal.Secret // what the device has in common with others
}

// New returns an endpoint that knows no use case yet. A configuration without the keys that
// its policy asks for is a programmer's error and panics.
func New(cfg Config, memory Memory) *Endpoint {
	if err := cfg.check(); err != nil {
		panic(fmt.Sprintf("remote: %s: %v", cfg.Device, err))
	}
	return &Endpoint{cfg: cfg, memory: memory, handlers: map[gbcs.MessageCode]Handler{},
		apart: map[gbcs.MessageCode]bool{}, secrets: map[han.EUI64]seal.Secret{}}
}

// Register makes a handler carry out a use case. A use case that has a handler
// already, that is not for this kind of device or whose commands package gbcs does
// not read is a programmer's error and panics.
func (e *Endpoint) Register(code gbcs.MessageCode, h Handler) {
	u, ok := gbcs.UseCaseOf(code)
	switch {
	case !ok || !u.Reads(gbcs.Command):
		panic(fmt.Sprintf("remote: register %s: its commands are not read here", code))
	case u.Devices&e.cfg.Role == 0:
		panic(fmt.Sprintf("remote: register %s: not a use case of this device", code))
	case e.handlers[code] != nil:
		panic(fmt.Sprintf("remote: register %s: it has a handler", code))
	}
	e.handlers[code] = h
}

// RegisterApart does the same for a use case whose commands are counted apart from all others,
// above or below them. Its handler sees to it that none is carried out twice.
func (e *Endpoint) RegisterApart(code gbcs.MessageCode, h Handler) {
	e.Register(code, h)
	e.apart[code] = true
}

// Common returns what the device has in common with a party with authority over it.
func (e *Endpoint) Common(party han.EUI64) (seal.Secret, error) {
	return e.common(e.cfg.party(party))()
}

// HandleMessage takes a message. What is not for this device, not from a party with
// authority, malformed, forged or replayed is refused, changes nothing, and is told to the
// supplier.
func (e *Endpoint) HandleMessage(now time.Time, out *han.Outbox, data []byte) {
	m, err := gbcs.ParseMessage(data)
	if err != nil {
		e.refuseMalformed(now, out, 0, err)
		return
	}
	switch {
	case m.CRA != gbcs.Command:
		e.refuse(now, out, m.Code, fmt.Sprintf("a %s is no command", m.CRA))
	case m.Recipient != e.cfg.Device:
		e.refuseAndTell(now, out, m.Code, fmt.Sprintf("addressed to %s", m.Recipient), gbcs.AlertOtherAuthenticationFailure)
	case !slices.Contains(e.cfg.Parties, m.Originator):
		e.refuseAndTell(now, out, m.Code, fmt.Sprintf("originator %s has no authority here", m.Originator), gbcs.AlertSourceLacksAuthority)
	case !e.mayOrder(m.Originator, m.Code):
		e.refuseAndTell(now, out, m.Code, fmt.Sprintf("originator %s has no authority for it", m.Originator), gbcs.AlertSourceLacksAuthority)
	default:
		e.handleAddressed(now, out, m)
	}
}

// The parties of use cases that this end tells apart.
const (
	partySupplier = "supplier"
	partyBroker   = "ACB"
)

// mayOrder tells whether a use case is one that a party orders. Of one that is not known
// the dispatch has to say that.
func (e *Endpoint) mayOrder(party han.EUI64, code gbcs.MessageCode) bool {
	u, known := gbcs.UseCaseOf(code)
	role := partySupplier
	if party == e.cfg.Broker.EUI64 {
		role = partyBroker
	}
	return !known || slices.Contains(u.Parties, role)
}

// told returns who is told by the alerts of a use case.
func (e *Endpoint) told(code gbcs.MessageCode) han.EUI64 {
	u, _ := gbcs.UseCaseOf(code)
	if slices.Contains(u.Parties, partyBroker) && !slices.Contains(u.Parties, partySupplier) {
		return e.cfg.Broker.EUI64
	}
	return e.cfg.Parties[0]
}

// handleAddressed takes a command for this device that names a party with authority.
func (e *Endpoint) handleAddressed(now time.Time, out *han.Outbox, m gbcs.Message) {
	err := e.authentic(m)
	switch {
	case err != nil:
		e.refuseForged(now, out, m, err)
	case e.apart[m.Code]:
		if stored, code, answered := e.answer(m); answered && code == m.Code {
			e.answerAgain(now, out, m.Code, stored)
		} else {
			e.execute(now, out, m)
		}
	case m.OriginatorCounter <= e.memory.Counter(m.Originator):
		e.repeat(now, out, m)
	default:
		e.execute(now, out, m)
	}
}

func (e *Endpoint) execute(now time.Time, out *han.Outbox, m gbcs.Message) {
	handle, ok := e.handlers[m.Code]
	if !ok {
		e.refuse(now, out, m.Code, "use case not supported")
		e.LogOutcome(now, m.Code, false)
		return
	}
	payload, err := m.ParsePayload()
	if err != nil {
		e.refuseMalformed(now, out, m.Code, err)
		return
	}
	// The counter is in the memory first, so that it is kept with whatever the
	// handler keeps.
	last := e.memory.Counter(m.Originator)
	if !e.apart[m.Code] {
		e.memory.SetCounter(m.Originator, m.OriginatorCounter)
	}
	order := Order{Code: m.Code, Originator: m.Originator, Counter: m.OriginatorCounter}
	response, err := handle(now, out, Command{Order: order, Payload: payload})
	if err != nil {
		if !e.apart[m.Code] {
			e.memory.SetCounter(m.Originator, last)
		}
		e.refuseMalformed(now, out, m.Code, err)
		return
	}
	if response != nil {
		e.respond(now, out, order, m.OtherInfo, response)
	}
	e.Commit()
}

// repeat answers a command that came twice with the response it got the first time.
// Any other command whose counter does not exceed the last one is a replay.
func (e *Endpoint) repeat(now time.Time, out *han.Outbox, m gbcs.Message) {
	last := e.memory.Counter(m.Originator)
	stored, code, answered := e.answer(m)
	switch {
	case answered && code == m.Code:
		e.answerAgain(now, out, m.Code, stored)
	case !answered && m.OriginatorCounter == last:
		// In the middle of being carried out.
	default:
		e.refuseAndTell(now, out, m.Code, fmt.Sprintf("originator counter %d, want more than %d", m.OriginatorCounter, last), gbcs.AlertOtherAuthenticationFailure)
	}
}

// answer returns the stored response to a command with the counter of a command, and its use
// case.
func (e *Endpoint) answer(m gbcs.Message) (stored []byte, code gbcs.MessageCode, answered bool) {
	stored = e.memory.Response(m.Originator, e.apart[m.Code])
	response, err := gbcs.ParseMessage(stored)
	return stored, response.Code, err == nil && response.OriginatorCounter == m.OriginatorCounter
}

// answerAgain posts a stored response, unless it waits still.
func (e *Endpoint) answerAgain(now time.Time, out *han.Outbox, code gbcs.MessageCode, stored []byte) {
	if !e.memory.Waits(stored) {
		e.post(now, out, code, slices.Clone(stored), true)
		e.Commit()
	}
}

// Respond answers an order that its handler did not answer at once. The caller commits.
func (e *Endpoint) Respond(now time.Time, out *han.Outbox, o Order, payload gbcs.Payload) {
	e.memory.SetCounter(o.Originator, max(o.Counter, e.memory.Counter(o.Originator)))
	e.respond(now, out, o, nil, payload)
}

// respond posts a response and keeps it, so that a command that comes again is
// answered again. It repeats the command's other information, in which the access control
// broker names for whom it gives it.
func (e *Endpoint) respond(now time.Time, out *han.Outbox, o Order, otherInfo []byte, payload gbcs.Payload) {
	m := gbcs.Message{
		CRA: gbcs.Response, OriginatorCounter: o.Counter, Originator: e.cfg.Device, Recipient: o.Originator,
		Code: o.Code, OtherInfo: otherInfo, Payload: payload.Append(nil),
	}
	u, _ := gbcs.UseCaseOf(o.Code)
	if f, _ := u.Form(gbcs.Response); f.DateTime {
		m.HasDateTime, m.DateTime = true, gbcs.DateTimeOf(e.utc(now))
	}
	response := e.protected(m)
	e.post(now, out, o.Code, response, true)
	e.memory.SetResponse(o.Originator, e.apart[o.Code], response)
}

// Alert posts an alert that says no more than its code and time. The caller commits.
func (e *Endpoint) Alert(now time.Time, out *han.Outbox, code gbcs.AlertCode) {
	e.alert(now, out, gbcs.CodeGenericCriticalAlert, code, false, func(head gbcs.AlertHead) gbcs.Payload {
		return gbcs.GenericAlert{AlertHead: head}
	})
}

// AlertWith posts an alert of a use case of its own, whose payload is made from the
// alert's head: the outcome of an order, for which room is kept back. The caller
// commits.
func (e *Endpoint) AlertWith(now time.Time, out *han.Outbox, useCase gbcs.MessageCode, code gbcs.AlertCode, payload func(gbcs.AlertHead) gbcs.Payload) {
	e.alert(now, out, useCase, code, true, payload)
}

func (e *Endpoint) alert(now time.Time, out *han.Outbox, useCase gbcs.MessageCode, code gbcs.AlertCode, must bool, payload func(gbcs.AlertHead) gbcs.Payload) {
	e.Log(now, code)
	counter := e.memory.NextAlert()
	e.record(out, trace.Record{At: now, Kind: trace.AlertRaised, Code: uint32(code), Text: code.String()})
	head := gbcs.AlertHead{Layout: e.cfg.Layout, InvokeID: gbcs.InvokeIDOf(counter), Code: code, Time: e.utc(now)}
	e.post(now, out, useCase, e.protected(gbcs.Message{
		CRA: gbcs.Alert, OriginatorCounter: counter, Originator: e.cfg.Device, Recipient: e.told(useCase),
		Code: useCase, Payload: payload(head).Append(nil),
	}), must)
}

// Log enters an event into the device's logs, for those that nobody is alerted of.
func (e *Endpoint) Log(now time.Time, code gbcs.AlertCode, information ...byte) {
	if e.cfg.Log != nil {
		e.cfg.Log(now, code, information...)
	}
}

// LogOutcome enters what became of a command: 8154 or 8155, with its message code as other
// information. Divergence: what was only read is not entered.
func (e *Endpoint) LogOutcome(now time.Time, command gbcs.MessageCode, actioned bool) {
	code := gbcs.AlertImmediateCommandNotActioned
	if actioned {
		code = gbcs.AlertImmediateCommandActioned
	}
	e.Log(now, code, byte(command>>8), byte(command))
}

// post gives a message to the outbox and records it if there is no room.
func (e *Endpoint) post(now time.Time, out *han.Outbox, code gbcs.MessageCode, message []byte, must bool) {
	if !e.memory.Post(message, must) {
		e.record(out, trace.Record{At: now, Kind: trace.MessageDropped, Code: uint32(code), Text: "the outbox is full"})
	}
}

// Commit makes durable what was posted and changed since the last time.
func (e *Endpoint) Commit() { e.memory.Commit() }

// Layout returns how the device encodes alerts.
func (e *Endpoint) Layout() gbcs.Layout { return e.cfg.Layout }

func (e *Endpoint) refuseMalformed(now time.Time, out *han.Outbox, code gbcs.MessageCode, err error) {
	e.refuseAndTell(now, out, code, err.Error(), gbcs.AlertCommandIntegrityCheckFailed)
}

func (e *Endpoint) refuse(now time.Time, out *han.Outbox, code gbcs.MessageCode, why string) {
	e.record(out, trace.Record{At: now, Kind: trace.CommandRefused, Code: uint32(code), Text: why})
}

func (e *Endpoint) utc(now time.Time) zcl.UTCTime { return zcl.UTCTimeOf(e.cfg.Clock.Read(now)) }

func (e *Endpoint) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(e.cfg.Device)
	out.Record(r)
}
