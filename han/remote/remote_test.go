package remote

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/internal/trace"
)

const (
	device   han.EUI64 = 0x00DB1234567890A0
	supplier han.EUI64 = 0x90B3D51F30010000
	broker   han.EUI64 = 0x90B3D51F30000002
	stranger han.EUI64 = 0x90B3D51F30010001
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// memory is a Memory in plain Go; what is not committed is lost by reopen.
type memory struct {
	now, kept state
	commits   int
	full      bool // for all that may be lost
}

// slot is where a response is kept.
type slot struct {
	party han.EUI64
	apart bool
}

type state struct {
	counters  map[han.EUI64]uint64
	responses map[slot][]byte
	alerts    uint64
	outbox    [][]byte
}

func (s state) clone() state {
	c := state{map[han.EUI64]uint64{}, map[slot][]byte{}, s.alerts, slices.Clone(s.outbox)}
	for k, v := range s.counters {
		c.counters[k] = v
	}
	for k, v := range s.responses {
		c.responses[k] = v
	}
	return c
}

func (m *memory) Counter(p han.EUI64) uint64              { return m.now.counters[p] }
func (m *memory) SetCounter(p han.EUI64, n uint64)        { m.now.counters[p] = n }
func (m *memory) Response(p han.EUI64, apart bool) []byte { return m.now.responses[slot{p, apart}] }
func (m *memory) SetResponse(p han.EUI64, apart bool, b []byte) {
	m.now.responses[slot{p, apart}] = b
}
func (m *memory) NextAlert() uint64 { m.now.alerts++; return m.now.alerts }
func (m *memory) Post(b []byte, must bool) bool {
	if m.full && !must {
		return false
	}
	m.now.outbox = append(m.now.outbox, b)
	return true
}
func (m *memory) Waits(b []byte) bool {
	return slices.ContainsFunc(m.now.outbox, func(o []byte) bool { return bytes.Equal(o, b) })
}
func (m *memory) Commit() {
	m.kept = m.now.clone()
	m.commits++
}

type clock struct{}

func (clock) Read(now time.Time) time.Time { return now }

// rig is an endpoint of an electricity meter whose handler does as it is told.
type rig struct {
	*Endpoint
	memory *memory
	out    han.Outbox
	taken  []Command
	fails  error
	later  bool // the handler answers later
	spent  int  // operations on the curve
}

func newRig() *rig {
	r := &rig{memory: &memory{now: state{}.clone()}}
	r.Endpoint = New(Config{Device: device, Role: gbcs.RoleESME, Layout: gbcs.LayoutDLMS, Parties: []han.EUI64{supplier, broker}, Clock: clock{},
		Security: Security{Own: keys(device), Parties: []seal.Party{party(supplier), party(broker)}, Broker: party(broker), Spend: func(n int) { r.spent += n }},
	}, r.memory)
	r.Register(gbcs.CodeReadESMEFirmwareVersion, func(_ time.Time, _ *han.Outbox, c Command) (gbcs.Payload, error) {
		r.taken = append(r.taken, c)
		if r.later || r.fails != nil {
			return nil, r.fails
		}
		return gbcs.ReadESMEFirmwareVersionResponse{InvokeID: c.Payload.(gbcs.ReadESMEFirmwareVersionCommand).InvokeID, FirmwareVersion: 7}, nil
	})
	return r
}

// takeActivation carries Activate Firmware out.
func (r *rig) takeActivation(_ time.Time, _ *han.Outbox, c Command) (gbcs.Payload, error) {
	r.taken = append(r.taken, c)
	return gbcs.ActivateFirmwareResponse{Accepted: true}, nil
}

func command(from han.EUI64, counter uint64) gbcs.Message {
	return gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: from, Recipient: device,
		Code: gbcs.CodeReadESMEFirmwareVersion, Payload: gbcs.ReadESMEFirmwareVersionCommand{InvokeID: gbcs.InvokeIDOf(counter)}.Append(nil)}
}

func keys(eui han.EUI64) seal.Keys { return seal.Derive(1, eui) }

func party(eui han.EUI64) seal.Party { return seal.PartyOf(eui, keys(eui)) }

// wire returns a message as its originator and the broker send it.
func wire(m gbcs.Message) []byte { return wireBy(keys(m.Originator), m) }

// wireBy returns a message as somebody sends it who has these keys.
func wireBy(k seal.Keys, m gbcs.Message) []byte {
	p, err := seal.Protect(m, k.DS, func() (seal.Secret, error) { return seal.Agree(keys(broker).KA, keys(m.Recipient).KA.PublicKey()) })
	if err != nil {
		panic(err)
	}
	return p.Append(nil)
}

// give hands the endpoint a message and returns what it posted, as text.
func (r *rig) give(m []byte) string {
	before := len(r.memory.now.outbox)
	r.HandleMessage(start, &r.out, m)
	var text string
	for _, b := range r.memory.now.outbox[before:] {
		text += said(b)
	}
	if len(r.memory.kept.outbox) != len(r.memory.now.outbox) {
		text += " not committed"
	}
	return text
}

func said(message []byte) string {
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		return err.Error()
	}
	p, err := m.ParsePayload()
	if err != nil {
		return err.Error()
	}
	if a, ok := p.(gbcs.GenericAlert); ok {
		return fmt.Sprintf("%04X to %s;", uint16(a.Code), m.Recipient)
	}
	return fmt.Sprintf("%s %d to %s;", m.CRA, m.OriginatorCounter, m.Recipient)
}

func (r *rig) refused() int {
	n := 0
	for _, rec := range r.out.Records {
		if rec.Kind == trace.CommandRefused && rec.Node == uint64(device) {
			n++
		}
	}
	return n
}

func TestACommandIsCarriedOutAndAnswered(t *testing.T) {
	r := newRig()
	if got := r.give(wire(command(supplier, 5))); got != "response 5 to "+supplier.String()+";" {
		t.Errorf("answered %q", got)
	}
	if len(r.taken) != 1 || r.taken[0].Order != (Order{gbcs.CodeReadESMEFirmwareVersion, supplier, 5}) || r.memory.kept.counters[supplier] != 5 {
		t.Errorf("handler got %+v, counter %d", r.taken, r.memory.kept.counters[supplier])
	}
	if r.memory.commits != 1 {
		t.Errorf("%d commits, want all in one", r.memory.commits)
	}
}

// A use case that is counted apart has a counter far below, or above, those of all others, moves
// none of them, and its handler tells a command that comes anew from one that came before.
func TestACommandThatIsCountedApart(t *testing.T) {
	r := newRig()
	r.RegisterApart(gbcs.CodeActivateFirmware, r.takeActivation)
	apart := func(counter uint64) []byte {
		m := command(supplier, counter)
		m.Code, m.Payload = gbcs.CodeActivateFirmware, gbcs.ActivateFirmwareCommand{OriginatorCounter: counter}.Append(nil)
		return wire(m)
	}
	answer := func(n uint64) string { return fmt.Sprintf("response %d to %s;", n, supplier) }
	for i, step := range []struct {
		give  []byte
		want  string
		taken int
	}{
		{wire(command(supplier, 1000)), answer(1000), 1},
		{apart(2), answer(2), 2},
		{wire(command(supplier, 1000)), answer(1000), 2}, // its response is still there
		{apart(2), answer(2), 2},                         // and so is that one's
		{apart(3 << 32), answer(3 << 32), 3},
		{apart(2), answer(2), 4}, // the handler knows it
		{wire(command(supplier, 1001)), answer(1001), 5},
	} {
		r.memory.now.outbox, r.memory.kept.outbox = nil, nil // delivered
		if got := r.give(step.give); got != step.want || len(r.taken) != step.taken {
			t.Errorf("step %d: %q, the handler had %d; want %q, %d", i, got, len(r.taken), step.want, step.taken)
		}
	}
	if n := r.memory.kept.counters[supplier]; n != 1001 {
		t.Errorf("the counter of all others is %d, want 1001", n)
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	edit := func(f func(m *gbcs.Message)) []byte {
		m := command(supplier, 5)
		f(&m)
		return wire(m)
	}
	proper := edit(func(*gbcs.Message) {})
	malformed := "8F1E to " + supplier.String() + ";"
	for _, tt := range []struct {
		name string
		give []byte
		want string
	}{
		{"nothing", nil, malformed},
		{"garbage", []byte("not a message"), malformed},
		{"one cut short", proper[:len(proper)-2], malformed},
		{"a response", edit(func(m *gbcs.Message) { m.CRA = gbcs.Response }), ""},
		{"for another device", edit(func(m *gbcs.Message) { m.Recipient++ }), "8F53 to " + supplier.String() + ";"},
		{"from a stranger", edit(func(m *gbcs.Message) { m.Originator = stranger }), "8F30 to " + supplier.String() + ";"},
		{"a use case without a handler", edit(func(m *gbcs.Message) { m.Code = gbcs.CodeActivateFirmware }), ""},
		{"a payload cut short", edit(func(m *gbcs.Message) { m.Payload = m.Payload[:4] }), malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig()
			if got := r.give(tt.give); got != tt.want {
				t.Errorf("posted %q, want %q", got, tt.want)
			}
			if len(r.taken) != 0 || r.memory.now.counters[supplier] != 0 || r.refused() != 1 {
				t.Errorf("taken %v, counter %d, %d refusals recorded", r.taken, r.memory.now.counters[supplier], r.refused())
			}
			if got := r.give(proper); got != "response 5 to "+supplier.String()+";" {
				t.Errorf("then the proper command: %q", got)
			}
		})
	}
}

// TestWhatAHandlerRefusesCountsAsNeverCome: it is malformed by the words of its use case.
func TestWhatAHandlerRefusesCountsAsNeverCome(t *testing.T) {
	r := newRig()
	r.fails = errors.New("no sense")
	if got := r.give(wire(command(supplier, 5))); got != "8F1E to "+supplier.String()+";" || r.memory.kept.counters[supplier] != 0 {
		t.Errorf("posted %q, counter %d", got, r.memory.kept.counters[supplier])
	}
}

// TestEachPartyHasACounterOfItsOwn, and its own response for a command that comes twice.
func TestEachPartyHasACounterOfItsOwn(t *testing.T) {
	r := newRig()
	r.give(wire(command(supplier, 1000)))
	if got := r.give(wire(command(broker, 5))); got != "response 5 to "+broker.String()+";" {
		t.Fatalf("a lower counter of another party: %q", got)
	}
	r.memory.now.outbox = nil // delivered
	if got := r.give(wire(command(supplier, 1000))); got != "response 1000 to "+supplier.String()+";" || len(r.taken) != 2 {
		t.Errorf("the first command again: %q, carried out %d times", got, len(r.taken))
	}
}

func TestReplaysAreRefusedAndRepetitionsAnswered(t *testing.T) {
	r := newRig()
	r.give(wire(command(supplier, 5)))
	if got := r.give(wire(command(supplier, 5))); got != "" || r.refused() != 0 {
		t.Errorf("while its response waits: %q, %d refusals", got, r.refused())
	}
	other := command(supplier, 5)
	other.Code = gbcs.CodeActivateFirmware
	for i, m := range []gbcs.Message{command(supplier, 4), command(supplier, 0), other} {
		if got := r.give(wire(m)); got != "8F53 to "+supplier.String()+";" || r.refused() != i+1 {
			t.Errorf("counter %d of %s: %q, %d refusals", m.OriginatorCounter, m.Code, got, r.refused())
		}
	}
	if len(r.taken) != 1 {
		t.Errorf("carried out %d times", len(r.taken))
	}
}

// TestAnOrderAnsweredLater is neither refused nor carried out again meanwhile.
func TestAnOrderAnsweredLater(t *testing.T) {
	r := newRig()
	r.later = true
	for range 2 {
		if got := r.give(wire(command(supplier, 5))); got != "" || len(r.taken) != 1 || r.refused() != 0 {
			t.Fatalf("posted %q, carried out %d times, %d refusals", got, len(r.taken), r.refused())
		}
	}
	r.Respond(start, &r.out, r.taken[0].Order, gbcs.ReadESMEFirmwareVersionResponse{})
	r.Commit()
	if got := said(r.memory.kept.outbox[0]); got != "response 5 to "+supplier.String()+";" {
		t.Errorf("answered %q", got)
	}
}

// TestAnAlertWithoutRoomIsRecorded; responses and outcomes have room kept back.
func TestAnAlertWithoutRoomIsRecorded(t *testing.T) {
	r := newRig()
	r.memory.full = true
	r.Alert(start, &r.out, gbcs.AlertLowBatteryCapacity)
	if got := r.out.Records[len(r.out.Records)-1]; got.Kind != trace.MessageDropped || got.Code != uint32(gbcs.CodeGenericCriticalAlert) || got.Node != uint64(device) {
		t.Errorf("recorded %s", got)
	}
	if got := r.give(wire(command(supplier, 5))); got != "response 5 to "+supplier.String()+";" {
		t.Errorf("answered %q", got)
	}
}

func TestWhatCannotBeRegisteredPanics(t *testing.T) {
	for name, code := range map[string]gbcs.MessageCode{
		"twice": gbcs.CodeReadESMEFirmwareVersion, "of another device": gbcs.CodeReadGSMEFirmwareVersion,
		"only passed on": gbcs.CodeCloseGSMEValve, "an alert": gbcs.CodeGenericCriticalAlert, "unknown": 0x0FFF,
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			newRig().Register(code, func(time.Time, *han.Outbox, Command) (gbcs.Payload, error) { return nil, nil })
		})
	}
}

func FuzzHandleMessage(f *testing.F) {
	f.Add(wire(command(supplier, 5)))
	f.Add(wire(command(stranger, 5)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newRig()
		r.HandleMessage(start, &r.out, data)
		if len(r.taken) == 0 && r.memory.now.counters[supplier] != 0 {
			t.Error("a counter moved without a command")
		}
	})
}
