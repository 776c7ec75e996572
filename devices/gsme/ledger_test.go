package gsme_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/nodetest"
)

// TestNoChargeIsForgotten plays a whole update, with the restart in it. What the
// ledger holds for flash at the end is what the part did from its first operation.
func TestNoChargeIsForgotten(t *testing.T) {
	chip := nodetest.Chip()
	m := gsme.New(nodetest.Meter(hub.KindGSME).GSME(nodetest.Config()), chip, nodetest.Start)
	p := &nodetest.Player{TB: t, Node: m, Now: nodetest.Start}
	p.Play(nodetest.Record().Inputs(m.EUI64()))
	p.Advance(nodetest.End)
	if m.Status(p.Now).Version != 2 {
		t.Fatal("the update did not finish")
	}
	all := battery.NewLedger(*m.Ledger.Set(), nodetest.Start)
	all.Flash(flash.Stats{}, chip.Stats())
	got, want := m.Ledger.Spent(battery.CauseFlash), all.Spent(battery.CauseFlash)
	if got > want || want-got > 1000 { // each call rounds down
		t.Errorf("the ledger holds %d nC for flash, the part took %d", got, want)
	}
}

// TestALedgerIsKeptOverAPowerCut: a meter made anew from its flash knows what was
// spent up to its last window.
func TestALedgerIsKeptOverAPowerCut(t *testing.T) {
	chip := nodetest.Chip()
	cfg := nodetest.Meter(hub.KindGSME).GSME(nodetest.Config())
	h := newHome(t, nil)
	h.meter = gsme.New(cfg, chip, nodetest.Start)
	h.Node = h.meter
	h.window()
	h.window()
	kept := h.meter.Ledger.RadioOn()
	again := gsme.New(cfg, chip, h.Now)
	p := &nodetest.Player{TB: t, Node: again, Now: h.Now}
	p.Timer()
	if got := again.Ledger.RadioOn(); got < kept || got > kept+100*time.Millisecond {
		t.Errorf("radio-on time %v after a power cut, %v before", got, kept)
	}
	before, after := h.meter.Ledger.Spent(battery.CauseBase), again.Ledger.Spent(battery.CauseBase)
	if after < before {
		t.Errorf("base load %d after a power cut, %d before", after, before)
	}
}
