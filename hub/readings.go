package hub

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/decode"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// keepReadings stores what is believed of a meter as of an instant, and from it the
// firmware version that the device runs. The bytes of strings are the store's from here
// on: they are never changed, but replaced. What is in quarantine is stored with it, and
// the supplier told of what is new there.
func (h *Hub) keepReadings(now time.Time, out *han.Outbox, d *device, at time.Time, r *validation.Readings) error {
	mirror := store.Mirror{
		Device: d.log.EUI64, UpdatedAt: at.UnixMicro(), Attributes: make([]store.MirrorAttribute, len(r.Attributes)),
		Consumption: d.mirror.Consumption, ConsumedAt: d.mirror.ConsumedAt,
		Account: d.mirror.Account, AccountAt: d.mirror.AccountAt,
	}
	if !r.RegisterAt.IsZero() && !r.RegisterAt.Equal(at) {
		mirror.RegisterAt = r.RegisterAt.UnixMicro()
	}
	entry, told := d.log, false
	for i := range r.Attributes {
		mirror.Attributes[i] = mirrorAttribute(&r.Attributes[i])
		if version, ok := firmwareVersion(&r.Attributes[i]); ok {
			entry.FirmwareVersion, told = version, true
		}
	}
	changes := []store.Change{store.PutOwn(mirror)}
	if entry != d.log {
		changes = append(changes, store.Put(entry))
	}
	quarantine, raised := h.quarantine(now, d, r)
	if err := h.store.Commit(append(changes, quarantine...)...); err != nil {
		return err
	}
	again := told && entry.FirmwareVersion == d.log.FirmwareVersion
	d.log, d.mirror = entry, mirror
	if len(quarantine) > 0 {
		d.held = slices.Clone(r.Held)
	}
	if raised.text != "" {
		h.recordAlert(now, out, raised)
	}
	if !again {
		return nil
	}
	return h.supplier.Runs(now, d.log.EUI64, entry.FirmwareVersion)
}

// quarantine returns the changes that make the store's quarantine of a device what is held,
// and what the supplier is told with them: of all that is new at once.
func (h *Hub) quarantine(now time.Time, d *device, r *validation.Readings) (changes []store.Change, raised alert) {
	if len(r.Held) == 0 && len(d.held) == 0 {
		return nil, alert{}
	}
	eui, before := d.log.EUI64, map[uint16]validation.Held{}
	for _, b := range d.held {
		before[b.Attribute.ID] = b
	}
	var news []string
	for i := range r.Held {
		q := &r.Held[i]
		b, known := before[q.Attribute.ID]
		delete(before, q.Attribute.ID)
		if known && b.Since.Equal(q.Since) && b.Count == q.Count && b.Over == q.Over {
			continue
		}
		changes = append(changes, store.Put(quarantined(eui, q)))
		if !known || !b.Since.Equal(q.Since) {
			news = append(news, doubt(q, r))
		}
	}
	for i := range d.held {
		if _, gone := before[d.held[i].Attribute.ID]; gone {
			changes = append(changes, store.Delete(quarantined(eui, &d.held[i])))
		}
	}
	if len(news) > 0 {
		raised = alert{device: eui, code: gbcs.AlertMeasurementFault, text: "not believed: " + strings.Join(news, "; ")}
		changes = append(changes, h.alerted(now, raised)...)
	}
	return changes, raised
}

// doubt says why a reading is held.
func doubt(q *validation.Held, r *validation.Readings) string {
	text := fmt.Sprintf("%s %s, %s", decode.AttributeName(metering.ClusterID, true, q.Attribute.ID), valueText(q.Attribute.Value), q.Rule.Reason())
	if last, ok := r.Attribute(q.Attribute.ID); ok {
		text += fmt.Sprintf(" (%s is believed)", valueText(last))
	}
	return text
}

// maxShown is how many bytes of a string are shown.
const maxShown = 16

func valueText(v zcl.Value) string {
	switch {
	case v.Bytes != nil:
		return fmt.Sprintf("%x", v.Bytes[:min(len(v.Bytes), maxShown)])
	case v.Type >= zcl.TypeInt8 && v.Type <= zcl.TypeInt64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return strconv.FormatUint(v.Number, 10)
	}
}

// AcceptReading has what is in quarantine of an attribute of a meter believed, by
// somebody's decision: it is the base of what comes next. It is stored when it returns
// without an error.
func (h *Hub) AcceptReading(now time.Time, out *han.Outbox, eui han.EUI64, attribute uint16) error {
	d, ok := h.devices[eui]
	if !ok {
		return fmt.Errorf("accept a reading of %s: %w", eui, store.ErrUnknownDevice)
	}
	believed := d.readings
	if d.log.Kind == store.KindGSME {
		m, _ := h.proxy.Mirror(eui)
		believed = m.Readings
	}
	accepted, err := believed.Accept(attribute)
	if err != nil {
		return fmt.Errorf("accept a reading of %s: %w: %w", eui, store.ErrConflict, err)
	}
	if d.log.Kind == store.KindGSME {
		err = h.proxy.Correct(now, out, eui, accepted)
	} else if err = h.keepReadings(now, out, d, time.UnixMicro(d.mirror.UpdatedAt), &accepted); err == nil {
		d.readings = accepted
	}
	if err != nil {
		return fmt.Errorf("accept a reading of %s: %w", eui, err)
	}
	h.record(out, trace.Record{At: now, Kind: trace.ReadingAccepted, Peer: uint64(eui),
		Text: decode.AttributeName(metering.ClusterID, true, attribute)})
	return nil
}

// readingsOf returns what the store holds of a meter's readings.
func (h *Hub) readingsOf(eui han.EUI64) validation.Readings {
	var r validation.Readings
	m, ok := h.store.Mirror(eui)
	if !ok {
		return r
	}
	for _, a := range m.Attributes {
		r.Attributes = append(r.Attributes, attributeOf(a))
	}
	if _, ok := r.Attribute(metering.AttributeCurrentSummationDelivered); ok {
		r.RegisterAt = time.UnixMicro(cmp.Or(m.RegisterAt, m.UpdatedAt)).UTC()
	}
	for _, q := range h.store.QuarantineOf(eui) {
		rule, known := validation.ParseRule(q.Rule)
		if !known {
			continue // of another release
		}
		r.Held = append(r.Held, validation.Held{
			Attribute: attributeOf(q.Attribute), Rule: rule, Count: q.Count, Over: q.Over,
			Since: time.UnixMicro(q.Since).UTC(), At: time.UnixMicro(q.At).UTC(),
		})
	}
	return r
}

func attributeOf(a store.MirrorAttribute) zcl.Attribute {
	return zcl.Attribute{ID: a.ID, Value: zcl.Value{Type: zcl.DataType(a.Type), Number: a.Number, Bytes: a.Bytes}}
}

func mirrorAttribute(a *zcl.Attribute) store.MirrorAttribute {
	return store.MirrorAttribute{ID: a.ID, Type: uint8(a.Value.Type), Number: a.Value.Number, Bytes: a.Value.Bytes}
}

func quarantined(eui han.EUI64, q *validation.Held) store.Quarantined {
	return store.Quarantined{
		Device: eui, Attribute: mirrorAttribute(&q.Attribute), Rule: q.Rule.String(),
		Since: q.Since.UnixMicro(), At: q.At.UnixMicro(), Count: q.Count, Over: q.Over,
	}
}
