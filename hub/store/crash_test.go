package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/atrest"
)

// failingDisk is a durable layer that cannot write.
type failingDisk struct{ err error }

func (d failingDisk) write([]Change) error { return d.err }
func (failingDisk) close() error           { return nil }

func TestFailedCommitLeavesTheLiveViewUnchanged(t *testing.T) {
	s := NewMemory()
	s.inboxLimit = 2
	commit(t, s, Put(Device{EUI64: gsme, Kind: 1}), Put(InboxEntry{Sequence: 1}), Put(InboxEntry{Sequence: 2}))
	before := contents(s)
	s.disk = failingDisk{errors.New("input/output error")}
	demandError(t, s.Commit(Put(Device{EUI64: gsme, Kind: 2}), Delete(InboxEntry{Sequence: 1}), Put(InboxEntry{Sequence: 3}), Put(InboxEntry{Sequence: 4})),
		"commit to store: input/output error")
	equal(t, "contents", contents(s), before)
	s.disk = nil
	commit(t, s, Put(InboxEntry{Sequence: 5}))
	equal(t, "alerts", s.Inbox(0, 9), []InboxEntry{{Sequence: 2}, {Sequence: 5}})
}

// bulk returns changes that need new pages.
func bulk(seed byte) []Change {
	var changes []Change
	for i := range uint64(8) {
		changes = append(changes, Put(Message{Device: gsme, Sequence: i, Bytes: bytes.Repeat([]byte{seed}, 20_000)}))
	}
	return changes
}

func TestFileThatMayNotGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	commit(t, s, Put(Device{EUI64: gsme}))
	before := contents(s)
	file := s.disk.(*boltFile)
	file.db.MaxSize = 64 << 10
	demandError(t, s.Commit(bulk(1)...), "commit to store: database reached maximum size")
	equal(t, "contents after the failure", contents(s), before)
	commit(t, s, Put(Device{EUI64: esme})) // what still fits is taken
	file.db.MaxSize = 0
	commit(t, s, bulk(2)...)
	after := contents(s)
	closeStore(t, s)
	equal(t, "contents of the file", contents(open(t, path)), after)
}

func TestCommitThatMayHaveReachedTheDiskStopsTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	commit(t, s, Put(Device{EUI64: gsme}))
	file := s.disk.(*boltFile)
	file.db.MaxSize = 64 << 10
	file.txid-- // as if the failed transaction's meta page were there
	demandError(t, s.Commit(bulk(1)...), "database reached maximum size")
	demandError(t, s.Commit(Put(Device{EUI64: esme})),
		"commit to store: an earlier commit failed half way, open the store again: database reached maximum size")
	equal(t, "devices", s.Devices(), []Device{{EUI64: gsme}})
	closeStore(t, s)
	commit(t, open(t, path), Put(Device{EUI64: esme}))
}

// A commit writes data pages in any order, syncs, and then writes one meta page.
// Whatever part of that a power cut lets through, the file opens with the
// records from before or after the commit.
func TestPowerCutInsideACommit(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { cutInsideACommit(t, key) })
	}
}

func cutInsideACommit(t *testing.T, key *atrest.Key) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	path := filepath.Join(dir, "hub.db")
	s := openWith(t, path, key)
	for range 15 {
		old, oldContents := readFile(t, path), contents(s)
		var changes []Change
		for range 1 + dice.IntN(8) {
			changes = append(changes, randomChange(dice))
		}
		commit(t, s, changes...)
		now, nowContents := readFile(t, path), contents(s)
		for range 6 {
			cut := writtenInPart(dice, old, now)
			demandOneOf(t, filepath.Join(dir, "cut.db"), key, cut, oldContents)
		}
		for range 3 {
			cut := tornMeta(dice, old, now)
			demandOneOf(t, filepath.Join(dir, "cut.db"), key, cut, oldContents, nowContents)
		}
	}
}

func randomChange(dice *rand.Rand) Change {
	m := Message{Device: gsme, Sequence: dice.Uint64N(40), Bytes: make([]byte, dice.IntN(3000))}
	if dice.IntN(3) == 0 {
		return Delete(m)
	}
	return Put(m)
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writtenInPart returns the old file with some of the new data pages.
func writtenInPart(dice *rand.Rand, old, now []byte) []byte {
	page := os.Getpagesize()
	cut := bytes.Clone(now)
	copy(cut[:2*page], old)
	for at := 2 * page; at < len(now); at += page {
		if dice.IntN(2) == 0 {
			clear(cut[at : at+page])
			if at < len(old) {
				copy(cut[at:at+page], old[at:])
			}
		}
	}
	return cut
}

// tornMeta returns the new file with the newest meta page written up to some byte.
func tornMeta(dice *rand.Rand, old, now []byte) []byte {
	page := os.Getpagesize()
	cut := bytes.Clone(now)
	for meta := range 2 {
		from := meta*page + dice.IntN(pageHeaderSize+metaSize+1)
		copy(cut[from:(meta+1)*page], old[from:])
	}
	return cut
}

// demandOneOf demands that file opens with one of the given contents.
func demandOneOf(t *testing.T, path string, key *atrest.Key, file []byte, wants ...[]Record) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	got := contents(s)
	for _, want := range wants {
		if reflect.DeepEqual(got, want) {
			return
		}
	}
	t.Errorf("contents are none of the %d possible ones, against the last (-want +got):\n%s", len(wants), cmp.Diff(wants[len(wants)-1], got))
}

// childEnv names the store that a child process of this test works on.
const childEnv = "COMMSHUB_STORE_CHILD"

// commitUntilKilled is the child: it commits and says so, until it is killed.
func commitUntilKilled(path string) {
	s, err := Open(path, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	q, _ := s.sequence(0)
	for n := q.Next; ; n++ {
		if err := s.Commit(countedChanges(n)...); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// countedChanges are those of the n-th commit: three records that must agree.
func countedChanges(n uint64) []Change {
	return []Change{
		Put(Sequence{Series: 0, Next: n + 1}),
		Put(Message{Device: gsme, Sequence: n % 7, Bytes: bytes.Repeat([]byte{byte(n)}, int(n*997%9000))}),
		Put(InboxEntry{Sequence: n + 1, Bytes: binary.BigEndian.AppendUint64(nil, n)}),
	}
}

func TestKilledProcessLosesNothingItCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	m, done := newModel(inboxKept), uint64(0)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		said := runAndKill(t, path, 1+dice.IntN(40))
		s := open(t, path)
		q, _ := s.sequence(0)
		if q.Next <= said {
			t.Fatalf("commit %d was acknowledged, but the next is %d", said, q.Next)
		}
		for ; done < q.Next; done++ {
			m.commit(countedChanges(done))
		}
		equal(t, "contents", contents(s), m.contents())
		closeStore(t, s)
	}
}

// runAndKill lets the child make some commits, kills it, and returns the number
// of the last commit that it acknowledged.
func runAndKill(t *testing.T, path string, commits int) (said uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if said, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
			t.Fatalf("child says %q", lines.Text())
		}
		if n == commits {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
	return said
}
