package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// maxOrders is how many orders per device are kept. The oldest one that has ended
// goes first.
const maxOrders = 64

// Activation is an order to activate firmware.
type Activation struct {
	Device han.EUI64
	// Hash is the Manufacturer Image Hash to name in the command.
	Hash ota.ImageHash
	// At is when the device shall switch; zero means at once.
	At time.Time
}

// HeldImage returns the hash of the image that a device's current update is
// about, for an order that does not name one.
func (s *HeadEnd) HeldImage(eui han.EUI64) (ota.ImageHash, error) {
	d, ok := s.hub.Device(eui)
	if !ok {
		return ota.ImageHash{}, fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice)
	}
	if kind := d.Kind; !kind.IsMeter() {
		return ota.ImageHash{}, fmt.Errorf("device %s: %w: %s devices take no firmware from the hub", eui, store.ErrConflict, kind)
	}
	u, ok := s.current(eui)
	if !ok {
		return ota.ImageHash{}, fmt.Errorf("device %s: %w: no update is under way, so name the image's hash", eui, store.ErrConflict)
	}
	im, _ := s.hub.Image(u.FileHash)
	return im.ImageHash, nil
}

// Activate sends a device the order to switch (CS06, SRV 11.3). Whether it holds
// the image named is the device's to say.
func (s *HeadEnd) Activate(now time.Time, out *han.Outbox, a Activation) error {
	execution, at := gbcs.ExecuteNow, zcl.UTCTime(0)
	if !a.At.IsZero() {
		execution, at = gbcs.ExecuteAt, zcl.UTCTimeOf(a.At)
	}
	if err := s.sendActivate(now, out, a.Device, a.Hash, execution, at); err != nil {
		return fmt.Errorf("activate firmware of %s: %w", a.Device, err)
	}
	return nil
}

// CancelActivation sends a device the order to drop a dated activation (CS06
// dated 9999-12-31).
func (s *HeadEnd) CancelActivation(now time.Time, out *han.Outbox, eui han.EUI64) error {
	hash, err := s.HeldImage(eui)
	if err == nil {
		err = s.sendActivate(now, out, eui, hash, gbcs.ExecuteCancel, 0)
	}
	if err != nil {
		return fmt.Errorf("cancel activation: %w", err)
	}
	return nil
}

// sendActivate sends an Activate Firmware command. It moves the device's update if
// that is about the image named: to activating or dated at once, since it must not be
// cancelled from now on; a cancellation moves it when the device has answered.
func (s *HeadEnd) sendActivate(now time.Time, out *han.Outbox, eui han.EUI64, hash ota.ImageHash, execution gbcs.Execution, at zcl.UTCTime) error {
	d, ok := s.hub.Device(eui)
	switch {
	case !ok:
		return store.ErrUnknownDevice
	case d.Kind == store.KindBridged:
		return fmt.Errorf("%w: a bridged device switches by itself", store.ErrConflict)
	case !d.Kind.IsMeter():
		return fmt.Errorf("%w: %s devices take no firmware from the hub", store.ErrConflict, d.Kind)
	}
	o := s.newOrder(now, eui, gbcs.CodeActivateFirmware)
	o.Hash, o.Cancels = hash, execution == gbcs.ExecuteCancel
	if execution == gbcs.ExecuteAt {
		o.ExecuteAt = at.Time().UnixMicro()
	}
	var changes []store.Change
	if u, ok := s.held(eui, hash); ok {
		o.Before = u.Order
		switch execution {
		case gbcs.ExecuteNow:
			u = with(u, now, store.UpdateActivating, "")
			u.Order = o.Counter
		case gbcs.ExecuteAt:
			u = with(u, now, store.UpdateDated, dateOf(o))
			u.Order = o.Counter
		case gbcs.ExecuteCancel:
			if u.State == store.UpdateDated {
				u = with(u, now, u.State, s.dated(u)+"the order to cancel is on its way")
			}
		}
		changes = append(changes, store.Put(u))
	}
	return s.send(now, out, o, gbcs.ActivateFirmwareCommand{
		ImageHash: hash, OriginatorCounter: o.Counter, Execution: execution, ExecutionTime: at,
	}.Append(nil), changes...)
}

// ReadVersion asks a meter or the hub's CHF which firmware it runs (ECS52; GCS38 for a
// GSME), or the GPF which one the gas meter said last that it runs (GCS38). The answer
// comes into the inbox.
func (s *HeadEnd) ReadVersion(now time.Time, out *han.Outbox, eui han.EUI64) error {
	gas, err := s.isGas(eui)
	if err != nil {
		return fmt.Errorf("read firmware version of %s: %w", eui, err)
	}
	o := s.newOrder(now, eui, gbcs.CodeReadESMEFirmwareVersion)
	payload := gbcs.ReadESMEFirmwareVersionCommand{InvokeID: gbcs.InvokeIDOf(o.Counter)}.Append(nil)
	if gas {
		o.Code, payload = uint16(gbcs.CodeReadGSMEFirmwareVersion), gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)
	}
	if err := s.send(now, out, o, payload); err != nil {
		return fmt.Errorf("read firmware version of %s: %w", eui, err)
	}
	return nil
}

// isGas tells a gas meter and the gas proxy from the others that can be asked for a
// firmware version.
func (s *HeadEnd) isGas(eui han.EUI64) (bool, error) {
	if role, own := s.hub.Function(eui); own {
		return role == gbcs.RoleGPF, nil
	}
	d, ok := s.hub.Device(eui)
	switch {
	case !ok:
		return false, store.ErrUnknownDevice
	case !d.Kind.IsMeter():
		return false, fmt.Errorf("%w: %s devices have none that the hub can read", store.ErrConflict, d.Kind)
	}
	return d.Kind == store.KindGSME, nil
}

// newOrder returns an order that is not given yet, with the supplier's next
// originator counter.
func (s *HeadEnd) newOrder(now time.Time, eui han.EUI64, code gbcs.MessageCode) store.Order {
	return store.Order{
		Device: eui, Counter: s.nextCounter(now), Code: uint16(code),
		GivenAt: now.UnixMicro(), ChangedAt: now.UnixMicro(),
	}
}

// send gives an order: the hub queues its command, and the order is kept with it.
func (s *HeadEnd) send(now time.Time, out *han.Outbox, o store.Order, payload []byte, along ...store.Change) error {
	counted := store.Put(store.OriginatorCounter{Originator: s.originator(gbcs.MessageCode(o.Code)), Counter: o.Counter})
	return s.sendCounted(now, out, o, payload, append(along, counted)...)
}

// sendCounted does the same with the changes by which its counter is kept among them.
func (s *HeadEnd) sendCounted(now time.Time, out *han.Outbox, o store.Order, payload []byte, along ...store.Change) error {
	originator := s.originator(gbcs.MessageCode(o.Code))
	command := gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: o.Counter, Originator: originator, Recipient: o.Device,
		Code: gbcs.MessageCode(o.Code), Payload: payload,
	}
	if originator != s.cfg.Supplier {
		command.OtherInfo = gbcs.Supplementary{Party: s.cfg.Supplier, Counter: o.Counter}.Append(nil)
	}
	m, err := s.protected(command)
	if err != nil {
		return err
	}
	message := m.Append(nil)
	along = append(along, store.Put(o))
	if old := s.store.OrdersOf(o.Device); len(old) >= maxOrders {
		along = append(along, store.Delete(oldest(old)))
	}
	return s.hub.Send(now, out, o.Device, gasproxy.Message{Sequence: o.Counter, Code: o.Code, Data: message}, along...)
}

// oldest returns the order that can be forgotten.
func oldest(orders []store.Order) store.Order {
	for _, o := range orders {
		if o.State.Ended() {
			return o
		}
	}
	return orders[0]
}

// Delivered implements hub.Supplier: the device has the command of an order.
func (s *HeadEnd) Delivered(now time.Time, eui han.EUI64, m gasproxy.Message) []store.Change {
	o, ok := s.store.Order(eui, m.Sequence)
	if !ok || o.State != store.OrderQueued {
		return nil
	}
	o.DeliveredAt = now.UnixMicro()
	return []store.Change{store.Put(moved(o, now, store.OrderDelivered, ""))}
}

// Expired implements hub.Supplier: the device never had the command of an order. Its
// update is as it was before.
func (s *HeadEnd) Expired(now time.Time, eui han.EUI64, m gasproxy.Message) []store.Change {
	o, ok := s.store.Order(eui, m.Sequence)
	if !ok || o.State != store.OrderQueued {
		return nil
	}
	changes := []store.Change{store.Put(moved(o, now, store.OrderExpired, "the device did not fetch the command"))}
	u, ok := s.current(eui)
	switch {
	case !ok || !u.State.Holds():
	case o.Cancels && u.State == store.UpdateDated && u.Order == o.Before:
		changes = append(changes, store.Put(with(u, now, u.State, s.dated(u)+"the device did not fetch the order to cancel")))
	case !o.Cancels && u.Order == o.Counter:
		changes = append(changes, store.Put(s.before(now, u, o)))
	}
	return changes
}

// before returns an update as it was before an order to activate that the device
// never had.
func (s *HeadEnd) before(now time.Time, u store.Update, o store.Order) store.Update {
	const why = "the device did not fetch the Activate Firmware command"
	b, ok := s.store.Order(u.Device, o.Before)
	switch {
	case !ok || b.State.Ended():
		u.Order = 0
		return with(u, now, store.UpdateTransferred, why)
	case b.ExecuteAt != 0:
		u.Order = b.Counter
		return with(u, now, store.UpdateDated, dateOf(b))
	default:
		u.Order = b.Counter
		return with(u, now, store.UpdateActivating, "")
	}
}

// cancelling reports whether an order to drop an update's dated activation is with
// the device or on its way to it.
func (s *HeadEnd) cancelling(u store.Update) bool {
	for _, o := range s.store.OrdersOf(u.Device) {
		if o.Cancels && !o.State.Ended() && o.Before == u.Order {
			return true
		}
	}
	return false
}

// unanswered ends the orders of the same use case that were due and delivered before one
// whose outcome is known, and have none: a device that refuses a message does not answer
// it, and what it answers comes in the order in which it was given.
func (s *HeadEnd) unanswered(now time.Time, answered store.Order) (changes []store.Change) {
	for _, o := range s.store.OrdersOf(answered.Device) {
		if o.Counter < answered.Counter && o.Code == answered.Code && o.State == store.OrderDelivered && o.ExecuteAt <= now.UnixMicro() {
			changes = append(changes, store.Put(moved(o, now, store.OrderFailed, "it was not answered, and a later one was")))
		}
	}
	return changes
}

// moved returns an order in another state.
func moved(o store.Order, now time.Time, state store.OrderState, outcome string) store.Order {
	o.State, o.ChangedAt, o.Outcome = state, now.UnixMicro(), outcome
	return o
}

// dateOf says in words when an order is carried out.
func dateOf(o store.Order) string {
	return "at " + time.UnixMicro(o.ExecuteAt).UTC().Format(time.RFC3339)
}

// dated says in words when a dated update is activated, as the beginning of a
// sentence; "" if the order is not known.
func (s *HeadEnd) dated(u store.Update) string {
	o, ok := s.store.Order(u.Device, u.Order)
	if !ok {
		return ""
	}
	return dateOf(o) + "; "
}
