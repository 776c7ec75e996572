package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/commshub/commshub/hub/api"
)

var kindNames = map[string]string{
	"ESME": "Electricity meter", "GSME": "Gas meter", "IHD": "In-home display",
	"PPMID": "Prepayment display", "CAD": "Consumer access device", "HCALCS": "Load switch",
	"BRIDGED": "Bridged device",
}

func kindName(kind string) string {
	if name, ok := kindNames[kind]; ok {
		return name
	}
	return kind
}

// count writes a number in groups of three.
func count[T uint32 | int](n T) string {
	s := strconv.Itoa(int(n))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n uint32, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}

// percent returns a share in whole percent: 100 only when all is there, 0 only when
// nothing is.
func percent(part, whole uint32) int {
	switch {
	case whole == 0:
		return 0
	case part >= whole:
		return 100
	default:
		return max(int(uint64(part)*100/uint64(whole)), min(1, int(part)))
	}
}

// span writes a duration with two units at most.
func span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", float64(d.Milliseconds()/100)/10)
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24+0.5))
	}
}

// countdown writes a duration as mm:ss or h:mm:ss.
func countdown(d time.Duration) string {
	s := int(max(0, d).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%02d:%02d", s/60, s%60)
}

// left writes how long an emulated duration takes in the home, and to the person.
func (c Clock) left(d time.Duration) string {
	if c.Speed == 1 {
		return span(d)
	}
	return fmt.Sprintf("%s (%s real)", span(d), span(c.Real(d)))
}

// stamp writes an instant of the home in the person's zone.
func stamp(t time.Time) string { return t.Local().Format("15:04:05") }

// since writes an instant before now in the person's zone, with its day if that is another.
func since(t, now time.Time) string {
	if t.Local().Format(time.DateOnly) == now.Local().Format(time.DateOnly) {
		return stamp(t)
	}
	return t.Local().Format("2 Jan 15:04")
}

// served returns how many bytes of an update were served, if that is known.
func served(u api.Update) (n uint32, known bool) {
	if u.Offset == nil {
		return 0, false
	}
	return *u.Offset, true
}

func shareText(u api.Update) string {
	n, known := served(u)
	if !known {
		return fmt.Sprintf("of %s bytes", count(u.Size))
	}
	return fmt.Sprintf("%s of %s bytes (%d %%)", count(n), count(u.Size), percent(n, u.Size))
}

// windowText says what happened in a window.
func windowText(w api.Window) string {
	parts := []string{fmt.Sprintf("window %d: %s", w.Number, plural(w.Blocks, "block"))}
	if w.Interrupted {
		parts = append(parts, "interrupted: the rest is not recorded")
	}
	if w.Repeats > 0 {
		parts = append(parts, count(w.Repeats)+" sent again")
	}
	if w.ResumedAt != nil {
		parts = append(parts, fmt.Sprintf("went on at byte %s", count(*w.ResumedAt)))
	}
	if w.RadioOn != nil {
		parts = append(parts, fmt.Sprintf("radio on %.2f s", *w.RadioOn))
	}
	if w.Wait != nil {
		parts = append(parts, "told to wait "+span(time.Duration(*w.Wait*float64(time.Second)))+" (WAIT_FOR_DATA)")
	}
	return strings.Join(parts, ", ")
}

// StateText says how an update stands. One whose version the device runs no more is not
// the one that was activated last.
func StateText(u api.Update) string {
	if u.Replaced {
		return "replaced since"
	}
	return u.State
}

// notRecorded says how many blocks were served in windows in which the hub was
// interrupted; "" for none.
func notRecorded(u api.Update) string {
	if u.NotRecorded == 0 {
		return ""
	}
	size := max(1, u.BlockSize)
	return plural((u.NotRecorded+size-1)/size, "block") + " not recorded"
}

// why says what an update waits for, or how it ended.
func why(u api.Update, now time.Time, c Clock) string {
	text := u.Outcome
	if u.Waiting != nil {
		text = u.Waiting.Text
		if u.Waiting.Until != nil {
			if d := u.Waiting.Until.Sub(now); d > 0 {
				text += ", in " + c.left(d)
			}
		}
	} else if text == "" && u.State == "downloading" {
		text = "blocks are being served"
	}
	return text
}

// linkText says how a device is reachable.
func linkText(d api.Device, now time.Time) string {
	switch {
	case d.Kind == "BRIDGED" && d.LastHeard == nil:
		return "through a bridge, not heard of yet"
	case d.Kind == "BRIDGED":
		return "through a bridge, heard " + span(now.Sub(*d.LastHeard)) + " ago"
	case !d.Connected && d.LastHeard == nil:
		return "not joined yet"
	case d.Overdue && d.OverdueSince != nil && !d.Awake:
		return silence(d, now)
	case !d.Connected:
		return "no session, heard " + span(now.Sub(*d.LastHeard)) + " ago"
	case !d.Sleeps:
		return "connected"
	case d.Awake:
		return "awake, window open"
	case d.NextHeartbeat == nil:
		return "asleep, its heartbeat is not known yet"
	default:
		return "asleep, wakes in " + countdown(d.NextHeartbeat.Sub(now))
	}
}

// silence says since when a device is silent, and how long that is more than late.
func silence(d api.Device, now time.Time) string {
	text := "overdue by " + countdown(now.Sub(*d.OverdueSince))
	if d.LastHeard != nil {
		text = "silent since " + since(*d.LastHeard, now) + ", " + text
	}
	if !d.Connected {
		text = "no session, " + text
	}
	return text
}
