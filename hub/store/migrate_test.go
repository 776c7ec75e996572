package store

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/previous"
)

// The meters of package previous.
const (
	previousESME han.EUI64 = 0x00DB1234567890A0
	previousGSME han.EUI64 = 0x00DB1234567890A1
)

// previousStore opens a copy of a hub's records of the release before, and once more what
// that left.
func previousStore(t *testing.T, name string, look func(s *Store)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.db")
	must(t, os.WriteFile(path, previous.File(name), 0o600))
	for range 2 {
		s := open(t, path)
		look(s)
		closeStore(t, s)
	}
}

// TestTheRecordsOfTheReleaseBeforeAreKept: device log, images, updates, mirror, counters,
// clock and inbox.
func TestTheRecordsOfTheReleaseBeforeAreKept(t *testing.T) {
	for name, want := range map[string]struct {
		states map[han.EUI64]UpdateState
		inbox  int
	}{
		"hub-partial":    {map[han.EUI64]UpdateState{previousESME: UpdateTransferred, previousGSME: UpdateDownloading}, 3},
		"hub-dated":      {map[han.EUI64]UpdateState{previousESME: UpdateDated, previousGSME: UpdateDated}, 6},
		"hub-activating": {map[han.EUI64]UpdateState{previousESME: UpdateActivating, previousGSME: UpdateActivating}, 7},
		"hub-updated":    {map[han.EUI64]UpdateState{previousESME: UpdateActivated, previousGSME: UpdateActivated}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			previousStore(t, name, func(s *Store) {
				devices, images, mirrors := s.Devices(), s.Images(), 0
				if len(devices) != 2 || devices[0].EUI64 != previousESME || devices[0].Kind != KindESME || devices[1].EUI64 != previousGSME || devices[1].Kind != KindGSME {
					t.Errorf("devices %+v", devices)
				}
				if len(images) != 1 || images[0].FileVersion != 2 || !images[0].SupplierVerified {
					t.Errorf("images %+v", images)
				}
				for _, d := range devices {
					if m, ok := s.Mirror(d.EUI64); ok && len(m.Attributes) > 0 {
						mirrors++
					}
				}
				states := map[han.EUI64]UpdateState{}
				for _, u := range s.Updates() {
					states[u.Device] = u.State
				}
				equal(t, "updates", states, want.states)
				if got := len(s.Inbox(0, 100)); got != want.inbox || mirrors != 2 {
					t.Errorf("%d entries in the inbox, %d mirrors", got, mirrors)
				}
			})
		})
	}
}

// TestTheSupplierOfTheReleaseBeforeGoesOn with its orders: those that wait, and that a device
// will carry out; and above its counter.
func TestTheSupplierOfTheReleaseBeforeGoesOn(t *testing.T) {
	at := time.Date(2026, 1, 18, 8, 0, 0, 0, time.UTC).UnixMicro()
	facts := previous.Meters()
	previousStore(t, "hub-dated", func(s *Store) {
		image := s.Images()[0].ImageHash
		orders := s.Orders()
		if len(orders) != 3 {
			t.Fatalf("orders %+v", orders)
		}
		for i, o := range orders[:2] {
			name := []string{"esme-dated", "gsme-dated"}[i]
			if o.Counter != facts[name].Commands || o.ExecuteAt != at || o.State != OrderAccepted || o.Hash != image || o.Cancels || o.GivenAt == 0 {
				t.Errorf("%s: %+v, want counter %d", name, o, facts[name].Commands)
			}
			if u, ok := s.CurrentUpdate(o.Device); !ok || u.Order != o.Counter {
				t.Errorf("%s: %+v", name, u)
			}
		}
		messages := s.MessagesOf(previousGSME)
		waits := orders[2]
		if len(messages) != 1 || waits.Counter != messages[0].Sequence || waits.State != OrderQueued || waits.Code != uint16(gbcs.CodeReadGSMEFirmwareVersion) {
			t.Errorf("waits %+v, messages %+v", waits, messages)
		}
		if c, ok := s.OriginatorCounter(0x90B3D51F30010000); !ok || c.Counter < waits.Counter {
			t.Errorf("counter %+v, below %d", c, waits.Counter)
		}
	})
	previousStore(t, "hub-activating", func(s *Store) {
		for _, u := range s.Updates() {
			o, ok := s.Order(u.Device, u.Order)
			if !ok || o.State != OrderQueued || o.ExecuteAt != 0 {
				t.Errorf("%+v waits for %+v", u, o)
			}
		}
	})
}

// TestADatedUpdateWithoutAnAnswerStaysDated: its order is not made up.
func TestADatedUpdateWithoutAnAnswerStaysDated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	must(t, os.WriteFile(path, previous.File("hub-dated"), 0o600))
	edit(t, path, func(tx *bbolt.Tx) error {
		inbox := tx.Bucket([]byte(TableInbox.String()))
		var sum digest
		if err := inbox.ForEach(func(key, _ []byte) error { return inbox.Delete(key) }); err != nil {
			return err
		}
		for _, table := range tablesOf(firstVersion) {
			if err := tx.Bucket([]byte(table.String())).ForEach(func(_, value []byte) error { sum.add(value); return nil }); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketAbout).Put(keyDigest, sum.append(nil))
	})
	s := open(t, path)
	defer closeStore(t, s)
	if u, ok := s.CurrentUpdate(previousGSME); !ok || u.State != UpdateDated || u.Order != 0 || len(s.Orders()) != 1 {
		t.Errorf("%+v, orders %+v", u, s.Orders())
	}
}

// TestADamagedFileOfTheReleaseBeforeIsRefused, and stays as it is.
func TestADamagedFileOfTheReleaseBeforeIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(tx *bbolt.Tx) error{
		"its digest": func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Put(keyDigest, digest{}.append(nil)) },
		"a table":    func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("mirrors")) },
		"a record": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("messages")).Put(Message{Device: gsme, Sequence: 3}.appendKey(nil), []byte{1, 2, 3, 4, 0xA0})
		},
		"a version that no release wrote": func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketAbout).Put(keySchema, binary.BigEndian.AppendUint32(nil, schemaVersion-1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hub.db")
			must(t, os.WriteFile(path, previous.File("hub-dated"), 0o600))
			edit(t, path, spoil)
			before, err := os.ReadFile(path)
			must(t, err)
			_, err = Open(path, nil)
			demandError(t, err, "open store "+path+": ")
			after, again := os.ReadFile(path)
			if again != nil || string(after) != string(before) {
				t.Errorf("the file is another one: %v", again)
			}
		})
	}
}
