package gasproxy

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
)

func TestPoliciesAreReadAsTheyAreWritten(t *testing.T) {
	for _, text := range []string{"radio=10s", "radio=1m30s", "blocks=50", "deadline=48h0m0s", "deadline=1m0s", "life=10", "life=50"} {
		p, err := ParsePolicy(text)
		if err != nil || p.String() != text {
			t.Errorf("%s is read as %v (%v)", text, p, err)
		}
	}
	for text, want := range map[string]string{
		"": "want one of blocks=50, deadline=48h, life=10, radio=10s", "hurry": "want one of", "radio": "above 0", "radio=-1s": "above 0",
		"blocks=0": "from 1 on", "blocks=5000000000": "from 1 on", "deadline=48": "1m or more", "deadline=59s": "1m or more",
		"deadline=-48h": "1m or more", "life=0": "1 to 50", "life=51": "1 to 50", "life=ten": "1 to 50",
	} {
		if p, err := ParsePolicy(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read as %v (%v), want %q", text, p, err, want)
		}
	}
}

func set(t *testing.T, name string) battery.Set {
	t.Helper()
	s, err := battery.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTheLeastChargePerByte is found among all sizes there are, not only those that
// are tried.
func TestTheLeastChargePerByte(t *testing.T) {
	always := func(int) bool { return true }
	for _, name := range battery.Names() {
		s := set(t, name)
		for _, loss := range []int{0, 10_000, 50_000, 200_000, 500_000, 999_999} {
			for _, most := range []int{1, 40, 48, 56, 57, 63, 64, 125, 126, 200, 255} {
				got := leastCharge(&s, most, loss, always)
				for size := 1; size <= most; size++ {
					if chargePerByte(&s, size, loss) < chargePerByte(&s, got, loss) {
						t.Fatalf("%s, up to %d bytes at %d ppm: %d bytes chosen, %d cost less", name, most, loss, got, size)
					}
				}
			}
		}
		if got := leastCharge(&s, 255, 0, func(size int) bool { return size < 100 }); got != 56 {
			t.Errorf("%s: %d bytes, want the 56 that fill a frame", name, got)
		}
		if got := leastCharge(&s, 255, 0, func(int) bool { return false }); got != 56 {
			t.Errorf("%s: %d bytes if none fits, want the safest", name, got)
		}
	}
}

// TestTheLossOfAFrameIsToldFromThatOfAnswers of several fragments.
func TestTheLossOfAFrameIsToldFromThatOfAnswers(t *testing.T) {
	s := set(t, "868-gb")
	for size, want := range map[int]int{48: 590_000, 125: 360_000, 255: 200_000} { // 1 - 0.41, its square and fourth root
		c := child{loss: lossMeter{asked: 1000, again: 590}, cost: blockCost{size: size}}
		if got := c.frameLoss(&s); got < want-1000 || got > want+1000 {
			t.Errorf("blocks of %d bytes: %d ppm, want about %d", size, got, want)
		}
	}
}

func TestTheLossIsThatOfTheLastFewThousand(t *testing.T) {
	var l lossMeter
	offset := uint32(0)
	serve := func(n int, lost bool) {
		for range n {
			l.count(offset)
			if lost {
				l.count(offset)
			}
			offset += 48
		}
	}
	serve(10_000, false)
	if got := l.partsPerMillion(); got != 0 {
		t.Errorf("%d ppm without losses", got)
	}
	serve(10_000, true)
	if got := l.partsPerMillion(); got < 490_000 || got > 500_000 {
		t.Errorf("%d ppm if each block is asked for twice, want half", got)
	}
}

// TestAWorseWindowIsClearlyWorse: dice alone do not make one, a channel three times
// as bad does.
func TestAWorseWindowIsClearlyWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := rapid.Uint32Range(60, 5000).Draw(t, "blocks")
		loss := rapid.IntRange(0, 200_000).Draw(t, "loss")
		usual := uint64(blocks) * uint64(loss) / million
		w := HeartbeatWindow{Blocks: blocks - uint32(usual), Repeats: uint32(usual)}
		if w.worseThan(loss) {
			t.Fatalf("%d of %d lost counts as worse than %d ppm", w.Repeats, blocks, loss)
		}
		w.Repeats, w.Blocks = uint32(3*usual)+20, blocks
		if !w.worseThan(loss) && w.Blocks+w.Repeats >= tellingWindow && 2*usual > 8*uint64(isqrt(uint32(usual)))+8 {
			t.Fatalf("%d lost beside %d blocks does not count as worse than %d ppm", w.Repeats, blocks, loss)
		}
	})
}

// TestLifeSaysWhereItCannotHold: with a meter that listens for its answers, and a share of a
// window that is less than three answers take that do not come.
func TestLifeSaysWhereItCannotHold(t *testing.T) {
	for _, tt := range []struct {
		set       string
		listening bool
		policy    Policy
		want      string
	}{
		{"868-gb", true, Life(10), "life=10 may not hold if frames get lost: a meter that listens spends 10.8 µAh on an answer that does not come, and a window has 15.9 µAh; give the meter a budget of its own"},
		{"868-gb", true, Life(5), ""},
		{"868-gb", false, Life(10), ""},
		{"2.4ghz-new", true, Life(10), ""},
		{"2.4ghz-new", true, Life(11), "life=11 may not hold if frames get lost: a meter that listens spends 4.2 µAh on an answer that does not come, and a window has 6.3 µAh; give the meter a budget of its own"},
		{"2.4ghz-new", true, Life(30), ""}, // gets nothing
		{"868-gb", true, Radio(time.Second), ""},
		{"868-gb", true, Deadline(48 * time.Hour), ""},
	} {
		s := set(t, tt.set)
		s.Radio.Listening = tt.listening
		l := Load{Set: &s, Remaining: s.Capacity(), Period: 30 * time.Minute}
		if got := Doubt(tt.policy, l); got != tt.want {
			t.Errorf("%s, listening %t, %s: %q, want %q", tt.set, tt.listening, tt.policy, got, tt.want)
		}
	}
}

// TestDeadlinePlans: what it chooses with much, little and no time left.
func TestDeadlinePlans(t *testing.T) {
	s := set(t, "868-gb")
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	plan := func(after time.Duration, loss, best int) Plan {
		return Deadline(48 * time.Hour).Plan(&Download{
			Now: start.Add(after), Started: start, Total: 256 << 10, Left: 256 << 10, Most: 255, Period: 30 * time.Minute,
			Loss: loss, Best: best, Set: &s,
		})
	}
	tests := []struct {
		name       string
		after      time.Duration
		loss, best int
		size       int
		hold       bool
	}{
		{"nothing is known", 0, 0, -1, 255, false},
		{"time in hand and a window to compare with", 0, 0, 10_000, 255, false}, // 255 bytes would not be in time at a fifth lost
		{"a bad channel", 0, 200_000, 300_000, 125, true},
		{"a bad channel and little time", 43 * time.Hour, 200_000, 300_000, 56, false},
		{"too late", 50 * time.Hour, 0, 0, 56, false},
	}
	for _, tt := range tests {
		if got := plan(tt.after, tt.loss, tt.best); got.Size != tt.size || got.Hold != tt.hold {
			t.Errorf("%s: %+v, want %d bytes, hold %v", tt.name, got, tt.size, tt.hold)
		}
	}
}

// TestPredictionsOfNothingLeft and of a policy that gives nothing.
func TestPredictionsAtTheEdge(t *testing.T) {
	s := set(t, "2.4ghz-new")
	var c blockCost
	c.reckon(&s, 48, false)
	now := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	l := Load{Set: &s, Left: 0, Size: 48, Total: 1000, Cost: c.Cost, Period: 30 * time.Minute, Next: now.Add(time.Minute), Now: now, Tries: 6,
		Cycle: 20 * time.Millisecond, Patience: 3 * time.Second, Awake: 5 * time.Minute}
	if got := Predict(Radio(10*time.Second), l); got.Never || got.Windows != 0 || !got.CompletesAt.Equal(now) {
		t.Errorf("nothing left: %+v", got)
	}
	l.Left = 1000
	if got := Predict(Radio(time.Millisecond), l); !got.Never {
		t.Errorf("a budget under one block: %+v", got)
	}
	l.Open = 1000 // in the window in hand
	if got := Predict(Blocks(2000), l); got.Windows != 0 || !got.CompletesAt.After(now.Add(-time.Second)) || got.CompletesAt.After(l.Next) {
		t.Errorf("the rest comes in this window: %+v", got)
	}
	l.Loss, l.Open = 0.99999, 0
	if got := Predict(Radio(10*time.Second), l); got.Charge < 0 || got.RadioOn < 0 {
		t.Errorf("a hopeless link: %+v", got)
	}
}

// TestADeviceThatIsNoMeterIsNotPredicted.
func TestADeviceThatIsNoMeterIsNotPredicted(t *testing.T) {
	p := New(Config{Battery: battery.Default()}, nil, nil)
	if _, ok := p.Load(time.Time{}, han.EUI64(1), Transfer{Total: 1, Size: 1, Most: 1}); ok {
		t.Error("a prediction for a stranger")
	}
}
