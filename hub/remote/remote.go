// Package remote is the home of the ends of GBCS that the hub's own functions have,
// the CHF and the GPF: han/remote with its memory in the hub's store. What an end
// must not forget becomes durable in one commit, before anything is told of it.
//
// A function is always there, so that nothing waits in an outbox: what a command makes
// it say is the result of the call.
package remote

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/hub/store"
)

// Config is what an end needs to know about its function.
type Config struct {
	Function han.EUI64
	Role     gbcs.Roles  // RoleCHF or RoleGPF
	Layout   gbcs.Layout // of its alerts
	Parties  []han.EUI64 // with authority over it: the supplier, and who else orders
	Security core.Security
}

// Endpoint is a function's end of GBCS.
type Endpoint struct {
	core   *core.Endpoint
	memory *memory
}

// New returns the end of a function, with what the store holds of it and the handlers
// of its use cases.
func New(cfg Config, records *store.Store, handlers map[gbcs.MessageCode]core.Handler) *Endpoint {
	m := &memory{cfg: cfg, store: records}
	e := &Endpoint{memory: m, core: core.New(core.Config{
		Device: cfg.Function, Role: cfg.Role, Layout: cfg.Layout, Parties: cfg.Parties, Clock: clock{},
		Security: cfg.Security,
	}, m)}
	for code, handle := range handlers {
		e.core.Register(code, handle)
	}
	return e
}

// HandleMessage takes a message and returns what the function says to it. With an
// error the store took nothing of it, and it may come again.
func (e *Endpoint) HandleMessage(now time.Time, out *han.Outbox, message []byte) (said [][]byte, err error) {
	e.memory.begin()
	e.memory.busy = true
	e.core.HandleMessage(now, out, message)
	e.memory.busy = false
	if e.memory.failed != nil {
		return nil, e.memory.failed
	}
	return e.memory.said, nil
}

// Stage has the commit of the command that is being carried out make these changes too.
func (e *Endpoint) Stage(changes ...store.Change) {
	e.memory.staged = append(e.memory.staged, changes...)
}

// Alert makes an alert of a use case, whose payload is made from the alert's head. The
// caller commits the changes together with what the alert tells, and before the next one is
// made; in the middle of a command it stages them.
func (e *Endpoint) Alert(now time.Time, useCase gbcs.MessageCode, code gbcs.AlertCode, payload func(gbcs.AlertHead) gbcs.Payload) (message []byte, changes []store.Change) {
	m := e.memory
	if !m.busy {
		m.begin()
	}
	var recorded han.Outbox // who raises it records more than the code
	e.core.AlertWith(now, &recorded, useCase, code, payload)
	last := len(m.said) - 1
	message, m.said = m.said[last], m.said[:last]
	return message, m.changes()
}

// clock is the function's clock: the hub's own.
type clock struct{}

func (clock) Read(now time.Time) time.Time { return now }

// memory implements core.Memory in the store. One message is one commit at most.
type memory struct {
	cfg     Config
	store   *store.Store
	parties []store.RemoteParty // looked up, and perhaps changed, since begin
	said    [][]byte
	staged  []store.Change // of others, for the next commit
	busy    bool           // in the middle of a command
	failed  error
}

// begin forgets what is not in the store.
func (m *memory) begin() { *m = memory{cfg: m.cfg, store: m.store} }

func (m *memory) of(party han.EUI64) *store.RemoteParty {
	i := slices.IndexFunc(m.parties, func(p store.RemoteParty) bool { return p.Party == party })
	if i < 0 {
		p, _ := m.store.RemoteParty(m.cfg.Function, party)
		p.Function, p.Party = m.cfg.Function, party
		i, m.parties = len(m.parties), append(m.parties, p)
	}
	return &m.parties[i]
}

// Counter implements core.Memory.
func (m *memory) Counter(party han.EUI64) uint64 { return m.of(party).Counter }

// SetCounter implements core.Memory.
func (m *memory) SetCounter(party han.EUI64, counter uint64) { m.of(party).Counter = counter }

// Response implements core.Memory. No function has commands that are counted apart.
func (m *memory) Response(party han.EUI64, _ bool) []byte { return m.of(party).Response }

// SetResponse implements core.Memory.
func (m *memory) SetResponse(party han.EUI64, _ bool, message []byte) { m.of(party).Response = message }

// NextAlert implements core.Memory.
func (m *memory) NextAlert() uint64 {
	p := m.of(m.cfg.Parties[0])
	p.Alerts++
	return p.Alerts
}

// Post implements core.Memory. There is always room: what is said is fetched at once.
func (m *memory) Post(message []byte, _ bool) bool {
	m.said = append(m.said, message)
	return true
}

// Waits implements core.Memory.
func (m *memory) Waits([]byte) bool { return false }

// changes returns those that keep what is remembered.
func (m *memory) changes() []store.Change {
	changes := make([]store.Change, len(m.parties))
	for i, p := range m.parties {
		changes[i] = store.Put(p)
	}
	return changes
}

// Commit implements core.Memory.
func (m *memory) Commit() {
	changes := append(m.staged, m.changes()...)
	m.staged = nil
	if err := m.store.Commit(changes...); err != nil {
		m.failed = fmt.Errorf("keep a command to %s: %w", m.cfg.Function, err)
	}
}
