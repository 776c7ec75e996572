package otaclient

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// HandleFrame takes a frame of the OTA Upgrade cluster from the server, and answers
// it with a Default Response where one is owed.
func (c *Client) HandleFrame(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) {
	status, err := c.dispatch(now, out, h, payload)
	if err != nil {
		status = zcl.StatusMalformedCommand
		c.record(out, trace.Record{At: now, Kind: trace.FrameRefused, Peer: uint64(f.Src), Text: err.Error()})
	}
	zcl.AnswerDefault(c.link.Station, out, f, h, status)
}

func (c *Client) dispatch(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) (zcl.Status, error) {
	if !h.ClusterSpecific {
		return c.dispatchGeneral(now, out, h, payload)
	}
	if !h.ForClient() {
		return zcl.StatusUnsupCommand, nil
	}
	switch h.Command {
	case ota.CommandImageBlockResponse:
		r, err := ota.ParseImageBlockResponse(payload)
		if err != nil {
			return 0, err
		}
		return c.handleImageBlockResponse(now, out, r), nil
	case ota.CommandQueryNextImageResponse:
		r, err := ota.ParseQueryNextImageResponse(payload)
		if err != nil {
			return 0, err
		}
		return c.handleQueryNextImageResponse(now, out, r), nil
	case ota.CommandUpgradeEndResponse:
		r, err := ota.ParseUpgradeEndResponse(payload)
		if err != nil {
			return 0, err
		}
		return c.handleUpgradeEndResponse(r), nil
	case ota.CommandImageNotify:
		if _, err := ota.ParseImageNotify(payload); err != nil {
			return 0, err
		}
		// A unicast notification is always followed by a query (ZCL §11.13.3.5).
		c.Offer(now, out)
		return zcl.StatusSuccess, nil
	default:
		return zcl.StatusUnsupCommand, nil
	}
}

func (c *Client) dispatchGeneral(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) (zcl.Status, error) {
	if h.Command != zcl.CommandDefaultResponse {
		return zcl.StatusUnsupCommand, nil
	}
	r, err := zcl.ParseDefaultResponse(payload)
	if err != nil {
		return 0, err
	}
	c.handleDefaultResponse(now, out, r)
	return zcl.StatusSuccess, nil
}
