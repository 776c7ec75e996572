package remote

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/internal/trace"
)

const (
	device   han.EUI64 = 0x00DB1234567890A1
	supplier han.EUI64 = 0x90B3D51F30010000
	broker   han.EUI64 = 0x90B3D51F30000002
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

type clock struct{}

func (clock) Read(now time.Time) time.Time { return now }

// rig is an endpoint on a part that answers GCS38.
type rig struct {
	*Endpoint
	t    *testing.T
	chip *flash.Chip
	out  han.Outbox
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, chip: flash.New(flash.Geometry{SectorSize: 4096, PageSize: 256, Sectors: 4 + 8})}
	r.restart()
	return r
}

func (r *rig) restart() {
	e, err := Open(core.Config{Device: device, Role: gbcs.RoleGSME, Layout: gbcs.LayoutGBZ, Parties: []han.EUI64{supplier, broker}, Clock: clock{},
		Security: core.Security{Own: seal.Derive(1, device), Parties: []seal.Party{party(supplier), party(broker)}, Broker: party(broker)}},
		journal.Open(r.chip.Region(0, 4)), r.chip.Region(4, 8))
	if err != nil {
		r.t.Fatal(err)
	}
	e.Register(gbcs.CodeReadGSMEFirmwareVersion, func(time.Time, *han.Outbox, core.Command) (gbcs.Payload, error) {
		return gbcs.ReadGSMEFirmwareVersionResponse{FirmwareVersion: 7}, nil
	})
	r.Endpoint = e
}

func (r *rig) ask(from han.EUI64, counter uint64) {
	s, err := seal.Agree(seal.Derive(1, broker).KA, party(device).KA)
	if err != nil {
		r.t.Fatal(err)
	}
	r.HandleMessage(start, &r.out, s.WithMAC(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: from, Recipient: device,
		Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)}).Append(nil))
}

func party(eui han.EUI64) seal.Party { return seal.PartyOf(eui, seal.Derive(1, eui)) }

// deliver takes all that waits.
func (r *rig) deliver() (all []gbcs.Message) {
	for {
		data, ok := r.Outgoing()
		if !ok {
			return all
		}
		m, err := gbcs.ParseMessage(append([]byte(nil), data...))
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, m)
		r.Delivered(start, &r.out)
	}
}

func TestWhatWaitsSurvivesARestart(t *testing.T) {
	r := newRig(t)
	r.ask(supplier, 1)
	r.ask(broker, 1)
	r.ask(supplier, 3)
	r.restart()
	all := r.deliver()
	if len(all) != 3 || all[0].Recipient != supplier || all[1].Recipient != broker || all[2].OriginatorCounter != 3 {
		t.Fatalf("after a restart %v wait", all)
	}
	r.restart()
	if all := r.deliver(); len(all) != 0 {
		t.Errorf("delivered messages are back: %v", all)
	}
	r.ask(broker, 1) // again: answered from what is stored for that party
	if all := r.deliver(); len(all) != 1 || all[0].Recipient != broker {
		t.Errorf("a repeated command: %v", all)
	}
	r.ask(supplier, 2) // a replay
	if all := r.deliver(); len(all) != 1 || all[0].CRA != gbcs.Alert {
		t.Errorf("a replay was answered, or not told: %v", all)
	}
}

// TestAFullOutboxIsToldOnce, when the hub is back and has taken all that waited; the
// count of what was dropped outlives a restart.
func TestAFullOutboxIsToldOnce(t *testing.T) {
	r := newRig(t)
	raised, dropped := 0, 0
	for range 200 {
		r.Alert(start, &r.out, gbcs.AlertFirmwareVersionChanged)
		r.Commit()
		raised++
	}
	for _, rec := range r.out.Records {
		if rec.Kind == trace.MessageDropped {
			dropped++
		}
	}
	if dropped == 0 || dropped == raised {
		t.Fatalf("%d of %d alerts were dropped", dropped, raised)
	}
	r.ask(supplier, 1)
	r.restart()
	all := r.deliver()
	if len(all) != raised-dropped+2 {
		t.Fatalf("%d messages, want %d alerts, a response and one alert about the rest", len(all), raised-dropped)
	}
	for i, m := range all {
		p, err := m.ParsePayload()
		if err != nil {
			t.Fatal(err)
		}
		a, alert := p.(gbcs.GenericAlert)
		switch {
		case i < raised-dropped && (!alert || a.Code != gbcs.AlertFirmwareVersionChanged || m.OriginatorCounter != uint64(i+1)):
			t.Fatalf("message %d is %v of counter %d", i, p, m.OriginatorCounter)
		case i == len(all)-2 && m.CRA != gbcs.Response:
			t.Errorf("last but one came %v", p)
		case i == len(all)-1 && a.Code != gbcs.AlertNonVolatileMemory:
			t.Errorf("last came %v, want 81AE", p)
		}
	}
	r.restart()
	r.Alert(start, &r.out, gbcs.AlertFirmwareVersionChanged)
	r.Commit()
	if all := r.deliver(); len(all) != 1 {
		t.Errorf("it was told again: %v", all)
	}
}

// TestTheLongestResponsesFitTheJournal together with all else that it keeps. None that a
// meter gives comes near to this.
func TestTheLongestResponsesFitTheJournal(t *testing.T) {
	const longest = 1500
	r := newRig(t)
	r.memory.SetResponse(supplier, false, make([]byte, longest))
	r.memory.SetResponse(broker, false, make([]byte, 1200))
	r.memory.SetResponse(supplier, true, make([]byte, 93))                  // CS01b has no longer one
	r.memory.journal.Stage(journal.Entry{Key: 1, Data: make([]byte, 1200)}) // the others
	for range 5 {
		r.memory.SetCounter(supplier, 1)
		r.Commit()
	}
}

func TestCountersOfAnotherReleaseAreRefused(t *testing.T) {
	c := counters{alert: 5, commands: []partyCounter{{supplier, 7}, {broker, 9}}}
	whole := c.append(nil)
	var again counters
	if err := again.parse(whole); err != nil || again.alert != 5 || len(again.commands) != 2 || again.commands[1] != c.commands[1] {
		t.Fatalf("came back as %+v, %v", again, err)
	}
	for name, b := range map[string][]byte{"empty": {}, "another layout": append([]byte{countersVersion + 1}, whole[1:]...), "cut short": whole[:20]} {
		if err := new(counters).parse(b); err == nil || !strings.Contains(err.Error(), "counters of remote parties") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
