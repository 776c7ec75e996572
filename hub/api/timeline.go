package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
)

// Run is a run of bytes of an image: the first, and the one behind the last.
type Run [2]uint32

// Window is one heartbeat window of a transfer.
type Window struct {
	Number    uint32    `json:"number" doc:"from 1, of this transfer"`
	OpenedAt  time.Time `json:"opened_at" doc:"when the device's report came"`
	EndedAt   time.Time `json:"ended_at" doc:"last frame of the transfer in it"`
	Open      bool      `json:"open" doc:"it goes on"`
	Blocks    uint32    `json:"blocks" doc:"served for the first time"`
	Repeats   uint32    `json:"repeats" doc:"served again"`
	Waits     uint32    `json:"waits" doc:"WAIT_FOR_DATA told"`
	Bytes     uint32    `json:"bytes" doc:"served for the first time"`
	From      *uint32   `json:"from,omitempty" doc:"where it began"`
	To        *uint32   `json:"to,omitempty" doc:"how far it got"`
	Runs      []Run     `json:"runs" doc:"what was served in it, at most 64 runs of bytes"`
	ResumedAt *uint32   `json:"resumed_offset,omitempty" doc:"offset at which the device went on after it, or its session, or the hub started anew"`
	Repeated  []uint32  `json:"repeated" doc:"offsets served again, the first 32"`
	Wait      *float64  `json:"wait_s,omitempty" doc:"delay told with WAIT_FOR_DATA, the last one"`
	RadioOn   *float64  `json:"radio_on_s,omitempty" doc:"the meter's radio-on time, by its own account, or by the radio model until it gave one; only of a device that sleeps"`
	Charge    *float64  `json:"charge_uah,omitempty" doc:"what the window took, by the meter's own account"`
	// Causes is told of windows at whose beginning and end the meter gave an account.
	Causes map[string]float64 `json:"charge_by_cause_uah,omitempty" doc:"what the cell gave since the meter's account before, that of an earlier window or of a heartbeat before the transfer: what the window took, and what sleep and windows without an account took before it; in the first window of a new meter, since its cell was put in"`
	// Interrupted is told of few windows.
	Interrupted bool `json:"interrupted,omitempty" doc:"the hub stopped in it: not all that was served in it is recorded"`
}

// Earlier sums up windows that are not listed any more.
type Earlier struct {
	Windows uint32  `json:"windows"`
	Blocks  uint32  `json:"blocks"`
	Repeats uint32  `json:"repeats"`
	Waits   uint32  `json:"waits"`
	Bytes   uint32  `json:"bytes"`
	Charge  float64 `json:"charge_uah" doc:"of those that the meter told of"`
}

// Timeline is the staged transfer of one image to one device, window by window.
type Timeline struct {
	Device    han.EUI64 `json:"device"`
	Image     string    `json:"image" doc:"SHA-256 of the OTA file"`
	Size      uint32    `json:"size" doc:"bytes of the image"`
	BlockSize uint32    `json:"block_size,omitempty" doc:"bytes, the largest block seen"`
	Since     time.Time `json:"since" doc:"when the hub began to watch this transfer"`
	Complete  bool      `json:"complete" doc:"it was watched from its beginning, and all that was served is recorded"`
	Windows   []Window  `json:"windows" doc:"those in which something of this transfer happened, at most 512"`
	Served    []Run     `json:"served" doc:"all that was served and recorded"`
	Missed    []Run     `json:"not_recorded,omitempty" doc:"served in windows in which the hub stopped, as the device's next request told"`
	Earlier   Earlier   `json:"earlier"`
}

type timelineInput struct {
	DevicePath
	Image string `query:"image" doc:"SHA-256 of the OTA file; default: the image of the update under way, or else of the newest"`
}

type timelineOutput struct{ Body Timeline }

func (a *API) registerTimeline() {
	register(a, huma.Operation{
		OperationID: "read-timeline", Method: http.MethodGet, Path: pathUpdates + "/{eui64}/timeline",
		Summary: "Read the staged transfer of an update, window by window", Tags: []string{"updates"},
	}, []int{http.StatusNotFound}, a.readTimeline)
}

func (a *API) readTimeline(_ context.Context, in *timelineInput) (*timelineOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	u, err := a.currentUpdate(eui)
	if err != nil {
		return nil, problem(err)
	}
	if in.Image != "" {
		hash, err := imagecache.ParseHash(in.Image)
		if err != nil {
			return nil, invalid("query.image", in.Image, err)
		}
		var ok bool
		if u, ok = a.Store.Update(eui, hash); !ok {
			return nil, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: image %s was not distributed to it", eui, hash))
		}
	}
	return &timelineOutput{Body: a.timeline(u)}, nil
}

func (a *API) timeline(u store.Update) Timeline {
	im, _ := a.Store.ImageByFileHash(u.FileHash)
	t, watched := a.Observer.Timeline(u.Device, u.FileHash, a.now())
	if !watched { // it ended before the hub started, or so many came after it
		t.Since = a.now()
	}
	out := Timeline{
		Device: u.Device, Image: fmt.Sprintf("%x", u.FileHash), Size: im.Size, BlockSize: t.BlockSize,
		Since: t.Since.UTC(), Complete: t.Complete, Windows: []Window{}, Served: runsOf(t.Served), Missed: runsOf(t.Missed),
		Earlier: earlierOf(&t.Earlier),
	}
	seen, _ := a.Observer.Device(u.Device, a.now())
	for i := range t.Windows {
		out.Windows = append(out.Windows, windowOf(&t.Windows[i], t.Open && i == len(t.Windows)-1, seen.Sleeps))
	}
	return out
}

func earlierOf(s *observe.Sum) Earlier {
	return Earlier{s.Windows, s.Blocks, s.Repeats, s.Waits, s.Bytes, battery.Charge(s.Charge).MicroampHours()}
}

func windowOf(w *observe.Window, open, sleeps bool) Window {
	out := Window{
		Number: w.Number, OpenedAt: w.OpenedAt.UTC(), EndedAt: w.EndedAt.UTC(), Open: open,
		Blocks: w.Blocks, Repeats: w.Repeats, Waits: w.Waits, Bytes: w.Bytes,
		Runs: runsOf(w.Runs), Repeated: w.Repeated, Interrupted: w.Interrupted, Causes: w.ByCause(),
	}
	if out.Repeated == nil {
		out.Repeated = []uint32{}
	}
	if n := len(w.Runs); n > 0 {
		out.From, out.To = &w.Runs[0].From, &w.Runs[n-1].To
	}
	if w.Resumed {
		out.ResumedAt = &w.ResumedAt
	}
	if w.Wait > 0 {
		seconds := w.Wait.Seconds()
		out.Wait = &seconds
	}
	if sleeps && (w.RadioOn > 0 || !w.Interrupted) {
		seconds := w.RadioOn.Seconds()
		out.RadioOn = &seconds
	}
	if w.Told {
		charge := battery.Charge(w.Charge).MicroampHours()
		out.Charge = &charge
	}
	return out
}

func runsOf(runs []ota.Run) []Run {
	out := make([]Run, len(runs))
	for i, r := range runs {
		out[i] = Run{r.From, r.To}
	}
	return out
}

// milliseconds returns a duration in milliseconds, to the microsecond.
