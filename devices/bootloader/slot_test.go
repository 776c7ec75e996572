package bootloader_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/cuttest"
	"github.com/commshub/commshub/internal/testimage"
)

// TestNoSingleBitOfARecordEmptiesASlot: of one that is empty, being filled, or verified.
// What was bad is mended, and told.
func TestNoSingleBitOfARecordEmptiesASlot(t *testing.T) {
	t.Run("read in place", func(t *testing.T) { noSingleBitEmptiesASlot(t, geometry) })
	copied := geometry
	copied.ErasedZero = true
	t.Run("read by copies", func(t *testing.T) { noSingleBitEmptiesASlot(t, copied) })
}

func noSingleBitEmptiesASlot(t *testing.T, g flash.Geometry) {
	t.Helper()
	const recordAt = (4 + 4) * 512 // of slot A, behind its data
	const recordSize, verdictAt, verdictEnd = 20, 64, 104
	for name, tt := range map[string]struct {
		state  bootloader.SlotState
		change func(b *bootloader.Bootloader) error
	}{
		"verified": {bootloader.SlotVerified, func(*bootloader.Bootloader) error { return nil }},
		"empty":    {bootloader.SlotEmpty, func(b *bootloader.Bootloader) error { b.Running().Discard(); return nil }},
		"partial": {bootloader.SlotPartial, func(b *bootloader.Bootloader) error {
			return b.Running().Begin(must(ota.ParseImageHeader(oldFile)).ImageID, uint32(len(oldFile)))
		}},
	} {
		chip := factoryOn(t, g, oldFile)
		b := open(chip, testimage.Policy(bootloader.TrustSigned))
		if err := tt.change(b); err != nil {
			t.Fatal(err)
		}
		b.CheckSlots()
		if found := b.CheckSlots(); found != [2]journal.Condition{} {
			t.Fatalf("%s: a whole one is found %v", name, found)
		}
		told := 0
		for bit := range 8 * verdictEnd {
			hurt := chip.Clone()
			hurt.Flip(recordAt+bit/8, uint8(bit%8))
			b := open(hurt, testimage.Policy(bootloader.TrustSigned))
			if s := b.Running(); s.State() != tt.state || tt.state == bootloader.SlotVerified && s.FileHash() != sha256.Sum256(oldFile) {
				t.Fatalf("%s, bit %d: it is %s", name, bit, s.State())
			}
			switch found := b.CheckSlots()[0]; found {
			case journal.Healed:
				told++
			case journal.Whole, journal.CutShort:
			case journal.Lost:
				t.Fatalf("%s, bit %d: %s", name, bit, found)
			}
			if found := open(hurt, testimage.Policy(bootloader.TrustSigned)).CheckSlots(); found != [2]journal.Condition{} {
				t.Fatalf("%s, bit %d: not mended: %v", name, bit, found)
			}
		}
		if least := 8 * (verdictAt - recordSize); told < least {
			t.Errorf("%s: told of %d bits only, want %d at least", name, told, least)
		}
	}
}

// bootParts are the parts on which power fails.
var bootParts = append(cuttest.ErasedZero(geometry), flash.Geometry{SectorSize: 512, PageSize: 8, Sectors: geometry.Sectors})

// downloading is a part that left the factory with oldFile and on which newFile is stored.
func downloading(after func(t *testing.T, at cuttest.Point, chip *flash.Chip)) func(t *testing.T, g flash.Geometry) cuttest.Try {
	return func(t *testing.T, g flash.Geometry) cuttest.Try {
		chip := factoryOn(t, g, oldFile)
		return cuttest.Try{Chip: chip, After: func(at cuttest.Point) { after(t, at, chip) }, Story: func() {
			if err := download(open(chip, policy), newFile); err != nil {
				t.Fatal(err)
			}
		}}
	}
}

// TestAPowerCutInADownload, of which the marks are half done.
func TestAPowerCutInADownload(t *testing.T) {
	seen := 0
	unstable := []flash.Cut{flash.CutUnstable}
	cuttest.Sweep(t,
		cuttest.Row{Name: "is no damage of a slot's record", Parts: bootParts, Begin: downloading(isNoDamage)},
		cuttest.Row{Name: "leaves a complete image complete", Parts: bootParts, Ways: unstable,
			Begin: downloading(func(t *testing.T, at cuttest.Point, chip *flash.Chip) { seen += staysComplete(t, at, chip) })},
		cuttest.Row{Name: "and another one behind it", Parts: bootParts, Ways: unstable, Begin: downloading(outlivesAnother)},
	)
	if seen == 0 {
		t.Error("no image was complete")
	}
}

// isNoDamage looks at the slots' records. On small pages the end of a record is an operation
// of its own, and half of that looks like bits that turned over.
func isNoDamage(t *testing.T, at cuttest.Point, chip *flash.Chip) {
	tidy := at.Tidy() && chip.Geometry().PageSize >= geometry.PageSize
	for _, found := range open(chip, policy).CheckSlots() {
		if found == journal.Lost || found == journal.Healed && tidy {
			t.Fatalf("%s: %s", at, found)
		}
	}
}

// staysComplete: an image stays complete once a check saw it, if the last mark was cut short
// and reads differently the next time. It returns how often one was.
func staysComplete(t *testing.T, at cuttest.Point, chip *flash.Chip) (seen int) {
	for range 8 {
		b := open(chip, policy)
		if b.Candidate().State() != bootloader.SlotComplete {
			continue
		}
		seen++
		b.CheckSlots()
		for range 50 {
			if state := open(chip, policy).Candidate().State(); state != bootloader.SlotComplete {
				t.Fatalf("%s: it was complete, and is %s", at, state)
			}
		}
	}
	return seen
}

// outlivesAnother: what the first cut left half done may read as done after the second.
func outlivesAnother(t *testing.T, at cuttest.Point, cut *flash.Chip) {
	for next := int64(1); next <= 4; next++ {
		for reads := range 8 { // each has unstable cells read otherwise
			chip := cut.Clone()
			for range reads {
				open(chip, policy)
			}
			chip.CutAt(chip.Stats().Operations+next, flash.CutTornFirst)
			cuttest.Fails(func() { _ = download(open(chip, policy), newFile) }) // it may have been done before
			chip.CutAt(0, flash.CutBefore)
			b := open(chip, policy)
			if err := download(b, newFile); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Candidate().File(), newFile) {
				t.Fatalf("%s and %d behind it: the image is damaged", at, next)
			}
		}
	}
}
