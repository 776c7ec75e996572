package messageview

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/commshub/commshub/internal/foreign"
)

// Show shows a single message; of several, and of folders, it shows the counts. wrong says
// in a line what could not be read; it is empty if all could.
func Show(w io.Writer, views []View, single, asJSON bool) (wrong string, err error) {
	if single {
		return show(w, views[0], asJSON)
	}
	counts := Count(views)
	if asJSON {
		err = printJSON(w, struct {
			Counts
			Messages []View `json:"decoded"`
		}{counts, views})
	} else {
		for _, v := range views {
			for _, p := range v.Problems {
				foreign.Fprintf(w, "%s: byte %d: %s\n", v.Name(), p.Start, p.Text)
			}
		}
		counts.Print(w)
	}
	if n := counts.Messages - min(counts.Read, counts.Identical); n > 0 {
		wrong = fmt.Sprintf("%d of %d messages could not be read whole", n, counts.Messages)
	}
	return wrong, err
}

func show(w io.Writer, v View, asJSON bool) (wrong string, err error) {
	if asJSON {
		err = printJSON(w, v)
	} else {
		v.Print(w)
	}
	if len(v.Problems) > 0 {
		p := v.Problems[0]
		wrong = fmt.Sprintf("%s: byte %d: %s", v.Name(), p.Start, p.Text)
	}
	return wrong, err
}

// ShowVerdicts shows a single verdict; of several it shows what is wrong and the counts.
// wrong says in a line that something is; it is empty if nothing is.
func ShowVerdicts(w io.Writer, verdicts []Verdict, single, asJSON bool) (wrong string, err error) {
	if single {
		return showVerdict(w, verdicts[0], asJSON)
	}
	counts := CountVerdicts(verdicts)
	if asJSON {
		err = printJSON(w, struct {
			VerdictCounts
			Verdicts []Verdict `json:"verdicts"`
		}{counts, verdicts})
	} else {
		for _, v := range verdicts {
			if !v.Wanted() {
				foreign.Fprintf(w, "%s\n", v.Line())
			}
		}
		counts.Print(w)
	}
	if n := counts.Wrong; n > 0 {
		wrong = fmt.Sprintf("signature or MAC of %d of %d messages are not shown to hold", n, counts.Messages)
	}
	return wrong, err
}

func showVerdict(w io.Writer, v Verdict, asJSON bool) (wrong string, err error) {
	if asJSON {
		err = printJSON(w, v)
	} else {
		v.Print(w)
	}
	if !v.Wanted() {
		wrong = v.Line()
	}
	return wrong, err
}

// Show writes a signed message in hex, or all of what is known of it.
func (s Sealed) Show(w io.Writer, asJSON bool) error {
	if asJSON {
		return printJSON(w, s)
	}
	_, err := fmt.Fprintln(w, s.Hex)
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(foreign.Writer(w))
	e.SetIndent("", "  ")
	return e.Encode(v)
}
