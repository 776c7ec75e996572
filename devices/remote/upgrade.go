package remote

import (
	"fmt"
	"slices"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
)

// First is what a part of flash layout 1 kept of messages. That release signed none, took
// commands from its supplier alone, and had one counter for them.
type First struct {
	AlertCounter   uint64
	CommandCounter uint64
	Response       []byte   // the last one, nil if there was none
	Waiting        [][]byte // for the supplier, oldest first
}

// Keep writes it as [Open] reads it, and commits the journal. What waits is signed as the
// device would sign it today. The counter of commands is that of each party with authority
// now: none can have been told a higher one. It fails on messages that are not the device's,
// or for a party without authority.
func (f First) Keep(cfg core.Config, j *journal.Journal, outboxRegion flash.Region) error {
	c := counters{alert: f.AlertCounter}
	for _, p := range cfg.Parties {
		c.commands = append(c.commands, partyCounter{p, f.CommandCounter})
	}
	box, _, err := openOutbox(outboxRegion, nil, false)
	if err != nil {
		return err
	}
	for _, m := range f.Waiting {
		p, _, err := protected(cfg, m)
		if err != nil {
			return err
		}
		if !box.post(p, true) {
			return fmt.Errorf("outbox: no room for %d messages", len(f.Waiting))
		}
	}
	if f.Response != nil {
		p, m, err := protected(cfg, f.Response)
		if err != nil {
			return err
		}
		if m.CRA != gbcs.Response || m.OriginatorCounter > f.CommandCounter {
			return fmt.Errorf("last response: %s %d, want a response to command %d or before", m.CRA, m.OriginatorCounter, f.CommandCounter)
		}
		memory := memory{journal: j, parties: cfg.Parties}
		memory.SetResponse(m.Recipient, false, p)
	}
	j.Commit(
		journal.Entry{Key: board.KeyCounters, Data: c.append(nil)},
		journal.Entry{Key: board.KeyOutbox, Data: box.record()},
	)
	return nil
}

// protected returns a message that was kept unsigned as the device would send it today.
func protected(cfg core.Config, message []byte) ([]byte, gbcs.Message, error) {
	m, err := gbcs.ParseMessage(message)
	switch {
	case err != nil:
		return nil, m, fmt.Errorf("message that waits: %w", err)
	case m.Originator != cfg.Device:
		return nil, m, fmt.Errorf("it is the memory of %s, not of %s", m.Originator, cfg.Device)
	case !slices.Contains(cfg.Parties, m.Recipient):
		return nil, m, fmt.Errorf("it obeyed the supplier %s, not %s", m.Recipient, cfg.Parties[0])
	}
	p, err := cfg.Protect(m)
	if err != nil {
		return nil, m, fmt.Errorf("message that waits: %w", err)
	}
	return p, m, nil
}
