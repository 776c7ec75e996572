package bootloader

import "errors"

// Outcome is what a boot led to.
type Outcome uint8

const (
	// OutcomeNormal: the confirmed image runs.
	OutcomeNormal Outcome = iota
	// OutcomeTrial: a new image runs and has to confirm itself.
	OutcomeTrial
	// OutcomeRolledBack: a new image was given up, the previous one runs.
	OutcomeRolledBack
	// OutcomeFellBack: the confirmed image is no longer good, the previous one runs.
	OutcomeFellBack
	// OutcomeBricked: no slot holds an image that may run.
	OutcomeBricked
)

var outcomeNames = [...]string{"normal", "trial", "rolled back", "fell back", "bricked"}

// String returns the name for records.
func (o Outcome) String() string { return outcomeNames[o] }

// Boot is the result of a boot.
type Boot struct {
	Outcome Outcome
	Info    Info // of the image that runs; zero if bricked
	// Reason says why an image was given up, for OutcomeRolledBack, OutcomeFellBack
	// and OutcomeBricked.
	Reason string
	Work   Work // all verification done, also of images that were given up
}

// Boot chooses the image to run, as the processor leaving reset would. The part
// must not be blank.
func (b *Bootloader) Boot() Boot {
	var boot Boot
	c := b.control
	if c.Pending {
		c.Pending = false
		c.Active = 1 - c.Active
		c.Trial, c.TrialBoots = true, 0
		b.commit(c)
	}
	if b.control.Trial {
		if b.tryTrial(&boot) {
			return boot
		}
		b.rollBack()
		boot.Outcome = OutcomeRolledBack
	}
	err := b.verifyRunning(&boot)
	if err == nil {
		if b.recovered {
			boot.Outcome, boot.Reason = OutcomeFellBack, "the bootloader's control was lost"
		}
		return boot
	}
	return b.fallBack(boot, err)
}

// tryTrial boots the image on trial unless it had its chances or is not good.
func (b *Bootloader) tryTrial(boot *Boot) bool {
	if b.control.TrialBoots >= b.policy.trialBoots() {
		boot.Reason = "the new image did not confirm itself"
		return false
	}
	c := b.control
	c.TrialBoots++
	b.commit(c)
	if err := b.verifyRunning(boot); err != nil {
		boot.Reason = err.Error()
		return false
	}
	boot.Outcome = OutcomeTrial
	return true
}

// rollBack makes the image that ran before the trial run again. The image on
// trial stays in the candidate slot.
func (b *Bootloader) rollBack() {
	c := b.control
	c.Active = 1 - c.Active
	c.Trial, c.TrialBoots, c.CandidateIsPrevious = false, 0, false
	b.commit(c)
}

// verifyRunning is secure boot of the running slot. The rollback counter guards
// what is put on trial; a confirmed image, or the previous one that is fallen
// back on, has passed it in its day.
func (b *Bootloader) verifyRunning(boot *Boot) error {
	slot := b.Running()
	if slot.State() != SlotVerified {
		return errors.New("the slot holds no verified image")
	}
	var minSequence uint32
	if b.control.Trial {
		minSequence = b.control.MinSequence
	}
	info, err := Verify(b.policy, slot.File(), minSequence)
	boot.Work = boot.Work.Add(info.Work)
	if err != nil {
		return err
	}
	if info.FileHash != slot.FileHash() {
		return errors.New("the image's hash is not the one recorded")
	}
	boot.Info = info
	return nil
}

// fallBack runs the other slot if the confirmed one is no longer good.
func (b *Bootloader) fallBack(boot Boot, cause error) Boot {
	boot.Reason = cause.Error()
	confirmed := b.control
	b.control.Active = 1 - confirmed.Active
	b.control.CandidateIsPrevious = false
	if err := b.verifyRunning(&boot); err != nil {
		b.control = confirmed
		boot.Outcome = OutcomeBricked
		return boot
	}
	b.commit(b.control)
	b.Candidate().Discard()
	boot.Outcome = OutcomeFellBack
	return boot
}
