package chart

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/commshub/commshub/internal/scenario/sweep"
)

const home = "devices: {gas: {kind: GSME}}\nimage: {size: 8KiB}\n"

func swept(t *testing.T, seeds int, texts ...string) (*sweep.Sweep, []sweep.Row) {
	t.Helper()
	var axes []sweep.Axis
	for _, text := range texts {
		a, err := sweep.ParseAxis(text)
		if err != nil {
			t.Fatal(err)
		}
		axes = append(axes, a)
	}
	s, err := sweep.New("home.yaml", []byte(home), axes, seeds, "")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Run(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, rows
}

// TestPlotsAreDrawn as SVG and PNG, with titles, units, legend and names in them,
// and the same however often.
func TestPlotsAreDrawn(t *testing.T) {
	s, rows := swept(t, 2, "pacing=blocks=20,60", "loss=0,0.1")
	draw := func() map[string][]byte {
		dir := filepath.Join(t.TempDir(), "plots")
		files, err := Write(dir, s, rows)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string][]byte{}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Base(f)] = b
		}
		return all
	}
	first := draw()
	if diff := cmp.Diff(first, draw()); diff != "" {
		t.Error("the same rows give other plots")
	}
	for name, want := range map[string][]string{
		"completion-charge": {"Completion against charge, home", "charge of the update in µAh", "time to complete in hours", "loss 0%", "loss 10%", "blocks=60"},
		"completion-loss":   {"Completion against loss, home, mean and range of 2 runs", "loss of frames in %", "blocks=20", "blocks=60"},
		"charge-causes":     {"Charge by cause, home", "listen", "transmit", "receive", "flash", "crypto", "sleep", "blocks=20, loss 0%"},
	} {
		im, err := png.Decode(bytes.NewReader(first[name+".png"]))
		if err != nil || im.Bounds().Dx() < 1000 {
			t.Errorf("%s.png: %v", name, err)
		}
		text := textOf(t, first[name+".svg"])
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s.svg lacks %q; it has %q", name, w, text)
			}
		}
	}
	if len(first) != 6 {
		t.Errorf("%d files, want 6", len(first))
	}
}

// textOf returns all text in an SVG.
func textOf(t *testing.T, svg []byte) string {
	t.Helper()
	var words []string
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(words, "|")
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := token.(xml.CharData); ok && strings.TrimSpace(string(c)) != "" {
			words = append(words, string(c))
		}
	}
}

// TestWithoutLossThereIsNoPlotOfIt, and nothing is drawn of what never completed.
func TestWithoutLossThereIsNoPlotOfIt(t *testing.T) {
	s, rows := swept(t, 1, "block_size=32,48")
	if loss(s, rows) != nil || pareto(s, rows) == nil {
		t.Error("plots of loss without loss, or none of charge")
	}
	for i := range rows {
		rows[i].Completed = 0
	}
	if pareto(s, rows) != nil {
		t.Error("a plot of completion without any")
	}
	rows[0].Completed = 1
	if p := pareto(s, rows); p == nil || !strings.Contains(p.Title.Text, "(1 not always completed, not shown)") {
		t.Error("what is left out is not told")
	}
}

// TestManyOfEverythingIsCutAndTold: more series, bars and names than there is room for.
func TestManyOfEverythingIsCutAndTold(t *testing.T) {
	s, rows := swept(t, 1, "block_size=16:60:4", "loss=0:0.08:0.01")
	if p := pareto(s, rows); !strings.Contains(p.Title.Text, "(first 8 of 9 series)") {
		t.Errorf("title %q", p.Title.Text)
	}
	if p := loss(s, rows); !strings.Contains(p.Title.Text, "(first 8 of 12 series)") {
		t.Errorf("title %q", p.Title.Text)
	}
	if p := causes(s, rows); p.Title.Text != "Charge by cause, home, loss 0%" {
		t.Errorf("title %q", p.Title.Text)
	}
	if _, err := Write(t.TempDir(), s, rows); err != nil {
		t.Error(err)
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0 0.2 0.4 0.6 0.8 1"},
		{0, 37.5, "0 5 10 15 20 25 30 35"},
		{-0.8, 3.1, "-0.5 0 0.5 1 1.5 2 2.5 3"},
		{77, 123.5, "80 90 100 110 120"},
		{0.0791, 0.0799, "0.0791 0.0792 0.0793 0.0794 0.0795 0.0796 0.0797 0.0798 0.0799"},
		{5, 5, "5"},
	} {
		var got []string
		for _, tick := range (roundTicks{}).Ticks(tt.low, tt.high) {
			got = append(got, tick.Label)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%v to %v: %s, want %s", tt.low, tt.high, s, tt.want)
		}
	}
}

// TestNamesMeetNothing: those for which there is no room are left out.
func TestNamesMeetNothing(t *testing.T) {
	p := plot.New()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 10, 0, 10
	count := func(points ...plotter.XY) int {
		var n names
		for _, at := range points {
			n.add(at, "a name of some length")
		}
		return n.place(p, points)
	}
	if n := count(plotter.XY{X: 5, Y: 5}, plotter.XY{X: 5, Y: 8}, plotter.XY{X: 9.9, Y: 2}); n != 3 {
		t.Errorf("%d of 3 names far from each other", n)
	}
	crowd := make([]plotter.XY, 30)
	for i := range crowd {
		crowd[i] = plotter.XY{X: 5 + float64(i)/100, Y: 5}
	}
	if n := count(crowd...); n == 0 || n > 8 {
		t.Errorf("%d names in a crowd", n)
	}
	var n names
	n.add(plotter.XY{X: 1, Y: 1}, "a")
	n.add(plotter.XY{X: 1, Y: 1}, "b")
	if len(n.texts) != 1 || n.text(0) != "a and 1 more" {
		t.Errorf("names in one place: %q", n.texts)
	}
}
