package live

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/previous"
)

// TestAnOrderOfTheReleaseBeforeThatWaitsIsSigned, with keys that are made now in a home that
// makes its own; on a machine without the root's key it stays as it is until there are some.
func TestAnOrderOfTheReleaseBeforeThatWaitsIsSigned(t *testing.T) {
	for _, root := range []bool{true, false} {
		dir := t.TempDir()
		path := filepath.Join(dir, recordsFile)
		demand(t, os.WriteFile(path, previous.File("hub-dated"), 0o600))
		records, err := store.Open(path, nil)
		demand(t, err)
		pki := filepath.Join(dir, "pki")
		o := HubOptions{Config: hub.DefaultConfig(), Keys: Keys(pki, hub.DefaultConfig().Supplier)}
		demand(t, o.protect())
		if !root {
			demand(t, os.Remove(filepath.Join(pki, "root.key")))
		}
		for range 2 {
			demand(t, o.protectWaiting(records))
			waiting := records.MessagesOf(home.DefaultGSME)
			if len(waiting) != 1 {
				t.Fatalf("%d messages wait", len(waiting))
			}
			m, err := gbcs.ParseMessage(waiting[0].Bytes)
			demand(t, err)
			if m.HasMAC != root || m.OriginatorCounter != waiting[0].Sequence {
				t.Errorf("root's key %v: %+v", root, m)
			}
		}
		demand(t, records.Close())
	}
}
