package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
)

// Device is an entry of the device log, and how the device was seen last.
type Device struct {
	EUI64           han.EUI64  `json:"eui64" doc:"16 hex digits, for example 00DB1234567890A1"`
	Kind            string     `json:"kind" enum:"ESME,GSME,HCALCS,IHD,CAD,PPMID,BRIDGED"`
	AddedAt         *time.Time `json:"added_at,omitempty"`
	LastHeard       *time.Time `json:"last_heard,omitempty" doc:"when its last readings, the last report of its bridge, or in this run of the hub its last frame, came"`
	FirmwareVersion string     `json:"firmware_version,omitempty" doc:"as the device reported it, 8 hex digits"`
	Sleeps          bool       `json:"sleeps" doc:"it wakes for its heartbeats only"`
	Awake           bool       `json:"awake"`
	Period          float64    `json:"period_s,omitempty" doc:"of the heartbeats of a device that sleeps"`
	NextHeartbeat   *time.Time `json:"next_heartbeat,omitempty" doc:"when a device that sleeps should wake, if it was heard in this run of the hub"`
	Overdue         bool       `json:"overdue" doc:"its heartbeat did not come"`
	Connected       bool       `json:"connected" doc:"it has a DTLS session"`
	Mailbox         int        `json:"mailbox" doc:"messages that wait for it"`
	InProcess       bool       `json:"in_process" doc:"it runs in the hub's process, so that one can look inside"`
}

func (a *API) device(d store.Device, now time.Time) Device {
	heard := a.Store.LastHeard(d)
	out := Device{
		EUI64: d.EUI64, Kind: hub.Kind(d.Kind).String(), AddedAt: instant(d.AddedAt), LastHeard: instant(heard),
		Connected: a.Connected(d.EUI64), InProcess: a.Node(d.EUI64, func(time.Time, han.Node) {}),
	}
	if heard != 0 && hub.Kind(d.Kind).TakesFirmware() {
		out.FirmwareVersion = versionText(d.FirmwareVersion)
	}
	for _, m := range a.Store.MessagesOf(d.EUI64) {
		if hub.IsQueued(m) {
			out.Mailbox++
		}
	}
	seen, ok := a.Observer.Device(d.EUI64, now)
	if !ok {
		return out
	}
	if seen.HeardAt.UnixMicro() > heard {
		out.LastHeard = optional(seen.HeardAt)
	}
	out.Sleeps, out.Awake = seen.Sleeps, seen.Awake
	if !seen.Sleeps {
		out.Awake = out.Connected
		return out
	}
	if next, ok := seen.NextHeartbeat(); ok {
		out.Period, out.NextHeartbeat = seen.Period.Seconds(), optional(next)
		out.Overdue = seen.Overdue(now)
	}
	return out
}

func deviceTag(d store.Device) string { return etag(d.EUI64, d.Kind, d.AddedAt) }

func versionText(v uint32) string { return fmt.Sprintf("%08X", v) }

// DevicePath names a device in the path.
type DevicePath struct {
	EUI64 string `path:"eui64" doc:"16 hex digits"`
}

func (i DevicePath) parse() (han.EUI64, error) {
	eui, err := han.ParseEUI64(i.EUI64)
	if err != nil {
		return 0, invalid("path.eui64", i.EUI64, err)
	}
	return eui, nil
}

type devicesOutput struct {
	Body struct {
		Devices []Device `json:"devices"`
		Size    int      `json:"size" doc:"how many entries the device log holds at most"`
		Next    string   `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

type deviceOutput struct {
	ETag string `header:"ETag"`
	Body Device
}

type addDeviceInput struct {
	Body struct {
		EUI64 string `json:"eui64" doc:"16 hex digits"`
		Kind  string `json:"kind" enum:"ESME,GSME,HCALCS,IHD,CAD,PPMID,BRIDGED"`
	}
}

type changeDeviceInput struct {
	DevicePath
	Precondition
}

func (a *API) registerDevices() {
	register(a, huma.Operation{
		OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/devices",
		Summary: "List the device log", Tags: []string{"devices"},
	}, nil, a.listDevices)
	register(a, huma.Operation{
		OperationID: "read-device", Method: http.MethodGet, Path: "/v1/devices/{eui64}",
		Summary: "Read an entry of the device log", Tags: []string{"devices"},
	}, []int{http.StatusNotFound}, func(_ context.Context, in *DevicePath) (*deviceOutput, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.readDevice(eui)
	})
	register(a, huma.Operation{
		OperationID: "add-device", Method: http.MethodPost, Path: "/v1/devices", DefaultStatus: http.StatusCreated,
		Summary: "Add a device to the device log (CCS01)", Tags: []string{"devices"},
	}, changing(http.StatusConflict), a.addDevice)
	register(a, huma.Operation{
		OperationID: "remove-device", Method: http.MethodDelete, Path: "/v1/devices/{eui64}", DefaultStatus: http.StatusNoContent,
		Summary: "Remove a device from the device log (CCS02)", Tags: []string{"devices"},
	}, changing(http.StatusNotFound, http.StatusPreconditionFailed), func(_ context.Context, in *changeDeviceInput) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
			if d, ok := a.Store.Device(eui); ok {
				if err := in.check(deviceTag(d)); err != nil {
					return err
				}
			}
			return h.RemoveDevice(now, out, eui)
		})
	})
}

// changing returns the statuses of an operation that changes records, besides
// failures: the hub may have stopped, the disk may fail or be full.
func changing(failures ...int) []int {
	return append(failures, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusInsufficientStorage)
}

func (a *API) listDevices(_ context.Context, in *Paging) (*devicesOutput, error) {
	now := a.now()
	items, next, err := cut(*in, a.Store.Devices(), func(d store.Device) string { return d.EUI64.String() })
	if err != nil {
		return nil, err
	}
	out := &devicesOutput{}
	out.Body.Devices, out.Body.Size, out.Body.Next = []Device{}, hub.DeviceLogSize, next
	for _, d := range items {
		out.Body.Devices = append(out.Body.Devices, a.device(d, now))
	}
	return out, nil
}

func (a *API) readDevice(eui han.EUI64) (*deviceOutput, error) {
	d, ok := a.Store.Device(eui)
	if !ok {
		return nil, problem(fmt.Errorf("device %s: %w", eui, hub.ErrUnknownDevice))
	}
	return &deviceOutput{ETag: deviceTag(d), Body: a.device(d, a.now())}, nil
}

func (a *API) addDevice(_ context.Context, in *addDeviceInput) (*deviceOutput, error) {
	eui, err := han.ParseEUI64(in.Body.EUI64)
	if err != nil {
		return nil, invalid("body.eui64", in.Body.EUI64, err)
	}
	kind, err := hub.ParseKind(in.Body.Kind)
	if err != nil {
		return nil, invalid("body.kind", in.Body.Kind, err)
	}
	if err := a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		if err := h.CheckAddress(eui); err != nil {
			return invalid("body.eui64", in.Body.EUI64, err)
		}
		return h.AddDevice(now, out, eui, kind)
	}); err != nil {
		return nil, err
	}
	return a.readDevice(eui)
}
