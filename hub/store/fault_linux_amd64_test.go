package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/disktest"
)

// steps are the commits of a run: they make the file, let it grow, fill pages that became
// free, and migrate nothing.
func steps() [][]Change {
	commits := [][]Change{countedChanges(1), bulk(1), countedChanges(2)}
	var freed []Change
	for _, c := range bulk(1) {
		freed = append(freed, Delete(c.record))
	}
	return append(commits, freed, countedChanges(3), bulk(2))
}

// states returns what the store holds after 0, 1, 2… commits.
func states() [][]Record {
	m := newModel(inboxKept)
	all := [][]Record{m.contents()}
	for _, changes := range steps() {
		m.commit(changes)
		all = append(all, m.contents())
	}
	return all
}

// same compares contents; an empty store has none.
func same(a, b []Record) bool { return len(a) == len(b) && (len(a) == 0 || reflect.DeepEqual(a, b)) }

// demandAt opens a store and demands the contents after done commits, or one more if
// between is true. It returns how many there are.
func demandAt(path string, key *atrest.Key, done int, between bool) (int, error) {
	s, err := Open(path, key)
	if err != nil {
		return 0, err
	}
	got := contents(s)
	if err := s.Close(); err != nil {
		return 0, err
	}
	all := states()
	switch {
	case same(got, all[done]):
		return done, nil
	case between && done+1 < len(all) && same(got, all[done+1]):
		return done + 1, nil
	}
	return 0, fmt.Errorf("%d records, want %d of %d commits", len(got), len(all[done]), done)
}

// A power cut after any operation, with any part of what was not synced: the store holds
// what was acknowledged, and what was being committed whole or not at all.
func TestAPowerCutAfterAnyOperationOfTheDisk(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { cutAfterAnyOperation(t, key) })
	}
}

func cutAfterAnyOperation(t *testing.T, key *atrest.Key) {
	dir := t.TempDir()
	d := disktest.NewDisk(dir, disktest.Fault{})
	run := func() {
		s, err := Open(filepath.Join(dir, "hub.db"), key)
		if err != nil {
			t.Error(err)
			return
		}
		for i, changes := range steps() {
			if err := s.Commit(changes...); err != nil {
				t.Error(err)
			}
			d.Mark(i + 1)
		}
		closeStore(t, s)
	}
	must(t, d.Run(run))
	seed := rand.Uint64()
	t.Logf("seed %d, %d operations", seed, d.Count())
	dice := rand.New(rand.NewPCG(seed, 0))
	for c := range d.Crashes() {
		for _, k := range disktest.Keeps(dice) {
			left := filepath.Join(t.TempDir(), "left")
			must(t, c.Write(left, k.Keep))
			if _, err := demandAt(filepath.Join(left, "hub.db"), key, c.Mark, true); err != nil {
				t.Errorf("power cut after operation %d, %s kept: %v", c.Operation, k.Name, err)
			}
		}
	}
	if d.Count() < 20 {
		t.Errorf("%d operations were seen, want more than 20", d.Count())
	}
}

// One operation fails, for each that there is, and in each way: what is acknowledged lasts,
// what is refused has not happened, and opening again mends a store that refuses to go on.
func TestEachOperationOfTheDiskFailsOnce(t *testing.T) {
	for _, way := range []disktest.Fault{{Errno: syscall.ENOSPC, Short: true}, {Errno: syscall.ENOSPC}, {Errno: syscall.EIO}} {
		for name, key := range forms() {
			t.Run(fmt.Sprintf("%s %v short %v", name, way.Errno, way.Short), func(t *testing.T) { eachOperationFails(t, way, key) })
		}
	}
}

func eachOperationFails(t *testing.T, way disktest.Fault, key *atrest.Key) {
	for way.At = 1; ; way.At++ {
		dir := t.TempDir()
		d := disktest.NewDisk(dir, way)
		path := filepath.Join(dir, "hub.db")
		failures := 0
		var failed error
		must(t, d.Run(func() { failures, failed = throughFaults(path, key) }))
		if failed != nil {
			t.Fatalf("operation %d: %v", way.At, failed)
		}
		left := filepath.Join(t.TempDir(), "left")
		must(t, d.End().Write(left, func() bool { return false }))
		if _, err := demandAt(filepath.Join(left, "hub.db"), key, len(steps()), false); err != nil {
			t.Fatalf("operation %d, then a power cut: %v", way.At, err)
		}
		if d.Count() < way.At {
			if failures > 0 || way.At < 20 {
				t.Errorf("%d failures after %d operations, want none and more than 20", failures, d.Count())
			}
			return
		}
	}
}

// throughFaults makes all commits, again where one is refused, and returns how often that
// was.
func throughFaults(path string, key *atrest.Key) (failures int, err error) {
	s, err := Open(path, key)
	if err != nil {
		failures++
		if s, err = Open(path, key); err != nil {
			return 0, err
		}
	}
	all := states()
	for done := 0; done < len(steps()); {
		err := s.Commit(steps()[done]...)
		if err == nil {
			done++
			continue
		}
		failures++
		if !same(contents(s), all[done]) {
			return 0, fmt.Errorf("commit %d was refused (%w) and is seen", done+1, err)
		}
		if err = s.Commit(steps()[done]...); err == nil {
			done++
			continue
		}
		if !strings.Contains(err.Error(), "open the store again") {
			return 0, err
		}
		if err := s.Close(); err != nil {
			return 0, err
		}
		if done, err = demandAt(path, key, done, true); err != nil {
			return 0, err
		}
		if s, err = Open(path, key); err != nil {
			return 0, err
		}
	}
	return failures, s.Close()
}

// What the disk of these tests says of itself: what is not synced may be gone, and what is
// synced is not.
func TestTheDiskLosesWhatIsNotSynced(t *testing.T) {
	dir := t.TempDir()
	d := disktest.NewDisk(dir, disktest.Fault{})
	must(t, d.Run(func() {
		for _, name := range []string{"synced", "not"} {
			f, err := os.Create(filepath.Join(dir, name))
			if err == nil {
				_, err = f.Write(make([]byte, 100))
			}
			if err == nil && name == "synced" {
				err = f.Sync()
			}
			if err == nil {
				err = f.Close()
			}
			if err == nil && name == "synced" {
				err = syncFolder(dir)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}))
	left := filepath.Join(t.TempDir(), "left")
	must(t, d.End().Write(left, func() bool { return false }))
	info, err := os.Stat(filepath.Join(left, "synced"))
	must(t, err)
	if _, err := os.Stat(filepath.Join(left, "not")); err == nil || info.Size() != 100 {
		t.Errorf("what was synced has %d bytes, want 100; and what was not is there: %v", info.Size(), err == nil)
	}
}
