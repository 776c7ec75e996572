package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/otaserver"
)

func newBatteryExplain(g *global) *cobra.Command {
	var asJSON, asYAML bool
	block := otaserver.DefaultBlockSize
	image := byteSize(256 << 10)
	cmd := &cobra.Command{
		Use:   "explain SET",
		Short: "Print a battery set with the source of each figure, and what follows from it",
		Example: `  commshub battery explain 2.4ghz-new
  commshub battery explain 868-gb --block-size 64 --image-size 768000`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if block < 1 || block > ota.MaxBlock {
				return badInput("--block-size %d: want 1 to %d", block, ota.MaxBlock)
			}
			if image < 1 || int(image) > ota.MaxFileSize {
				return badInput("--image-size %d: want 1 to %d", image, ota.MaxFileSize)
			}
			model, err := batteryModel(args[0])
			if err != nil {
				return inputError{err}
			}
			if asYAML {
				_, err := g.out.Write(model.YAML())
				return err
			}
			e := explain(model, block, int64(image))
			if asJSON {
				return printJSON(g.out, e)
			}
			return e.print(g)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.BoolVar(&asYAML, "yaml", false, "print the set as a file")
	f.IntVar(&block, "block-size", block, "bytes of an image in one block")
	f.Var(&image, "image-size", "bytes of an image")
	return cmd
}

// explanation is a battery set with its sources and what follows from it.
type explanation struct {
	Set     string              `json:"set"`
	About   string              `json:"about"`
	Figures []explainedFigure   `json:"figures"`
	Block   explainedBlock      `json:"block"`
	Image   explainedImage      `json:"image"`
	Life    explainedLife       `json:"life"`
	Duty    *explainedDutyCycle `json:"duty_cycle,omitempty"`
}

type explainedFigure struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Means  string `json:"means"`
	Source string `json:"source"`
}

// explainedBlock is one block, request and answer.
type explainedBlock struct {
	Bytes           int     `json:"bytes"`
	Fragments       int     `json:"fragments"`
	RadioOnMS       float64 `json:"radio_on_ms"`
	TransmitMS      float64 `json:"transmit_ms"`
	Microcoulombs   float64 `json:"microcoulombs"`
	PerByte         float64 `json:"microcoulombs_per_byte"`
	HubTransmitMS   float64 `json:"hub_transmit_ms"`
	LostAnswerExtra float64 `json:"lost_answer_microcoulombs"`
}

// explainedImage is a whole image without losses.
type explainedImage struct {
	Bytes    int64            `json:"bytes"`
	Blocks   int64            `json:"blocks"`
	RadioOnS float64          `json:"radio_on_s"`
	MAh      float64          `json:"mah"`
	Percent  float64          `json:"percent_of_capacity"`
	Causes   []explainedCause `json:"causes"`
}

type explainedCause struct {
	Cause string  `json:"cause"`
	MAh   float64 `json:"mah"`
}

// explainedLife is how long the cell lasts.
type explainedLife struct {
	YearsIdle         float64 `json:"years_without_update"`
	YearsYearly       float64 `json:"years_with_an_update_each_year"`
	DaysPerImage      float64 `json:"days_per_image"`
	TenYearsPerWindow float64 `json:"ten_years_uah_per_half_hour"`
}

type explainedDutyCycle struct {
	RegulatedS float64 `json:"regulated_s_per_hour"`
	CriticalS  float64 `json:"critical_s_per_hour"`
	Hub        int64   `json:"hub_blocks_per_hour"`
	Meter      int64   `json:"meter_blocks_per_hour"`
}

// explain reckons what follows from a set.
func explain(model battery.Model, block int, size int64) explanation {
	s := &model.Set
	e := explanation{Set: s.Name, About: model.About}
	for _, f := range model.Parameters {
		e.Figures = append(e.Figures, explainedFigure{f.Name, f.Value, f.Means, f.Source})
	}
	b := s.Block(block)
	e.Block = explainedBlock{
		Bytes: block, Fragments: b.Fragments, RadioOnMS: milliseconds(b.Cost.RadioOn()), TransmitMS: milliseconds(b.Cost.Transmit),
		Microcoulombs: float64(b.Charge) / 1000, PerByte: float64(b.Charge) / 1000 / float64(block),
		HubTransmitMS: milliseconds(b.HubTransmit), LostAnswerExtra: float64(b.LostAnswer) / 1000,
	}
	im := s.Image(size, block)
	e.Image = explainedImage{
		Bytes: size, Blocks: im.Blocks, RadioOnS: im.RadioOn.Seconds(), MAh: im.Total().MicroampHours() / 1000,
		Percent: 100 * float64(im.Total()) / float64(s.Capacity()),
	}
	for _, c := range battery.Causes() {
		if charge := im.Spent[c]; charge > 0 {
			e.Image.Causes = append(e.Image.Causes, explainedCause{c.String(), charge.MicroampHours() / 1000})
		}
	}
	const yearDays = 365.25
	idle, yearly := s.LifeDays(0), s.LifeDays(battery.Charge(float64(im.Total())/yearDays))
	e.Life = explainedLife{
		YearsIdle: idle / yearDays, YearsYearly: yearly / yearDays,
		DaysPerImage:      float64(im.Total()) / float64(s.BaseDay()),
		TenYearsPerWindow: s.PerPeriod(10*yearDays, 30*time.Minute).MicroampHours(),
	}
	if d := s.Radio.Duty; d.Regulated > 0 {
		e.Duty = &explainedDutyCycle{
			RegulatedS: d.Regulated.Seconds(), CriticalS: d.Critical.Seconds(),
			Hub: int64(d.Critical / b.HubTransmit), Meter: int64(d.Critical / b.Cost.Transmit),
		}
	}
	return e
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// print prints the explanation for a person.
func (e explanation) print(g *global) error {
	fmt.Fprintf(g.out, "%s: %s\n\n", e.Set, e.About)
	t := newTable(g.out, "FIGURE\tVALUE\tUSED FOR\tSOURCE")
	for _, f := range e.Figures {
		t.row("%s\t%s\t%s\t%s", f.Name, f.Value, f.Means, f.Source)
	}
	if err := t.flush(); err != nil {
		return err
	}
	b, im, life := e.Block, e.Image, e.Life
	fmt.Fprintf(g.out, `
one block of %d bytes, request and answer, %s:
  radio on %.2f ms (sending %.2f ms), %.1f µC, %.2f µC a byte; a lost answer costs %.1f µC more
  the hub sends for %.2f ms
an image of %d bytes, %d blocks, nothing lost, the work of the windows around it left out:
  radio on %.0f s, %.4g mAh, %.2g %% of the cell
`, b.Bytes, fragmentsText(b.Fragments), b.RadioOnMS, b.TransmitMS, b.Microcoulombs, b.PerByte, b.LostAnswerExtra,
		b.HubTransmitMS, im.Bytes, im.Blocks, im.RadioOnS, im.MAh, im.Percent)
	for _, c := range im.Causes {
		fmt.Fprintf(g.out, "    %-12s %8.4f mAh\n", c.Cause, c.MAh)
	}
	fmt.Fprintf(g.out, `the cell, with base load, sleep and self-discharge alone:
  lasts %.2f years, with one such image each year %.2f years; an image costs %.2f days
  what is left of it for each half hour, if it shall last 10 years: %.1f µAh
`, life.YearsIdle, life.YearsYearly, life.DaysPerImage, life.TenYearsPerWindow)
	if d := e.Duty; d != nil {
		fmt.Fprintf(g.out, `duty cycle: %.0f s of sending an hour, %.0f s until the state is critical:
  the hub serves %d such blocks an hour to all its meters, a meter asks for %d
`, d.RegulatedS, d.CriticalS, d.Hub, d.Meter)
	}
	return nil
}

func fragmentsText(n int) string {
	if n == 1 {
		return "the answer in one radio frame"
	}
	return fmt.Sprintf("the answer in %d fragments", n)
}
