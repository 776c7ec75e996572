package api

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
)

// BridgedReport is what a bridge tells of an outside device. It says everything
// about the device, so telling it again changes nothing.
type BridgedReport struct {
	Heard           bool   `json:"heard,omitempty" doc:"the device gave a sign of life"`
	FirmwareVersion string `json:"firmware_version,omitempty" doc:"8 hex digits"`
	Image           string `json:"image,omitempty" doc:"the update that the rest is about: SHA-256 of the OTA file"`
	State           string `json:"state,omitempty" enum:"pending,downloading,transferred,activated,failed"`
	Outcome         string `json:"outcome,omitempty" maxLength:"400" doc:"why the state is as it is"`
	Offset          uint32 `json:"offset,omitempty" doc:"bytes the device took"`
	Windows         uint32 `json:"windows,omitempty"`
	Blocks          uint32 `json:"blocks,omitempty"`
}

type bridgedReportInput struct {
	DevicePath
	Body BridgedReport
}

// bridgedStates are the states that a bridge may report.
var bridgedStates = map[string]store.UpdateState{
	"": store.UpdatePending, "pending": store.UpdatePending, "downloading": store.UpdateDownloading,
	"transferred": store.UpdateTransferred, "activated": store.UpdateActivated, "failed": store.UpdateFailed,
}

func (a *API) registerBridged() {
	register(a, huma.Operation{
		OperationID: "report-bridged-device", Method: http.MethodPut, Path: "/v1/bridged/{eui64}", DefaultStatus: http.StatusNoContent,
		Summary: "Report how a bridged device stands", Tags: []string{"bridged"},
	}, changing(http.StatusNotFound, http.StatusConflict), func(_ context.Context, in *bridgedReportInput) (*struct{}, error) {
		r, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return a.HeadEnd.ReportBridged(now, out, r) })
	})
}

func (in *bridgedReportInput) parse() (headend.BridgedReport, error) {
	r := headend.BridgedReport{
		Heard: in.Body.Heard, State: bridgedStates[in.Body.State], Outcome: in.Body.Outcome,
		Offset: in.Body.Offset, Windows: in.Body.Windows, Blocks: in.Body.Blocks,
	}
	var err error
	if r.Device, err = in.DevicePath.parse(); err != nil {
		return r, err
	}
	if text := in.Body.FirmwareVersion; text != "" {
		version, err := hex.DecodeString(text)
		if err != nil || len(version) != 4 {
			return r, invalid("body.firmware_version", text, fmt.Errorf("firmware version %q: want 8 hex digits", text))
		}
		r.Version, r.Known = binary.BigEndian.Uint32(version), true
	}
	if in.Body.Image != "" {
		if r.FileHash, err = imagecache.ParseHash(in.Body.Image); err != nil {
			return r, invalid("body.image", in.Body.Image, err)
		}
	}
	return r, nil
}
