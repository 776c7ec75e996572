package gasproxy

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Mirror is the proxy's copy of a meter's attributes, as far as they are believed.
type Mirror struct {
	validation.Readings
	UpdatedAt time.Time // when the last complete report came; zero if none did
}

// Mirror returns the mirror kept for a meter; its attributes must not be changed.
func (p *Proxy) Mirror(device han.EUI64) (Mirror, bool) {
	c, ok := p.meters[device]
	if !ok {
		return Mirror{}, false
	}
	return c.mirror, true
}

// HandleMetering takes a frame of the Metering cluster from a gas meter.
func (p *Proxy) HandleMetering(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	c, err := p.meter(f.Src)
	if err != nil {
		return err
	}
	if h.ManufacturerSpecific {
		return p.takeConsumption(now, c, f, h, payload)
	}
	p.heard(now, c, f)
	switch {
	case !h.ClusterSpecific && h.Command == zcl.CommandReportAttributes:
		return p.takeReport(now, out, c, f, payload)
	case !h.ClusterSpecific && h.Command == zcl.CommandDefaultResponse:
		return nil
	case h.ForClient() && h.Command == metering.CommandRequestMirror:
		if err := p.openMirror(c); err != nil {
			return err
		}
		p.answer(out, c, f, h, metering.CommandRequestMirrorResponse, metering.RequestMirrorResponse{Endpoint: uint16(c.endpoint)})
		return nil
	case h.ForClient() && h.Command == metering.CommandConfigureMirror:
		return p.configure(out, c, f, h, payload)
	default:
		zcl.AnswerDefault(p.esi, out, f, h, zcl.StatusUnsupCommand)
		return nil
	}
}

// takeConsumption passes on what a meter says it spent. Other attributes and commands of a
// manufacturer are left alone.
func (p *Proxy) takeConsumption(now time.Time, c *child, f han.Frame, h zcl.Header, payload []byte) error {
	if h.Manufacturer != metering.Manufacturer || h.ClusterSpecific || h.Command != zcl.CommandReportAttributes {
		return nil
	}
	c.window.RadioOn += p.cfg.Battery.Radio.Send(len(f.Payload)).RadioOn() // not before the first block
	report, err := zcl.AppendReportAttributes(p.report[:0], payload)
	if err != nil {
		return err
	}
	p.report = report
	for i := range report {
		if report[i].ID != metering.AttributeConsumption {
			continue
		}
		spent, err := metering.ParseConsumption(report[i].Value.Bytes)
		if err != nil {
			return err
		}
		c.lastWord, c.left = len(f.Payload), leftOf(&spent)
		p.hub.Consumed(now, c.eui, report[i].Value.Bytes)
	}
	return nil
}

// HandlePrepayment takes a frame of the Prepayment cluster from a gas meter: what it says of its
// account, which the proxy confirms.
func (p *Proxy) HandlePrepayment(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	c, err := p.meter(f.Src)
	if err != nil {
		return err
	}
	p.heard(now, c, f)
	if h.ClusterSpecific || h.Command != zcl.CommandReportAttributes || c.endpoint == 0 || f.DstEndpoint != c.endpoint {
		p.answerDefault(out, c, f, h, zcl.StatusUnsupCommand)
		return nil
	}
	report, err := zcl.AppendReportAttributes(p.report[:0], payload)
	if err != nil {
		return err
	}
	p.report = report
	if err := p.hub.KeepAccount(now, c.eui, report); err != nil {
		return err
	}
	p.answerDefault(out, c, f, h, zcl.StatusSuccess)
	return nil
}

// readAccount returns an attribute of the account as a display reads it.
func (p *Proxy) readAccount(c *child, id uint16) zcl.AttributeStatus {
	v, ok := p.hub.Account(c.eui, id)
	if !ok {
		return zcl.AttributeStatus{ID: id, Status: zcl.StatusUnsupAttribute}
	}
	return zcl.AttributeStatus{ID: id, Status: zcl.StatusSuccess, Value: v}
}

// openMirror gives a meter the lowest free endpoint, or the one it has.
func (p *Proxy) openMirror(c *child) error {
	if c.endpoint != 0 {
		return nil
	}
	used := map[uint8]bool{}
	for _, eui := range p.order {
		used[p.meters[eui].endpoint] = true
	}
	endpoint := p.cfg.MirrorEndpoint
	for used[endpoint] {
		endpoint++
	}
	return p.keepJoin(c, endpoint, c.tunnel, c.period)
}

func (p *Proxy) configure(out *han.Outbox, c *child, f han.Frame, h zcl.Header, payload []byte) error {
	r, err := metering.ParseConfigureMirror(payload)
	if err != nil {
		return err
	}
	if period := r.Interval(); period > 0 && period != c.period {
		if err := p.keepJoin(c, c.endpoint, c.tunnel, period); err != nil {
			return err
		}
	}
	p.answerDefault(out, c, f, h, zcl.StatusSuccess)
	return nil
}

// takeReport updates the mirror. A complete report opens a window and is answered
// with the notification flags.
func (p *Proxy) takeReport(now time.Time, out *han.Outbox, c *child, f han.Frame, payload []byte) error {
	if c.endpoint == 0 || f.DstEndpoint != c.endpoint {
		// The meter was removed from the device log and added again: it joins anew.
		h := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: metering.CommandMirrorRemoved}
		send(p, out, c, metering.ClusterID, h, metering.MirrorRemoved{Endpoint: uint16(f.DstEndpoint)})
		return nil
	}
	report, err := zcl.AppendReportAttributes(p.report[:0], payload)
	if err != nil {
		return err
	}
	p.report = report
	complete := false
	for i := range report {
		a := &report[i]
		if a.ID == metering.AttributeReportingStatus {
			complete = metering.ReportingStatus(a.Value.Number) == metering.ReportingComplete
			continue
		}
		if err := c.mirror.Take(now, a, p.cfg.Readings); err != nil {
			return err
		}
	}
	if !complete {
		return nil
	}
	c.mirror.UpdatedAt = now
	if err := p.hub.KeepMirror(now, out, c.eui, &c.mirror); err != nil {
		return err
	}
	out.Record(trace.Record{At: now, Node: uint64(p.esi.Node), Kind: trace.MirrorUpdated, Peer: uint64(c.eui), Count: uint32(len(report))})
	if err := p.openWindow(now, out, c, len(f.Payload)); err != nil {
		return err
	}
	p.sendFlags(now, out, c)
	return nil
}

// sendFlags answers a complete report.
func (p *Proxy) sendFlags(now time.Time, out *han.Outbox, c *child) {
	var flags metering.FunctionalNotificationFlags
	if p.hub.ImageWaiting(now, c.eui) {
		flags |= metering.FlagNewOTAFirmware
	}
	if len(c.mailbox) > 0 {
		flags |= metering.FlagTunnelMessagePending
	}
	h := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: metering.CommandMirrorReportAttributeResponse}
	send(p, out, c, metering.ClusterID, h, metering.MirrorReportAttributeResponse{
		Scheme: metering.SchemeB, Words: metering.SchemeB.Words(), Flags: [metering.MaxNotificationWords]uint32{uint32(flags)},
	})
}

// Correct has the mirror of a meter show readings that somebody decided on.
func (p *Proxy) Correct(now time.Time, out *han.Outbox, device han.EUI64, r validation.Readings) error {
	c, err := p.meter(device)
	if err != nil {
		return err
	}
	mirror := Mirror{Readings: r, UpdatedAt: c.mirror.UpdatedAt}
	if err := p.hub.KeepMirror(now, out, device, &mirror); err != nil {
		return err
	}
	c.mirror = mirror
	return nil
}

// ReadMirror answers a Read Attributes of the mirror on endpoint from any device
// of the HAN. The snapshot time is when the proxy got the register; which
// attribute GB uses for it is not known (docs/divergence.md).
func (p *Proxy) ReadMirror(endpoint uint8, cluster uint16, ids []uint16) (zcl.ReadAttributesResponse, bool) {
	for _, eui := range p.order {
		c := p.meters[eui]
		if c.endpoint == 0 || c.endpoint != endpoint {
			continue
		}
		r := zcl.ReadAttributesResponse{Attributes: make([]zcl.AttributeStatus, 0, len(ids))}
		for _, id := range ids {
			if cluster == prepayment.ClusterID {
				r.Attributes = append(r.Attributes, p.readAccount(c, id))
				continue
			}
			r.Attributes = append(r.Attributes, c.mirror.read(id))
		}
		return r, true
	}
	return zcl.ReadAttributesResponse{}, false
}

// read returns an attribute as a display reads it. While a reading is held, those that it
// shows are the last that were believed, and Check Meter in the meter's status says so.
func (m *Mirror) read(id uint16) zcl.AttributeStatus {
	v, ok := m.Attribute(id)
	switch {
	case id == metering.AttributeReadingSnapshotTime && !m.UpdatedAt.IsZero():
		v, ok = zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(m.taken()))}, true
	case id == metering.AttributeStatus && m.Doubted():
		v, ok = zcl.Value{Type: zcl.TypeBitmap8, Number: v.Number | uint64(metering.StatusCheckMeter)}, true
	}
	if !ok {
		return zcl.AttributeStatus{ID: id, Status: zcl.StatusUnsupAttribute}
	}
	return zcl.AttributeStatus{ID: id, Status: zcl.StatusSuccess, Value: v}
}

// taken returns when what the mirror shows was read.
func (m *Mirror) taken() time.Time {
	if m.RegisterAt.IsZero() {
		return m.UpdatedAt
	}
	return m.RegisterAt
}
