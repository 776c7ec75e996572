package live

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/previous"
	"github.com/commshub/commshub/internal/testimage"
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

// previousMeter returns a meter of package previous, and a folder with its flash.
func previousMeter(t *testing.T, name string) (m home.Meter, dir string) {
	dir = t.TempDir()
	m = home.NewMeter(home.DefaultGSME, store.KindGSME, testimage.Policy(bootloader.TrustSigned), nil)
	m.SlotCapacity = previous.SlotCapacity
	demand(t, os.WriteFile(FlashFile(dir, m.EUI64), previous.File(name), 0o600))
	return m, dir
}

// TestAFlashFileOfTheReleaseBeforeBecomesOneOfThis, also if a conversion before was cut
// short, and nothing is left beside it.
func TestAFlashFileOfTheReleaseBeforeBecomesOneOfThis(t *testing.T) {
	m, dir := previousMeter(t, "gsme-dated")
	path := FlashFile(dir, m.EUI64)
	demand(t, os.WriteFile(path+".new", []byte("the beginning of one"), 0o600))
	for range 2 {
		chip, err := openFlash(t.Context(), path, m, DeviceOptions{Hub: hub.DefaultConfig(), Keys: home.SimulatedKeys(1)})
		demand(t, err)
		if chip.Geometry() != meter.Geometry(m.SlotCapacity) {
			t.Errorf("a part of %+v", chip.Geometry())
		}
		demand(t, meter.Inspect(chip, m.SlotCapacity, m.Policy))
		demand(t, chip.Close())
	}
	if got := names(t, dir); strings.Contains(got, ".new") {
		t.Errorf("left in the folder: %s", got)
	}
}

// TestAFlashFileThatIsNotConvertedStaysAsItIs: without keys, or damaged.
func TestAFlashFileThatIsNotConvertedStaysAsItIs(t *testing.T) {
	m, dir := previousMeter(t, "gsme-dated")
	path := FlashFile(dir, m.EUI64)
	o := DeviceOptions{Hub: hub.DefaultConfig(), Keys: home.SimulatedKeys(1)}
	before := previous.File("gsme-dated")
	missing := o
	missing.Keys.Own = func(han.EUI64) (seal.Keys, error) { return seal.Keys{}, errors.New("no keys; run commshub provision") }
	_, err := openFlash(t.Context(), path, m, missing)
	wantLine(t, err, path, "run commshub provision")
	demandBytes(t, path, before)
	before[board.SectorSize+30] ^= 1
	demand(t, os.WriteFile(path, before, 0o600))
	_, err = openFlash(t.Context(), path, m, o)
	wantLine(t, err, path, "flash layout 1", "registers damaged", "start it once with that release", "remove the meter's files")
	demandBytes(t, path, before)
}

func demandBytes(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not as it was: %v", path, err)
	}
}
