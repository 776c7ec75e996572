package remote

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	core "github.com/commshub/commshub/han/remote"
)

var everyCut = flag.Bool("cuts.all", false, "cut power at every flash operation of every row, in every way: half a minute")

// cutShare is which of the points are tried if not all are: they lie so far apart, and begin
// elsewhere in each row.
const cutShare = 7

// cutParts are parts on which power is cut.
var cutParts = map[string]flash.Geometry{
	"SPI NOR":         {SectorSize: 4096, PageSize: 256, Sectors: 4 + 8},
	"small pages":     {SectorSize: 4096, PageSize: 8, Sectors: 4 + 8},
	"small sectors":   {SectorSize: 512, PageSize: 64, Sectors: 4 + 8},
	"erased to zeros": {SectorSize: 4096, PageSize: 128, Sectors: 4 + 8, ErasedZero: true},
}

// step is what happens to an endpoint: a command, or an alert.
type step struct {
	from    han.EUI64
	counter uint64 // 0 for an alert
}

// cutRows are what endpoints go through.
var cutRows = map[string][]step{
	"commands of one":      {{supplier, 5}, {supplier, 6}, {supplier, 1000}},
	"commands of two":      {{supplier, 5}, {broker, 5}, {broker, 7}, {supplier, 6}},
	"alerts":               {{}, {}, {}},
	"commands and alerts":  {{supplier, 5}, {}, {broker, 9}, {}, {supplier, 7}},
	"commands that repeat": {{supplier, 5}, {supplier, 5}, {supplier, 6}, {supplier, 6}},
	"more than a sector":   {{supplier, 5}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {supplier, 6}, {broker, 1}, {}, {}, {}, {}, {}, {}, {supplier, 7}},
}

// cutHome is an endpoint that loses power, and what its parties have seen of it.
type cutHome struct {
	*rig
	journal  *journal.Journal
	counters map[han.EUI64]uint64         // as they were seen last
	alerts   map[uint64]string            // by counter
	answered map[han.EUI64]map[uint64]int // by party and counter
}

// executions is where the handler of cutHome counts the commands that it carried out, in one
// commit with their counters.
const executions = board.KeyLedger

// newCutHome returns a home whose endpoint loses power at a flash operation, 0 for none.
func newCutHome(t *testing.T, part flash.Geometry, operation int64, cut flash.Cut) *cutHome {
	h := &cutHome{
		rig: &rig{t: t, chip: flash.New(part)}, counters: map[han.EUI64]uint64{},
		alerts: map[uint64]string{}, answered: map[han.EUI64]map[uint64]int{supplier: {}, broker: {}},
	}
	h.chip.CutAt(operation, cut)
	h.surely(h.restart)
	return h
}

// ask gives a command that is not protected.
func (h *cutHome) ask(from han.EUI64, counter uint64) {
	h.HandleMessage(start, &h.out, gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: from, Recipient: device,
		Code: gbcs.CodeReadGSMEFirmwareVersion, Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)}.Append(nil))
}

func (h *cutHome) restart() {
	h.journal = journal.Open(h.chip.Region(0, 4))
	e, err := Open(core.Config{Device: device, Role: gbcs.RoleGSME, Layout: gbcs.LayoutGBZ, Parties: []han.EUI64{supplier, broker}, Clock: clock{},
		Security: core.Security{Policy: seal.Any}}, // keys make the sweep slow, and keep no counter
		h.journal, h.chip.Region(4, 8))
	if err != nil {
		h.t.Fatal(err)
	}
	h.Endpoint = e
	e.Register(gbcs.CodeReadGSMEFirmwareVersion, func(time.Time, *han.Outbox, core.Command) (gbcs.Payload, error) {
		done, _ := h.journal.Get(executions)
		h.journal.Stage(journal.Entry{Key: executions, Data: append(append([]byte(nil), done...), 1)})
		return gbcs.ReadGSMEFirmwareVersionResponse{FirmwareVersion: 7}, nil
	})
}

// powered calls f and reports whether power stayed on; if not, the device has booted again.
func (h *cutHome) powered(f func()) (on bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, cut := p.(flash.PowerCut); !cut {
				panic(p)
			}
			h.surely(h.restart)
			on = false
		}
		h.look()
	}()
	f()
	return true
}

// surely calls f until power stays on.
func (h *cutHome) surely(f func()) {
	for !h.powered(f) {
	}
}

// look demands that no counter has gone back.
func (h *cutHome) look() {
	for _, p := range []han.EUI64{supplier, broker} {
		if c := h.memory.Counter(p); c < h.counters[p] {
			h.t.Fatalf("the counter of %s went back from %d to %d", p, h.counters[p], c)
		} else {
			h.counters[p] = c
		}
	}
}

// play takes a step, again if power failed in it: who gave a command and got no answer gives
// it again, and what raised an alert is still there.
func (h *cutHome) play(s step) {
	h.surely(func() {
		if s.counter == 0 {
			h.Alert(start, &h.out, gbcs.AlertLowBatteryCapacity)
			h.Commit()
			return
		}
		h.ask(s.from, s.counter)
	})
	h.surely(h.collect)
}

// collect takes what waits, as a hub that is told twice takes it twice.
func (h *cutHome) collect() {
	for {
		data, ok := h.Outgoing()
		if !ok {
			return
		}
		text := string(data)
		m, err := gbcs.ParseMessage(append([]byte(nil), data...))
		if err != nil {
			h.t.Fatal(err)
		}
		switch before, known := h.alerts[m.OriginatorCounter]; {
		case m.CRA == gbcs.Response:
			h.answered[m.Recipient][m.OriginatorCounter]++
		case known && before != text:
			h.t.Fatalf("two alerts have the counter %d", m.OriginatorCounter)
		default:
			h.alerts[m.OriginatorCounter] = text
		}
		h.Delivered(start, &h.out)
	}
}

func (h *cutHome) run(steps []step) {
	for _, s := range steps {
		h.play(s)
	}
	h.end(steps)
}

// end demands that each command was carried out once and answered, that each is a replay
// but the last of its party, and that alerts have counters of their own.
func (h *cutHome) end(steps []step) {
	commands, alerts := map[step]bool{}, 0
	for _, s := range steps {
		if s.counter == 0 {
			alerts++
			continue
		}
		commands[s] = true
		if h.answered[s.from][s.counter] == 0 {
			h.t.Fatalf("command %d of %s was not answered", s.counter, s.from)
		}
	}
	h.surely(h.restart)
	for s := range commands {
		h.surely(func() { h.ask(s.from, s.counter) })
		h.surely(func() { h.ask(s.from, s.counter-1) })
	}
	if done, _ := h.journal.Get(executions); len(done) != len(commands) {
		h.t.Fatalf("%d commands were carried out, want %d", len(done), len(commands))
	}
	if len(h.alerts) < alerts {
		h.t.Fatalf("%d alerts have counters of their own, want %d or more", len(h.alerts), alerts)
	}
}

// TestNoCounterGoesBackAndNoCommandRunsTwice, with a power cut in the flash operations of each
// row, in all the ways in which power can fail there.
func TestNoCounterGoesBackAndNoCommandRunsTwice(t *testing.T) {
	for row, steps := range cutRows {
		for name, part := range cutParts {
			t.Run(fmt.Sprintf("%s/%s", row, name), func(t *testing.T) {
				t.Parallel()
				whole := newCutHome(t, part, 0, 0)
				whole.run(steps)
				operations := whole.chip.Stats().Operations
				const ways = int64(flash.CutAfter) + 1
				step := int64(cutShare)
				if *everyCut {
					step = 1
				}
				for point := operations % step; point < operations*ways; point += step {
					newCutHome(t, part, 1+point/ways, flash.Cut(point%ways)).run(steps)
				}
				t.Logf("%d flash operations", operations)
			})
		}
	}
}
