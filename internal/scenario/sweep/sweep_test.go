package sweep

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const home = "devices: {gas: {kind: GSME}, power: {kind: ESME}}\nimage: {size: 8KiB}\nexpect: {windows_at_most: 3}\n"

func TestAxesAreRead(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"loss=0,5%,10%", []string{"0", "5%", "10%"}},
		{"loss=0:0.3:0.05", []string{"0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"}},
		{"loss=0%:30%:10%", []string{"0%", "10%", "20%", "30%"}},
		{"loss=0:30:10%", []string{"0%", "10%", "20%", "30%"}},
		{"block_size=16:64:16", []string{"16", "32", "48", "64"}},
		{"period=30m:2h:30m", nil},
		{"period=30m:90m:30m", []string{"30m", "60m", "90m"}},
		{"image.size=64KiB:256KiB:64KiB", []string{"64KiB", "128KiB", "192KiB", "256KiB"}},
		{"pacing=radio=5s,10s,30s", []string{"radio=5s", "radio=10s", "radio=30s"}},
		{"pacing=radio=5s,10s,blocks=50,100", []string{"radio=5s", "radio=10s", "blocks=50", "blocks=100"}},
		{"pacing=blocks=50:150:50", []string{"blocks=50", "blocks=100", "blocks=150"}},
		{"activate=2026-01-08T03:00:00Z,never", []string{"2026-01-08T03:00:00Z", "never"}},
		{"loss=0.1:0.3:0.1,0.5", []string{"0.1", "0.2", "0.3", "0.5"}},
		{"loss=", nil}, {"=1", nil}, {"loss", nil}, {"loss=1,,2", nil},
		{"loss=0.3:0:0.1", nil}, {"loss=0:1:0", nil}, {"seed=1:100000:1", nil},
	} {
		a, err := ParseAxis(tt.text)
		if (err != nil) != (tt.want == nil) {
			t.Errorf("%s: error %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, a.Values); err == nil && diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func axes(t *testing.T, texts ...string) []Axis {
	t.Helper()
	var all []Axis
	for _, text := range texts {
		a, err := ParseAxis(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func TestTheLastAxisChangesFastest(t *testing.T) {
	got := product([]Axis{{"a", []string{"1", "2"}}, {"b", []string{"x", "y"}}, {"c", []string{"-"}}, {"d", []string{"p", "q"}}})
	var words []string
	for _, values := range got {
		words = append(words, strings.Join(values, ""))
	}
	if all := strings.Join(words, " "); all != "1x-p 1x-q 1y-p 1y-q 2x-p 2x-q 2y-p 2y-q" {
		t.Error(all)
	}
}

func TestMistakesAreFoundBeforeAnythingRuns(t *testing.T) {
	for _, tt := range []struct {
		text  string
		axes  []Axis
		seeds int
		meter string
		want  string
	}{
		{home, axes(t, "loss=0,7"), 1, "", `--vary loss=7: link.loss: "7", expected a share such as 10% or 0.1, at most 100%`},
		{home, axes(t, "los=1"), 1, "", `--vary los=1: unknown key "los", expected one of description,`},
		{home, axes(t, "devices.water.drift=1ppm"), 1, "", `--vary devices.water.drift=1ppm: devices.water: key "kind" is missing`},
		{home, nil, 1, "", "0 axes, want 1 to 4"},
		{home, axes(t, "loss=0"), 0, "", "0 seeds of 1 combinations"},
		{home, axes(t, "seed=1:1000:1", "loss=0:0.1:0.001"), 1, "", "combinations, want at most 10000"},
		{home, axes(t, "seed=1:1000:1"), 1001, "", "1001 seeds of 1000 combinations"},
		{home, axes(t, "loss=0"), 1, "water", `meter "water": the image does not go to one of that name`},
		{"devices: {gas: {kind: GSME}}\n", axes(t, "loss=0"), 1, "", "distributes no image"},
	} {
		if _, err := New("x.yaml", []byte(tt.text), tt.axes, tt.seeds, tt.meter); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

func TestTheFirstGasMeterIsCompared(t *testing.T) {
	for text, want := range map[string]string{
		home: "gas",
		"devices: {power: {kind: ESME}, one: {kind: GSME}, two: {kind: GSME}}\nimage: {size: 8KiB}\n": "one",
		"devices: {power: {kind: ESME}}\nimage: {size: 8KiB}\n":                                       "power",
	} {
		if s, err := New("x.yaml", []byte(text), axes(t, "loss=0"), 1, ""); err != nil || s.Meter != want {
			t.Errorf("meter %v, want %s; error %v", s, want, err)
		}
	}
	if s, err := New("x.yaml", []byte(home), axes(t, "loss=0"), 1, "power"); err != nil || s.Meter != "power" {
		t.Errorf("error %v", err)
	}
}

func run(t *testing.T, text string, seeds int, a ...string) (*Sweep, []Row) {
	t.Helper()
	s, err := New("x.yaml", []byte(text), axes(t, a...), seeds, "")
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64
	rows, err := s.Run(context.Background(), func() { done.Add(1) })
	if err != nil || int(done.Load()) != s.Runs() {
		t.Fatalf("%d of %d runs; error %v", done.Load(), s.Runs(), err)
	}
	return s, rows
}

// TestRowsAreWhatTheirRunsAre and the same however often.
func TestRowsAreWhatTheirRunsAre(t *testing.T) {
	_, rows := run(t, home, 3, "pacing=blocks=20,60", "loss=0,0.2")
	_, again := run(t, home, 3, "pacing=blocks=20,60", "loss=0,0.2")
	if diff := cmp.Diff(rows, again); diff != "" {
		t.Errorf("two sweeps differ:\n%s", diff)
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	few, many, lossy := rows[0], rows[2], rows[3]
	// 8192 bytes in blocks of 48 are 171; 9 windows of 20, or 3 of 60.
	if few.Windows.Mean != 9 || many.Windows.Mean != 3 || few.Complete.Mean <= many.Complete.Mean {
		t.Errorf("%v windows and %v, %v s and %v s", few.Windows, many.Windows, few.Complete, many.Complete)
	}
	if few.Held != 0 || many.Held != 3 || few.Completed != 3 || few.Runs != 3 {
		t.Errorf("held in %d and %d runs, completed %d of %d", few.Held, many.Held, few.Completed, few.Runs)
	}
	if lossy.Retries.Mean == 0 || many.Retries.Mean != 0 || lossy.Charge.Mean <= many.Charge.Mean || lossy.Retries.Min >= lossy.Retries.Max {
		t.Errorf("retries %v and %v, charge %v and %v", many.Retries, lossy.Retries, many.Charge, lossy.Charge)
	}
	var sum float64
	for _, g := range Groups {
		sum += many.Causes[g.Name]
	}
	if sum < many.Charge.Mean || sum > many.Charge.Mean+20 {
		t.Errorf("%.1f µAh by cause, %.1f µAh in the windows", sum, many.Charge.Mean)
	}
}

func TestWhatIsNeverCompleteHasNoTime(t *testing.T) {
	_, rows := run(t, home+"duration: 6h\n", 1, "loss=0,100%")
	if r := rows[1]; r.Completed != 0 || r.Complete.Mean != 0 || r.Pareto || !rows[0].Pareto {
		t.Errorf("%+v", r)
	}
}

// TestTheFrontIsWhatNothingBeats, against looking at all pairs, within equal
// circumstances.
func TestTheFrontIsWhatNothingBeats(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	a := axes(t, "block_size=16:64:16", "loss=0,0.1")
	for range 200 {
		var rows []Row
		for _, values := range product(a) {
			r := Row{Values: values, Runs: 1, Completed: dice.IntN(4) / 3}
			if r.Completed == 0 && dice.IntN(2) == 0 {
				r.Completed = 1
			}
			r.Charge.Mean, r.Complete.Mean = float64(dice.IntN(4)), float64(dice.IntN(4))
			rows = append(rows, r)
		}
		markPareto(a, rows)
		for i, r := range rows {
			want := r.Completed == 1
			for _, b := range rows {
				better := b.Charge.Mean < r.Charge.Mean && b.Complete.Mean <= r.Complete.Mean ||
					b.Charge.Mean <= r.Charge.Mean && b.Complete.Mean < r.Complete.Mean
				if better && b.Completed == 1 && b.Values[1] == r.Values[1] {
					want = false
				}
			}
			if r.Pareto != want {
				t.Fatalf("row %d of %+v: %v, want %v", i, rows, r.Pareto, want)
			}
		}
	}
}

func TestChoicesAndCircumstances(t *testing.T) {
	a := axes(t, "pacing=radio=5s", "loss=0.05", "heartbeat.period=1h", "link.corruption=1%")
	r := Row{Values: []string{"radio=5s", "0.05", "1h", "1%"}}
	if got := Choices(a, &r); got != "radio=5s, period 1h" {
		t.Errorf("choices %q", got)
	}
	if got := Circumstances(a, &r); got != "loss 5%, corruption 1%" {
		t.Errorf("circumstances %q", got)
	}
}

func TestTheTableAsCSV(t *testing.T) {
	s, rows := run(t, home, 1, "block_size=32,48")
	var b bytes.Buffer
	if err := WriteCSV(&b, s.Axes, rows); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(table) != 3 {
		t.Fatalf("%d lines; error %v", len(table), err)
	}
	for i, row := range rows {
		got := map[string]string{}
		for j, name := range table[0] {
			got[name] = table[i+1][j]
		}
		for name, want := range map[string]any{
			"block_size": row.Values[0], "complete_s_mean": row.Complete.Mean, "charge_uah_mean": row.Charge.Mean,
			"charge_by_cause_uah_listen": row.Causes["listen"], "pareto": row.Pareto, "runs": 1, "completed": 1, "windows_mean": row.Windows.Mean,
		} {
			if got[name] != fmt.Sprint(want) {
				t.Errorf("row %d: %s is %s, want %v", i, name, got[name], want)
			}
		}
	}
}

func TestASweepCanBeInterrupted(t *testing.T) {
	s, err := New("x.yaml", []byte(home), axes(t, "seed=1:100:1"), 10, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var n atomic.Int64
	rows, err := s.Run(ctx, func() {
		if n.Add(1) == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || rows != nil || n.Load() > 20 {
		t.Errorf("%d runs, %d rows, error %v", n.Load(), len(rows), err)
	}
}

// TestThePageOnASweep has each combination's figures as the table in the terminal has
// them, by cause too, and the charge of the first nine over time.
func TestThePageOnASweep(t *testing.T) {
	s, err := New("home.yaml", []byte(home), axes(t, "pacing=blocks=20:120:10"), 2, "")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Run(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	page := s.Report(rows)
	radioOn := slices.Index(page.Tables[0].Head, "Radio on")
	flash := slices.Index(page.Tables[1].Head, "flash")
	for i := range rows {
		if got, want := page.Tables[0].Rows[i][radioOn], time.Duration(rows[i].RadioOn.Mean*1e9).Round(10*time.Millisecond).String(); got != want || rows[i].RadioOn.Mean < 1 {
			t.Errorf("radio on %s, want %s", got, want)
		}
		if got, want := page.Tables[1].Rows[i][flash], fmt.Sprintf("%.4f mAh", rows[i].Causes["flash"]/1000); got != want || rows[i].Causes["flash"] == 0 {
			t.Errorf("flash %s, want %s", got, want)
		}
	}
	if n := len(page.Curves); n != maxCurves {
		t.Errorf("%d curves of %d combinations, want %d", n, len(rows), maxCurves)
	}
	for _, c := range page.Curves {
		last := c.Points[len(c.Points)-1].Value
		if len(c.Points) < 2 || last <= 0 || c.Name == "" {
			t.Errorf("%q: %v", c.Name, c.Points)
		}
	}
}
