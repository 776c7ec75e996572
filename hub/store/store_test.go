package store

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/atrest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		commitUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

const (
	esme = han.EUI64(0x00DB1234567890A0)
	gsme = han.EUI64(0x00DB1234567890A1)
)

// open opens the store at path and closes it with the test.
func open(t *testing.T, path string) *Store {
	t.Helper()
	return openWith(t, path, nil)
}

func openWith(t *testing.T, path string, key *atrest.Key) *Store {
	t.Helper()
	s, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func commit(t *testing.T, s *Store, changes ...Change) {
	t.Helper()
	if err := s.Commit(changes...); err != nil {
		t.Fatal(err)
	}
}

// demandError demands an error of one line that contains want.
func demandError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("no error, want one with %q", want)
	case strings.Contains(err.Error(), "\n"):
		t.Errorf("error of several lines: %q", err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want it to contain %q", err, want)
	}
}

// eachKind runs a test in memory and on disk.
func eachKind(t *testing.T, test func(*testing.T, *Store)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemory()) })
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { test(t, openWith(t, filepath.Join(t.TempDir(), "hub.db"), key)) })
	}
}

func TestReadsReturnWhatWasCommittedInOrder(t *testing.T) {
	eachKind(t, func(t *testing.T, s *Store) {
		firmware := ota.ImageHash{7}
		image := func(file byte) Image {
			return Image{FileHash: [32]byte{file}, ImageHash: firmware, Manufacturer: 0x1234, FileVersion: 2}
		}
		other := Image{FileHash: [32]byte{2}, ImageHash: ota.ImageHash{8}}
		update := func(d han.EUI64, file, state byte) Update {
			return Update{Device: d, FileHash: [32]byte{file}, State: UpdateState(state)}
		}
		message := func(d han.EUI64, seq uint64) Message {
			return Message{Device: d, Sequence: seq, Bytes: []byte{byte(seq)}}
		}
		commit(t, s,
			Put(Device{EUI64: gsme, Kind: 2, HasInstallCode: true, InstallCode: [16]byte{1}}), Put(Device{EUI64: esme, Kind: 1}),
			Put(image(3)), Put(other), Put(image(1)),
			Put(update(gsme, 1, 5)), Put(update(esme, 3, 5)), Put(update(esme, 1, 4)),
			Put(message(gsme, 256)), Put(message(gsme, 2)), Put(message(esme, 3)),
			Put(Mirror{Device: gsme, Attributes: []MirrorAttribute{{ID: 0x0B, Number: 9}}}),
			Put(OriginatorCounter{Originator: 9, Counter: 77}), Put(Sequence{Series: 1, Next: 4}),
			Put(ClockAnchor{Wall: 1, Emulated: 2, Speed: 600_000}),
		)
		got := func(values ...any) []any { return values }
		equal(t, "devices", s.Devices(), []Device{{EUI64: esme, Kind: 1}, {EUI64: gsme, Kind: 2, HasInstallCode: true, InstallCode: [16]byte{1}}})
		equal(t, "images", s.Images(), []Image{image(1), other, image(3)})
		equal(t, "updates", s.Updates(), []Update{update(esme, 1, 4), update(esme, 3, 5), update(gsme, 1, 5)})
		equal(t, "updates of a device", s.UpdatesOf(esme), []Update{update(esme, 1, 4), update(esme, 3, 5)})
		for device, want := range map[han.EUI64]any{esme: true, gsme: false, 9: false} {
			u, ok := s.CurrentUpdate(device)
			equal(t, "an update goes on", any(ok), want)
			if ok && (u.Device != device || u.State.Ended()) {
				t.Errorf("the current update of %s is %+v", device, u)
			}
		}
		equal(t, "messages", s.Messages(), []Message{message(esme, 3), message(gsme, 2), message(gsme, 256)})
		equal(t, "messages of a device", s.MessagesOf(gsme), []Message{message(gsme, 2), message(gsme, 256)})
		equal(t, "originator counters", whole[OriginatorCounter](s, TableCounters), []OriginatorCounter{{9, 77}})
		equal(t, "single records", got(second(s.ImageByFileHash([32]byte{2})), second(s.Update(esme, [32]byte{3})),
			second(s.Message(gsme, 2)), second(s.Mirror(gsme)), second(s.OriginatorCounter(9)), second(s.sequence(1)), second(s.ClockAnchor())),
			got(true, true, true, true, true, true, true))
		equal(t, "missing records", got(second(s.Device(1)), second(s.ImageByFileHash([32]byte{9})), second(s.Update(gsme, [32]byte{3})),
			second(s.Message(gsme, 3)), second(s.Mirror(esme)), second(s.OriginatorCounter(8)), second(s.sequence(2))),
			got(false, false, false, false, false, false, false))
		im, _ := s.ImageByFileHash([32]byte{3})
		equal(t, "image ID", im.ID(), ota.ImageID{Manufacturer: 0x1234, FileVersion: 2})
	})
}

func second[T any](_ T, ok bool) any { return ok }

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(want, got) { // cmp takes its time over long byte strings
		t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(want, got))
	}
}

func TestADeviceIsHeardWithItsReadings(t *testing.T) {
	for name, want := range map[string]struct{ bridge, mirror, heard int64 }{
		"never": {}, "by a bridge": {bridge: 5, heard: 5}, "by its readings": {mirror: 7, heard: 7},
		"earlier by an older hub": {bridge: 3, mirror: 7, heard: 7},
	} {
		s := NewMemory()
		d := Device{EUI64: gsme, LastHeard: want.bridge}
		commit(t, s, Put(d))
		if want.mirror != 0 {
			commit(t, s, Put(Mirror{Device: gsme, UpdatedAt: want.mirror}))
		}
		equal(t, name, s.LastHeard(d), want.heard)
	}
}

func TestLaterChangesOfOneCommitWin(t *testing.T) {
	eachKind(t, func(t *testing.T, s *Store) {
		commit(t, s, Put(Device{EUI64: gsme, Kind: 1}), Delete(Device{EUI64: gsme}), Put(Device{EUI64: gsme, Kind: 2}),
			Put(Device{EUI64: esme}), Delete(Device{EUI64: esme}))
		equal(t, "devices", s.Devices(), []Device{{EUI64: gsme, Kind: 2}})
	})
}

func TestRecordsShareNoMemoryWithCallers(t *testing.T) {
	s := NewMemory()
	given := []byte{1, 2, 3}
	attributes := []MirrorAttribute{{ID: 1, Bytes: given}}
	commit(t, s, Put(Message{Device: gsme, Sequence: 1, Bytes: given}), Put(InboxEntry{Sequence: 1, Bytes: given}),
		Put(Mirror{Device: gsme, Attributes: attributes}))
	given[0], attributes[0].ID = 9, 9
	for range 2 { // the second time round, what was read has been written to
		m, _ := s.Message(gsme, 1)
		a := s.Inbox(0, 1)[0]
		mirror, _ := s.Mirror(gsme)
		for _, b := range [][]byte{m.Bytes, a.Bytes, mirror.Attributes[0].Bytes} {
			equal(t, "bytes", b, []byte{1, 2, 3})
			b[0] = 9
		}
		equal(t, "attribute", mirror.Attributes[0].ID, 1)
		mirror.Attributes[0].ID = 9
	}
}

func TestAlertsAreReadInPages(t *testing.T) {
	s := NewMemory()
	for seq := range uint64(5) {
		commit(t, s, Put(InboxEntry{Sequence: seq + 1}))
	}
	sequences := func(alerts []InboxEntry) (seqs []uint64) {
		for _, a := range alerts {
			seqs = append(seqs, a.Sequence)
		}
		return seqs
	}
	equal(t, "first page", sequences(s.Inbox(0, 2)), []uint64{1, 2})
	equal(t, "next page", sequences(s.Inbox(2, 2)), []uint64{3, 4})
	equal(t, "last page", sequences(s.Inbox(4, 2)), []uint64{5})
	equal(t, "nothing new", sequences(s.Inbox(5, 2)), nil)
	equal(t, "after the last possible one", sequences(s.Inbox(^uint64(0), 2)), nil)
	equal(t, "none wanted", sequences(s.Inbox(0, 0)), nil)
}

func TestOldestAlertsAreDropped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	var changes []Change
	for seq := range uint64(inboxKept + 3) {
		changes = append(changes, Put(InboxEntry{Sequence: seq + 1}))
	}
	commit(t, s, changes[:inboxKept]...)
	commit(t, s, changes[inboxKept:]...)
	commit(t, s, Put(InboxEntry{Sequence: inboxKept, Text: "replaced"})) // no new record, nothing dropped
	check := func(s *Store) {
		t.Helper()
		alerts := s.Inbox(0, 2*inboxKept)
		if n := len(alerts); n != inboxKept || alerts[0].Sequence != 4 || alerts[n-1].Sequence != inboxKept+3 {
			t.Errorf("%d alerts from %d to %d, want %d from 4 to %d", n, alerts[0].Sequence, alerts[n-1].Sequence, inboxKept, inboxKept+3)
		}
	}
	check(s)
	closeStore(t, s)
	s = open(t, path)
	check(s)
	commit(t, s, Delete(InboxEntry{Sequence: 4}), Put(InboxEntry{Sequence: inboxKept + 4}))
	equal(t, "oldest", s.Inbox(0, 1)[0].Sequence, 5)
}

func TestCommitRefusesRecordsBeyondTheLimits(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	big := make([]byte, MaxBytes+1)
	tests := []struct {
		name string
		give Record
		want string
	}{
		{"text of an image", Image{Text: long}, "put image: text of 4097 bytes, want at most 4096"},
		{"outcome of an update", Update{Outcome: long}, "put update: outcome of 4097 bytes, want at most 4096"},
		{"bytes of a message", Message{Bytes: big}, "put message: message of 65537 bytes, want at most 65536"},
		{"text of an inbox entry", InboxEntry{Text: long}, "put inbox entry: text of 4097 bytes"},
		{"bytes of an inbox entry", InboxEntry{Bytes: big}, "put inbox entry: message of 65537 bytes"},
		{"attributes of a mirror", Mirror{Attributes: make([]MirrorAttribute, 1025)}, "put mirror: 1025 attributes, want at most 1024"},
		{"spans of a timeline", Timeline{Missed: make([]Span, MaxSpans+1)}, "put timeline: 257 spans, want at most 256"},
		{"offsets of a window", Window{Repeated: make([]uint32, MaxSpans+1)}, "put window: 257 spans, want at most 256"},
		{"a consumption", Mirror{Consumption: make([]byte, 256)}, "put mirror: consumption of 256 bytes, want at most 255"},
		{"bytes of an attribute", Mirror{Attributes: []MirrorAttribute{{ID: 0x31F, Bytes: big}}}, "put mirror: attribute 031F of 65537 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewMemory()
			demandError(t, s.Commit(Put(Device{EUI64: 1}), Put(tt.give)), tt.want)
			equal(t, "devices", s.Devices(), nil)
		})
	}
}

func TestRecordsAtTheLimitsOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	mirror := Mirror{Device: gsme, Attributes: make([]MirrorAttribute, MaxMirrorAttributes)}
	for i := range mirror.Attributes {
		mirror.Attributes[i] = MirrorAttribute{ID: uint16(i), Number: ^uint64(0), Bytes: []byte{1}}
	}
	alert := InboxEntry{Sequence: 1, Text: strings.Repeat("\xFF", MaxText), Bytes: bytes.Repeat([]byte{7}, MaxBytes)}
	commit(t, s, Put(mirror), Put(alert))
	closeStore(t, s)
	s = open(t, path)
	got, _ := s.Mirror(gsme)
	equal(t, "mirror", got, mirror)
	equal(t, "alerts", s.Inbox(0, 9), []InboxEntry{alert})
}

func TestClosedStoreStillReads(t *testing.T) {
	eachKind(t, func(t *testing.T, s *Store) {
		commit(t, s, Put(Device{EUI64: gsme}))
		closeStore(t, s)
		closeStore(t, s)
		demandError(t, s.Commit(Put(Device{EUI64: esme})), "commit: the store is closed")
		equal(t, "devices", s.Devices(), []Device{{EUI64: gsme}})
	})
}

func TestEmptyCommitIsNothing(t *testing.T) {
	s := NewMemory()
	whatever := s.Watch()
	commit(t, s)
	demandQuiet(t, whatever)
}

func TestTableNames(t *testing.T) {
	seen := map[string]bool{}
	for table := range tableCount {
		seen[table.String()] = true
	}
	if len(seen) != int(tableCount) || seen[""] {
		t.Errorf("table names %v, want %d different ones", seen, tableCount)
	}
	equal(t, "unknown table", Table(200).String(), "table 200")
}

// What rides along is committed with the mirror, or neither is.
func TestChangesThatRideAlongWithAMirror(t *testing.T) {
	s := NewMemory()
	ride := Reading{Device: gsme, At: 1}
	s.Accompany(func(m Mirror) []Change { return []Change{Put(Reading{Device: m.Device, At: m.UpdatedAt})} })
	commits := 0
	s.Watched(func() func(error) { commits++; return unwatched() })
	commit(t, s, Put(Device{EUI64: gsme}), Delete(Mirror{Device: gsme}))
	equal(t, "readings without a mirror", s.Readings(), nil)
	commit(t, s, Put(Mirror{Device: gsme, UpdatedAt: 1}))
	equal(t, "readings", s.ReadingsOf(gsme), []Reading{ride})
	equal(t, "commits", commits, 2)
	s.Accompany(func(Mirror) []Change { return []Change{Put(Window{Runs: make([]Span, MaxSpans+1)})} })
	demandError(t, s.Commit(Put(Mirror{Device: gsme, UpdatedAt: 2})), "put window: 257 spans")
	m, _ := s.Mirror(gsme)
	equal(t, "mirror", m.UpdatedAt, 1)
}

// A device that sends without end loses its own entries and nobody else's.
func TestOneDeviceCannotCrowdOutAnother(t *testing.T) {
	eachKind(t, func(t *testing.T, s *Store) {
		s.inboxLimit = 20
		sequence := uint64(0)
		entry := func(device han.EUI64) Change {
			sequence++
			return Put(InboxEntry{Sequence: sequence, Device: device, Bytes: []byte{byte(sequence)}})
		}
		for range 5 {
			commit(t, s, entry(esme))
		}
		for range 100 {
			commit(t, s, entry(gsme))
		}
		of := map[han.EUI64]int{}
		for _, e := range s.Inbox(0, 1000) {
			of[e.Device]++
		}
		equal(t, "entries", of, map[han.EUI64]int{esme: 5, gsme: 15})
		if !s.InInbox(esme, []byte{1}) || s.InInbox(gsme, []byte{6}) || !s.InInbox(gsme, []byte{105}) {
			t.Errorf("known: the first of the quiet device %v, the first and the last of the loud one %v, %v; want true, false, true",
				s.InInbox(esme, []byte{1}), s.InInbox(gsme, []byte{6}), s.InInbox(gsme, []byte{105}))
		}
	})
}
