// Package live makes the page on an update of what a running hub tells through its REST
// interface.
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/report"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

// ErrNoUpdate tells that a device has no update to tell of.
var ErrNoUpdate = errors.New("no image was distributed to it")

func noUpdate(image string) error {
	if image == "" {
		return ErrNoUpdate
	}
	return fmt.Errorf("image %s: %w", image, ErrNoUpdate)
}

// running is what a running hub says of an update.
type running struct {
	hub      api.Hub
	clock    api.Clock
	device   api.Device
	update   api.Update
	timeline api.Timeline
	battery  api.Battery
	history  api.MirrorHistory
	alerts   []api.InboxEntry

	hasBattery bool
}

// Update returns the page on an update to a device, as the hub behind c knows it. image is
// the SHA-256 of the image or the beginning of it; without it the page is on the update
// under way, or else on the newest. The error is [ErrNoUpdate] if there is none.
func Update(ctx context.Context, c *client.Client, eui han.EUI64, image string) (*report.Report, error) {
	updates, err := client.List[api.Update](ctx, c, "/v1/updates", "updates")
	if err != nil {
		return nil, err
	}
	updates = slices.DeleteFunc(updates, func(u api.Update) bool { return u.Device != eui || !strings.HasPrefix(u.Image, image) })
	if len(updates) == 0 {
		return nil, fmt.Errorf("device %s: %w", eui, noUpdate(image))
	}
	l := running{update: updates[len(updates)-1]}
	for _, u := range updates {
		if u.State != "activated" && u.State != "failed" && u.State != "cancelled" && u.State != "superseded" {
			l.update = u
		}
	}
	device := eui.String()
	for _, r := range []struct {
		path  string
		out   any
		there *bool
	}{
		{"/v1/hub", &l.hub, nil}, {"/v1/clock", &l.clock, nil}, {"/v1/devices/" + device, &l.device, nil},
		{"/v1/updates/" + device + "/timeline?image=" + url.QueryEscape(l.update.Image), &l.timeline, nil},
		{"/v1/devices/" + device + "/battery", &l.battery, &l.hasBattery}, {"/v1/mirror/" + device + "/history", &l.history, nil},
	} {
		there, err := c.Get(ctx, r.path, r.out)
		if err != nil {
			return nil, err
		}
		if r.there != nil {
			*r.there = there
		}
	}
	alerts, err := client.List[api.InboxEntry](ctx, c, "/v1/alerts", "alerts")
	if err != nil {
		return nil, err
	}
	for _, a := range alerts {
		if a.Device == eui && a.At != nil && l.update.StartedAt != nil && !a.At.Before(*l.update.StartedAt) {
			l.alerts = append(l.alerts, a)
		}
	}
	return l.page(), nil
}

func (l *running) page() *report.Report {
	u := &l.update
	return &report.Report{
		Title: fmt.Sprintf("Update of %s %s to version %s", u.Kind, u.Device, u.Version),
		About: fmt.Sprintf("As a running hub knew it at %s, emulated time.", l.clock.Now.UTC().Format("15:04:05 UTC on 2 January 2006")),
		Facts: []report.Fact{
			{Name: "Hub", Value: l.hub.EUI64.String()}, {Name: "commshub", Value: l.hub.Version},
			{Name: "Pacing", Value: l.hub.Pacing}, {Name: "Most bytes in a block", Value: fmt.Sprint(l.hub.BlockSize)},
			{Name: "Clock", Value: fmt.Sprintf("%g emulated seconds per second", l.clock.Speed)},
			{Name: "Seed", Value: "none: a live home has no dice of its own"},
		},
		Updates: []report.Update{l.section()},
	}
}

func (l *running) section() report.Update {
	u, t := &l.update, &l.timeline
	out := report.Update{
		Device: fmt.Sprintf("%s %s: version %s", u.Kind, u.Device, u.Version),
		Facts: []report.Fact{
			{Name: "State", Value: u.State}, {Name: "Runs now", Value: cmp.Or(l.device.FirmwareVersion, "not known")},
			{Name: "Image", Value: fmt.Sprintf("%d bytes, SHA-256 %s", u.Size, u.Image)},
			{Name: "Windows", Value: fmt.Sprint(u.Windows)}, {Name: "Blocks", Value: fmt.Sprint(u.Blocks)}, {Name: "Sent again", Value: fmt.Sprint(u.Repeats)},
		},
		Size: u.Size, BlockSize: t.BlockSize, Served: runsOf(t.Served), Missed: runsOf(t.Missed),
	}
	if b := &l.battery; l.hasBattery && b.PercentText != "" {
		out.Facts = append(out.Facts, report.Fact{Name: "Left of the cell", Value: b.PercentText + ", " + cmp.Or(b.DaysText, "days not known")})
	}
	if l.device.Period > 0 {
		out.Facts = append(out.Facts, report.Fact{Name: "Heartbeat", Value: "every " + homefile.Seconds(l.device.Period).String()})
	}
	if t.Earlier.Windows > 0 {
		out.Earlier = fmt.Sprintf("%d earlier windows with %d blocks are not listed one by one.", t.Earlier.Windows, t.Earlier.Blocks)
	}
	for i := range t.Windows {
		out.Windows = append(out.Windows, windowOf(&t.Windows[i]))
	}
	out.Steps = l.steps()
	for _, a := range l.alerts {
		if a.Code != "" {
			out.Alerts = append(out.Alerts, report.Step{At: *a.At, What: strings.TrimSpace(a.Code + " " + cmp.Or(a.Name, a.Text))})
		}
	}
	l.expected(&out)
	l.charge(&out)
	return out
}

func windowOf(w *api.Window) report.Window {
	out := report.Window{
		Number: w.Number, OpenedAt: w.OpenedAt, Blocks: w.Blocks, Repeats: w.Repeats, Runs: runsOf(w.Runs), Interrupted: w.Interrupted,
	}
	if w.RadioOn != nil {
		out.RadioOn = time.Duration(*w.RadioOn * float64(time.Second))
	}
	if w.Wait != nil {
		out.Wait = time.Duration(*w.Wait * float64(time.Second))
	}
	if w.Charge != nil {
		out.Charge = *w.Charge
	}
	out.Causes = report.CausesOf(w.Causes, battery.StandingNames())
	return out
}

// steps are what the hub dates: its own steps, and the device's responses and alerts.
func (l *running) steps() []report.Step {
	u := &l.update
	var out []report.Step
	if u.StartedAt != nil {
		out = append(out, report.Step{At: *u.StartedAt, What: "distributed"})
	}
	if w := l.timeline.Windows; len(w) > 0 && w[0].Number == 1 {
		out = append(out, report.Step{At: w[0].OpenedAt, What: "the first window in which something was served"})
	}
	for _, a := range l.alerts {
		out = append(out, report.Step{At: *a.At, What: said(cmp.Or(a.MessageName, a.Name), a.Text)})
	}
	if u.ChangedAt != nil {
		state := u.State
		if state == "downloading" { // its figures change with each window
			state = "figures up to here; " + state
		}
		out = append(out, report.Step{At: *u.ChangedAt, What: strings.TrimSuffix(state+": "+u.Outcome, ": ")})
	}
	slices.SortStableFunc(out, func(a, b report.Step) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	return out
}

// said joins the name of a message and what it says, which may begin with the name.
func said(name, text string) string {
	if rest, ok := strings.CutPrefix(text, name); ok {
		text = strings.TrimLeft(rest, ":, ")
	}
	return strings.TrimSuffix(name+": "+text, ": ")
}

// expected compares what was foreseen when the image was distributed, and what is foreseen
// now, while the download goes on, with what is so.
func (l *running) expected(out *report.Update) {
	u := &l.update
	if u.Foreseen == nil && u.Expected == nil {
		out.ExpectedNote = "Nothing was foreseen: the hub foresees downloads of gas meters that it knows."
		return
	}
	rows := []report.Comparison{
		{What: "Complete", Actual: l.completed()},
		{What: "Windows", Actual: fmt.Sprint(u.Windows)},
		{What: "Charge", Actual: l.spent()},
		{What: "Radio on", Actual: l.radioOn()},
	}
	if f := u.Foreseen; f == nil {
		out.ExpectedNote = "What was foreseen at first is not recorded: the meter was not heard, or another release distributed it."
	} else {
		out.ExpectedNote = fmt.Sprintf("As the hub foresaw it at %s, with the loss that it had measured by then.", f.At.UTC().Format(instant))
		for i, text := range forecast(f.CompletesAt, f.Windows, f.Charge, f.RadioOn) {
			rows[i].Expected = text
		}
	}
	if e := u.Expected; e != nil {
		out.ExpectedNote += " Now: what is so and what the rest takes, with the loss measured by now."
		charge, radioOn := e.Charge, e.RadioOn
		if c := l.cost(); c != nil {
			charge, radioOn = charge+c.Charge, radioOn+c.RadioOn
		}
		for i, text := range forecast(e.CompletesAt, float64(u.Windows)+e.Windows, charge, radioOn) {
			rows[i].Now = text
		}
	}
	out.Expected = rows
}

// instant is how instants are written in sentences and cells.
const instant = "2 January 2006, 15:04"

// forecast returns what is foreseen in words: the end, windows, charge and radio-on time.
func forecast(completes *time.Time, windows, charge, radioOn float64) []string {
	if completes == nil {
		return []string{"never, at this pacing"}
	}
	return []string{completes.UTC().Format(instant), fmt.Sprintf("%.1f", windows), fmt.Sprintf("%.1f µAh", charge), fmt.Sprintf("%.2f s", radioOn)}
}

// completed says when the device had all bytes, or how far it is.
func (l *running) completed() string {
	u, w := &l.update, l.timeline.Windows
	if u.Offset != nil && *u.Offset >= u.Size && len(w) > 0 {
		return w[len(w)-1].EndedAt.UTC().Format(instant)
	}
	if u.Offset == nil {
		return u.State
	}
	return fmt.Sprintf("%s: %d of %d bytes", u.State, *u.Offset, u.Size)
}

// cost returns what the update cost the cell so far, nil if that is not known.
func (l *running) cost() *api.UpdateCost {
	if c := l.battery.Update; l.hasBattery && c != nil && c.Image == l.update.Image {
		return c
	}
	return nil
}

func (l *running) spent() string {
	if c := l.cost(); c != nil {
		return fmt.Sprintf("%.1f µAh", c.Charge)
	}
	return "not known to the hub"
}

func (l *running) radioOn() string {
	var sum float64
	for i := range l.timeline.Windows {
		if r := l.timeline.Windows[i].RadioOn; r != nil {
			sum += *r
		}
	}
	if c := l.cost(); c != nil {
		sum = c.RadioOn
	}
	return fmt.Sprintf("%.2f s", sum)
}

func (l *running) charge(out *report.Update) {
	switch {
	case !l.device.Sleeps:
		out.ChargeNote = "The device is on mains."
		return
	case !l.hasBattery || len(l.battery.Causes) == 0:
		out.ChargeNote = "The hub does not know what the meter spent by cause: the meter runs elsewhere and did not report it."
	default:
		out.ChargeNote = "Since the cell was put in, by the meter's own ledger. The windows of the update took " + l.spent() + "."
	}
	for _, c := range l.battery.Causes {
		out.Charge = append(out.Charge, report.Cause{Name: c.Cause, Charge: c.Charge})
	}
	for _, p := range l.history.Points {
		if p.BatteryPercent != nil {
			out.Battery = append(out.Battery, report.Point{At: p.At, Value: *p.BatteryPercent})
		}
	}
	out.Battery = report.Finest(out.Battery)
}

func runsOf(all []api.Run) []report.Run {
	out := make([]report.Run, len(all))
	for i, r := range all {
		out[i] = report.Run{From: r[0], To: r[1]}
	}
	return out
}
