package live

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/internal/home"
)

// TestAFlashFileOfAnotherReleaseIsRefused in one line that names the file and says
// what to do; it stays as it is, for the release that wrote it.
func TestAFlashFileOfAnotherReleaseIsRefused(t *testing.T) {
	const slotCapacity = 4096
	dir := t.TempDir()
	m := home.Meter{EUI64: home.DefaultGSME, SlotCapacity: slotCapacity}
	path := filepath.Join(dir, m.EUI64.String()+".flash")
	chip, err := flash.Open(path, meter.Geometry(slotCapacity), nil)
	if err != nil {
		t.Fatal(err)
	}
	application := board.Cut(chip, bootloader.SlotSectors(slotCapacity, board.SectorSize)).Application
	journal.Open(application).Commit(journal.Entry{Key: board.KeyLabel, Data: []byte{board.Layout + 1, 0, 0, 0}})
	if err := chip.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := StartMeter(t.Context(), m, dir, DeviceOptions{})
		if err == nil || !strings.Contains(err.Error(), path+": flash layout 6; this release reads layout 5") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
}

// TestAFlashFileOfAnOlderLayoutBecomesOneOfThis, and nothing is left beside it; one that
// cannot be read stays as it is.
func TestAFlashFileOfAnOlderLayoutBecomesOneOfThis(t *testing.T) {
	const slotCapacity = 4096
	fixed := map[string]int{"layout 1": 9, "layout 2": 17, "layout 3": 21, "layout 4": 29}
	for name, sectors := range fixed {
		dir := t.TempDir()
		path := FlashFile(dir, home.DefaultGSME)
		size := (sectors + 2*bootloader.SlotSectors(slotCapacity, board.SectorSize)) * board.SectorSize
		demand(t, os.WriteFile(path, bytes.Repeat([]byte{flash.Erased}, size), 0o600))
		chip, err := openFlash(t.Context(), path, nil, slotCapacity, nil)
		if name == "layout 1" {
			wantLine(t, err, path, "flash layout 1", "remove the meter's files")
			continue
		}
		demand(t, err)
		if chip.Geometry() != meter.Geometry(slotCapacity) {
			t.Errorf("%s: a part of %+v", name, chip.Geometry())
		}
		demand(t, chip.Close())
		if got := names(t, dir); strings.Contains(got, ".new") {
			t.Errorf("%s: left in the folder: %s", name, got)
		}
	}
}
