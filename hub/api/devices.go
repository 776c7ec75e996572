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

// Device is an entry of the device log.
type Device struct {
	EUI64           han.EUI64  `json:"eui64" doc:"16 hex digits, for example 00DB1234567890A1"`
	Kind            string     `json:"kind" enum:"ESME,GSME,HCALCS,IHD,CAD,PPMID"`
	AddedAt         *time.Time `json:"added_at,omitempty"`
	LastHeard       *time.Time `json:"last_heard,omitempty" doc:"when its last readings came"`
	FirmwareVersion string     `json:"firmware_version,omitempty" doc:"as the device reported it, 8 hex digits"`
}

func deviceOf(d store.Device) Device {
	out := Device{EUI64: d.EUI64, Kind: hub.Kind(d.Kind).String(), AddedAt: instant(d.AddedAt), LastHeard: instant(d.LastHeard)}
	if d.LastHeard != 0 && hub.Kind(d.Kind).IsMeter() {
		out.FirmwareVersion = versionText(d.FirmwareVersion)
	}
	return out
}

func versionText(v uint32) string { return fmt.Sprintf("%08X", v) }

// deviceInput names a device in the path.
type deviceInput struct {
	EUI64 string `path:"eui64" doc:"16 hex digits"`
}

func (i deviceInput) parse() (han.EUI64, error) {
	eui, err := han.ParseEUI64(i.EUI64)
	if err != nil {
		return 0, invalid(err)
	}
	return eui, nil
}

type devicesOutput struct {
	Body struct {
		Devices []Device `json:"devices"`
		Size    int      `json:"size" doc:"how many entries the device log holds at most"`
	}
}

type deviceOutput struct{ Body Device }

type addDeviceInput struct {
	Body struct {
		EUI64 string `json:"eui64" doc:"16 hex digits"`
		Kind  string `json:"kind" enum:"ESME,GSME,HCALCS,IHD,CAD,PPMID"`
	}
}

func (b Backend) registerDevices(a huma.API) {
	huma.Register(a, huma.Operation{
		OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/devices",
		Summary: "List the device log", Tags: []string{"devices"},
	}, func(context.Context, *struct{}) (*devicesOutput, error) {
		out := &devicesOutput{}
		out.Body.Devices, out.Body.Size = []Device{}, hub.DeviceLogSize
		for _, d := range b.Store.Devices() {
			out.Body.Devices = append(out.Body.Devices, deviceOf(d))
		}
		return out, nil
	})
	huma.Register(a, huma.Operation{
		OperationID: "add-device", Method: http.MethodPost, Path: "/v1/devices", DefaultStatus: http.StatusCreated,
		Summary: "Add a device to the device log (CCS01)", Tags: []string{"devices"},
		Errors: []int{http.StatusConflict},
	}, b.addDevice)
	huma.Register(a, huma.Operation{
		OperationID: "remove-device", Method: http.MethodDelete, Path: "/v1/devices/{eui64}", DefaultStatus: http.StatusNoContent,
		Summary: "Remove a device from the device log (CCS02)", Tags: []string{"devices"},
		Errors: []int{http.StatusNotFound},
	}, func(_ context.Context, in *deviceInput) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.RemoveDevice(now, out, eui) })
	})
}

func (b Backend) addDevice(_ context.Context, in *addDeviceInput) (*deviceOutput, error) {
	eui, err := han.ParseEUI64(in.Body.EUI64)
	if err != nil {
		return nil, invalid(err)
	}
	kind, err := hub.ParseKind(in.Body.Kind)
	if err != nil {
		return nil, invalid(err)
	}
	if err := b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.AddDevice(now, out, eui, kind)
	}); err != nil {
		return nil, err
	}
	d, _ := b.Store.Device(eui)
	return &deviceOutput{Body: deviceOf(d)}, nil
}
