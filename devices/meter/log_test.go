package meter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/eventlog"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
)

// logs returns what stands in the meter's logs.
func (b *bench) logs() (all [2][]gbcs.LogEntry) {
	for i, l := range b.Logs {
		all[i] = l.Entries()
	}
	return all
}

// logged returns a log, an entry a line, with the time since the start.
func (b *bench) logged(log gbcs.Log) string {
	var text strings.Builder
	for _, e := range b.Logs[log].Entries() {
		line := fmt.Sprintf("%s %04X %X", e.Time.Time().Sub(devicetest.Start), uint16(e.Code), e.Information)
		text.WriteString(strings.TrimSpace(line) + "\n")
	}
	return text.String()
}

// setClock answers a reading of the hub's clock.
func (b *bench) setClock(to time.Time) {
	b.t.Helper()
	r := zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{{ID: zcl.AttributeTime,
		Value: zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(to))}}}}
	if set, err := b.SetClock(b.now, &b.out, r.Append(nil)); !set || err != nil {
		b.t.Fatalf("the clock was not set: %v", err)
	}
}

// TestWhatHappensToAMeterStandsInItsLogs, each event in the one that it belongs to.
func TestWhatHappensToAMeterStandsInItsLogs(t *testing.T) {
	b := newBench(t, nil)
	b.take(version(2, bootloader.ProgramHangs))
	b.activate()
	b.pass(9 * time.Minute)
	b.take(version(3, bootloader.ProgramWorks))
	b.activate()
	b.pass(9 * time.Minute)
	b.activate() // it holds nothing more to activate
	b.Ledger.Elapse(b.now)
	b.KeepLedger() // after 20 minutes
	b.pass(90 * time.Second)
	b.powerUp()
	b.pass(time.Minute)
	b.setClock(b.now.Add(400 * time.Millisecond)) // a log cannot tell this
	b.setClock(b.now.Add(-time.Minute))
	b.setClock(b.now)
	b.command(1) // a replay
	b.CheckBattery(b.now, &b.out, b.Ledger.Remaining()+1)
	b.chip.Flip(b.offset(func(m board.Map) flash.Region { return m.MetrologyFirmware })+100, 1)
	control := b.offset(func(m board.Map) flash.Region { return m.Control })
	b.chip.Flip(control+20, 1)
	b.chip.Flip(control+20+board.SectorSize, 1)
	b.check()
	for i, want := range [...]string{gbcs.EventLog: `
2m2s 81B3
3m4s 81B3
4m6s 81B3
4m8s 81AF
4m8s 8155 0012
11m2s 8154 0012
20m0s 8155 0012
21m30s 8F1D 0000005A
21m30s 8145 FFFFFFC4
22m30s 8145 0000003C
22m30s 8F1F
24h22m30s 81AD
24h22m30s 81AE
`, gbcs.SecurityLog: `
0s 8F72
10m0s 8F72
11m2s 8F43
22m30s 8F53
`} {
		if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.logged(gbcs.Log(i))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", gbcs.Log(i), diff)
		}
	}
}

// TestAnOutageStandsInTheLog of an electricity meter, with how long it was at most; a meter
// that is switched on for the first time had none.
func TestAnOutageStandsInTheLog(t *testing.T) {
	b := newBench(t, func(c *meter.Config) {
		c.EUI64 = devicetest.ESMEConfig().EUI64
		c.Security = devicetest.ESMEConfig().Security
	})
	b.role = gbcs.RoleESME
	b.chip = devicetest.Chip()
	b.powerUp()
	for _, away := range []time.Duration{3*time.Minute - 1, 3 * time.Minute} {
		b.Ledger.Elapse(b.now)
		b.KeepLedger()
		b.now = b.now.Add(away)
		b.powerUp()
	}
	const want = "2m59s 8F35 000000B3\n5m59s 8F35 000000B4\n"
	if got := b.logged(gbcs.EventLog); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWhatTheSupplierIsToldStandsInTheLogFirst: power fails in each flash operation of an
// alert, and whatever is told afterwards was entered.
func TestWhatTheSupplierIsToldStandsInTheLogFirst(t *testing.T) {
	whole := updated(t)
	alert := func(b *bench) {
		b.Remote.Alert(b.now, &b.out, gbcs.AlertTilt)
		b.Remote.Commit()
	}
	clone := func() *bench {
		b := &bench{t: t, chip: whole.chip.Clone(), now: whole.now, cfg: whole.cfg, hub: whole.hub}
		b.powerUp()
		return b
	}
	b := clone()
	start := b.chip.Stats().Operations
	alert(b)
	told, entered := 0, 0
	for n := start + 1; n <= b.chip.Stats().Operations; n++ {
		for cut := flash.CutBefore; cut <= flash.CutAfter; cut++ {
			hurt := clone()
			hurt.chip.CutAt(n, cut)
			func() {
				defer func() { _ = recover().(flash.PowerCut) }()
				alert(hurt)
			}()
			hurt.powerUp()
			waits, stands := slices.Contains(hurt.alerts(), gbcs.AlertTilt), strings.Contains(hurt.logged(gbcs.EventLog), "81C3")
			if waits && !stands {
				t.Fatalf("cut %s operation %d: told and not entered", cut, n)
			}
			if waits {
				told++
			}
			if stands {
				entered++
			}
		}
	}
	if told == 0 || entered <= told {
		t.Errorf("told after %d cuts, entered after %d", told, entered)
	}
}

// TestAWholeLogFitsAMessage, and of one the entries in the time that is asked for are told.
func TestAWholeLogFitsAMessage(t *testing.T) {
	for _, role := range []gbcs.Roles{gbcs.RoleGSME, gbcs.RoleESME} {
		b := newBench(t, nil)
		b.role = role
		b.chip = devicetest.Chip()
		b.powerUp()
		start := b.now
		for i := range 2 * eventlog.Capacity {
			b.now = start.Add(time.Duration(i) * 2 * time.Second)
			b.setClock(b.now.Add(time.Duration(1+i%2) * time.Second))
		}
		ask := func(from, to zcl.UTCTime) (entries int) {
			counter := uint64(b.now.UnixMilli()) + uint64(from)
			code, payload := gbcs.CodeReadGSMEEventLog, gbcs.ReadGSMELogCommand{From: from, To: to}.Append(nil)
			if role == gbcs.RoleESME {
				code, payload = gbcs.CodeReadESMEEventLog, gbcs.ReadESMELogCommand{From: from, To: to}.Append(nil)
			}
			b.HandleMessage(b.now, &b.out, devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter,
				Originator: b.cfg.Supplier, Recipient: b.cfg.EUI64, Code: code, Payload: payload}))
			message, ok := b.Remote.Outgoing()
			if !ok || len(message) > gbcs.MaxMessage {
				t.Fatalf("%d bytes waiting, want at most %d", len(message), gbcs.MaxMessage)
			}
			b.Remote.Delivered(b.now, &b.out)
			switch r := must(must(gbcs.ParseMessage(message)).ParsePayload()).(type) {
			case gbcs.ReadGSMELogResponse:
				return len(r.Entries)
			case gbcs.ReadESMELogResponse:
				return len(r.Entries)
			}
			return -1
		}
		last := b.Logs[gbcs.EventLog].Entries()[eventlog.Capacity-1].Time
		if all, one, none := ask(0, last), ask(last, last), ask(last+1, last+9); all != eventlog.Capacity || one != 1 || none != 0 {
			t.Errorf("%d entries in all, %d of the last instant, %d after it", all, one, none)
		}
	}
}
