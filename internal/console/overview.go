package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
)

// overview draws the whole home.
func (h *Home) overview(p paint, wall time.Time, width, height int) string {
	now := h.Clock.At(wall)
	if h.Gone != nil {
		now = h.Clock.At(h.GoneSince)
	}
	lines := []string{h.head(p, wall), p.faint("pacing " + h.Hub.Pacing), ""}
	lines = append(lines, h.deviceTable(p, now)...)
	lines = append(lines, "", p.bold("Updates"))
	updates := h.Current()
	if len(updates) == 0 {
		lines = append(lines, p.faint("none; commshub firmware distribute starts one"))
	}
	for _, u := range updates {
		lines = append(lines, h.updateLine(p, u, now))
	}
	lines = append(lines, "", p.bold("Alerts"))
	if len(h.Alerts) == 0 {
		lines = append(lines, p.faint("none"))
	}
	// The last line says which keys there are.
	room := len(h.Alerts)
	if height > 0 {
		room = max(0, height-len(lines)-2)
	}
	for _, a := range h.Alerts[:min(room, len(h.Alerts))] {
		lines = append(lines, h.alertLine(p, a))
	}
	if height > 0 {
		lines = append(lines, "", p.faint("q: quit"))
	}
	return cutAll(lines, width, height)
}

func (h *Home) deviceTable(p paint, now time.Time) []string {
	links := len("LINK")
	for _, d := range h.Devices {
		links = max(links, ansi.StringWidth(h.linkText(d, now)))
	}
	const row = "%-18s  %-16s  %-8s  %-*s  %4s  %s"
	lines := []string{p.faint(fmt.Sprintf(row, "DEVICE", "EUI64", "FIRMWARE", links, "LINK", "MAIL", "BATTERY"))}
	if len(h.Devices) == 0 {
		return append(lines, p.faint("the device log is empty; commshub device add fills it"))
	}
	for _, d := range h.Devices {
		mail, cell := "", ""
		if d.Mailbox > 0 {
			mail = count(d.Mailbox)
		}
		if b, ok := h.Batteries[d.EUI64]; ok && b.Percent != nil {
			cell = b.PercentText
			if b.DaysText != "" {
				cell += ", " + b.DaysText
			}
		}
		line := fmt.Sprintf(row, kindName(d.Kind), d.EUI64, d.FirmwareVersion, links, h.linkText(d, now), mail, cell)
		if !d.Connected && d.Kind != "BRIDGED" || d.Overdue {
			line = p.with(badStyle, line)
		} else if d.Sleeps && !d.Awake {
			line = p.faint(line)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

// linkText says how a device is reachable through this hub.
func (h *Home) linkText(d api.Device, now time.Time) string {
	if !h.Hub.BrokerConnected && !d.Connected && !d.Overdue && d.Kind != "BRIDGED" {
		return "the hub has no broker"
	}
	return linkText(d, now)
}

// barWidth is that of a bar among other things in a line.
const barWidth = 24

func (h *Home) updateLine(p paint, u api.Update, now time.Time) string {
	n, known := served(u)
	share := "  –  "
	if known {
		share = fmt.Sprintf("%3d %%", percent(n, u.Size))
	}
	line := fmt.Sprintf("%-18s  %s  %s %s  %s", kindName(u.Kind), u.Version, p.bar(n, u.Size, barWidth), share, p.state(StateText(u)))
	if u.ExpectedAt != nil {
		line += ", complete in " + h.Clock.left(u.ExpectedAt.Sub(now))
	}
	if text := why(u, now, h.Clock); text != "" {
		line += p.faint("; " + text)
	}
	return line
}

func (h *Home) alertLine(p paint, a api.InboxEntry) string {
	code, name := a.Code, a.Name
	if code == "" {
		code, name = a.Message, a.MessageName
	}
	at := "        "
	if a.At != nil {
		at = stamp(*a.At)
	}
	text := a.Text
	if rest, ok := strings.CutPrefix(text, name); ok {
		text = name + rest
	} else if name != "" {
		text = name + ": " + text
	}
	return fmt.Sprintf("%s  %-18s  %4s  %s", at, h.nameOf(a.Device), code, text)
}

func (h *Home) nameOf(eui han.EUI64) string {
	if d, ok := h.device(eui); ok {
		return kindName(d.Kind)
	}
	if eui == h.Hub.EUI64 || eui == h.Hub.CHF || eui == 0 {
		return "Hub"
	}
	return eui.String()
}
