// Command mutants plants the faults of list.txt one at a time and demands that a test
// fails for each. It plants them by an overlay at build time: no file changes, and the
// product has no switch for them.
//
//	mutants COMMIT/SHARES   a share that depends on the commit, so that each has its turn
//	mutants all             the whole list
//	mutants WORD…           the rows whose name contains a word
//
// It exits with 1 if a fault survives, if a row's text is not in its file exactly once, or
// if what is planted does not compile.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed list.txt
var list string

// row is one fault.
type row struct {
	name, file string
	test       []string // arguments of go test
	equal      string   // why nothing can be seen of it; empty for a fault
	old, fresh string
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(words []string, report io.Writer) error {
	all, err := parse(list)
	if err != nil {
		return fmt.Errorf("read list.txt: %w", err)
	}
	for _, r := range all {
		if _, err := r.planted(); err != nil {
			return err
		}
	}
	chosen, err := choose(all, words)
	if err != nil {
		return err
	}
	began := time.Now()
	var survived []string
	sound := map[string]bool{} // tests that pass without a fault
	for _, r := range chosen {
		if key := strings.Join(r.test, " "); !sound[key] {
			if out, err := goTest(r.test); err != nil {
				return fmt.Errorf("go test %s fails without a fault: %s", key, out)
			}
			sound[key] = true
		}
		found, took, err := r.try()
		if err != nil {
			return err
		}
		word := "found"
		if !found {
			word, survived = "SURVIVED", append(survived, r.name)
		}
		fmt.Fprintf(report, "%-8s  %5.1f s  %s\n", word, took.Seconds(), r.name)
	}
	fmt.Fprintf(report, "%d of %d faults of the list in %.0f s\n", len(chosen), len(all), time.Since(began).Seconds())
	if len(survived) > 0 {
		return fmt.Errorf("no test fails with: %s", strings.Join(survived, "; "))
	}
	return nil
}

// choose returns the rows that are to be tried; those that change nothing never are.
func choose(all []row, words []string) ([]row, error) {
	faults := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return r.equal != "" })
	if len(words) == 1 && words[0] == "all" {
		return faults, nil
	}
	if len(words) == 1 && strings.Contains(words[0], "/") {
		return share(faults, words[0])
	}
	chosen := slices.DeleteFunc(faults, func(r row) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(r.name, w) })
	})
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%q: no row's name contains it, want all, COMMIT/SHARES or words of names", words)
	}
	return chosen, nil
}

// share returns every n-th row, from one on that the first digits of a commit decide.
func share(faults []row, of string) ([]row, error) {
	commit, shares, _ := strings.Cut(of, "/")
	n, err := strconv.Atoi(shares)
	if err != nil || n < 1 || len(commit) < 8 {
		return nil, fmt.Errorf("share %q: want a commit of at least 8 digits, a slash and how many shares there are", of)
	}
	number, err := strconv.ParseUint(commit[:8], 16, 32)
	if err != nil {
		return nil, fmt.Errorf("share %q: %w", of, err)
	}
	var chosen []row
	for i, r := range faults {
		if i%n == int(number%uint64(n)) {
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

// parse reads the list; its head says how rows are written.
func parse(text string) ([]row, error) {
	var all []row
	for _, block := range strings.Split(text, "\n\n") {
		var r row
		for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
			key, rest, _ := strings.Cut(line, " ")
			switch key {
			case "#", "":
			case "fault":
				r.name = rest
			case "file":
				r.file = rest
			case "test":
				r.test = strings.Fields(rest)
			case "equal":
				r.equal = rest
			case "-":
				r.old += rest + "\n"
			case "+":
				r.fresh += rest + "\n"
			default:
				return nil, fmt.Errorf("line %q: want it to begin with #, fault, file, test, equal, - or +", line)
			}
		}
		if r.name == "" {
			continue // a comment
		}
		if r.file == "" || r.old == "" || len(r.test) == 0 == (r.equal == "") {
			return nil, fmt.Errorf("fault %q: want a file, lines with - and either test or equal", r.name)
		}
		if slices.ContainsFunc(all, func(o row) bool { return o.name == r.name }) {
			return nil, fmt.Errorf("fault %q is there twice", r.name)
		}
		all = append(all, r)
	}
	return all, nil
}

// planted returns the file with the fault in it.
func (r row) planted() ([]byte, error) {
	source, err := os.ReadFile(r.file)
	if err != nil {
		return nil, fmt.Errorf("fault %q: %w", r.name, err)
	}
	if n := bytes.Count(source, []byte(r.old)); n != 1 {
		return nil, fmt.Errorf("fault %q: its text is in %s %d times, want once; write the row anew", r.name, r.file, n)
	}
	return bytes.Replace(source, []byte(r.old), []byte(r.fresh), 1), nil
}

// try reports whether a test fails with the fault planted.
func (r row) try() (found bool, took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return false, 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is in the system's folder for such
	source, err := r.planted()
	if err != nil {
		return false, 0, err
	}
	here, err := filepath.Abs(r.file)
	if err != nil {
		return false, 0, err
	}
	mutant, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {here: mutant}})
	if err != nil {
		return false, 0, err
	}
	if err := os.WriteFile(mutant, source, 0o600); err != nil {
		return false, 0, err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return false, 0, err
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "./"+filepath.Dir(r.file)).CombinedOutput(); err != nil {
		return false, 0, fmt.Errorf("fault %q does not compile: %s", r.name, out)
	}
	began := time.Now()
	forget := r.leavings()
	out, failed := goTest(append([]string{"-overlay", overlay, "-failfast"}, r.test...))
	took = time.Since(began)
	if err := forget(); err != nil {
		return false, 0, err
	}
	if failed != nil && !bytes.Contains(out, []byte("FAIL")) {
		return false, 0, fmt.Errorf("fault %q: go test: %s", r.name, out)
	}
	return failed != nil, took, nil
}

// leavings returns a function that removes what tests that fail keep for the next run:
// they failed for the fault's sake.
func (r row) leavings() (forget func() error) {
	var kept []string
	for _, pkg := range r.test {
		kept = append(kept, filepath.Join(pkg, "testdata", "rapid"), filepath.Join(pkg, "testdata"))
	}
	kept = slices.DeleteFunc(kept, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
	return func() error {
		var failed error
		for _, path := range kept {
			failed = errors.Join(failed, os.RemoveAll(path))
		}
		return failed
	}
}

func goTest(args []string) ([]byte, error) {
	// Whether code looks wrong is not the question.
	return exec.Command("go", append([]string{"test", "-short", "-vet=off", "-timeout=150s"}, args...)...).CombinedOutput()
}
