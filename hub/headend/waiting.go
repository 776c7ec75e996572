package headend

import (
	"fmt"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// ProtectWaiting signs the orders in a store that wait for their devices and were given bare,
// by the release before or when there were no certificates of the device yet. A device of
// which there are certificates takes no others. It is called before the hub starts, which
// takes what waits into its mailboxes.
func ProtectWaiting(cfg Config, records *store.Store) error {
	s := New(cfg, records)
	var changes []store.Change
	for _, waits := range records.Messages() {
		m, err := gbcs.ParseMessage(waits.Bytes)
		if err != nil || m.CRA != gbcs.Command || m.Originator != cfg.Supplier || m.Recipient != waits.Device ||
			m.HasMAC || len(m.Signature) > 0 || !s.Signs(waits.Device) {
			continue
		}
		if m, err = s.protected(m); err != nil {
			return fmt.Errorf("sign the order %d that waits for %s: %w", waits.Sequence, waits.Device, err)
		}
		waits.Bytes = m.Append(nil)
		changes = append(changes, store.Put(waits))
	}
	if len(changes) == 0 {
		return nil
	}
	return records.Commit(changes...)
}
