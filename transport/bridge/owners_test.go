package bridge

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
)

func TestOwnersDecide(t *testing.T) {
	tests := []struct {
		name    string
		told    []string // territory=owner, in order, before the claim
		then    []string // after it, and before the next
		taken   string
		missing []string // of the last claim
		dispute bool
	}{
		{name: "nobody's", missing: nil, then: nil},
		{name: "another's", told: []string{"a=x"}, taken: "a"},
		{name: "its own from before", told: []string{"a=m", "b=m"}},
		{name: "one of them another's", told: []string{"b=x"}, taken: "b"},
		{name: "given up", told: []string{"a=x", "a="}},
		{name: "what is below and beside it", told: []string{"a/b=x", "ab=x"}},
		{name: "claimed by a higher one at the same moment", then: []string{"a=z"}, missing: []string{"a"}, dispute: true},
		{name: "claimed by a lower one at the same moment", then: []string{"a=c"}, taken: "a"},
		{name: "its claim is gone", then: []string{"b="}, missing: []string{"b"}},
	}
	for _, tt := range tests {
		o := newOwners()
		o.begin("m")
		tell := func(all []string) {
			for _, text := range all {
				territory, owner, _ := strings.Cut(text, "=")
				if !o.take(ownerRoot+territory, []byte(owner)) {
					t.Fatalf("%s is not taken", text)
				}
			}
		}
		tell(tt.told)
		missing, taken, dispute := o.claim([]string{"a", "b"})
		if taken == nil {
			tell(tt.then)
			missing, taken, dispute = o.claim([]string{"a", "b"})
		}
		switch {
		case (taken == nil) != (tt.taken == "") || taken != nil && taken.territory != tt.taken:
			t.Errorf("%s: taken %v, want %q", tt.name, taken, tt.taken)
		case dispute != tt.dispute || !slices.Equal(missing, tt.missing):
			t.Errorf("%s: to claim %v, disputed %v; want %v, %v", tt.name, missing, dispute, tt.missing, tt.dispute)
		case taken != nil && len(o.own()) > 0:
			t.Errorf("%s: still says that %v are its own", tt.name, o.own())
		}
	}
}

func TestWhatBelongsToAnotherHome(t *testing.T) {
	o := newOwners()
	o.begin("m")
	for territory, owner := range map[string]string{"a/b": "x", "mine": "m", "$aws/things/lamp": "x"} {
		o.take(ownerRoot+territory, []byte(owner))
	}
	if o.take(presenceRoot+"home-m/abc", []byte("active")) {
		t.Error("a presence is taken for an owner")
	}
	for topic, want := range map[string]bool{
		"a/b": true, "a/b/c/d": true, "a": false, "a/bc": false, "mine/state": false, "": false, "/": false,
		"$aws/things/lamp/jobs": true, ownerRoot + "a/b": true, ownerRoot + "mine": false,
	} {
		if got := o.foreign(topic); got != want {
			t.Errorf("%q is another home's: %v, want %v", topic, got, want)
		}
	}
	o.end()
	if o.foreign("a/b") {
		t.Error("it outlives the connection")
	}
}

func TestABrokerCannotFillTheMemoryWithOwners(t *testing.T) {
	o := newOwners()
	for i := range maxOwners + 10 {
		o.take(ownerRoot+han.EUI64(i).String(), []byte(strings.Repeat("x", 1000)))
	}
	if len(o.of) > maxOwners || len(o.of["0000000000000000"]) > maxHomeID {
		t.Errorf("%d owners of %d bytes", len(o.of), len(o.of["0000000000000000"]))
	}
}

// newHome is the hub of another home.
func newHome(id string) *fakeHub {
	h := newFakeHub()
	h.home.ID = id
	return h
}

// TestOfTwoHomesOneHasATopic: the second says so, writes nothing and clears nothing, and
// takes over when the first gives up.
func TestOfTwoHomesOneHasATopic(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	first := startBridge(t, b.URL(), t.TempDir(), newHome("zzz"))
	first.expect(t, "up 0")
	until(t, "it says so", func() bool { return other.last(ownerRoot+"out") == "zzz" })
	var presence string
	until(t, "it is there", func() bool { presence = other.last("out/presence"); return presence != "" })

	for range 2 { // and a second time: it clears nothing when it stops
		second := startBridge(t, b.URL(), t.TempDir(), newHome("aaa"))
		until(t, "the line", func() bool {
			return second.log.has("out belongs to another home on this broker, zzz: nothing is written or cleared") == 1
		})
		if !strings.Contains(second.Trouble(), "remove the retained message at commshub/bridge/owner/out") {
			t.Errorf("trouble: %q", second.Trouble())
		}
		other.say(t, "in/a", "one")
		first.expect(t, "one")
		second.close(t)
		if n := second.log.has("belongs to another"); n != 1 || len(second.adapter.seen) > 0 {
			t.Errorf("told %d times, the adapter saw %d", n, len(second.adapter.seen))
		}
		if other.last("out/presence") != presence || other.last(ownerRoot+"out") != "zzz" {
			t.Errorf("the other's topics are %q, %q", other.last("out/presence"), other.last(ownerRoot+"out"))
		}
	}
	if first.Trouble() != "" {
		t.Errorf("trouble of the first: %q", first.Trouble())
	}
	third := startBridge(t, b.URL(), t.TempDir(), newHome("mmm"))
	until(t, "the line", func() bool { return third.log.has("belongs to another") == 1 })
	first.close(t)
	third.expect(t, "up 0")
	until(t, "it is the third's", func() bool { return other.last(ownerRoot+"out") == "mmm" && third.Trouble() == "" })
	third.close(t)
	until(t, "nothing is left", func() bool { return other.last(ownerRoot+"out") == "" && other.last("out/presence") == "" })
}

// TestHomesThatWriteElsewhereBothWork: the same group and the same broker, and none waits
// for the other.
func TestHomesThatWriteElsewhereBothWork(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	first := startBridge(t, b.URL(), t.TempDir(), newHome("aaa"))
	first.expect(t, "up 0")
	second := &testBridge{adapter: newEcho(), log: &lines{}}
	second.adapter.territory = "elsewhere"
	second.run(t, b.URL(), t.TempDir(), newHome("bbb"))
	second.expect(t, "up 0")
	first.close(t)
	if other.last(ownerRoot+"elsewhere") != "bbb" {
		t.Error("the second's went with the first")
	}
	second.close(t)
}

// TestOfTwoThatClaimAtOnceOneGivesWay: the lower id has it, and does everything again.
func TestOfTwoThatClaimAtOnceOneGivesWay(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	claim := func(id string) {
		t.Helper()
		if token := other.Publish(ownerRoot+"out", 1, true, id); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	bridge := startBridge(t, b.URL(), t.TempDir(), newHome("mmm"))
	bridge.expect(t, "up 0")
	claim("zzz")
	bridge.expect(t, "up 0")
	until(t, "it is claimed again", func() bool { return other.last(ownerRoot+"out") == "mmm" })
	claim("aaa")
	until(t, "it gives way", func() bool { return bridge.log.has("out belongs to another home on this broker, aaa") == 1 })
	bridge.close(t)
	if other.last(ownerRoot+"out") != "aaa" || other.last("out/presence") == "" {
		t.Error("it took back what is another's by now")
	}
}

// TestLeftoversThatAreAnothersByNowStay, and are forgotten.
func TestLeftoversThatAreAnothersByNowStay(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	for topic, payload := range map[string]string{"out/gone/state": "theirs", "out/old/state": "left", ownerRoot + "out/gone": "xxx", ownerRoot + "out/old": "mmm"} {
		if token := other.Publish(topic, 1, true, payload); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, leftoversName+".json")
	text := `{"gone":["commshub/bridge/owner/out/gone","out/gone/state"],"old":["commshub/bridge/owner/out/old","out/old/state"]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bridge := &testBridge{adapter: newEcho(), log: &lines{}}
	bridge.adapter.territory = "elsewhere"
	bridge.run(t, b.URL(), dir, newHome("mmm"))
	until(t, "its own is taken back", func() bool { return other.last("out/old/state") == "" && other.last(ownerRoot+"out/old") == "" })
	until(t, "all is forgotten", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && !strings.Contains(string(text), "gone") && !strings.Contains(string(text), "old")
	})
	bridge.close(t)
	if other.last("out/gone/state") != "theirs" || other.last(ownerRoot+"out/gone") != "xxx" {
		t.Error("what is another's was taken back")
	}
}

// TestWhatABridgeLeftWhoseHomeIsGoneIsTakenBack, and no other home's, nor that of a bridge
// that runs.
func TestWhatABridgeLeftWhoseHomeIsGoneIsTakenBack(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	for topic, payload := range map[string]string{
		"out/gone/state": "left", ownerRoot + "out/gone": "ggg", "out/theirs/state": "theirs", ownerRoot + "out/theirs": "xxx",
		"out/runs/state": "runs", ownerRoot + "out/runs": "rrr",
	} {
		if token := other.Publish(topic, 1, true, payload); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	folder := func(home, topics string) string {
		dir := t.TempDir()
		for name, text := range map[string]string{homeName: `"` + home + `"`, leftoversName: `{"out":[` + topics + `]}`} {
			if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	gone := folder("ggg", `"commshub/bridge/owner/out/gone","out/gone/state","out/theirs/state","commshub/bridge/owner/out/theirs"`)
	runs := folder("rrr", `"commshub/bridge/owner/out/runs","out/runs/state"`)
	held, err := openState(runs)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.close() }()
	bridge := &testBridge{adapter: newEcho(), log: &lines{}, gone: []string{filepath.Join(gone, "missing"), runs, gone}}
	bridge.adapter.territory = "elsewhere"
	bridge.run(t, b.URL(), t.TempDir(), newHome("mmm"))
	until(t, "it is taken back", func() bool { return other.last("out/gone/state") == "" && other.last(ownerRoot+"out/gone") == "" })
	bridge.close(t)
	for topic, want := range map[string]string{"out/theirs/state": "theirs", ownerRoot + "out/theirs": "xxx", "out/runs/state": "runs", ownerRoot + "out/runs": "rrr"} {
		if got := other.last(topic); got != want {
			t.Errorf("%s is %q, want %q", topic, got, want)
		}
	}
}

// TestABridgeIsForOneHome: another hub under the same address is not taken for the first.
func TestABridgeIsForOneHome(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	hub := newHome("mmm")
	bridge := startBridge(t, b.URL(), t.TempDir(), hub)
	bridge.expect(t, "up 0")
	turn := func(id string) {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		hub.home.ID = id
	}
	turn("other")
	until(t, "the line", func() bool {
		return bridge.log.has("the hub is that of another home, other, than the bridge's, mmm") == 1
	})
	until(t, "adapters hear that their hub is away", func() bool { return other.last("out/hub") == "lost" })
	if bridge.Trouble() == "" {
		t.Error("no trouble")
	}
	turn("mmm")
	until(t, "it goes on", func() bool { return bridge.Trouble() == "" })
	bridge.close(t)
}

// TestAHubThatNeverAnsweredIsWaitedFor: whose home it is, nobody else knows.
func TestAHubThatNeverAnsweredIsWaitedFor(t *testing.T) {
	b := outsideBroker(t, nil)
	hub := newFakeHub()
	hub.setDown(errors.New("no hub answers"))
	bridge := startBridge(t, b.URL(), t.TempDir(), hub)
	until(t, "the line", func() bool { return bridge.log.has("no hub answers") == 1 })
	hub.setDown(nil)
	bridge.expect(t, "up 0")
	bridge.close(t)
	never := newFakeHub()
	never.setDown(errors.New("no hub answers"))
	startBridge(t, b.URL(), t.TempDir(), never).close(t)
}
