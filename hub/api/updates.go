package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
)

// Update is the distribution of one image to one device.
type Update struct {
	Device    han.EUI64  `json:"device"`
	Kind      string     `json:"kind"`
	Image     string     `json:"image" doc:"SHA-256 of the OTA file"`
	Version   string     `json:"version" doc:"8 hex digits"`
	State     string     `json:"state" enum:"pending,downloading,transferred,activating,dated,activated,failed,cancelled,superseded"`
	Outcome   string     `json:"outcome,omitempty" doc:"why the state is as it is"`
	Offset    uint32     `json:"offset" doc:"bytes served so far, since the hub started"`
	Size      uint32     `json:"size" doc:"bytes of the image"`
	Windows   uint32     `json:"windows" doc:"heartbeat windows in which blocks were served"`
	Blocks    uint32     `json:"blocks" doc:"blocks served"`
	Repeats   uint32     `json:"repeats" doc:"blocks served more than once"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

// updatesOf returns all updates, oldest first.
func (b Backend) updatesOf(h *hub.Hub) []Update {
	records := b.Store.Updates()
	slices.SortStableFunc(records, func(x, y store.Update) int { return int(x.StartedAt - y.StartedAt) })
	out := []Update{}
	for _, u := range records {
		im, _ := b.Store.ImageByFileHash(u.FileHash)
		d, _ := b.Store.Device(u.Device)
		view := Update{
			Device: u.Device, Kind: hub.Kind(d.Kind).String(), Image: fmt.Sprintf("%x", u.FileHash),
			Version: versionText(im.FileVersion), State: hub.UpdateState(u.State).String(), Outcome: u.Outcome,
			Size: im.Size, Windows: u.Windows, Blocks: u.Blocks, Repeats: u.Retries,
			StartedAt: instant(u.StartedAt), ChangedAt: instant(u.ChangedAt),
		}
		p := h.Progress(u)
		view.Offset, view.Windows, view.Blocks, view.Repeats = p.Offset, p.Windows, p.Blocks, p.Repeats
		out = append(out, view)
	}
	return out
}

type updatesOutput struct {
	Body struct {
		Updates []Update `json:"updates"`
	}
}

type distributeInput struct {
	Body struct {
		Image   string   `json:"image" doc:"SHA-256 of the OTA file, 64 hex digits"`
		Devices []string `json:"devices" minItems:"1" maxItems:"16" doc:"16 hex digits each"`
	}
}

func (b Backend) registerUpdates(a huma.API) {
	huma.Register(a, huma.Operation{
		OperationID: "list-updates", Method: http.MethodGet, Path: "/v1/updates",
		Summary: "List the updates", Tags: []string{"updates"},
	}, func(context.Context, *struct{}) (*updatesOutput, error) { return b.listUpdates() })
	huma.Register(a, huma.Operation{
		OperationID: "distribute-image", Method: http.MethodPost, Path: "/v1/updates", DefaultStatus: http.StatusAccepted,
		Summary: "Distribute an image to devices (SRV 11.1)", Tags: []string{"updates"},
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, b.distribute)
	huma.Register(a, huma.Operation{
		OperationID: "cancel-update", Method: http.MethodDelete, Path: "/v1/updates/{eui64}", DefaultStatus: http.StatusNoContent,
		Summary: "Cancel the update of a device", Tags: []string{"updates"},
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(_ context.Context, in *deviceInput) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.CancelUpdate(now, out, eui) })
	})
}

func (b Backend) listUpdates() (*updatesOutput, error) {
	out := &updatesOutput{}
	err := b.operate(func(h *hub.Hub, _ time.Time, _ *han.Outbox) error {
		out.Body.Updates = b.updatesOf(h)
		return nil
	})
	return out, err
}

func (b Backend) distribute(_ context.Context, in *distributeInput) (*updatesOutput, error) {
	hash, err := imagecache.ParseHash(in.Body.Image)
	if err != nil {
		return nil, invalid(err)
	}
	var devices []han.EUI64
	for _, text := range in.Body.Devices {
		eui, err := han.ParseEUI64(text)
		if err != nil {
			return nil, invalid(err)
		}
		if slices.Contains(devices, eui) {
			return nil, invalid(fmt.Errorf("device %s is named twice", eui))
		}
		devices = append(devices, eui)
	}
	if err := b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.Distribute(now, out, hash, devices)
	}); err != nil {
		return nil, err
	}
	return b.listUpdates()
}
