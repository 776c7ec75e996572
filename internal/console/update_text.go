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
	text := fmt.Sprintf("%s, %.0f windows, %.0f µAh", u.ExpectedAt.Format(time.RFC3339), math.Ceil(e.Windows), e.Charge)
	if e.Late {
		text += ", after the deadline"
	}
	return text
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
