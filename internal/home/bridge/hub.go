package bridge

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/transport/bridge"
)

// bridgedHub is the hub as the bridge sees it: through the REST interface, in the
// same process as in another.
type bridgedHub struct{ client *client.Client }

var _ bridge.Hub = bridgedHub{}

// hubDevice is what the bridge reads of a device.
type hubDevice struct {
	EUI64           han.EUI64  `json:"eui64"`
	Kind            string     `json:"kind"`
	FirmwareVersion string     `json:"firmware_version"`
	LastHeard       *time.Time `json:"last_heard"`
	NextHeartbeat   *time.Time `json:"next_heartbeat"`
	OverdueSince    *time.Time `json:"overdue_since"`
}

// hubUpdate is what the bridge reads of an update.
type hubUpdate struct {
	Device    han.EUI64   `json:"device"`
	Image     bridge.Hash `json:"image"`
	State     string      `json:"state"`
	Outcome   string      `json:"outcome"`
	Offset    uint32      `json:"offset"`
	StartedAt *time.Time  `json:"started_at"`
}

// hubImage is what the bridge reads of an image.
type hubImage struct {
	SHA256       bridge.Hash `json:"sha256"`
	Manufacturer string      `json:"manufacturer"`
	ImageType    string      `json:"image_type"`
	Version      string      `json:"version"`
	Size         int64       `json:"size"`
}

// Home implements bridge.Hub.
func (b bridgedHub) Home(ctx context.Context) (*bridge.Home, error) {
	home := &bridge.Home{}
	var clock struct {
		Now   time.Time `json:"now"`
		Speed float64   `json:"speed"`
	}
	var about struct {
		EUI64   han.EUI64 `json:"eui64"`
		Home    string    `json:"home"`
		Version string    `json:"version"`
	}
	if err := b.client.Call(ctx, http.MethodGet, "/v1/hub", nil, &about); err != nil {
		return nil, err
	}
	if err := b.client.Call(ctx, http.MethodGet, "/v1/clock", nil, &clock); err != nil {
		return nil, err
	}
	home.EUI64, home.ID, home.Version, home.Now, home.Speed = about.EUI64, about.Home, about.Version, clock.Now, clock.Speed
	devices, err := client.List[hubDevice](ctx, b.client, "/v1/devices", "devices")
	if err != nil {
		return nil, err
	}
	updates, err := b.updates(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		out := bridge.Device{
			EUI64: d.EUI64, Kind: d.Kind, Version: d.FirmwareVersion,
			LastHeard: instantOf(d.LastHeard), NextHeartbeat: instantOf(d.NextHeartbeat), OverdueSince: instantOf(d.OverdueSince), Update: updates[d.EUI64],
		}
		if kind, err := store.ParseKind(d.Kind); err == nil && kind.IsMeter() {
			if err := b.readings(ctx, &out); err != nil {
				return nil, err
			}
		}
		home.Devices = append(home.Devices, out)
	}
	slices.SortFunc(home.Devices, func(x, y bridge.Device) int {
		if x.EUI64 < y.EUI64 {
			return -1
		}
		return 1
	})
	return home, nil
}

// updates returns the update of each device that has not ended, else its last one.
func (b bridgedHub) updates(ctx context.Context) (map[han.EUI64]*bridge.Update, error) {
	images, err := client.List[hubImage](ctx, b.client, "/v1/images", "images")
	if err != nil {
		return nil, err
	}
	known := map[bridge.Hash]bridge.Image{}
	for _, im := range images {
		known[im.SHA256] = bridge.Image{
			Hash: im.SHA256, Size: im.Size, Manufacturer: uint16(hexNumber(im.Manufacturer)),
			ImageType: uint16(hexNumber(im.ImageType)), FileVersion: uint32(hexNumber(im.Version)),
		}
	}
	list, err := client.List[hubUpdate](ctx, b.client, "/v1/updates", "updates")
	if err != nil {
		return nil, err
	}
	out := map[han.EUI64]*bridge.Update{}
	for _, u := range list { // oldest first
		im, ok := known[u.Image]
		if before := out[u.Device]; !ok || before != nil && !before.State.Ended() {
			continue
		}
		out[u.Device] = &bridge.Update{
			Image: im, State: bridge.State(u.State), Outcome: u.Outcome, Offset: u.Offset, Started: instantOf(u.StartedAt),
		}
	}
	return out, nil
}

// readings fills in what the hub has of a meter's readings, if there are any.
func (b bridgedHub) readings(ctx context.Context, d *bridge.Device) error {
	var mirror struct {
		UpdatedAt  *time.Time `json:"updated_at"`
		Attributes []struct {
			ID    string `json:"id"`
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"attributes"`
	}
	if there, err := b.client.Get(ctx, "/v1/mirror/"+d.EUI64.String(), &mirror); err != nil || !there {
		return err
	}
	d.ReadAt, d.Readings = instantOf(mirror.UpdatedAt), map[uint16]zcl.Value{}
	for _, a := range mirror.Attributes {
		v := zcl.Value{Type: zcl.DataType(hexNumber(a.Type))}
		if v.Type == zcl.TypeOctetString {
			v.Bytes, _ = hex.DecodeString(a.Value) // the hub wrote it
		} else {
			v.Number, _ = strconv.ParseUint(a.Value, 10, 64)
		}
		d.Readings[uint16(hexNumber(a.ID))] = v
	}
	return nil
}

// hexNumber reads hex digits that the hub wrote.
func hexNumber(digits string) uint64 {
	n, _ := strconv.ParseUint(digits, 16, 64)
	return n
}

func instantOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// Fetch implements bridge.Hub.
func (b bridgedHub) Fetch(ctx context.Context, image bridge.Hash, w io.Writer) error {
	return b.client.Download(ctx, image.String(), w)
}

// Introduce implements bridge.Hub.
func (b bridgedHub) Introduce(ctx context.Context, m bridge.Mapping) error {
	return b.client.Call(ctx, http.MethodPost, "/v1/devices", map[string]any{"eui64": m.EUI64, "kind": bridge.KindBridged}, nil)
}

// Report implements bridge.Hub.
func (b bridgedHub) Report(ctx context.Context, r bridge.Report) error {
	body := map[string]any{"heard": !r.Heard.IsZero()}
	if r.Known {
		body["firmware_version"] = fmt.Sprintf("%08X", r.Version)
	}
	if r.Image != (bridge.Hash{}) {
		body["image"], body["state"], body["outcome"] = r.Image, r.State, r.Outcome
		body["offset"], body["windows"], body["blocks"] = r.Offset, r.Windows, r.Blocks
	}
	err := b.client.Call(ctx, http.MethodPut, "/v1/bridged/"+r.Device.String(), body, nil)
	var refused *client.Refusal
	if errors.As(err, &refused) && (refused.BadInput() || refused.Conflict()) {
		return fmt.Errorf("%w: %w", bridge.ErrRefused, err)
	}
	return err
}

// Install implements bridge.Hub.
func (b bridgedHub) Install(ctx context.Context, meter han.EUI64) error {
	return b.client.Call(ctx, http.MethodPost, "/v1/devices/"+meter.String()+"/activation", map[string]any{}, nil)
}
