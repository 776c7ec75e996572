package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
)

// Update is the distribution of one image to one device.
type Update struct {
	Device      han.EUI64  `json:"device"`
	Kind        string     `json:"kind"`
	Image       string     `json:"image" doc:"SHA-256 of the OTA file"`
	Version     string     `json:"version" doc:"8 hex digits"`
	State       string     `json:"state" enum:"pending,downloading,transferred,activating,dated,activated,failed,cancelled,superseded"`
	Outcome     string     `json:"outcome,omitempty" doc:"why the state is as it is"`
	Offset      *uint32    `json:"offset,omitempty" doc:"behind the furthest byte served; absent if the hub stopped in the first window, until the device asks"`
	Size        uint32     `json:"size" doc:"bytes of the image"`
	Windows     uint32     `json:"windows" doc:"heartbeat windows in which blocks were served"`
	Blocks      uint32     `json:"blocks" doc:"blocks served"`
	Repeats     uint32     `json:"repeats" doc:"blocks served more than once"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	ChangedAt   *time.Time `json:"changed_at,omitempty"`
	Waiting     *Waiting   `json:"waiting,omitempty" doc:"why nothing flows at the moment"`
	ExpectedAt  *time.Time `json:"expected_at,omitempty" doc:"when all bytes will be there: by the pacing policy, or else at the present pace"`
	WindowsLeft *uint32    `json:"windows_left,omitempty" doc:"heartbeats that the rest takes"`
	Charge      *float64   `json:"charge_uah,omitempty" doc:"what a gas meter spent on work in the windows of the update, those that it told of"`
	BlockSize   uint32     `json:"block_size,omitempty" doc:"bytes, the largest block seen"`
	Expected    *Expected  `json:"expected,omitempty" doc:"what the rest of a gas meter's download takes, by the pacing policy and the loss measured"`
	NotRecorded uint32     `json:"not_recorded_bytes,omitempty" doc:"served in windows in which the hub stopped, as the device's next request told: when is not recorded"`
	Replaced    bool       `json:"replaced,omitempty" doc:"the device was activated, and runs another version since"`
	Foreseen    *Foreseen  `json:"foreseen,omitempty" doc:"what the whole download of a gas meter was expected to take when the image was distributed, or, of a meter that had not been heard, when it first asked; it does not change"`
}

// Foreseen is what a gas meter's download was expected to take when its image was
// distributed, or when the meter first asked for it.
type Foreseen struct {
	At          time.Time  `json:"at" doc:"when that was"`
	Never       bool       `json:"never" doc:"the pacing policy of then let the meter have nothing"`
	CompletesAt *time.Time `json:"completes_at,omitempty" doc:"the image is complete in the meter"`
	Windows     float64    `json:"windows" doc:"heartbeat windows in which blocks come, a mean"`
	Charge      float64    `json:"charge_uah" doc:"from the meter's cell"`
	RadioOn     float64    `json:"radio_on_s" doc:"of the meter"`
}

// foreseen returns what was expected of an update at its distribution, nil if nothing was.
func foreseen(u store.Update) *Foreseen {
	if u.ForeseenAt == 0 {
		return nil
	}
	radioOn := time.Duration(u.ForeseenRadioOn) * time.Microsecond
	return &Foreseen{
		At: time.UnixMicro(u.ForeseenAt).UTC(), Never: u.ForeseenCompletesAt == 0, CompletesAt: instant(u.ForeseenCompletesAt),
		Windows: float64(u.ForeseenWindows) / 10, Charge: math.Round(battery.Charge(u.ForeseenCharge).MicroampHours()*10) / 10,
		RadioOn: radioOn.Round(time.Millisecond).Seconds(),
	}
}

// Expected is what the rest of a gas meter's download is expected to take, if no
// other device takes part of the band's duty cycle.
type Expected struct {
	Never       bool       `json:"never" doc:"the pacing policy lets the meter have nothing"`
	CompletesAt *time.Time `json:"completes_at,omitempty" doc:"the image is complete in the meter"`
	Windows     float64    `json:"windows" doc:"heartbeat windows in which blocks will come, a mean"`
	Charge      float64    `json:"charge_uah" doc:"from the meter's cell"`
	RadioOn     float64    `json:"radio_on_s" doc:"of the meter"`
	Late        bool       `json:"late" doc:"after the deadline of the pacing policy"`
	Doubt       string     `json:"doubt,omitempty" doc:"why the pacing policy may not hold what it promises, in one line"`
}

// expected returns the prediction for a download in progress; nil for any other.
func expected(h *hub.Hub, u store.Update, now time.Time) *Expected {
	p, doubt, ok := h.Expected(now, u)
	if !ok {
		return nil
	}
	out := &Expected{
		Never: p.Never, Doubt: doubt, Windows: math.Round(p.Windows*10) / 10,
		Charge: math.Round(p.Charge.MicroampHours()*10) / 10, RadioOn: p.RadioOn.Round(time.Millisecond).Seconds(),
	}
	if !p.Never {
		out.CompletesAt = optional(p.CompletesAt.Truncate(time.Second))
	}
	deadline, has := h.Config().Policy.(gasproxy.Deadline)
	out.Late = has && (p.Never || p.CompletesAt.After(time.UnixMicro(u.StartedAt).Add(time.Duration(deadline))))
	return out
}

// Waiting says what an update waits for.
type Waiting struct {
	Code  string     `json:"code" enum:"query,band,heartbeat,idle,overdue,unheard,session,broker,verifying,order,mailbox,response,date"`
	Text  string     `json:"text" doc:"in words"`
	Until *time.Time `json:"until,omitempty"`
	// The next two are told of a meter whose heartbeat did not come, whatever it waits for.
	SilentSince  *time.Time `json:"silent_since,omitempty" doc:"when the meter was heard last"`
	OverdueSince *time.Time `json:"overdue_since,omitempty" doc:"when the heartbeat that did not come was due: since then it is more than late"`
}

// Codes of a device that does not go on: it woke and asked for nothing, it is silent, it
// has no session, nobody has one because the hub has no broker, or it was never heard.
const (
	codeIdle    = "idle"
	codeOverdue = "overdue"
	codeSession = "session"
	codeBroker  = "broker"
	codeUnheard = "unheard"
)

// stands reports whether nothing flows that could go on.
func (w *Waiting) stands() bool {
	return w != nil && (w.Code == codeIdle || w.Code == codeOverdue || w.Code == codeSession || w.Code == codeBroker || w.Code == codeUnheard)
}

// update returns an update with the figures of this instant. It runs between two
// calls of the hub.
func (a *API) update(h *hub.Hub, u store.Update, now time.Time) Update {
	im, _ := a.Store.ImageByFileHash(u.FileHash)
	d, _ := a.Store.Device(u.Device)
	p := a.HeadEnd.Progress(u)
	state := u.State
	out := Update{
		Device: u.Device, Kind: d.Kind.String(), Image: fmt.Sprintf("%x", u.FileHash),
		Version: versionText(im.FileVersion), State: state.String(), Outcome: u.Outcome, Size: im.Size,
		Windows: p.Windows, Blocks: p.Blocks, Repeats: p.Repeats,
		StartedAt: instant(u.StartedAt), ChangedAt: instant(u.ChangedAt), Foreseen: foreseen(u),
	}
	seen, _ := a.Observer.Device(u.Device, now)
	t, watched := a.Observer.Timeline(u.Device, u.FileHash, now)
	out.BlockSize, out.NotRecorded = t.BlockSize, ota.Runs(t.Missed).Sum()
	out.Replaced = state == store.UpdateActivated && a.Store.LastHeard(d) != 0 && d.FirmwareVersion != im.FileVersion
	out.countWindows(&t)
	if sum := t.Sum(); sum.Charge > 0 {
		charge := battery.Charge(sum.Charge).MicroampHours()
		out.Charge = &charge
	}
	switch {
	case state >= store.UpdateTransferred && state <= store.UpdateActivated:
		out.Offset = &im.Size
	case d.Kind == store.KindBridged:
		out.Offset = &p.Offset
		return out // what it waits for is its outcome, in the bridge's words
	case p.Offset > 0:
		out.Offset = &p.Offset
	case watched:
		if offset, known := t.Offset(); known {
			out.Offset = &offset
		}
	}
	if state == store.UpdateDownloading || state == store.UpdatePending {
		if e, ok := t.Estimate(&seen, im.Size, now); ok {
			out.ExpectedAt = optional(e.At.Truncate(time.Second))
			if seen.Sleeps {
				out.WindowsLeft = &e.WindowsLeft
			}
		}
	}
	if e := expected(h, u, now); e != nil {
		out.Expected, out.ExpectedAt, out.WindowsLeft = e, e.CompletesAt, nil
		if !e.Never {
			left := uint32(math.Ceil(e.Windows))
			out.WindowsLeft = &left
		}
	}
	if out.Waiting = a.waiting(u, im, &seen, &t, now); out.Waiting.stands() {
		out.Expected, out.ExpectedAt, out.WindowsLeft = nil, nil, nil
	} else if band := waitingForBand(h.Duty(now)); band != nil && state <= store.UpdateDownloading {
		out.Waiting = band
	}
	out.Waiting.addSilence(&seen, now)
	return out
}

// countWindows takes figures from the windows where they are ahead of the supplier's,
// who counts a window that ended in silence at the next heartbeat: the hub may have been
// killed in between.
func (u *Update) countWindows(t *observe.Timeline) {
	if t.Earlier.Windows > 0 {
		return
	}
	var sum observe.Sum
	for i := range t.Windows {
		if w := &t.Windows[i]; w.Blocks > 0 {
			sum.Windows++
			sum.Blocks += w.Blocks
			sum.Repeats += w.Repeats
		}
	}
	u.Windows, u.Blocks, u.Repeats = max(u.Windows, sum.Windows), max(u.Blocks, sum.Blocks), max(u.Repeats, sum.Repeats)
}

func updateTag(u store.Update) string {
	return etag(u.Device, u.FileHash, u.State, u.StartedAt, u.Outcome)
}

// updateKey sorts updates, oldest first.
func updateKey(u store.Update) string {
	return fmt.Sprintf("%020d %s %x", u.StartedAt, u.Device, u.FileHash)
}

// updates returns the updates that keep accepts, oldest first.
func (a *API) updates(keep func(store.Update) bool) []store.Update {
	all := slices.DeleteFunc(a.Store.Updates(), func(u store.Update) bool { return !keep(u) })
	slices.SortFunc(all, func(x, y store.Update) int { return cmp.Compare(updateKey(x), updateKey(y)) })
	return all
}

// currentUpdate returns the update of a device that has not ended, or else its newest.
func (a *API) currentUpdate(eui han.EUI64) (store.Update, error) {
	if _, ok := a.Store.Device(eui); !ok {
		return store.Update{}, fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice)
	}
	all := a.updates(func(u store.Update) bool { return u.Device == eui })
	if len(all) == 0 {
		return store.Update{}, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: no image was distributed to it", eui))
	}
	for _, u := range all {
		if !u.State.Ended() {
			return u, nil
		}
	}
	return all[len(all)-1], nil
}

type updatesInput struct {
	Paging
	Device string `query:"device" doc:"only those of this device, 16 hex digits"`
	State  string `query:"state" enum:"pending,downloading,transferred,activating,dated,activated,failed,cancelled,superseded" doc:"only those in this state"`
}

type updatesOutput struct {
	Body struct {
		Updates []Update `json:"updates"`
		Next    string   `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

type updateOutput struct {
	ETag string `header:"ETag"`
	Body Update
}

type distributeInput struct {
	Key  string `header:"Idempotency-Key" maxLength:"64" doc:"the same request with the same key is done once"`
	Body struct {
		Image   string   `json:"image" doc:"SHA-256 of the OTA file, 64 hex digits"`
		Devices []string `json:"devices" minItems:"1" maxItems:"16" doc:"16 hex digits each"`
		Force   bool     `json:"force,omitempty" doc:"also to a device that runs a newer version, which a meter refuses when it has the whole image"`
	}
}

const pathUpdates = "/v1/updates"

func (a *API) registerUpdates() {
	register(a, huma.Operation{
		OperationID: "list-updates", Method: http.MethodGet, Path: pathUpdates,
		Summary: "List the updates, oldest first", Tags: []string{"updates"},
	}, []int{http.StatusServiceUnavailable}, a.listUpdates)
	register(a, huma.Operation{
		OperationID: "read-update", Method: http.MethodGet, Path: pathUpdates + "/{eui64}",
		Summary: "Read the update of a device that is under way, or else its newest", Tags: []string{"updates"},
	}, []int{http.StatusNotFound, http.StatusServiceUnavailable}, a.readUpdate)
	register(a, huma.Operation{
		OperationID: "distribute-image", Method: http.MethodPost, Path: pathUpdates, DefaultStatus: http.StatusAccepted,
		Summary: "Distribute an image to devices (SRV 11.1)", Tags: []string{"updates"},
	}, changing(http.StatusNotFound, http.StatusConflict), a.distribute)
	register(a, huma.Operation{
		OperationID: "cancel-update", Method: http.MethodDelete, Path: pathUpdates + "/{eui64}", DefaultStatus: http.StatusNoContent,
		Summary: "Cancel the update of a device", Tags: []string{"updates"},
	}, changing(http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed), a.cancelUpdate)
	a.registerTimeline()
}

func (a *API) listUpdates(_ context.Context, in *updatesInput) (*updatesOutput, error) {
	keep := func(store.Update) bool { return true }
	if in.Device != "" {
		eui, err := han.ParseEUI64(in.Device)
		if err != nil {
			return nil, invalid("query.device", in.Device, err)
		}
		keep = func(u store.Update) bool { return u.Device == eui }
	}
	all := a.updates(func(u store.Update) bool {
		return keep(u) && (in.State == "" || u.State.String() == in.State)
	})
	items, next, err := cut(in.Paging, all, updateKey)
	if err != nil {
		return nil, err
	}
	out := &updatesOutput{}
	out.Body.Next = next
	out.Body.Updates, err = a.live(items)
	return out, err
}

// live returns updates with the figures of this instant.
func (a *API) live(records []store.Update) ([]Update, error) {
	out := []Update{}
	err := a.operate(func(h *hub.Hub, now time.Time, _ *han.Outbox) error {
		for _, u := range records {
			out = append(out, a.update(h, u, now))
		}
		return nil
	})
	return out, err
}

func (a *API) readUpdate(_ context.Context, in *DevicePath) (*updateOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	u, err := a.currentUpdate(eui)
	if err != nil {
		return nil, problem(err)
	}
	views, err := a.live([]store.Update{u})
	if err != nil {
		return nil, err
	}
	return &updateOutput{ETag: updateTag(u), Body: views[0]}, nil
}

func (a *API) distribute(ctx context.Context, in *distributeInput) (*updatesOutput, error) {
	hash, err := imagecache.ParseHash(in.Body.Image)
	if err != nil {
		return nil, invalid("body.image", in.Body.Image, err)
	}
	var devices []han.EUI64
	for i, text := range in.Body.Devices {
		where := fmt.Sprintf("body.devices[%d]", i)
		eui, err := han.ParseEUI64(text)
		if err != nil {
			return nil, invalid(where, text, err)
		}
		if slices.Contains(devices, eui) {
			return nil, invalid(where, text, fmt.Errorf("device %s is named twice", eui))
		}
		devices = append(devices, eui)
	}
	if err := a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return a.HeadEnd.Distribute(now, out, headend.Distribution{Image: hash, Devices: devices, Downgrade: in.Body.Force})
	}); err != nil {
		return nil, err
	}
	all := a.updates(func(u store.Update) bool { return u.FileHash == hash && slices.Contains(devices, u.Device) })
	views, err := a.live(all)
	out := &updatesOutput{}
	out.Body.Updates = views
	return out, err
}

func (a *API) cancelUpdate(_ context.Context, in *changeDeviceInput) (*struct{}, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	return nil, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		if err := a.checkUpdate(in.Precondition, eui); err != nil {
			return err
		}
		return a.HeadEnd.CancelUpdate(now, out, eui)
	})
}

// checkUpdate checks a precondition on the update of a device. An entry that is not
// there is the operation's to complain about.
func (a *API) checkUpdate(i Precondition, eui han.EUI64) error {
	u, err := a.currentUpdate(eui)
	if err != nil {
		return nil
	}
	return i.check(updateTag(u))
}

// waiting says why nothing flows at the moment; nil while blocks flow and after
// the end.
func (a *API) waiting(u store.Update, im store.Image, seen *observe.Device, t *observe.Timeline, now time.Time) *Waiting {
	switch u.State {
	case store.UpdatePending, store.UpdateDownloading:
		if offset, known := t.Offset(); known && im.Size > 0 && offset >= im.Size {
			return &Waiting{Code: "verifying", Text: "all bytes are there, the device checks the image"}
		}
		if up, _ := a.BrokerUp(); !up {
			return &Waiting{Code: codeBroker, Text: "the hub has no broker, and reaches no device"}
		}
		if !seen.Sleeps && !a.Connected(u.Device) && u.State == store.UpdateDownloading {
			return &Waiting{Code: codeSession, Text: "the device has no session with the hub" + lastHeard(seen)}
		}
		return waitingForBlocks(u, seen, t, now)
	case store.UpdateTransferred:
		return &Waiting{Code: "order", Text: "the image is verified and waits for the supplier's order to activate"}
	case store.UpdateActivating, store.UpdateDated:
		return a.waitingForActivation(u, seen, now)
	case store.UpdateActivated, store.UpdateFailed, store.UpdateCancelled, store.UpdateSuperseded:
	}
	return nil
}

func lastHeard(seen *observe.Device) string {
	if seen.HeardAt.IsZero() {
		return ""
	}
	return "; it was heard last at " + seen.HeardAt.UTC().Format(time.RFC3339)
}

// addSilence says of a meter whose heartbeat did not come since when that is so.
func (w *Waiting) addSilence(seen *observe.Device, now time.Time) {
	if w == nil || !seen.Overdue(now) {
		return
	}
	due, _ := seen.NextHeartbeat()
	w.SilentSince, w.OverdueSince = optional(seen.SilentSince()), optional(due)
	silence := fmt.Sprintf("the meter is silent since %s; its heartbeat was due %s and did not come",
		w.SilentSince.UTC().Format(time.RFC3339), due.UTC().Format(time.RFC3339))
	if w.Text != "" {
		silence = w.Text + "; " + silence
	}
	w.Text = silence
}

// waitingForBand tells that the hub's transmitter has to be silent; nil if it has not.
func waitingForBand(d hub.Duty) *Waiting {
	if d.State == phy.DutyNormal {
		return nil
	}
	return &Waiting{
		Code: "band", Until: optional(d.Until.Truncate(time.Second)),
		Text: fmt.Sprintf("the band's duty cycle is %s: the hub sent for %v within an hour, blocks wait from %v on",
			d.State, d.Spent.Round(100*time.Millisecond), d.Limits.Critical),
	}
}

func waitingForBlocks(u store.Update, seen *observe.Device, t *observe.Timeline, now time.Time) *Waiting {
	if seen.Sleeps && !seen.Awake {
		next, known := seen.NextHeartbeat()
		switch {
		case !known && seen.HeardAt.IsZero():
			return &Waiting{Code: codeUnheard, Text: "the hub has not heard of the meter since it started"}
		case seen.Overdue(now):
			return &Waiting{Code: codeOverdue} // addSilence says the rest
		case t.Idle && u.State == store.UpdateDownloading:
			return &Waiting{Code: codeIdle, Text: "the meter asked for nothing in its last window: it keeps its charge, or was told to wait longer", Until: optional(next)}
		case t.Waiting:
			return &Waiting{Code: "heartbeat", Text: "the window's share is used up (WAIT_FOR_DATA); the meter sleeps until its next heartbeat", Until: optional(next)}
		default:
			return &Waiting{Code: "heartbeat", Text: "the meter sleeps until its next heartbeat", Until: optional(next)}
		}
	}
	if u.State == store.UpdatePending {
		return &Waiting{Code: "query", Text: "the image is offered, the device did not ask for it yet"}
	}
	return nil
}

func (a *API) waitingForActivation(u store.Update, seen *observe.Device, now time.Time) *Waiting {
	o, known := a.Store.Order(u.Device, u.Order)
	if known && o.State == store.OrderQueued {
		w := &Waiting{Code: "mailbox", Text: "the order to activate waits for the device to fetch it"}
		if next, ok := seen.NextHeartbeat(); ok && !seen.Overdue(now) {
			w.Until = optional(next)
		}
		return w
	}
	if u.State == store.UpdateDated {
		return &Waiting{Code: "date", Text: "the device activates " + u.Outcome, Until: instant(o.ExecuteAt)}
	}
	return &Waiting{Code: "response", Text: "the device has the order to activate, its answer is to come"}
}
