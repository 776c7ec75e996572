package store

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/atrest"
)

// model is the dumb store: a map for each table.
type model struct {
	records    map[Table]map[string]Record
	inboxLimit int
}

func newModel(inboxLimit int) *model {
	return &model{records: make(map[Table]map[string]Record), inboxLimit: inboxLimit}
}

func (m *model) commit(changes []Change) {
	for _, c := range changes {
		table, key := c.record.table(), string(c.record.appendKey(nil))
		if m.records[table] == nil {
			m.records[table] = make(map[string]Record)
		}
		if c.removal {
			delete(m.records[table], key)
		} else {
			m.records[table][key] = c.record
		}
	}
	alerts := maps.Clone(m.records[TableInbox])
	maps.DeleteFunc(alerts, func(_ string, r Record) bool { return r.(InboxEntry).Lost != nil })
	for len(alerts) > m.inboxLimit {
		key := surplus(alerts)
		delete(alerts, key)
		delete(m.records[TableInbox], key)
	}
}

// surplus returns the key of the entry that goes first.
func surplus(alerts map[string]Record) (key string) {
	keys, most := slices.Sorted(maps.Keys(alerts)), 0
	for _, k := range keys {
		n := 0
		for _, e := range alerts {
			if e.(InboxEntry).Device == alerts[k].(InboxEntry).Device {
				n++
			}
		}
		if n > most {
			key, most = k, n
		}
	}
	return key
}

// contents returns all records, in the order of their keys.
func (m *model) contents() []Record {
	var all []Record
	for table := range tableCount {
		for _, key := range slices.Sorted(maps.Keys(m.records[table])) {
			all = append(all, m.records[table][key])
		}
	}
	return all
}

// contents returns all records of a store through its public reads.
func contents(s *Store) []Record {
	all := records(s.Devices())
	all = append(all, records(s.Images())...)
	all = append(all, records(s.Updates())...)
	all = append(all, records(s.Messages())...)
	all = append(all, records(s.Inbox(0, 1<<30))...)
	all = append(all, records(s.Mirrors())...)
	all = append(all, records(whole[OriginatorCounter](s, TableCounters))...)
	for series := range 256 {
		if q, ok := s.sequence(Series(series)); ok {
			all = append(all, q)
		}
	}
	if c, ok := s.ClockAnchor(); ok {
		all = append(all, c)
	}
	all = append(all, records(s.Orders())...)
	all = append(all, records(s.Timelines())...)
	all = append(all, records(s.Windows())...)
	all = append(all, records(s.Readings())...)
	all = append(all, records(whole[RemoteParty](s, TableParties))...)
	return append(all, records(whole[Quarantined](s, TableQuarantine))...)
}

func records[R Record](typed []R) []Record {
	var all []Record
	for _, r := range typed {
		all = append(all, r)
	}
	return all
}

// Generators draw keys from few, so that records get replaced and deleted.
var (
	drawEUI64   = rapid.Custom(func(t *rapid.T) han.EUI64 { return gsme + han.EUI64(rapid.IntRange(0, 2).Draw(t, "device")) })
	drawHash    = rapid.Custom(func(t *rapid.T) [32]byte { return [32]byte{byte(rapid.IntRange(0, 2).Draw(t, "hash"))} })
	drawText    = rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
	drawBytes   = rapid.SliceOf(rapid.Byte())
	drawRecords = rapid.OneOf(
		rapid.Map(rapid.Custom(drawDevice), boxed[Device]), rapid.Map(rapid.Custom(drawImage), boxed[Image]),
		rapid.Map(rapid.Custom(drawUpdate), boxed[Update]), rapid.Map(rapid.Custom(drawMessage), boxed[Message]),
		rapid.Map(rapid.Custom(drawAlert), boxed[InboxEntry]), rapid.Map(rapid.Custom(drawMirror), boxed[Mirror]),
		rapid.Map(rapid.Custom(drawCounter), boxed[OriginatorCounter]), rapid.Map(rapid.Custom(drawSequence), boxed[Sequence]),
		rapid.Map(rapid.Custom(drawClock), boxed[ClockAnchor]), rapid.Map(rapid.Custom(drawOrder), boxed[Order]),
		rapid.Map(rapid.Custom(drawTimeline), boxed[Timeline]), rapid.Map(rapid.Custom(drawWindow), boxed[Window]),
		rapid.Map(rapid.Custom(drawReading), boxed[Reading]), rapid.Map(rapid.Custom(drawParty), boxed[RemoteParty]),
		rapid.Map(rapid.Custom(drawQuarantined), boxed[Quarantined]),
	)
	drawChange = rapid.Custom(func(t *rapid.T) Change {
		r := drawRecords.Draw(t, "record")
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			return Delete(r)
		}
		return Put(r)
	})
)

func boxed[R Record](r R) Record { return r }

func drawDevice(t *rapid.T) Device {
	return Device{
		EUI64: drawEUI64.Draw(t, "EUI64"), Kind: Kind(rapid.Uint8().Draw(t, "kind")),
		HasInstallCode: rapid.Bool().Draw(t, "has install code"), InstallCode: [16]byte{rapid.Byte().Draw(t, "install code")},
		AddedAt: rapid.Int64().Draw(t, "added"), Endpoint: rapid.Uint8().Draw(t, "endpoint"),
		MirrorEndpoint: rapid.Uint8().Draw(t, "mirror"), TunnelID: rapid.Uint16().Draw(t, "tunnel"),
		LastHeard: rapid.Int64().Draw(t, "heard"), FirmwareVersion: rapid.Uint32().Draw(t, "firmware"),
		HardwareVersion: rapid.Uint16().Draw(t, "hardware"), Manufacturer: rapid.Uint16().Draw(t, "manufacturer"),
		ImageType: rapid.Uint16().Draw(t, "type"),
	}
}

func drawImage(t *rapid.T) Image {
	return Image{
		FileHash: drawHash.Draw(t, "file"), ImageHash: ota.ImageHash(drawHash.Draw(t, "image")),
		Manufacturer: rapid.Uint16().Draw(t, "manufacturer"), ImageType: rapid.Uint16().Draw(t, "type"),
		FileVersion: rapid.Uint32().Draw(t, "version"), Size: rapid.Uint32().Draw(t, "size"),
		HasHardware: rapid.Bool().Draw(t, "has hardware"), HardwareMin: rapid.Uint16().Draw(t, "min"),
		HardwareMax: rapid.Uint16().Draw(t, "max"), Text: drawText.Draw(t, "text"),
		Layout: ota.Layout(rapid.Uint8().Draw(t, "layout")), SupplierVerified: rapid.Bool().Draw(t, "verified"),
		AddedAt: rapid.Int64().Draw(t, "added"),
	}
}

func drawUpdate(t *rapid.T) Update {
	return Update{
		Device: drawEUI64.Draw(t, "device"), FileHash: drawHash.Draw(t, "file"), State: UpdateState(rapid.Uint8Range(0, 3).Draw(t, "state")),
		StartedAt: rapid.Int64().Draw(t, "started"), ChangedAt: rapid.Int64().Draw(t, "changed"),
		Windows: rapid.Uint32().Draw(t, "windows"), Blocks: rapid.Uint32().Draw(t, "blocks"),
		Retries: rapid.Uint32().Draw(t, "retries"), Outcome: drawText.Draw(t, "outcome"),
		ForeseenAt: rapid.Int64().Draw(t, "foreseen"), ForeseenCompletesAt: rapid.Int64().Draw(t, "foreseen end"),
		ForeseenWindows: rapid.Uint32().Draw(t, "foreseen windows"), ForeseenCharge: rapid.Int64().Draw(t, "foreseen charge"),
		ForeseenRadioOn: rapid.Int64().Draw(t, "foreseen radio"),
	}
}

func drawMessage(t *rapid.T) Message {
	return Message{
		Device: drawEUI64.Draw(t, "device"), Sequence: rapid.Uint64Range(0, 4).Draw(t, "sequence"),
		Code: rapid.Uint16().Draw(t, "code"), Bytes: drawBytes.Draw(t, "bytes"), QueuedAt: rapid.Int64().Draw(t, "queued"),
		ExpiresAt: rapid.Int64().Draw(t, "expires"),
	}
}

func drawOrder(t *rapid.T) Order {
	return Order{
		Device: drawEUI64.Draw(t, "device"), Counter: rapid.Uint64Range(0, 4).Draw(t, "counter"), Code: rapid.Uint16().Draw(t, "code"),
		Hash: ota.ImageHash(drawHash.Draw(t, "image")), ExecuteAt: rapid.Int64().Draw(t, "at"), Cancels: rapid.Bool().Draw(t, "cancels"),
		Before: rapid.Uint64().Draw(t, "before"), State: OrderState(rapid.Uint8().Draw(t, "state")), GivenAt: rapid.Int64().Draw(t, "given"),
		DeliveredAt: rapid.Int64().Draw(t, "delivered"), ChangedAt: rapid.Int64().Draw(t, "changed"), Outcome: drawText.Draw(t, "outcome"),
	}
}

func drawAlert(t *rapid.T) InboxEntry {
	return InboxEntry{
		Sequence: rapid.Uint64Range(1, 30).Draw(t, "sequence"), At: rapid.Int64().Draw(t, "at"), Device: drawEUI64.Draw(t, "device"),
		Code: rapid.Uint16().Draw(t, "code"), MessageCode: rapid.Uint16().Draw(t, "message code"),
		Text: drawText.Draw(t, "text"), Bytes: drawBytes.Draw(t, "bytes"),
		Lost: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Loss {
			return Loss{Device: drawEUI64.Draw(t, "lost"), Count: rapid.Uint64().Draw(t, "count")}
		}), 0, 1).Draw(t, "losses"),
	}
}

func drawQuarantined(t *rapid.T) Quarantined {
	return Quarantined{
		Device: drawEUI64.Draw(t, "device"), Rule: drawText.Draw(t, "rule"), Since: rapid.Int64().Draw(t, "since"), At: rapid.Int64().Draw(t, "at"),
		Count: rapid.Uint32().Draw(t, "count"), Over: rapid.Bool().Draw(t, "over"),
		Attribute: MirrorAttribute{ID: rapid.Uint16Range(0, 3).Draw(t, "attribute"), Number: rapid.Uint64().Draw(t, "number"), Bytes: drawBytes.Draw(t, "bytes")},
	}
}

func drawMirror(t *rapid.T) Mirror {
	return Mirror{
		Device: drawEUI64.Draw(t, "device"), UpdatedAt: rapid.Int64().Draw(t, "updated"),
		Attributes: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) MirrorAttribute {
			return MirrorAttribute{
				ID: rapid.Uint16().Draw(t, "attribute"), Type: rapid.Uint8().Draw(t, "type"),
				Number: rapid.Uint64().Draw(t, "number"), Bytes: drawBytes.Draw(t, "bytes"),
			}
		}), 0, 5).Draw(t, "attributes"),
	}
}

func drawCounter(t *rapid.T) OriginatorCounter {
	return OriginatorCounter{Originator: drawEUI64.Draw(t, "originator"), Counter: rapid.Uint64().Draw(t, "counter")}
}

func drawSequence(t *rapid.T) Sequence {
	return Sequence{Series: Series(rapid.Uint8Range(0, 2).Draw(t, "series")), Next: rapid.Uint64().Draw(t, "next")}
}

func drawClock(t *rapid.T) ClockAnchor {
	return ClockAnchor{Wall: rapid.Int64().Draw(t, "wall"), Emulated: rapid.Int64().Draw(t, "emulated"), Speed: rapid.Int64().Draw(t, "speed")}
}

var drawSpans = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
	return Span{From: rapid.Uint32().Draw(t, "from"), To: rapid.Uint32().Draw(t, "to")}
}), 0, 4)

func drawTimeline(t *rapid.T) Timeline {
	return Timeline{
		Device: drawEUI64.Draw(t, "device"), FileHash: drawHash.Draw(t, "hash"), Since: rapid.Int64().Draw(t, "since"),
		Complete: rapid.Bool().Draw(t, "complete"), Served: drawSpans.Draw(t, "served"), Missed: drawSpans.Draw(t, "missed"),
		EarlierWindows: rapid.Uint32().Draw(t, "earlier"),
	}
}

func drawWindow(t *rapid.T) Window {
	return Window{
		Device: drawEUI64.Draw(t, "device"), FileHash: drawHash.Draw(t, "hash"), Number: rapid.Uint32Range(1, 3).Draw(t, "number"),
		Runs: drawSpans.Draw(t, "runs"), Repeated: rapid.SliceOf(rapid.Uint32()).Draw(t, "repeated"),
		RadioOn: rapid.Int64().Draw(t, "radio on"), Interrupted: rapid.Bool().Draw(t, "interrupted"),
		Spent: rapid.SliceOf(rapid.Uint64()).Draw(t, "spent"),
	}
}

func drawReading(t *rapid.T) Reading {
	return Reading{
		Device: drawEUI64.Draw(t, "device"), At: rapid.Int64Range(0, 3).Draw(t, "at"), Register: rapid.Ptr(rapid.Uint64(), true).Draw(t, "register"),
		BatteryPercent: rapid.Ptr(rapid.Uint8(), true).Draw(t, "percent"), BatteryDaysLeft: rapid.Ptr(rapid.Uint16(), true).Draw(t, "days"),
		BatteryLeft: rapid.Ptr(rapid.Uint32(), true).Draw(t, "left"), BatteryLasts: rapid.Ptr(rapid.Uint32(), true).Draw(t, "lasts"),
	}
}

func drawParty(t *rapid.T) RemoteParty {
	return RemoteParty{
		Function: drawEUI64.Draw(t, "function"), Party: drawEUI64.Draw(t, "party"), Counter: rapid.Uint64().Draw(t, "counter"),
		Response: drawBytes.Draw(t, "response"), Alerts: rapid.Uint64().Draw(t, "alerts"),
	}
}

// The store, through any commits and restarts, holds what a map would hold; and
// so does a copy of the file taken between two commits, which is what a power
// cut at that instant leaves.
func TestStoreHoldsWhatAMapWould(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { holdsWhatAMapWould(t, key) })
	}
}

func holdsWhatAMapWould(t *testing.T, key *atrest.Key) {
	const inboxLimit = 5
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "hub.db")
		s, m := reopened(rt, nil, path, key, inboxLimit), newModel(inboxLimit)
		defer func() { _ = s.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				changes := rapid.SliceOfN(drawChange, 1, 6).Draw(rt, "changes")
				if err := s.Commit(changes...); err != nil {
					rt.Fatal(err)
				}
				m.commit(changes)
			},
			"reopen": func(rt *rapid.T) { s = reopened(rt, s, path, key, inboxLimit) },
			"open a copy": func(rt *rapid.T) {
				b, err := os.ReadFile(path)
				if err != nil {
					rt.Fatal(err)
				}
				copied := filepath.Join(dir, "copy.db")
				if err := os.WriteFile(copied, b, 0o600); err != nil {
					rt.Fatal(err)
				}
				c := reopened(rt, nil, copied, key, inboxLimit)
				defer func() { _ = c.Close() }()
				demandContents(rt, c, m)
			},
			"": func(rt *rapid.T) { demandContents(rt, s, m) },
		})
	})
}

// A store in memory holds the same.
func TestStoreInMemoryHoldsWhatAMapWould(t *testing.T) {
	const inboxLimit = 5
	rapid.Check(t, func(rt *rapid.T) {
		s, m := NewMemory(), newModel(inboxLimit)
		s.inboxLimit = inboxLimit
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				changes := rapid.SliceOfN(drawChange, 1, 6).Draw(rt, "changes")
				if err := s.Commit(changes...); err != nil {
					rt.Fatal(err)
				}
				m.commit(changes)
			},
			"commit that fails": func(rt *rapid.T) {
				s.disk = failingDisk{errors.New("no space left on device")}
				if err := s.Commit(rapid.SliceOfN(drawChange, 1, 6).Draw(rt, "changes")...); err == nil {
					rt.Fatal("no error")
				}
				s.disk = nil
			},
			"": func(rt *rapid.T) { demandContents(rt, s, m) },
		})
	})
}

func reopened(rt *rapid.T, s *Store, path string, key *atrest.Key, inboxLimit int) *Store {
	if s != nil {
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	}
	s, err := Open(path, key)
	if err != nil {
		rt.Fatal(err)
	}
	s.inboxLimit = inboxLimit
	return s
}

func demandContents(rt *rapid.T, s *Store, m *model) {
	for _, device := range []han.EUI64{gsme, gsme + 1, gsme + 2} {
		for _, e := range m.records[TableInbox] {
			message := e.(InboxEntry).Bytes
			want := false
			for _, other := range m.records[TableInbox] {
				o := other.(InboxEntry)
				want = want || o.Device == device && bytes.Equal(o.Bytes, message)
			}
			if got := s.InInbox(device, message); got != want {
				rt.Fatalf("message %x of %s is in the inbox: %v, want %v", message, device, got, want)
			}
		}
	}
	if want, got := m.contents(), contents(s); !reflect.DeepEqual(want, got) {
		rt.Fatalf("contents (-model +store):\n%s", cmp.Diff(want, got))
	}
}
