package gsme_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/internal/devicetest"
)

// TestNoChargeIsForgotten plays a whole update, with the restart in it. What the
// ledger holds for flash at the end is what the part did from its first operation.
func TestNoChargeIsForgotten(t *testing.T) {
	chip := devicetest.Chip()
	m := gsme.New(devicetest.GSMEConfig(), chip, devicetest.Start)
	p := &devicetest.Player{TB: t, Node: m, Now: devicetest.Start}
	p.Play(devicetest.Record().Inputs(m.EUI64()))
	p.Advance(devicetest.End)
	if m.Status(p.Now).Version != 2 {
		t.Fatal("the update did not finish")
	}
	all := battery.NewLedger(*m.Ledger.Set(), devicetest.Start)
	all.Flash(flash.Stats{}, chip.Stats())
	got, want := m.Ledger.Spent(battery.CauseFlash), all.Spent(battery.CauseFlash)
	if got > want || want-got > 1000 { // each call rounds down
		t.Errorf("the ledger holds %d nC for flash, the part took %d", got, want)
	}
}

// TestALedgerIsKeptOverAPowerCut: a meter made anew from its flash knows what was
// spent up to its last window.
func TestALedgerIsKeptOverAPowerCut(t *testing.T) {
	chip := devicetest.Chip()
	cfg := devicetest.GSMEConfig()
	h := newHome(t, nil)
	h.meter = gsme.New(cfg, chip, devicetest.Start)
	h.Node = h.meter
	h.window()
	h.window()
	kept := h.meter.Ledger.RadioOn()
	again := gsme.New(cfg, chip, h.Now)
	p := &devicetest.Player{TB: t, Node: again, Now: h.Now}
	p.Timer()
	if got := again.Ledger.RadioOn(); got < kept || got > kept+100*time.Millisecond {
		t.Errorf("radio-on time %v after a power cut, %v before", got, kept)
	}
	before, after := h.meter.Ledger.Spent(battery.CauseBase), again.Ledger.Spent(battery.CauseBase)
	if after < before {
		t.Errorf("base load %d after a power cut, %d before", after, before)
	}
}
