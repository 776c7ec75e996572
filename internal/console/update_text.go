package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/commshub/commshub/hub/api"
)

// ChargeText shows what an update took from a meter's cell so far.
func ChargeText(charge *float64) string {
	if charge == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f µAh", *charge)
}

// ExpectedText shows when all bytes will be there, and what they will have cost.
func ExpectedText(u api.Update) string {
	e := u.Expected
	switch {
	case e != nil && e.Never:
		return "never: the pacing leaves nothing for it"
	case u.ExpectedAt == nil:
		return "-"
	case e == nil:
		return u.ExpectedAt.Format(time.RFC3339)
	}
	text := fmt.Sprintf("%s, %s, %.0f µAh", u.ExpectedAt.Format(time.RFC3339), plural(uint32(math.Ceil(e.Windows)), "window"), e.Charge)
	if e.Late {
		text += ", after the deadline"
	}
	return text
}

// OrderText says what whoever distributes an image should know at once: what it costs to
// force it, that it will never be complete, or that the pacing may not hold.
func OrderText(given []api.Update, force bool) (lines []string) {
	for _, u := range given {
		e := u.Expected
		if e == nil {
			continue
		}
		switch {
		case e.Never:
			lines = append(lines, fmt.Sprintf("%s: complete %s", u.Device, ExpectedText(u)))
		case force:
			lines = append(lines, fmt.Sprintf("%s: complete by %s if it takes a downgrade; if not, all that is spent for nothing", u.Device, ExpectedText(u)))
		}
		if e.Doubt != "" {
			lines = append(lines, fmt.Sprintf("%s: %s", u.Device, e.Doubt))
		}
	}
	return lines
}

// NoteText says why an update is as it is, what it waits for, and what of it is not recorded.
func NoteText(u api.Update) string {
	var parts []string
	if u.Outcome != "" {
		parts = append(parts, u.Outcome)
	}
	if w := u.Waiting; w != nil && (u.Outcome == "" || w.OverdueSince != nil) {
		parts = append(parts, w.Text)
	}
	if u.Expected != nil && u.Expected.Doubt != "" {
		parts = append(parts, u.Expected.Doubt)
	}
	if u.NotRecorded > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes not recorded: the hub was interrupted", u.NotRecorded))
	}
	return strings.Join(parts, "; ")
}

// ServedText shows how far a transfer is, if that is known.
func ServedText(offset *uint32) string {
	if offset == nil {
		return "?"
	}
	return strconv.FormatUint(uint64(*offset), 10)
}
