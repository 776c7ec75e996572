package store

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
)

// boltRelease is the release of bbolt whose file format pages.go follows.
const boltRelease = "v1.5.0"

func TestThePagesAreThoseOfTheBBoltInUse(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*go\.etcd\.io/bbolt (\S+)`).FindSubmatch(text)
	if found == nil {
		t.Fatal("go.mod does not name bbolt")
	}
	if release := string(found[1]); release != boltRelease {
		t.Errorf("go.mod has bbolt %s, pages.go follows %s: compare internal/common and db.go of the two, "+
			"let go test ./hub/store pass, then change boltRelease", release, boltRelease)
	}
}

// alone is the variable that has the file for the process that opens it with bbolt
// and nothing else.
const alone = "COMMSHUB_TEST_BBOLT_ALONE"

// This is why the pages are walked: bbolt, with its own check, does not survive what
// can happen to a file. The day it does, pages.go can go.
func TestBBoltAloneDoesNotSurviveDamage(t *testing.T) {
	if path := os.Getenv(alone); path != "" {
		openAlone(path)
		os.Exit(0)
	}
	file, _ := sample(t, nil)
	i := slices.IndexFunc(damages(nil), func(d damage) bool { return d.name == "a page header" })
	d := damages(rand.New(rand.NewPCG(1, 0)))[i]
	path := filepath.Join(t.TempDir(), "damaged.db")
	const most = 400 // about one in thirty kills it
	for n := range most {
		damaged := bytes.Clone(file)
		d.do(damaged)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), alone+"="+path)
		if err := child.Run(); err != nil {
			t.Logf("bbolt alone died of damaged file %d: %v", n+1, err)
			return
		}
	}
	t.Errorf("bbolt refused or read %d damaged files: is pages.go still needed?", most)
}

// openAlone opens, checks and reads a file as one would without pages.go. What it
// can recover from counts as refused.
func openAlone(path string) {
	defer func() { _ = recover() }()
	debug.SetPanicOnFault(true)
	debug.SetMaxStack(64 << 20)
	db, err := bbolt.Open(path, 0o600, options())
	if err != nil {
		return
	}
	_ = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				_, err := io.Discard.Write(append(k[:len(k):len(k)], v...))
				return err
			})
		})
	})
}

// BenchmarkInspect is the part of BenchmarkOpen that walks the pages.
func BenchmarkInspect(b *testing.B) {
	path := fullOfAlerts(b)
	for b.Loop() {
		if err := inspect(path); err != nil {
			b.Fatal(err)
		}
	}
}
