// Package sweep plays a scenario for every combination of values of some of its
// keys, and says what each costs in time and charge.
//
//	--vary pacing=radio=5s,10s,30s  ┐
//	--vary loss=0:0.3:0.05          ├─► Points ─► a Stage each ─ seeds ─► Rows ─► table, CSV, plots
//	                                ┘
//
// A point is the scenario with its values in place of the file's, so that the
// scenario's own rules apply to each of them, and a mistake is found before
// anything is played. Runs are independent and take all processors; the rows do
// not depend on the order in which they end.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
)

// Limits of a sweep.
const (
	MaxAxes   = 4
	MaxPoints = 10_000
	MaxRuns   = 1_000_000
)

// maxCurves is of how many combinations the charge over time is kept.
const maxCurves = 9

// Sweep is a scenario and the values to vary.
type Sweep struct {
	File  string
	Meter string // that the rows are about
	Axes  []Axis
	Seeds int // runs of each point

	stages []*play.Stage
	values [][]string // of the axes, for each point
}

// New checks every point of a sweep. meter is the one to report on; "" takes the
// first gas meter that the image goes to, or else the first meter.
func New(file string, text []byte, axes []Axis, seeds int, meter string) (*Sweep, error) {
	s := &Sweep{File: file, Axes: axes, Seeds: seeds, values: product(axes)}
	switch n := len(s.values); {
	case len(axes) == 0 || len(axes) > MaxAxes:
		return nil, fmt.Errorf("%d axes, want 1 to %d", len(axes), MaxAxes)
	case n > MaxPoints:
		return nil, fmt.Errorf("%d combinations, want at most %d", n, MaxPoints)
	case seeds < 1 || n*seeds > MaxRuns:
		return nil, fmt.Errorf("%d seeds of %d combinations, want 1 run at least and at most %d altogether", seeds, n, MaxRuns)
	}
	images := play.NewImages()
	for _, values := range s.values {
		var overrides []homefile.Override
		for i, a := range axes {
			overrides = append(overrides, homefile.Override{Path: a.Path, Value: values[i], Source: "--vary " + a.Path + "=" + values[i]})
		}
		home, err := homefile.Parse(file, text, overrides...)
		if err != nil {
			return nil, err
		}
		stage, err := images.Stage(home, filepath.Dir(file))
		if err != nil {
			return nil, err
		}
		s.stages = append(s.stages, stage)
	}
	var err error
	s.Meter, err = chooseMeter(s.stages[0].Home(), meter)
	return s, err
}

// product returns all combinations of the axes' values; the last axis changes
// fastest.
func product(axes []Axis) [][]string {
	all := [][]string{nil}
	for _, a := range axes {
		var longer [][]string
		for _, values := range all {
			for _, v := range a.Values {
				longer = append(longer, append(values[:len(values):len(values)], v))
			}
			if len(longer) > MaxPoints*MaxPoints {
				return longer // too many anyway
			}
		}
		all = longer
	}
	return all
}

func chooseMeter(home *homefile.Home, meter string) (string, error) {
	if home.Image == nil {
		return "", errors.New("the scenario distributes no image, so there is nothing to compare")
	}
	first := home.Distribute.To[0]
	for _, name := range home.Distribute.To {
		if string(name) == meter {
			return meter, nil
		}
		if d, _ := home.Device(name); d.IsGas() {
			if b, _ := home.Device(first); !b.IsGas() {
				first = name
			}
		}
	}
	if meter != "" {
		return "", fmt.Errorf("meter %q: the image does not go to one of that name", meter)
	}
	return string(first), nil
}

// Runs returns how many runs the sweep has.
func (s *Sweep) Runs() int { return len(s.stages) * s.Seeds }

// Run plays everything. done, if set, is called after each run, from any goroutine.
func (s *Sweep) Run(ctx context.Context, done func()) ([]Row, error) {
	samples := make([]sample, s.Runs())
	err := play.Each(ctx, s.Runs(), func(i int) error {
		stage := s.stages[i/s.Seeds]
		r, err := stage.Play(uint64(stage.Home().Seed)+uint64(i%s.Seeds), play.Options{Report: i%s.Seeds == 0 && i/s.Seeds < maxCurves})
		if err != nil {
			return err
		}
		samples[i] = newSample(r, s.Meter)
		if done != nil {
			done()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var rows []Row
	for i, values := range s.values {
		at := i * s.Seeds
		rows = append(rows, newRow(values, samples[at:at+s.Seeds]))
	}
	markPareto(s.Axes, rows)
	return rows, nil
}
