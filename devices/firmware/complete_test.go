package firmware

import (
	"bytes"
	"testing"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/cuttest"
)

// TestAnImageOfWhichTheSupplierWasToldCanBeActivated: power fails in the judgement, and the
// order comes before the download is taken up again.
func TestAnImageOfWhichTheSupplierWasToldCanBeActivated(t *testing.T) {
	told := 0
	cuttest.Sweep(t, cuttest.Row{Name: "judgement", Parts: rigParts, Begin: func(t *testing.T, g flash.Geometry) cuttest.Try {
		r := newRigOn(t, g)
		slot := r.parts.Boot.Candidate()
		for _, err := range []error{r.parts.Boot.BeginDownload(slot.ID(), uint32(len(second))), slot.Write(0, second)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r.restart()
		return cuttest.Try{Chip: r.chip, Story: func() { r.client.Resume(r.now, &r.out) }, After: func(at cuttest.Point) {
			r.restart()
			if len(r.delivered(t)) == 0 {
				return
			}
			told++
			r.command(activate(1, held, gbcs.ExecuteNow, start))
			if !r.WantsReboot() {
				t.Fatalf("%s: answered %+v", at, r.outcome(t, 1))
			}
			r.client.Resume(r.now, &r.out) // goes on where it was
		}}
	}})
	if told < len(rigParts)*int(flash.CutAfter) {
		t.Errorf("the supplier was told in %d cases only", told)
	}
}

// A download that is complete is judged and told, and nothing is activated by it: that
// takes a command (CS06).
func TestACompleteImageIsJudgedToldAndLeftToTheSupplier(t *testing.T) {
	spoilt := bytes.Clone(second)
	spoilt[len(spoilt)-80] ^= 1
	for _, tt := range []struct {
		name  string
		file  []byte
		alert gbcs.AlertCode
		state bootloader.SlotState
	}{
		{"good", second, gbcs.AlertFirmwareVerificationSuccessful, bootloader.SlotVerified},
		{"spoilt", spoilt, gbcs.AlertFirmwareVerificationFailed, bootloader.SlotEmpty},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.delivered(t)
			boot := r.parts.Boot
			id := must(ota.ParseImageHeader(tt.file)).ImageID
			if err := boot.BeginDownload(id, uint32(len(tt.file))); err != nil {
				t.Fatal(err)
			}
			if err := boot.Candidate().Write(0, tt.file); err != nil {
				t.Fatal(err)
			}
			r.restart() // power failed before the image was judged
			r.client.Resume(r.now, &r.out)
			var told []gbcs.AlertCode
			for _, m := range r.delivered(t) {
				if a, ok := must(m.ParsePayload()).(gbcs.DistributionReceiptAlert); ok {
					told = append(told, a.Code)
				}
			}
			if len(told) != 1 || told[0] != tt.alert {
				t.Errorf("told %v, want %v once", told, tt.alert)
			}
			if state := r.parts.Boot.Candidate().State(); state != tt.state {
				t.Errorf("the slot is %s, want %s", state, tt.state)
			}
			r.restart()
			if version := r.boot.Info.ID.FileVersion; version != 1 {
				t.Errorf("version %d runs after a restart, want 1: nobody ordered another", version)
			}
		})
	}
}
