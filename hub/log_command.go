package hub

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// The commands of the access control broker to the CHF about its device log. Each is
// checked as a whole. What cannot be done is answered with "other reason" for each of its
// parts, and changes nothing. Divergence: which result the field answers then is not public.

// addByCommand adds a device (CCS01). Divergence: the joining window that it opens is not
// played.
func (h *Hub) addByCommand(now time.Time, out *han.Outbox, c core.Command) (gbcs.Payload, error) {
	const parts = 3
	a := c.Payload.(gbcs.AddDeviceCommand)
	d := store.Device{EUI64: a.Device, Kind: store.Kind(a.DeviceType), HasInstallCode: a.HasInstallCode, InstallCode: a.InstallCode}
	err := h.CheckDevice(d)
	if d.Kind == store.KindBridged {
		err = fmt.Errorf("%s is no kind of device", d.Kind)
	}
	if err != nil {
		return refused(now, out, c, a.InvokeID, parts, err), nil
	}
	return h.carriedOut(h.adding(now, added(d), d), a.InvokeID, parts), nil
}

// removeByCommand drops a device (CCS02).
func (h *Hub) removeByCommand(now time.Time, out *han.Outbox, c core.Command) (gbcs.Payload, error) {
	a := c.Payload.(gbcs.RemoveDeviceCommand)
	d, ok := h.devices[a.Device]
	if !ok || d.log.Kind == store.KindBridged {
		return refused(now, out, c, a.InvokeID, 1, fmt.Errorf("%s: %w", a.Device, store.ErrUnknownDevice)), nil
	}
	return h.carriedOut(h.removing(now, d), a.InvokeID, 1), nil
}

// restoreByCommand adds those devices of a backup again that are not in the device log
// (CCS03): all of them, or none. Divergence: a backup does not say of which kind a device
// is, so that only what this hub once had can be restored; DTLS stands for the link key, and
// its hash is not looked at.
func (h *Hub) restoreByCommand(now time.Time, out *han.Outbox, c core.Command) (gbcs.Payload, error) {
	a := c.Payload.(gbcs.RestoreDeviceLogCommand)
	devices := make([]han.EUI64, len(a.Devices))
	for i, l := range a.Devices {
		devices[i] = l.Device
	}
	missing, err := h.Restorable(devices)
	if err != nil {
		return refused(now, out, c, a.InvokeID, 1, err), nil
	}
	if len(missing) == 0 {
		return gbcs.DeviceLogResponse{InvokeID: a.InvokeID, Results: results(1, gbcs.ActionSuccess)}, nil
	}
	raised := alert{device: h.cfg.CHF, code: gbcs.AlertCHFDeviceLogChanged, text: fmt.Sprintf("devices restored: %d", len(missing))}
	return h.carriedOut(h.adding(now, raised, missing...), a.InvokeID, 1), nil
}

// Restorable returns those of the devices that are not in the device log, as they can be
// added to it again, or why they cannot.
func (h *Hub) Restorable(devices []han.EUI64) ([]store.Device, error) {
	var missing []store.Device
	for _, eui := range devices {
		if _, there := h.devices[eui]; there || slices.ContainsFunc(missing, func(d store.Device) bool { return d.EUI64 == eui }) {
			continue
		}
		kind, known := h.formerKind(eui)
		if !known {
			return nil, fmt.Errorf("%w: %s was never in this device log", store.ErrConflict, eui)
		}
		missing = append(missing, store.Device{EUI64: eui, Kind: kind})
	}
	if n := h.logged() + len(missing); n > DeviceLogSize {
		return nil, fmt.Errorf("%w: %d devices, want at most %d in the device log", store.ErrConflict, n, DeviceLogSize)
	}
	return missing, nil
}

// carriedOut has the command's commit make a change, and returns the answer.
func (h *Hub) carriedOut(change logChange, invokeID uint32, parts int) gbcs.Payload {
	f := h.function(h.cfg.CHF)
	f.endpoint.Stage(change.changes...)
	f.done = append(f.done, change.done)
	return gbcs.DeviceLogResponse{InvokeID: invokeID, Results: results(parts, gbcs.ActionSuccess)}
}

// refused records why a command is not carried out, and returns the answer.
func refused(now time.Time, out *han.Outbox, c core.Command, invokeID uint32, parts int, why error) gbcs.Payload {
	out.Record(trace.Record{At: now, Kind: trace.CommandRefused, Code: uint32(c.Code), Text: why.Error()})
	return gbcs.DeviceLogResponse{InvokeID: invokeID, Results: results(parts, gbcs.ActionOtherReason)}
}

func results(parts int, r gbcs.ActionResult) []gbcs.ActionResult {
	return slices.Repeat([]gbcs.ActionResult{r}, parts)
}

// withFormer returns what the CHF remembers of devices that left, one more among them.
func (h *Hub) withFormer(d store.Device) store.RemoteParty {
	p, _ := h.store.RemoteParty(h.cfg.CHF, h.cfg.CHF)
	p.Function, p.Party = h.cfg.CHF, h.cfg.CHF
	p.Former = slices.DeleteFunc(slices.Clone(p.Former), func(f store.FormerDevice) bool { return f.Device == d.EUI64 })
	p.Former = append(p.Former, store.FormerDevice{Device: d.EUI64, Kind: d.Kind})
	p.Former = p.Former[max(0, len(p.Former)-store.MaxFormer):]
	return p
}

// formerKind returns of which kind a device was when it left.
func (h *Hub) formerKind(eui han.EUI64) (store.Kind, bool) {
	p, _ := h.store.RemoteParty(h.cfg.CHF, h.cfg.CHF)
	for _, f := range p.Former {
		if f.Device == eui {
			return f.Kind, true
		}
	}
	return 0, false
}

// reportingFor is how long after it was heard a device counts as reporting. Divergence: no
// figure is public; it is four periods of a gas meter.
const reportingFor = 2 * time.Hour

// readDeviceLog answers with the device log and how devices are heard (CCS06). Divergence:
// there is no radio whose strength could be told, and no transmissions are counted: these
// are 0, and all devices one hop away.
func (h *Hub) readDeviceLog(now time.Time, _ *han.Outbox, c core.Command) (gbcs.Payload, error) {
	r := gbcs.ReadDeviceLogResponse{InvokeID: c.Payload.(gbcs.ReadDeviceLogCommand).InvokeID}
	for _, eui := range h.order {
		d := h.devices[eui].log
		if d.Kind == store.KindBridged {
			continue
		}
		a := gbcs.ActiveDevice{Device: eui, Status: gbcs.DeviceAuthorized, LastCommunication: gbcs.NotSpecified, Hops: 1}
		if heard := h.store.LastHeard(d); heard != 0 {
			at := time.UnixMicro(heard).UTC()
			a.LastCommunication = gbcs.DateTimeOf(zcl.UTCTimeOf(at))
			if now.Sub(at) < reportingFor {
				a.Status |= gbcs.DeviceReporting | gbcs.DeviceTransmitting
			}
		}
		r.Devices = append(r.Devices, a)
	}
	return r, nil
}
