package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
)

// Device is an entry of the device log, and how the device was seen last.
type Device struct {
	EUI64           han.EUI64  `json:"eui64" doc:"16 hex digits, for example 00DB1234567890A1"`
	Kind            string     `json:"kind" enum:"ESME,GSME,HCALCS,IHD,CAD,PPMID,BRIDGED"`
	AddedAt         *time.Time `json:"added_at,omitempty"`
	LastHeard       *time.Time `json:"last_heard,omitempty" doc:"when its last readings, the last report of its bridge, or in this run of the hub its last frame, came"`
	InstallCode     bool       `json:"install_code" doc:"its install code is in the device log; nobody reads it from there"`
	FirmwareVersion string     `json:"firmware_version,omitempty" doc:"as the device reported it, 8 hex digits"`
	Manufacturer    string     `json:"manufacturer,omitempty" doc:"Zigbee manufacturer code, 4 hex digits; this and the next two as the device said when it asked for an image"`
	ImageType       string     `json:"image_type,omitempty" doc:"4 hex digits"`
	HardwareVersion string     `json:"hardware_version,omitempty" doc:"4 hex digits"`
	Unsigned        bool       `json:"unsigned" doc:"a meter whose messages nobody can check: there are no certificates of it for GBCS messages; it is given no orders unless the hub takes any messages"`
	Sleeps          bool       `json:"sleeps" doc:"it wakes for its heartbeats only"`
	Awake           bool       `json:"awake"`
	Period          float64    `json:"period_s,omitempty" doc:"of the heartbeats of a device that sleeps"`
	NextHeartbeat   *time.Time `json:"next_heartbeat,omitempty" doc:"when a device that sleeps should wake, if it was heard in this run of the hub and is not overdue"`
	Overdue         bool       `json:"overdue" doc:"its heartbeat did not come"`
	OverdueSince    *time.Time `json:"overdue_since,omitempty" doc:"when the heartbeat that did not come was due; the device is silent since last_heard"`
	Connected       bool       `json:"connected" doc:"it has a DTLS session, and the hub its broker"`
	Mailbox         int        `json:"mailbox" doc:"messages that wait for it"`
	InProcess       bool       `json:"in_process" doc:"it runs in the hub's process, so that one can look inside"`
}

func (a *API) device(d store.Device, now time.Time) Device {
	heard := a.Store.LastHeard(d)
	out := Device{
		EUI64: d.EUI64, Kind: d.Kind.String(), AddedAt: instant(d.AddedAt), LastHeard: instant(heard),
		InstallCode: d.HasInstallCode, Connected: a.reaches(d.EUI64), InProcess: a.Node(d.EUI64, func(time.Time, han.Node) {}),
		Unsigned: d.Kind.IsMeter() && !a.HeadEnd.Signs(d.EUI64),
	}
	if heard != 0 && d.Kind.TakesFirmware() {
		out.FirmwareVersion = versionText(d.FirmwareVersion)
	}
	if d.Manufacturer != 0 || d.ImageType != 0 {
		out.Manufacturer, out.ImageType = fmt.Sprintf("%04X", d.Manufacturer), fmt.Sprintf("%04X", d.ImageType)
	}
	if d.HasHardware {
		out.HardwareVersion = fmt.Sprintf("%04X", d.HardwareVersion)
	}
	out.Mailbox = len(a.Store.MessagesOf(d.EUI64))
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
		out.Period = seen.Period.Seconds()
		if out.Overdue = seen.Overdue(now); out.Overdue {
			out.OverdueSince = optional(next)
		} else {
			out.NextHeartbeat = optional(next)
		}
	}
	return out
}

// reaches reports whether frames come through between the hub and a device: a session
// without a broker under it carries none.
func (a *API) reaches(eui han.EUI64) bool {
	up, _ := a.BrokerUp()
	return up && a.Connected(eui)
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
		Size    int      `json:"max_entries" doc:"how many entries the device log holds at most"`
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
		// A pointer, so that an empty one is a mistake and none is none.
		InstallCode *string `json:"install_code,omitempty" doc:"as printed on the device: 36 hex digits, grouped or not"`
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
		return nil, a.operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error {
			if d, ok := a.Store.Device(eui); ok {
				if err := in.check(deviceTag(d)); err != nil {
					return err
				}
			}
			return a.HeadEnd.RemoveDevice(now, out, eui)
		})
	})
	a.registerDeviceLog()
}

// registerDeviceLog registers what the access control broker orders of the device log as a
// whole.
func (a *API) registerDeviceLog() {
	register(a, huma.Operation{
		OperationID: "restore-device", Method: http.MethodPost, Path: "/v1/devices/{eui64}/restoration", DefaultStatus: http.StatusCreated,
		Summary: "Restore a device that was in the device log (CCS03)", Tags: []string{"devices"},
		Description: "Of a device that is there nothing changes. One that was never in this device log is refused: a backup does not say which kind it is.",
	}, changing(http.StatusConflict), func(_ context.Context, in *DevicePath) (*deviceOutput, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		if err := a.operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error {
			return a.HeadEnd.RestoreDeviceLog(now, out, []han.EUI64{eui})
		}); err != nil {
			return nil, err
		}
		return a.readDevice(eui)
	})
	register(a, huma.Operation{
		OperationID: "read-device-log", Method: http.MethodPost, Path: "/v1/device-log/reading", DefaultStatus: http.StatusAccepted,
		Summary: "Ask the hub for its device log and when it heard each device (CCS06)", Tags: []string{"devices"},
		Description: "The answer comes into the list of alerts, and with the order.",
	}, changing(), func(context.Context, *struct{}) (*struct{}, error) {
		return nil, a.operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error { return a.HeadEnd.ReadDeviceLog(now, out) })
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
		return nil, problem(fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice))
	}
	return &deviceOutput{ETag: deviceTag(d), Body: a.device(d, a.now())}, nil
}

func (a *API) addDevice(_ context.Context, in *addDeviceInput) (*deviceOutput, error) {
	eui, err := han.ParseEUI64(in.Body.EUI64)
	if err != nil {
		return nil, invalid("body.eui64", in.Body.EUI64, err)
	}
	kind, err := store.ParseKind(in.Body.Kind)
	if err != nil {
		return nil, invalid("body.kind", in.Body.Kind, err)
	}
	d := store.Device{EUI64: eui, Kind: kind}
	if in.Body.InstallCode != nil {
		code, err := installcode.Parse(*in.Body.InstallCode)
		if err != nil {
			return nil, invalid("body.install_code", nil, err) // a secret is not told again
		}
		d.HasInstallCode, d.InstallCode = true, [installcode.SecretSize]byte(code[:installcode.SecretSize])
	}
	if err := a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		if err := h.CheckAddress(eui); err != nil {
			return invalid("body.eui64", in.Body.EUI64, err)
		}
		return a.HeadEnd.AddDevice(now, out, d)
	}); err != nil {
		return nil, err
	}
	return a.readDevice(eui)
}
