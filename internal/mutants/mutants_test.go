package main

import (
	"fmt"
	"strings"
	"testing"
)

func rows(t *testing.T) []row {
	t.Helper()
	t.Chdir("../..")
	all, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEachFaultOfTheListCanBePlanted(t *testing.T) {
	all := rows(t)
	if len(all) < 40 {
		t.Errorf("%d faults, want 40 and more", len(all))
	}
	for _, r := range all {
		if _, err := r.planted(); err != nil {
			t.Error(err)
		}
	}
}

func TestSharesMakeUpTheWhole(t *testing.T) {
	all := rows(t)
	times := map[string]int{}
	for commit := range 10 {
		chosen, err := choose(all, []string{fmt.Sprintf("%08x/10", commit)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range chosen {
			times[r.name]++
		}
	}
	for _, r := range all {
		want := 1
		if r.equal != "" {
			want = 0
		}
		if times[r.name] != want {
			t.Errorf("%s: in %d shares, want %d", r.name, times[r.name], want)
		}
	}
}

func TestRowsThatAreRefused(t *testing.T) {
	const whole = "fault a\nfile b.go\ntest ./b\n- \told\n+ \tnew\n"
	if all, err := parse(whole); err != nil || len(all) != 1 || all[0].old != "\told\n" || all[0].fresh != "\tnew\n" {
		t.Errorf("a whole row: %+v, %v", all, err)
	}
	for name, text := range map[string]string{
		"no file":        strings.Replace(whole, "file b.go\n", "", 1),
		"no test":        strings.Replace(whole, "test ./b\n", "", 1),
		"nothing to go":  strings.Replace(whole, "- \told\n", "", 1),
		"both":           whole + "equal because\n",
		"an unknown key": whole + "because of\n",
		"twice":          whole + "\n" + whole,
	} {
		if all, err := parse(text); err == nil {
			t.Errorf("%s: taken as %+v", name, all)
		}
	}
	if _, err := (row{name: "a", file: "mutants_test.go", old: "not there\n\n\n"}).planted(); err == nil || !strings.Contains(err.Error(), "0 times, want once") {
		t.Errorf("text that is not there: %v", err)
	}
}
