package gasproxy

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Mirror is the proxy's copy of a meter's attributes.
type Mirror struct {
	Attributes []zcl.Attribute // ascending by ID
	UpdatedAt  time.Time       // when the last complete report came; zero if none did
}

// Attribute returns one attribute.
func (m *Mirror) Attribute(id uint16) (zcl.Value, bool) {
	i, ok := m.find(id)
	if !ok {
		return zcl.Value{}, false
	}
	return m.Attributes[i].Value, true
}

// find returns where an attribute is, or would be. There are few of them.
func (m *Mirror) find(id uint16) (int, bool) {
	for i := range m.Attributes {
		if have := m.Attributes[i].ID; have >= id {
			return i, have == id
		}
	}
	return len(m.Attributes), false
}

// set takes over a reported value. Values alias the frame they came in, so
// strings are copied; nobody changes a copy, so that it may be shared.
func (m *Mirror) set(a *zcl.Attribute) error {
	i, ok := m.find(a.ID)
	if !ok {
		if len(m.Attributes) == maxAttributes {
			return fmt.Errorf("mirror is full: attribute %04X is one more than %d", a.ID, maxAttributes)
		}
		m.Attributes = slices.Insert(m.Attributes, i, zcl.Attribute{ID: a.ID})
	}
	have := &m.Attributes[i].Value
	have.Type, have.Number = a.Value.Type, a.Value.Number
	if !bytes.Equal(have.Bytes, a.Value.Bytes) || (have.Bytes == nil) != (a.Value.Bytes == nil) {
		have.Bytes = slices.Clone(a.Value.Bytes)
	}
	return nil
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
	p.heard(c, f)
	switch {
	case !h.ClusterSpecific && h.Command == zcl.CommandReportAttributes:
		return p.takeReport(now, out, c, f, payload)
	case !h.ClusterSpecific && h.Command == zcl.CommandDefaultResponse:
		return nil
	case h.ClusterSpecific && h.ToClient && h.Command == metering.CommandRequestMirror:
		if err := p.openMirror(c); err != nil {
			return err
		}
		p.answer(out, c, f, h, metering.CommandRequestMirrorResponse, metering.RequestMirrorResponse{Endpoint: uint16(c.endpoint)})
		return nil
	case h.ClusterSpecific && h.ToClient && h.Command == metering.CommandConfigureMirror:
		return p.configure(out, c, f, h, payload)
	default:
		zcl.AnswerDefault(p.esi, out, f, h, zcl.StatusUnsupCommand)
		return nil
	}
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
		if err := c.mirror.set(a); err != nil {
			return err
		}
	}
	if !complete {
		return nil
	}
	c.mirror.UpdatedAt = now
	if err := p.hub.KeepMirror(now, c.eui, &c.mirror); err != nil {
		return err
	}
	out.Record(trace.Record{At: now, Node: uint64(p.esi.Node), Kind: trace.MirrorUpdated, Peer: uint64(c.eui), Count: uint32(len(report))})
	if err := p.openWindow(now, out, c, len(f.Payload)); err != nil {
		return err
	}
	p.sendFlags(out, c)
	return nil
}

// sendFlags answers a complete report.
func (p *Proxy) sendFlags(out *han.Outbox, c *child) {
	var flags metering.FunctionalNotificationFlags
	if p.hub.ImageWaiting(c.eui) {
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

// ReadMirror answers a Read Attributes of the mirror on endpoint from any device
// of the HAN. The snapshot time is when the proxy got the readings; which
// attribute GB uses for it is not known (docs/divergence.md).
func (p *Proxy) ReadMirror(endpoint uint8, ids []uint16) (zcl.ReadAttributesResponse, bool) {
	for _, eui := range p.order {
		c := p.meters[eui]
		if c.endpoint == 0 || c.endpoint != endpoint {
			continue
		}
		r := zcl.ReadAttributesResponse{Attributes: make([]zcl.AttributeStatus, 0, len(ids))}
		for _, id := range ids {
			r.Attributes = append(r.Attributes, c.mirror.read(id))
		}
		return r, true
	}
	return zcl.ReadAttributesResponse{}, false
}

func (m *Mirror) read(id uint16) zcl.AttributeStatus {
	if id == metering.AttributeReadingSnapshotTime && !m.UpdatedAt.IsZero() {
		v := zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(m.UpdatedAt))}
		return zcl.AttributeStatus{ID: id, Status: zcl.StatusSuccess, Value: v}
	}
	if v, ok := m.Attribute(id); ok {
		return zcl.AttributeStatus{ID: id, Status: zcl.StatusSuccess, Value: v}
	}
	return zcl.AttributeStatus{ID: id, Status: zcl.StatusUnsupAttribute}
}
