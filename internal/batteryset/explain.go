package batteryset

import (
	"fmt"
	"io"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/table"
)

// Print writes what follows from a set for a person.
func Print(w io.Writer, e battery.Explanation) error {
	foreign.Fprintf(w, "%s: %s\n\n", e.Set, e.About)
	t := table.New(w, "FIGURE\tVALUE\tUSED FOR\tSOURCE")
	for _, f := range e.Figures {
		t.Row("%s\t%s\t%s\t%s", f.Name, f.Value, f.Means, f.Source)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b, im, life := e.Block, e.Image, e.Life
	foreign.Fprintf(w, `
one block of %d bytes, request and answer, %s:
  radio on %.2f ms (sending %.2f ms), %.1f µC, %.2f µC a byte; a lost answer costs %.1f µC more
  the hub sends for %.2f ms
an image of %d bytes, %d blocks, nothing lost, the work of the windows around it left out:
  radio on %.0f s, %.4g mAh, %.2g %% of the cell
`, b.Bytes, fragmentsText(b.Fragments), 1000*b.RadioOn, 1000*b.Transmit, microcoulombs*b.Charge, microcoulombs*b.PerByte,
		microcoulombs*b.LostAnswerExtra, 1000*b.HubTransmit, im.Bytes, im.Blocks, im.RadioOn, im.Charge/1000, im.Percent)
	for _, c := range im.Causes {
		foreign.Fprintf(w, "    %-12s %8.4f mAh\n", c.Cause, c.Charge/1000)
	}
	foreign.Fprintf(w, `the cell, with base load, sleep and self-discharge alone:
  lasts %.2f years, with one such image each year %.2f years; an image costs %.2f days
  what is left of it for each half hour, if it shall last 10 years: %.1f µAh
`, life.IdleDays/yearDays, life.YearlyDays/yearDays, life.CostDays, life.TenYearsPerWindow)
	if d := e.Duty; d != nil {
		foreign.Fprintf(w, `duty cycle: %.0f s of sending an hour, %.0f s until the state is critical:
  the hub serves %d such blocks an hour to all its meters, a meter asks for %d
`, d.RegulatedS, d.CriticalS, d.Hub, d.Meter)
	}
	return nil
}

// Units of this text, of those of the explanation: a block is too little for µAh, and
// the life of a cell too long for days.
const (
	microcoulombs = 3600 // of 1 µAh
	yearDays      = 365.25
)

func fragmentsText(n int) string {
	if n == 1 {
		return "the answer in one radio frame"
	}
	return fmt.Sprintf("the answer in %d fragments", n)
}
