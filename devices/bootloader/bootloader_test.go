package bootloader_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/cuttest"
	"github.com/commshub/commshub/internal/testimage"
)

const capacity = 2048

var geometry = flash.Geometry{SectorSize: 512, PageSize: 64, Sectors: 4 + 2*6}

// open builds a bootloader on a part as power-on does: from its bytes alone.
func open(chip *flash.Chip, policy bootloader.Policy) *bootloader.Bootloader {
	n := bootloader.SlotSectors(capacity, geometry.SectorSize)
	return must(bootloader.Open(policy, chip.Region(0, 4),
		bootloader.OpenSlot(chip.Region(4, n), capacity),
		bootloader.OpenSlot(chip.Region(4+n, n), capacity)))
}

// factory returns a part that left the factory with the given image.
func factory(t *testing.T, file []byte) *flash.Chip {
	t.Helper()
	return factoryOn(t, geometry, file)
}

// factoryOn does the same on a part of another geometry.
func factoryOn(t *testing.T, g flash.Geometry, file []byte) *flash.Chip {
	t.Helper()
	chip := flash.New(g)
	if err := open(chip, testimage.Policy(bootloader.TrustSigned)).Factory(file); err != nil {
		t.Fatal(err)
	}
	return chip
}

// download stores a file in the candidate slot from its stored offset on, in
// blocks of 48 bytes, and marks it as verified.
func download(b *bootloader.Bootloader, file []byte) error {
	slot := b.Candidate()
	id := must(ota.ParseImageHeader(file)).ImageID
	if slot.State() == bootloader.SlotEmpty || slot.ID() != id {
		if err := b.BeginDownload(id, uint32(len(file))); err != nil {
			return err
		}
	}
	for slot.Offset() < uint32(len(file)) {
		at := slot.Offset()
		if err := slot.Write(at, file[at:min(int(at)+48, len(file))]); err != nil {
			return err
		}
	}
	if slot.State() == bootloader.SlotComplete {
		slot.MarkVerified(sha256.Sum256(file))
	}
	return nil
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	oldFile = testimage.GB(testimage.Options{Version: 1, Sequence: 1})
	newFile = testimage.GB(testimage.Options{Version: 2, Sequence: 2})
	policy  = testimage.Policy(bootloader.TrustSigned)
)

func TestAnUpdateRunsOnTrialAndStaysOnceConfirmed(t *testing.T) {
	chip := factory(t, oldFile)
	b := open(chip, policy)
	if boot := b.Boot(); boot.Outcome != bootloader.OutcomeNormal || boot.Info.ID.FileVersion != 1 {
		t.Fatalf("factory image: %+v", boot)
	}
	if err := download(b, newFile); err != nil {
		t.Fatal(err)
	}
	b = open(chip, policy)
	if boot := b.Boot(); boot.Info.ID.FileVersion != 1 {
		t.Fatalf("a reboot alone activated version %d", boot.Info.ID.FileVersion)
	}
	b.RequestActivation()
	b = open(chip, policy)
	boot := b.Boot()
	if boot.Outcome != bootloader.OutcomeTrial || boot.Info.ID.FileVersion != 2 || !b.Trial() {
		t.Fatalf("trial: %+v", boot)
	}
	if !bytes.Equal(b.Running().File(), newFile) {
		t.Error("the running slot does not hold the delivered file")
	}
	b.Confirm(boot.Info)
	b = open(chip, policy)
	if boot := b.Boot(); boot.Outcome != bootloader.OutcomeNormal || boot.Info.ID.FileVersion != 2 {
		t.Fatalf("after confirm: %+v", boot)
	}
	if b.HoldsImage() {
		t.Error("the previous image counts as one that can be activated")
	}
	if b.MinSequence() != 2 {
		t.Errorf("rollback counter %d, want 2", b.MinSequence())
	}
}

func TestFirmwareThatFailsItsSelfTestIsRolledBack(t *testing.T) {
	chip := factory(t, oldFile)
	b := open(chip, policy)
	if err := download(b, newFile); err != nil {
		t.Fatal(err)
	}
	b.RequestActivation()
	b = open(chip, policy)
	b.Boot()
	b.FailTrial()
	b = open(chip, policy)
	boot := b.Boot()
	if boot.Outcome != bootloader.OutcomeRolledBack || boot.Info.ID.FileVersion != 1 || boot.Reason == "" {
		t.Fatalf("got %+v", boot)
	}
	if !b.HoldsImage() || b.MinSequence() != 1 {
		t.Errorf("holds image %v, rollback counter %d; want the image kept and the counter as it was", b.HoldsImage(), b.MinSequence())
	}
}

func TestFirmwareThatNeverConfirmsIsRolledBackAfterItsBoots(t *testing.T) {
	chip := factory(t, oldFile)
	if err := download(open(chip, policy), newFile); err != nil {
		t.Fatal(err)
	}
	open(chip, policy).RequestActivation()
	for i := range 3 {
		if boot := open(chip, policy).Boot(); boot.Outcome != bootloader.OutcomeTrial {
			t.Fatalf("boot %d: %v", i, boot.Outcome)
		}
	}
	if boot := open(chip, policy).Boot(); boot.Outcome != bootloader.OutcomeRolledBack {
		t.Fatalf("fourth boot: %v", boot.Outcome)
	}
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	flip := func(file []byte, at int) []byte {
		bad := bytes.Clone(file)
		bad[at] ^= 1
		return bad
	}
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"payload changed", flip(newFile, len(newFile)-80), "digest does not match"},
		{"signed by somebody else", testimage.GB(testimage.Options{Version: 2, Manufacturer: testimage.Key("stranger")}), "manufacturer's signature"},
		{"an older sequence number", testimage.GB(testimage.Options{Version: 3, Sequence: 0}), "rollback counter"},
		{"another vendor", testimage.GB(testimage.Options{Version: 2, Sequence: 2, Vendor: 0x1234}), "manufacturer code 1234, want 109A"},
		{"another class", testimage.GB(testimage.Options{Version: 2, Sequence: 2, Class: 9}), "image type 0009, want 0001"},
		{"other hardware", testimage.GB(testimage.Options{Version: 2, Sequence: 2, HardwareMin: 0x200, HardwareMax: 0x300}), "hardware versions 0200 to 0300, this is 0100"},
		{"header and manifest disagree", testimage.Mislabelled(2, testimage.Options{Version: 9}), "manifest for version 00000009"},
		{"manifest of another vendor", testimage.Mislabelled(2, testimage.Options{Version: 2, Sequence: 2, Vendor: 0x1234}), "manifest for vendor 1234, want 109A"},
		{"manifest of another class", testimage.Mislabelled(2, testimage.Options{Version: 2, Sequence: 2, Class: 9}), "manifest for class 0009, want 0001"},
		{"manifest for newer hardware", testimage.Mislabelled(2, testimage.Options{Version: 2, Sequence: 2, HardwareMin: 0x200, HardwareMax: 0x300}), "manifest for hardware 0200 to 0300, this is 0100"},
		{"manifest for older hardware", testimage.Mislabelled(2, testimage.Options{Version: 2, Sequence: 2, HardwareMin: 0x001, HardwareMax: 0x0FF}), "manifest for hardware 0001 to 00FF, this is 0100"},
		{"no manifest at all", testimage.VendorFile(2, 100), "no COSE_Sign1"},
		{"not an OTA file", []byte("hello"), "OTA header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bootloader.Verify(policy, tt.file, 1)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
	if _, err := bootloader.Verify(policy, newFile, 1); err != nil {
		t.Errorf("a good image: %v", err)
	}
	if _, err := bootloader.Verify(testimage.Policy(bootloader.TrustAny), testimage.VendorFile(2, 100), 0); err != nil {
		t.Errorf("a vendor image with trust any: %v", err)
	}
}

// TestAnOfferThatDoesNotFitLeavesThePreviousImage: a hub that offers an image too
// large for the slot must not cost a meter what it can fall back on.
func TestAnOfferThatDoesNotFitLeavesThePreviousImage(t *testing.T) {
	chip := factory(t, oldFile)
	b := open(chip, policy)
	if err := download(b, newFile); err != nil {
		t.Fatal(err)
	}
	b.RequestActivation()
	b = open(chip, policy)
	b.Confirm(b.Boot().Info)
	for _, size := range []uint32{0, capacity + 1, 1<<32 - 1} {
		operations := chip.Stats().Operations
		if err := b.BeginDownload(ota.ImageID{FileVersion: 3}, size); err == nil {
			t.Errorf("%d bytes were taken", size)
		}
		if b.Candidate().ID().FileVersion != 1 || b.HoldsImage() || chip.Stats().Operations != operations {
			t.Errorf("an offer of %d bytes touched the previous image", size)
		}
	}
}

func TestARunningImageThatRotsIsReplacedByThePreviousOne(t *testing.T) {
	chip := factory(t, oldFile)
	b := open(chip, policy)
	if err := download(b, newFile); err != nil {
		t.Fatal(err)
	}
	b.RequestActivation()
	b = open(chip, policy)
	b.Confirm(b.Boot().Info)
	rot := func(b *bootloader.Bootloader) { // clear a bit inside the running image
		file := b.Running().File()
		for i := 200; ; i++ {
			if file[i] != 0 {
				file[i] &= file[i] - 1
				return
			}
		}
	}
	rot(b)
	b = open(chip, policy)
	boot := b.Boot()
	if boot.Outcome != bootloader.OutcomeFellBack || boot.Info.ID.FileVersion != 1 {
		t.Fatalf("got %+v", boot)
	}
	b = open(chip, policy)
	if boot := b.Boot(); boot.Outcome != bootloader.OutcomeNormal || boot.Info.ID.FileVersion != 1 {
		t.Fatalf("the next boot: %+v", boot)
	}
	rot(b)
	if boot := open(chip, policy).Boot(); boot.Outcome != bootloader.OutcomeBricked {
		t.Fatalf("with no good image left: %v", boot.Outcome)
	}
}

func TestAnImageThatChangedUnderItsNameIsNoticed(t *testing.T) {
	chip := factory(t, oldFile)
	b := open(chip, policy)
	id := ota.ImageID{Manufacturer: 1, ImageType: 2, FileVersion: 3}
	if err := b.BeginDownload(id, 100); err != nil {
		t.Fatal(err)
	}
	if err := b.Candidate().Write(0, make([]byte, 50)); err != nil {
		t.Fatal(err)
	}
	b = open(chip, policy)
	slot := b.Candidate()
	if slot.Offset() != 48 {
		t.Fatalf("resumes at %d, want 48: whole units of 16", slot.Offset())
	}
	if err := slot.Write(48, bytes.Repeat([]byte{0xFF}, 50)); !errors.Is(err, bootloader.ErrConflict) {
		t.Errorf("got %v, want %v", err, bootloader.ErrConflict)
	}
}

// TestAPowerCutAtAnyFlashOperationNeverBricks: every boot finds a whole image, and an update
// that is played on ends with the new one. One that never confirms itself is rolled back.
func TestAPowerCutAtAnyFlashOperationNeverBricks(t *testing.T) {
	cuttest.Sweep(t,
		cuttest.Row{Name: "from an empty slot", Parts: bootParts, Begin: updating(func(t *testing.T, g flash.Geometry) *flash.Chip { return factoryOn(t, g, oldFile) })},
		cuttest.Row{Name: "over half of another image", Parts: bootParts, Begin: updating(leftover)},
		cuttest.Row{Name: "over the previous image of an update", Parts: bootParts, Begin: updating(updatedBefore)},
		cuttest.Row{Name: "never confirmed", Parts: bootParts, Begin: neverConfirmed},
	)
}

// leftover returns a part whose candidate slot holds half of another image.
func leftover(t *testing.T, g flash.Geometry) *flash.Chip {
	chip := factoryOn(t, g, oldFile)
	b := open(chip, policy)
	if err := b.BeginDownload(ota.ImageID{FileVersion: 9}, capacity); err != nil {
		t.Fatal(err)
	}
	if err := b.Candidate().Write(0, make([]byte, 700)); err != nil {
		t.Fatal(err)
	}
	return chip
}

// updatedBefore returns a part that has an update behind it and runs oldFile again.
func updatedBefore(t *testing.T, g flash.Geometry) *flash.Chip {
	chip := factoryOn(t, g, testimage.GB(testimage.Options{Version: 0xFFFF}))
	b := open(chip, policy)
	if err := download(b, oldFile); err != nil {
		t.Fatal(err)
	}
	b.RequestActivation()
	b = open(chip, policy)
	b.Confirm(b.Boot().Info)
	return chip
}

// neverConfirmed is an image that never confirms itself: it is rolled back, at whichever
// flash operation of its boots power fails, and never runs but on trial.
func neverConfirmed(t *testing.T, g flash.Geometry) cuttest.Try {
	chip := factoryOn(t, g, oldFile)
	b := open(chip, policy)
	b.Boot()
	if err := download(b, newFile); err != nil {
		t.Fatal(err)
	}
	b.RequestActivation()
	boots := func() (boot bootloader.Boot) {
		for range 8 {
			if boot = open(chip, policy).Boot(); boot.Outcome == bootloader.OutcomeNormal && boot.Info.ID.FileVersion == 2 {
				t.Error("the new image runs and was never on trial")
			}
		}
		return boot
	}
	return cuttest.Try{Chip: chip, Story: func() { boots() }, After: func(at cuttest.Point) {
		if boot := boots(); boot.Info.ID.FileVersion != 1 {
			t.Errorf("%s: ended with %+v, want the old image", at, boot)
		}
	}}
}

// updating is an update on a part, played to its end.
func updating(start func(*testing.T, flash.Geometry) *flash.Chip) func(*testing.T, flash.Geometry) cuttest.Try {
	return func(t *testing.T, g flash.Geometry) cuttest.Try {
		chip, stored := start(t, g), 0
		story := func() {
			for !step(chip, func(b *bootloader.Bootloader) { stored = int(b.Candidate().Offset()) }) {
			}
		}
		return cuttest.Try{Chip: chip, Story: story, After: func(at cuttest.Point) {
			refetched, err := playOn(chip, stored)
			if err != nil {
				t.Errorf("%s: %v", at, err)
			}
			if refetched > 48+15 {
				t.Errorf("%s: %d bytes fetched again, want at most one block", at, refetched)
			}
		}}
	}
}

// playOn plays the story to its end after a power cut and returns how many bytes of the
// image were stored before and had to be fetched again.
func playOn(chip *flash.Chip, stored int) (refetched int, err error) {
	b := open(chip, policy)
	if s := b.Candidate(); s.ID().FileVersion == 2 && s.State() == bootloader.SlotPartial {
		refetched = max(0, stored-int(s.Offset()))
	}
	for range 10 {
		boot := open(chip, policy).Boot()
		if boot.Outcome == bootloader.OutcomeBricked {
			return 0, fmt.Errorf("bricked: %s", boot.Reason)
		}
		if step(chip) {
			final := open(chip, policy).Boot()
			if final.Outcome != bootloader.OutcomeNormal || final.Info.ID.FileVersion != 2 {
				return 0, fmt.Errorf("ended with %+v", final)
			}
			return refetched, nil
		}
	}
	return 0, errors.New("the update does not finish")
}

// step boots the meter from its flash and does what its firmware does next. It
// reports whether the new image runs and is confirmed.
func step(chip *flash.Chip, observe ...func(*bootloader.Bootloader)) bool {
	b := open(chip, policy)
	boot := b.Boot()
	switch {
	case boot.Outcome == bootloader.OutcomeTrial:
		b.Confirm(boot.Info)
		return true
	case boot.Info.ID.FileVersion == 2:
		return true
	case b.HoldsImage():
		b.RequestActivation()
	default:
		for _, o := range observe {
			defer o(b)
		}
		if err := download(b, newFile); err != nil {
			panic(err)
		}
	}
	return false
}

// TestAControlRecordOfAnotherReleaseIsRefused: the part is not blank, and no factory
// image is put over what it holds.
func TestAControlRecordOfAnotherReleaseIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{"a later layout": {2, 0, 0, 0, 1, 0, 0, 0}, "cut short": {1, 0, 0}, "empty": {}} {
		chip := flash.New(geometry)
		journal.Open(chip.Region(0, 4)).Commit(journal.Entry{Key: 1, Data: b})
		n := bootloader.SlotSectors(capacity, geometry.SectorSize)
		_, err := bootloader.Open(testimage.Policy(bootloader.TrustSigned), chip.Region(0, 4),
			bootloader.OpenSlot(chip.Region(4, n), capacity), bootloader.OpenSlot(chip.Region(4+n, n), capacity))
		if err == nil || !strings.Contains(err.Error(), "bootloader control") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
