package systemtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/testimage"
)

var (
	soakCycles = flag.Int("soak.cycles", 1000, "how often meters lose power in the soak")
	soakSeed   = flag.Uint64("soak.seed", 1, "of the soak's dice")
)

// TestALifeOfPowerCyclesLosesNothing has one meter of each kind updated again and again,
// now and then with firmware that does not work, while it loses power in flash operations
// and at instants that dice say. After each event it is looked at as in the sweep, and after
// each update its firmware and all that it told the supplier.
func TestALifeOfPowerCyclesLosesNothing(t *testing.T) {
	for k, kind := range []store.Kind{store.KindGSME, store.KindESME} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			s := sweep{part: cutParts[k], kind: kind}
			seed := *soakSeed + uint64(kind)
			l := &life{
				cutHome: s.newHome(storyStart, s.part.blank()), dice: rand.New(rand.NewPCG(seed, 0x736f616b)),
				told: map[gbcs.AlertCode]int{}, seen: map[string]bool{},
			}
			l.also = l.cutPower
			updates := 0
			for ; l.cycles < *soakCycles/2; updates++ {
				im, end := soakImages[updates%len(soakImages)], store.UpdateActivated
				if im == soakFails {
					end = store.UpdateFailed
				}
				l.limit = l.Now().Add(48 * time.Hour)
				if err := l.play(im, end); err != nil {
					t.Fatalf("seed %d, power cycle %d, update %d: %v", seed, l.cycles, updates, err)
				}
			}
			t.Logf("%d power cycles in %d updates and %.0f days", l.cycles, updates, l.Now().Sub(storyStart).Hours()/24)
		})
	}
}

// soakImages are distributed in turn. They have one rollback counter, so that the meter may
// go back.
var (
	soakFails  = soakImage(3, bootloader.ProgramFailsSelfTest)
	soakImages = []*imagecache.Image{soakImage(2, bootloader.ProgramWorks), soakFails, soakImage(4, bootloader.ProgramWorks)}
)

func soakImage(version uint32, p bootloader.Program) *imagecache.Image {
	return must(imagecache.NewImage(testimage.GB(testimage.Options{Version: version, Sequence: 1, PayloadSize: 1500, Program: p})))
}

// life is a home whose meter loses power all the time.
type life struct {
	*cutHome
	dice    *rand.Rand
	cycles  int
	armed   int64  // operation at which power fails; 0 if none does yet
	read    uint64 // of the supplier's inbox
	counter uint64 // of the last alert
	told    map[gbcs.AlertCode]int
	seen    map[string]bool // messages
}

// cutPower has the meter lose power once more when it did: in a flash operation, most
// of them so far away that an update gets on, or at an instant.
func (l *life) cutPower() {
	if l.dice.IntN(1000) == 0 && l.Powered(cutMeter) {
		l.Cut(cutMeter, time.Duration(1+l.dice.IntN(7200))*time.Second)
		l.cycles++
	}
	chip := l.Chip(cutMeter)
	now := chip.Stats().Operations
	if now < l.armed {
		return
	}
	if l.armed > 0 {
		l.cycles++
	}
	l.armed = now + 1 + l.dice.Int64N(1<<(1+l.dice.IntN(9)))
	chip.CutAt(l.armed, flash.Cut(l.dice.IntN(int(flash.CutAfter)+1)))
}

// play distributes an image and plays it to its end.
func (l *life) play(im *imagecache.Image, end store.UpdateState) error {
	l.update = updateOf(l, im, cutMeter)
	if err := l.Upload(im); err != nil {
		return err
	}
	if err := l.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.Distribute(now, out, headend.Distribution{Image: im.FileHash, Devices: l.update.meters, Downgrade: true})
	}); err != nil {
		return err
	}
	if err := l.ordered(); err != nil {
		return err
	}
	l.limit = l.Now().Add(48 * time.Hour)
	if err := l.await(func() bool { return l.state() == end && l.AtRest(cutMeter) }); err != nil {
		return fmt.Errorf("the update is %s, want %s: %w", l.state(), end, err)
	}
	status := l.MeterStatus(cutMeter)
	switch version := im.Header.FileVersion; {
	case end == store.UpdateActivated && (status.Version != version || status.SlotHash != im.FileHash):
		return fmt.Errorf("it runs version %d of another hash", status.Version)
	case end == store.UpdateFailed && status.Version == version:
		return fmt.Errorf("it runs version %d, which does not work", version)
	}
	clear(l.may)
	if err := l.readInbox(end); err != nil {
		return err
	}
	return l.entered()
}

// readInbox holds what came since the last time against what has to come: no message
// twice, no counter that goes back, and what the supplier has to know of an update.
func (l *life) readInbox(end store.UpdateState) error {
	clear(l.told)
	for _, e := range l.Store().Inbox(l.read, 1000) {
		l.read = e.Sequence
		m, err := gbcs.ParseMessage(e.Bytes)
		if err != nil {
			return fmt.Errorf("message %04X of %s: %w", e.Code, e.Device, err)
		}
		if m.Originator != cutMeter {
			continue // the hub's own
		}
		if l.seen[string(e.Bytes)] {
			return fmt.Errorf("message %04X with counter %d came twice", e.Code, m.OriginatorCounter)
		}
		l.seen[string(e.Bytes)] = true
		if m.CRA != gbcs.Alert {
			continue
		}
		l.told[gbcs.AlertCode(e.Code)]++
		if m.OriginatorCounter <= l.counter {
			return fmt.Errorf("alert %04X has counter %d after %d", e.Code, m.OriginatorCounter, l.counter)
		}
		l.counter = m.OriginatorCounter
	}
	if l.told[gbcs.AlertFirmwareVerificationSuccessful] == 0 || l.told[gbcs.AlertIntegrityIssue] > 0 ||
		end == store.UpdateActivated && l.told[gbcs.AlertFirmwareVersionChanged] != 1 {
		return fmt.Errorf("it told %v of an update that was %s", l.told, end)
	}
	return nil
}
