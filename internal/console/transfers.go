package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
)

// columns are the heights of a window's column.
var columns = []rune("▁▂▃▄▅▆▇█")

// head is the first line of every view.
func (h *Home) head(p paint, wall time.Time) string {
	state := p.with(goodStyle, "live")
	if !h.Hub.BrokerConnected {
		state = p.with(badStyle, "no broker"+sinceWall(h.Hub.BrokerSince))
	}
	if h.Gone != nil {
		state = p.with(badStyle, fmt.Sprintf("disconnected since %s", h.GoneSince.Format("15:04:05")))
		wall = h.GoneSince
	}
	pace := fmt.Sprintf("×%g", h.Clock.Speed)
	if h.Clock.Paused {
		pace = p.with(badStyle, "paused")
	}
	return fmt.Sprintf("%s  %s  %s %s  %s", p.bold("commshub"), p.faint(h.Hub.EUI64.String()), stamp(h.Clock.At(wall)), pace, state)
}

// sinceWall writes since when something is so on the person's own clock.
func sinceWall(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " since " + stamp(*t)
}

// watched returns the updates of the devices asked for, or all.
func (h *Home) watched(only []han.EUI64) []api.Update {
	return slices.DeleteFunc(h.Current(), func(u api.Update) bool { return len(only) > 0 && !slices.Contains(only, u.Device) })
}

// transfers draws the staged transfers.
func (h *Home) transfers(p paint, only []han.EUI64, wall time.Time, width, height int) string {
	lines := []string{h.head(p, wall), ""}
	now := h.Clock.At(wall)
	if h.Gone != nil {
		now = h.Clock.At(h.GoneSince)
	}
	updates := h.watched(only)
	if len(updates) == 0 {
		lines = append(lines, "No update yet. Distribute an image: commshub firmware distribute IMAGE EUI64…")
	}
	for _, u := range updates {
		lines = append(lines, h.transfer(p, u, now, width)...)
		lines = append(lines, "")
	}
	lines = append(lines, p.faint("q: quit"))
	return cutAll(lines, width, height)
}

func (h *Home) transfer(p paint, u api.Update, now time.Time, width int) []string {
	version := u.Version
	if d, ok := h.device(u.Device); ok && d.FirmwareVersion != "" && d.FirmwareVersion != u.Version {
		version = d.FirmwareVersion + " → " + u.Version
	}
	n, _ := served(u)
	lines := []string{
		fmt.Sprintf("%s  %s  %s  %s", p.bold(kindName(u.Kind)), p.faint(u.Device.String()), version, p.state(StateText(u))),
		p.bar(n, u.Size, width),
		shareText(u) + "  " + p.faint(h.figures(u)),
	}
	if text := why(u, now, h.Clock); text != "" {
		lines = append(lines, text)
	}
	if u.Expected != nil && u.Expected.Never {
		lines = append(lines, p.with(badStyle, "never complete at this pacing"))
	}
	if u.ExpectedAt != nil {
		lines = append(lines, fmt.Sprintf("complete at %s, in %s", stamp(*u.ExpectedAt), h.Clock.left(u.ExpectedAt.Sub(now))))
	}
	if list := h.Windows[Transfer{u.Device, u.Image}]; len(list) > 0 {
		lines = append(lines, p.windows(list, u, width-len("windows ")), p.faint(windowText(list[len(list)-1])))
	}
	return lines
}

func (h *Home) figures(u api.Update) string {
	text := plural(u.Windows, "window")
	if u.WindowsLeft != nil && *u.WindowsLeft > 0 {
		text += fmt.Sprintf(", about %s to go", count(*u.WindowsLeft))
	}
	text += fmt.Sprintf("; %s, %s sent again", plural(u.Blocks, "block"), count(u.Repeats))
	if missing := notRecorded(u); missing != "" {
		text += "; " + missing
	}
	if b, ok := h.Batteries[u.Device]; ok && b.Update != nil && b.Update.Image == u.Image {
		text += fmt.Sprintf("; %.1f µAh", b.Update.Charge)
	}
	return text
}

// interrupted is the column of a window in which the hub was interrupted.
const interrupted = "╳"

// windows draws a column per heartbeat window, as high as its blocks are many. A
// window in which blocks were sent again has another colour, one in which the hub was
// interrupted a cross; a dot is one to come.
func (p paint) windows(list []api.Window, u api.Update, width int) string {
	todo := 0
	if u.WindowsLeft != nil {
		todo = int(*u.WindowsLeft)
	}
	width = max(8, width)
	todo = min(todo, width/2)
	if len(list) > width-todo {
		list = list[len(list)-(width-todo):]
	}
	most := uint32(1)
	for _, w := range list {
		most = max(most, w.Blocks)
	}
	var b strings.Builder
	b.WriteString(p.faint("windows "))
	for _, w := range list {
		column := string(columns[int(uint64(w.Blocks)*uint64(len(columns)-1)/uint64(most))])
		switch {
		case w.Interrupted:
			b.WriteString(p.with(badStyle, interrupted))
		case w.Repeats > 0:
			b.WriteString(p.with(againStyle, column))
		default:
			b.WriteString(p.with(accentStyle, column))
		}
	}
	b.WriteString(p.faint(strings.Repeat("·", todo)))
	return b.String()
}
