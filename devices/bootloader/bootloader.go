// Package bootloader decides which application firmware a meter runs. It is the
// part of a meter that is never upgraded.
//
// A meter holds three kinds of firmware, as in the field: this bootloader and
// the metrology firmware never change; only the application is upgraded. Two
// slots, A and B, take an application image each and can be run in place, so
// that switching copies nothing. One slot runs; the other is the candidate that
// a download goes to, or holds the previous image to fall back on.
//
//	           RequestActivation            Boot                Confirm
//	confirmed ───────────────────► pending ──────► trial ─────────────────► confirmed
//	    ▲                                            │ FailTrial, too many boots,
//	    └────────────────────────────────────────────┘ or not genuine: roll back
//
// Every boot verifies the image before it runs (secure boot): against the
// manufacturer's burnt-in key, the rollback counter and the hash that was
// recorded when the image was accepted. Power may fail at any flash operation;
// the next boot finds a whole image to run.
package bootloader

import (
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// Trust is what a meter demands of an image.
type Trust uint8

const (
	// TrustSigned demands the manufacturer's signature.
	TrustSigned Trust = iota
	// TrustAny takes any well-formed OTA file that fits the hardware. Divergence: no
	// meter may; it is for laboratories only.
	TrustAny
)

var trustNames = [...]string{"signed", "any"}

// String returns the name used on the command line.
func (t Trust) String() string { return trustNames[t] }

// ParseTrust reads the name used on the command line.
func ParseTrust(s string) (Trust, error) {
	for t, name := range trustNames {
		if s == name {
			return Trust(t), nil
		}
	}
	return 0, fmt.Errorf("trust policy %q: want signed or any", s)
}

// Policy is what is burnt into a meter.
type Policy struct {
	Trust        Trust
	Manufacturer *ecdsa.PublicKey // key that signs genuine images; unused with TrustAny
	Vendor       uint16           // Zigbee manufacturer code
	Class        uint16           // Zigbee image type
	Hardware     uint16
	// TrialBoots is how often new firmware may boot without confirming itself
	// before the previous image is put back. 0 means 3.
	TrialBoots uint8
}

func (p Policy) trialBoots() uint8 {
	if p.TrialBoots == 0 {
		return 3
	}
	return p.TrialBoots
}

// Bootloader is a meter's bootloader on its flash.
type Bootloader struct {
	policy  Policy
	journal *journal.Journal
	slots   [2]*Slot
	control control
	// recovered: the control was lost, and made anew from what the slots prove.
	recovered bool
}

// Open reads the bootloader's state. Until Factory has run there is none, see
// [Bootloader.Blank]. It fails on a state that another release stored.
func Open(policy Policy, controlRegion flash.Region, slotA, slotB *Slot) (*Bootloader, error) {
	b := &Bootloader{policy: policy, journal: journal.Open(controlRegion), slots: [2]*Slot{slotA, slotB}}
	for i, slot := range b.slots {
		if err := slot.keep(b.journal, keySlots+journal.Key(i)); err != nil {
			return nil, err
		}
	}
	if data, ok := b.journal.Get(keyControl); ok {
		var err error
		if b.control, err = parseControl(data); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Blank reports whether the part never left the factory: no image was installed yet.
func (b *Bootloader) Blank() bool {
	_, ok := b.journal.Get(keyControl)
	return !ok
}

// Factory installs the first image in slot A, as the production line does.
func (b *Bootloader) Factory(file []byte) error {
	info, err := Verify(b.policy, file, 0)
	if err != nil {
		return fmt.Errorf("install factory image: %w", err)
	}
	slot := b.slots[0]
	if err := slot.Begin(info.ID, uint32(len(file))); err != nil {
		return fmt.Errorf("install factory image: %w", err)
	}
	if err := slot.Write(0, file); err != nil {
		return fmt.Errorf("install factory image: %w", err)
	}
	slot.MarkVerified(info.FileHash)
	b.commit(control{MinSequence: info.Sequence})
	return nil
}

// CheckControl reads both copies of the control and mends a bad one. If both were bad,
// [Bootloader.Recover] has to follow.
func (b *Bootloader) CheckControl() journal.Condition { return b.journal.Check() }

// CheckSlots holds the records in the slots' trailers, A and B, against those that count,
// and writes them anew where they differ.
func (b *Bootloader) CheckSlots() [2]journal.Condition {
	return [2]journal.Condition{b.slots[0].Check(), b.slots[1].Check()}
}

// Recover makes the control anew from what the slots prove, after both of its copies
// were lost: from the records in their trailers. Of two genuine images the older one runs: the other may never have been
// activated. The rollback counter is that of the newer one, so it can only be too
// high, and nothing that was downloaded counts as held. The next Boot is a fall-back.
func (b *Bootloader) Recover() error {
	c := control{CandidateIsPrevious: true}
	found := false
	var oldest uint32
	for i, slot := range b.slots {
		if err := slot.recover(); err != nil {
			return err
		}
		if slot.State() != SlotVerified {
			continue
		}
		info, err := Verify(b.policy, slot.File(), 0)
		if err != nil {
			continue
		}
		if !found || info.Sequence < oldest {
			found, oldest, c.Active = true, info.Sequence, uint8(i)
		}
		c.MinSequence = max(c.MinSequence, info.Sequence)
	}
	if !found {
		return errors.New("bootloader control is lost in both copies, and no slot holds a genuine image")
	}
	b.commit(c)
	b.recovered = true
	return nil
}

// Running returns the slot that runs.
func (b *Bootloader) Running() *Slot { return b.slots[b.control.Active] }

// Fits tells why the policy lets no stored image run, nil if one may or if none is there.
// It is a look, not a boot: nothing is written or accounted.
func (b *Bootloader) Fits() error {
	var refused error
	for _, slot := range []*Slot{b.Candidate(), b.Running()} {
		if slot.State() != SlotVerified {
			continue
		}
		_, err := Verify(b.policy, slot.File(), 0)
		if err == nil {
			return nil
		}
		refused = fmt.Errorf("image %s: %w", slot.ID(), err)
	}
	return refused
}

// RunningName returns "A" or "B".
func (b *Bootloader) RunningName() string { return string("AB"[b.control.Active]) }

// Candidate returns the slot that downloads go to.
func (b *Bootloader) Candidate() *Slot { return b.slots[1-b.control.Active] }

// HoldsImage reports whether the candidate slot holds a verified image that can
// be activated. The previous image, kept to fall back on, is not one.
func (b *Bootloader) HoldsImage() bool {
	return b.Candidate().State() == SlotVerified && !b.control.CandidateIsPrevious && !b.control.Trial
}

// CanFallBack reports whether the other slot holds, unspoilt, the image that ran before.
func (b *Bootloader) CanFallBack() bool {
	return b.control.CandidateIsPrevious && b.Candidate().Intact()
}

// Trial reports whether the running image has yet to be confirmed.
func (b *Bootloader) Trial() bool { return b.control.Trial }

// MinSequence returns the rollback counter: images with a lower sequence number
// are refused.
func (b *Bootloader) MinSequence() uint32 { return b.control.MinSequence }

// Policy returns what is burnt in.
func (b *Bootloader) Policy() Policy { return b.policy }

// BeginDownload makes the candidate slot ready for an image of the given size. An
// image that does not fit leaves the slot as it is.
func (b *Bootloader) BeginDownload(id imageID, size uint32) error {
	if err := b.Candidate().Takes(id, size); err != nil {
		return err
	}
	if b.control.CandidateIsPrevious {
		c := b.control
		c.CandidateIsPrevious = false
		// The slot is emptied first: a power cut between the two leaves an empty
		// slot, never a previous image that looks like a new one.
		b.Candidate().Discard()
		b.commit(c)
	}
	return b.Candidate().Begin(id, size)
}

// RequestActivation makes the next boot try the candidate. HoldsImage must be true.
func (b *Bootloader) RequestActivation() {
	if !b.HoldsImage() {
		panic("bootloader: activation without a verified candidate")
	}
	c := b.control
	c.Pending = true
	b.commit(c)
}

// Confirm keeps the image on trial for good and raises the rollback counter.
func (b *Bootloader) Confirm(info Info) {
	c := b.control
	c.Trial, c.TrialBoots, c.CandidateIsPrevious = false, 0, true
	c.MinSequence = max(c.MinSequence, info.Sequence)
	b.commit(c)
}

// FailTrial makes the next boot put the previous image back.
func (b *Bootloader) FailTrial() {
	c := b.control
	c.TrialBoots = b.policy.trialBoots()
	b.commit(c)
}

func (b *Bootloader) commit(c control) {
	b.journal.Commit(journal.Entry{Key: keyControl, Data: c.append(nil)})
	b.control = c
}
