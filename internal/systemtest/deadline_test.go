package systemtest

import (
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

//go:generate go test -run ^TestDeadlineBeatsRadio$ -count 1 -timeout 30m -deadline.plot ../../docs/deadline.svg -deadline.table ../../docs/deadline.txt -deadline.size 262144

var (
	deadlinePlot  = flag.String("deadline.plot", "", "write the plot of docs/energy.md to this file")
	deadlineTable = flag.String("deadline.table", "", "write the table of docs/energy.md to this file")
	deadlineSize  = flag.Int("deadline.size", 16<<10, "bytes of the image")
)

// Axes of the comparison.
const deadlineSeeds = 100

var (
	deadlineLosses = []float64{0, 0.05, 0.2}
	deadlineRivals = []string{"radio=5s", "radio=10s", "radio=30s", "radio=60s"}
	deadlineSets   = []string{"2.4ghz-new", "868-gb"}
)

// deadlineCase is one policy at one loss, over all seeds.
type deadlineCase struct {
	set, policy  string
	loss         float64
	met          int       // runs complete before the deadline
	spent, after []float64 // mAh of all runs, hours of those that were in time
}

func (c *deadlineCase) mean() float64  { return mean(c.spent) }
func (c *deadlineCase) hours() float64 { return mean(c.after) }

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// spread returns the standard deviation of the runs.
func (c *deadlineCase) spread() float64 {
	m, sum := c.mean(), 0.0
	for _, v := range c.spent {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum / float64(len(c.spent)))
}

// TestDeadlineBeatsRadio compares what a meter spends on all its work in 48 hours
// in which an image has to arrive, over 100 seeds: under deadline=48h and under
// radio= policies that meet the same deadline.
func TestDeadlineBeatsRadio(t *testing.T) {
	needsTime(t)
	im := exactImage(t, *deadlineSize)
	if *deadlineTable == "" {
		deadlineRivals = []string{"radio=5s", "radio=60s"} // the two ends are enough for a test
	}
	groups := make([][]*deadlineCase, len(deadlineSets)*len(deadlineLosses))
	t.Run("runs", func(t *testing.T) {
		for i := range groups {
			set, loss := deadlineSets[i/len(deadlineLosses)], deadlineLosses[i%len(deadlineLosses)]
			t.Run(fmt.Sprintf("%s at %v", set, loss), func(t *testing.T) {
				t.Parallel()
				groups[i] = compareWithRivals(t, im, set, loss)
			})
		}
	})
	all := slices.Concat(groups...)
	table := deadlineText(all)
	t.Log("\n" + table)
	if *deadlineTable != "" {
		if err := os.WriteFile(*deadlineTable, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if *deadlinePlot != "" {
		if err := drawDeadline(*deadlinePlot, all); err != nil {
			t.Fatal(err)
		}
	}
}

// compareWithRivals returns what deadline= takes, and then what each rival does.
func compareWithRivals(t *testing.T, im *imagecache.Image, set string, loss float64) []*deadlineCase {
	t.Helper()
	best := compareDeadline(t, im, set, "deadline=48h", loss)
	if best.met != deadlineSeeds {
		t.Errorf("deadline=48h met it in %d of %d runs", best.met, deadlineSeeds)
	}
	all := []*deadlineCase{best}
	for _, rival := range deadlineRivals {
		r := compareDeadline(t, im, set, rival, loss)
		all = append(all, r)
		if r.met == deadlineSeeds && best.mean() >= r.mean() {
			t.Errorf("deadline=48h takes %.5f mAh, %s %.5f", best.mean(), rival, r.mean())
		}
	}
	return all
}

// TestDeadlineBeatsRadioAtTheSameBlockSize leaves deadline= nothing to save but
// being told to wait. Without losses that shows in every window.
func TestDeadlineBeatsRadioAtTheSameBlockSize(t *testing.T) {
	needsTime(t)
	im := exactImage(t, 64<<10)
	for _, set := range deadlineSets {
		run := paced{set: must(battery.Named(set)), image: im, blockSize: 48, seed: 1, horizon: 48 * time.Hour}
		run.policy = gasproxy.Deadline(48 * time.Hour)
		best := run.run(t)
		for _, rival := range []string{"radio=2s", "radio=5s"} {
			run.policy = must(gasproxy.ParsePolicy(rival))
			r := run.run(t)
			t.Logf("%s, 48 bytes: deadline=48h %.4f mAh, %s %.4f mAh and %d waits", set, mAh(best.spent), rival, mAh(r.spent), r.waits)
			if best.blocks != r.blocks || best.waits != 0 || r.waits == 0 || best.spent >= r.spent {
				t.Errorf("%s: deadline=48h %d blocks, %d waits, %d nC; %s %d blocks, %d waits, %d nC", set,
					best.blocks, best.waits, best.spent, rival, r.blocks, r.waits, r.spent)
			}
		}
	}
}

// TestDeadlineIsMetWhereLargeBlocksAreNot: on a channel that loses a fifth of all
// frames, blocks in four fragments cost the least, but meters give their windows up
// so often that they take too long in five of six homes.
func TestDeadlineIsMetWhereLargeBlocksAreNot(t *testing.T) {
	needsTime(t)
	im := exactImage(t, 256<<10)
	tooLate := 0
	for seed := range uint64(30) {
		run := paced{set: must(battery.Named("868-gb")), image: im, blockSize: 255, loss: share(0.2), seed: seed + 1, limit: 48 * time.Hour}
		run.policy = gasproxy.Deadline(48 * time.Hour)
		met := run.run(t)
		run.policy = gasproxy.DefaultPolicy
		missed := run.run(t)
		t.Logf("seed %d: deadline=48h done %v after %v; radio=10s done %v", seed+1, met.done, met.after.Round(time.Minute), missed.done)
		if !met.done {
			t.Errorf("seed %d: deadline=48h is not met", seed+1)
		}
		if !missed.done {
			tooLate++
		}
	}
	if tooLate < 25 {
		t.Errorf("radio=10s is too late in %d homes of 30, want 25 or more", tooLate)
	}
}

// TestDeadlineWaitsOutABadChannel: with time in hand, what is left is fetched when
// the channel is as good again as it was; without, it is fetched as it can be.
func TestDeadlineWaitsOutABadChannel(t *testing.T) {
	im := exactImage(t, 384<<10)
	set := must(battery.Named("868-gb"))
	spent := map[time.Duration]battery.Charge{}
	for _, deadline := range []time.Duration{7 * time.Hour, 48 * time.Hour} {
		got := paced{
			set: set, policy: gasproxy.Deadline(deadline), image: im, seed: 1, horizon: 48 * time.Hour,
			before: func(home *virtual.Home) {
				for hours, loss := range map[time.Duration]float64{1: 0.15, 8: 0} {
					home.Schedule(home.Now().Add(hours*time.Hour), func() {
						link := radio.Link{Params: set.Radio, Faults: fault.Link{Loss: share(loss)}}
						home.SetLink(hub.DefaultConfig().EUI64, link)
						home.SetLink(theGSME, link)
					})
				}
			},
		}.run(t)
		t.Logf("deadline=%v: complete after %v, %d windows, %d waits, %d retries, %.4f mAh", deadline, got.after.Round(time.Minute), got.windows, got.waits, got.retries, mAh(got.spent))
		if !got.done || got.after > deadline {
			t.Errorf("deadline=%v: done %v after %v", deadline, got.done, got.after)
		}
		spent[deadline] = got.spent
	}
	if patient, pressed := spent[48*time.Hour], spent[7*time.Hour]; float64(patient) > 0.97*float64(pressed) {
		t.Errorf("with time to wait %.4f mAh, without %.4f mAh; want 3 %% less", mAh(patient), mAh(pressed))
	}
}

func compareDeadline(t *testing.T, im *imagecache.Image, set, policy string, loss float64) *deadlineCase {
	t.Helper()
	c := &deadlineCase{set: set, policy: policy, loss: loss}
	const deadline = 48 * time.Hour
	for seed := range uint64(deadlineSeeds) {
		got := paced{
			set: must(battery.Named(set)), policy: must(gasproxy.ParsePolicy(policy)), image: im,
			loss: share(loss), seed: seed + 1, limit: deadline, horizon: deadline,
		}.run(t)
		if got.done {
			c.met++
			c.after = append(c.after, got.after.Hours())
		}
		c.spent = append(c.spent, mAh(got.spent))
	}
	return c
}

func deadlineText(all []*deadlineCase) string {
	var b strings.Builder
	fmt.Fprintf(&b, "An image of %d bytes within 48 h, %d seeds: what the meter spends on all its work in these 48 h.\n\n", *deadlineSize, deadlineSeeds)
	fmt.Fprintf(&b, "%-11s %5s  %-13s %8s %10s %18s %10s\n", "set", "loss", "pacing", "in time", "complete", "charge", "deadline=")
	var best *deadlineCase
	for _, c := range all {
		if c.met < deadlineSeeds {
			fmt.Fprintf(&b, "%-11s %3.0f %%  %-13s %4d/%d\n", c.set, 100*c.loss, c.policy, c.met, deadlineSeeds)
			continue
		}
		saves := ""
		if strings.HasPrefix(c.policy, "deadline") {
			best = c
		} else {
			saves = fmt.Sprintf("%+.1f %%", 100*(best.mean()/c.mean()-1))
		}
		fmt.Fprintf(&b, "%-11s %3.0f %%  %-13s %4d/%d %8.1f h  %6.3f ± %.3f mAh %9s\n", c.set, 100*c.loss, c.policy, c.met, deadlineSeeds,
			c.hours(), c.mean(), c.spread(), saves)
	}
	return b.String()
}

// drawDeadline writes a panel of bars for each set.
func drawDeadline(path string, all []*deadlineCase) error {
	var row []*plot.Plot
	for _, set := range deadlineSets {
		p := plot.New()
		p.Title.Text = set
		p.Y.Label.Text = "mAh in 48 h"
		p.Y.Min = 0
		p.Legend.Top, p.Legend.Left = true, true
		var labels []string
		for _, loss := range deadlineLosses {
			labels = append(labels, fmt.Sprintf("%.0f %% loss", 100*loss))
		}
		p.NominalX(labels...)
		for i, policy := range append([]string{"deadline=48h"}, deadlineRivals...) {
			bars, err := deadlineBars(all, set, policy, i)
			if err != nil {
				return err
			}
			p.Add(bars)
			p.Legend.Add(policy, bars)
		}
		p.Y.Max *= 1.5 // room for the legend
		row = append(row, p)
	}
	canvas := vgsvg.New(22*vg.Centimeter, 9*vg.Centimeter)
	tiles := draw.Tiles{Rows: 1, Cols: len(row), PadX: 6 * vg.Millimeter}
	for i, c := range plot.Align([][]*plot.Plot{row}, tiles, draw.New(canvas))[0] {
		row[i].Draw(c)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}

func deadlineBars(all []*deadlineCase, set, policy string, i int) (*plotter.BarChart, error) {
	colours := []color.Color{
		color.RGBA{R: 0x1b, G: 0x7a, B: 0x4b, A: 255}, color.Gray{Y: 90}, color.Gray{Y: 130}, color.Gray{Y: 170}, color.Gray{Y: 210},
	}
	var values plotter.Values
	for _, c := range all {
		if c.set == set && c.policy == policy {
			value := c.mean()
			if c.met < deadlineSeeds {
				value = 0 // no bar for what is not in time
			}
			values = append(values, value)
		}
	}
	const width = 4 * vg.Millimeter
	bars, err := plotter.NewBarChart(values, width)
	if err != nil {
		return nil, err
	}
	bars.Color, bars.LineStyle.Width = colours[i], 0
	bars.Offset = vg.Length(i-2) * width
	return bars, nil
}
