package hub

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// HandleFrame implements han.Node.
func (h *Hub) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	d, ok := h.devices[f.Src]
	if !ok || d.log.Kind == store.KindBridged {
		h.fault(now, out, f.Src, store.ErrUnknownDevice)
		return
	}
	if f.Dst != h.cfg.EUI64 {
		h.fault(now, out, f.Src, fmt.Errorf("frame for %s: this is %s", f.Dst, h.cfg.EUI64))
		return
	}
	sent := len(out.Frames)
	h.acknowledged(now, len(f.Payload))
	header, payload, err := zcl.ParseHeader(f.Payload)
	if err == nil {
		err = h.dispatch(now, out, d, f, header, payload)
	}
	if err != nil {
		h.fault(now, out, f.Src, err)
	}
	if aroundProxy(f.Cluster, header) {
		h.proxy.Exchanged(now, f, out.Frames[sent:])
	}
	h.transmitted(now, out, sent)
}

func (h *Hub) dispatch(now time.Time, out *han.Outbox, d *device, f han.Frame, header zcl.Header, payload []byte) error {
	kind := d.log.Kind
	switch {
	case f.Cluster == ota.ClusterID && kind.IsMeter():
		result, err := h.server.HandleFrame(now, out, f, header, payload)
		h.endWindow(now, out, d)
		if result.Query != nil {
			if storeErr := h.heed(now, d, &result); storeErr != nil {
				return storeErr
			}
		}
		if result.News != otaserver.NewsNone {
			if storeErr := h.supplier.TransferChanged(now, out, f.Src, result); storeErr != nil {
				return storeErr
			}
		}
		return err
	case (f.Cluster == metering.ClusterID || f.Cluster == prepayment.ClusterID) && isMirrorRead(header):
		if kind.IsMeter() {
			zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusNotAuthorized)
			return nil
		}
		return h.readMirror(now, out, f, header, payload)
	case f.Cluster == metering.ClusterID && kind == store.KindGSME:
		return h.proxy.HandleMetering(now, out, f, header, payload)
	case f.Cluster == prepayment.ClusterID && kind == store.KindGSME:
		return h.proxy.HandlePrepayment(now, out, f, header, payload)
	case f.Cluster == metering.ClusterID && kind == store.KindESME:
		return h.takeElectricityReport(now, out, d, f, header, payload)
	case f.Cluster == tunnel.ClusterID && kind == store.KindGSME:
		return h.proxy.HandleTunnel(now, out, f, header, payload)
	case f.Cluster == tunnel.ClusterID && kind == store.KindESME:
		return h.handleTunnel(now, out, d, f, header, payload)
	case f.Cluster == zcl.ClusterTime:
		return h.readTime(now, out, f, header, payload)
	default:
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusUnsupCommand)
		return nil
	}
}

// heed keeps what a device says of itself in a query. That it is another device than it
// was, or runs what it was not served, ends nothing until it says so again: frames carry
// no proof of their bytes. One that holds the image is believed.
func (h *Hub) heed(now time.Time, d *device, r *otaserver.Result) error {
	said := d.log
	if err := h.learn(d, *r.Query); err != nil {
		return err
	}
	known := said.Manufacturer != 0
	runs := said.FirmwareVersion == d.log.FirmwareVersion
	same := runs && said.Manufacturer == d.log.Manufacturer && said.ImageType == d.log.ImageType && said.HardwareVersion == d.log.HardwareVersion
	if known && (r.News == otaserver.NewsUnfit && !same || r.News == otaserver.NewsRunning && !runs) {
		r.News = otaserver.NewsNone
	}
	return h.supplier.Runs(now, d.log.EUI64, d.log.FirmwareVersion)
}

// aroundProxy reports whether a gas meter's frame does not go through the proxy, nor
// past its pacing as requests for blocks do.
func aroundProxy(cluster uint16, h zcl.Header) bool {
	asksBlocks := h.ClusterSpecific && (h.Command == ota.CommandImageBlockRequest || h.Command == ota.CommandImagePageRequest)
	return cluster == zcl.ClusterTime || cluster == ota.ClusterID && !asksBlocks
}

// isMirrorRead tells a display's reading from a meter's report: both are
// profile-wide commands of the Metering cluster.
func isMirrorRead(h zcl.Header) bool {
	return !h.ClusterSpecific && h.Command == zcl.CommandReadAttributes
}

// readMirror answers a display that reads a mirror. A meter has no business with another's.
func (h *Hub) readMirror(now time.Time, out *han.Outbox, f han.Frame, header zcl.Header, payload []byte) error {
	q, err := zcl.ParseReadAttributes(payload)
	if err != nil {
		return err
	}
	r, ok := h.proxy.ReadMirror(f.DstEndpoint, f.Cluster, q.IDs)
	if !ok {
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusNotFound)
		return nil
	}
	h.answerRead(out, f, header, r)
	return nil
}

// maxReadResponse is the room for a Read Attributes Response in a frame, besides its
// ZCL header.
const maxReadResponse = han.MaxPayload - 3

// answerRead answers a Read Attributes. A request may ask for more than one frame can
// carry.
func (h *Hub) answerRead(out *han.Outbox, f han.Frame, header zcl.Header, r zcl.ReadAttributesResponse) {
	answer := zcl.Header{ToClient: true, DisableDefaultResponse: true, TSN: header.TSN, Command: zcl.CommandReadAttributesResponse}
	zcl.Answer(&h.station, out, zcl.PeerOf(f), answer, r.Fitting(maxReadResponse))
}

// readTime answers from the hub's clock: the Time attribute and nothing else.
func (h *Hub) readTime(now time.Time, out *han.Outbox, f han.Frame, header zcl.Header, payload []byte) error {
	if header.ClusterSpecific || header.Command != zcl.CommandReadAttributes {
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusUnsupCommand)
		return nil
	}
	q, err := zcl.ParseReadAttributes(payload)
	if err != nil {
		return err
	}
	var r zcl.ReadAttributesResponse
	for _, id := range q.IDs {
		a := zcl.AttributeStatus{ID: id, Status: zcl.StatusUnsupAttribute}
		if id == zcl.AttributeTime {
			a.Status = zcl.StatusSuccess
			a.Value = zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(now))}
		}
		r.Attributes = append(r.Attributes, a)
	}
	h.answerRead(out, f, header, r)
	return nil
}

// takeElectricityReport keeps an electricity meter's readings. The meter being
// there is the occasion to open its tunnel and to tell it of an image.
func (h *Hub) takeElectricityReport(now time.Time, out *han.Outbox, d *device, f han.Frame, header zcl.Header, payload []byte) error {
	if header.ClusterSpecific || header.Command != zcl.CommandReportAttributes {
		zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusUnsupCommand)
		return nil
	}
	report, err := zcl.AppendReportAttributes(h.report[:0], payload)
	if err != nil {
		return err
	}
	h.report = report
	for i := range report {
		if err := d.readings.Take(now, &report[i], h.cfg.Electricity); err != nil {
			return err
		}
	}
	if err := h.keepReadings(now, out, d, now, &d.readings); err != nil {
		return err
	}
	h.record(out, trace.Record{At: now, Kind: trace.MirrorUpdated, Peer: uint64(f.Src), Count: uint32(len(report))})
	zcl.AnswerDefault(&h.station, out, f, header, zcl.StatusSuccess)
	if d.tunnel.id == tunnel.NoTunnel {
		h.requestTunnel(now, out, d)
	}
	h.server.Notify(now, out, zcl.PeerOf(f))
	return nil
}

// firmwareVersion returns the version in a reported attribute, if it is that one.
func firmwareVersion(a *zcl.Attribute) (uint32, bool) {
	if a.ID != metering.AttributeCurrentMeterID || a.Value.Type != zcl.TypeOctetString || len(a.Value.Bytes) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(a.Value.Bytes), true
}
