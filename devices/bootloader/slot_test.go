package bootloader_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/ota"
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

// TestAPowerCutInASlotsRecordIsNoDamage: at any operation of a download and its verdict.
func TestAPowerCutInASlotsRecordIsNoDamage(t *testing.T) {
	whole := factory(t, oldFile)
	before := whole.Stats().Operations
	if err := download(open(whole, testimage.Policy(bootloader.TrustSigned)), newFile); err != nil {
		t.Fatal(err)
	}
	operations := whole.Stats().Operations - before
	for n := int64(1); n <= operations; n++ {
		for cut := flash.CutBefore; cut <= flash.CutAfter; cut++ {
			chip := factory(t, oldFile)
			chip.CutAt(before+n, cut)
			downloadUntilCut(t, chip)
			for _, found := range open(chip, testimage.Policy(bootloader.TrustSigned)).CheckSlots() {
				// Half a bit's work in the first or last byte looks like a bit that turned over.
				if found == journal.Lost || found == journal.Healed && (cut == flash.CutBefore || cut == flash.CutTorn || cut == flash.CutAfter) {
					t.Fatalf("cut %s operation %d: %s", cut, n, found)
				}
			}
		}
	}
}

// TestACompleteImageStaysComplete once a check saw it, if the last mark was cut short and
// reads differently the next time.
func TestACompleteImageStaysComplete(t *testing.T) {
	whole := factory(t, oldFile)
	before := whole.Stats().Operations
	if err := download(open(whole, testimage.Policy(bootloader.TrustSigned)), newFile); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for n := before + 1; n <= whole.Stats().Operations; n++ {
		chip := factory(t, oldFile)
		chip.CutAt(n, flash.CutUnstable)
		downloadUntilCut(t, chip)
		for range 8 {
			b := open(chip, testimage.Policy(bootloader.TrustSigned))
			if b.Candidate().State() != bootloader.SlotComplete {
				continue
			}
			seen++
			b.CheckSlots()
			for range 50 {
				if state := open(chip, testimage.Policy(bootloader.TrustSigned)).Candidate().State(); state != bootloader.SlotComplete {
					t.Fatalf("operation %d: it was complete, and is %s", n-before, state)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no image was complete")
	}
}

// TestTwoPowerCutsInADownload: what the first left half done may read as done after the
// second.
func TestTwoPowerCutsInADownload(t *testing.T) {
	whole := factory(t, oldFile)
	before := whole.Stats().Operations
	if err := download(open(whole, testimage.Policy(bootloader.TrustSigned)), newFile); err != nil {
		t.Fatal(err)
	}
	for n := before + 1; n < whole.Stats().Operations; n++ {
		for next := int64(1); next <= 4; next++ {
			for reads := range 8 { // each has unstable cells read otherwise
				chip := factory(t, oldFile)
				chip.CutAt(n, flash.CutUnstable)
				downloadUntilCut(t, chip)
				for range reads {
					open(chip, testimage.Policy(bootloader.TrustSigned))
				}
				chip.CutAt(chip.Stats().Operations+next, flash.CutTornFirst)
				func() {
					defer func() { _ = recover() }() // it may have been done before
					_ = download(open(chip, testimage.Policy(bootloader.TrustSigned)), newFile)
				}()
				chip.CutAt(0, flash.CutBefore)
				b := open(chip, testimage.Policy(bootloader.TrustSigned))
				if err := download(b, newFile); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(b.Candidate().File(), newFile) {
					t.Fatalf("cuts at operation %d and %d behind it: the image is damaged", n-before, next)
				}
			}
		}
	}
}

func downloadUntilCut(t *testing.T, chip *flash.Chip) {
	t.Helper()
	defer func() {
		if _, ok := recover().(flash.PowerCut); !ok {
			t.Fatal("no power cut")
		}
	}()
	err := download(open(chip, testimage.Policy(bootloader.TrustSigned)), newFile)
	t.Fatalf("the download ended: %v", err)
}
