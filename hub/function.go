package hub

import (
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/remote"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// function is one of the hub's own functions, as remote parties address it.
type function struct {
	eui      han.EUI64
	role     gbcs.Roles
	endpoint *remote.Endpoint
	queue    []gasproxy.Message // in the store too, until all that they bring about is
	since    time.Time          // when the last one came
	// done is what is left to do once the command in hand is committed.
	done []func(now time.Time, out *han.Outbox)
}

// newFunction returns a function with the commands that a hub had not taken when it
// stopped. The supplier orders it, and the access control broker.
func (h *Hub) newFunction(now time.Time, eui han.EUI64, role gbcs.Roles, layout gbcs.Layout, handlers map[gbcs.MessageCode]core.Handler) function {
	security := h.cfg.Functions[eui]
	f := function{eui: eui, role: role, since: now, endpoint: remote.New(remote.Config{
		Function: eui, Role: role, Layout: layout, Parties: []han.EUI64{h.cfg.Supplier, security.Broker.EUI64},
		Security: security,
	}, h.store, handlers)}
	for _, m := range h.store.MessagesOf(eui) {
		f.queue = append(f.queue, mailboxMessage(m))
	}
	return f
}

// function returns the function of an identifier, nil if it is not the hub's.
func (h *Hub) function(eui han.EUI64) *function {
	for i := range h.own {
		if h.own[i].eui == eui {
			return &h.own[i]
		}
	}
	return nil
}

// Function tells which of the hub's own functions has an identifier: the CHF or the
// GPF.
func (h *Hub) Function(eui han.EUI64) (gbcs.Roles, bool) {
	f := h.function(eui)
	if f == nil {
		return 0, false
	}
	return f.role, true
}

// due returns when the function's commands are to be taken: at once, but not in the
// middle of the supplier's call.
func (f *function) due() (han.Deadline, bool) { return han.Deadline{At: f.since}, len(f.queue) > 0 }

// serveFunction takes the commands that wait. One that the store cannot follow is
// taken again when the hub starts.
func (h *Hub) serveFunction(now time.Time, out *han.Outbox, f *function) (failed error) {
	queue := f.queue
	f.queue = nil
	for _, m := range queue {
		if err := h.command(now, out, f, m); err != nil {
			h.fault(now, out, f.eui, err)
			failed = err
		}
	}
	return failed
}

// Serve has a function take the commands that wait for it now: for a supplier who waits for
// the answer.
func (h *Hub) Serve(now time.Time, out *han.Outbox, function han.EUI64) error {
	return h.serveFunction(now, out, h.function(function))
}

// command has a function carry out a command and hands the supplier what it says. The
// command is dropped last: after a power cut before that it comes again, and the
// endpoint answers it again.
func (h *Hub) command(now time.Time, out *han.Outbox, f *function, m gasproxy.Message) error {
	h.record(out, trace.Record{At: now, Kind: trace.MessageDelivered, Peer: uint64(f.eui), Code: uint32(m.Code)})
	if err := h.store.Commit(h.supplier.Delivered(now, f.eui, m)...); err != nil {
		return err
	}
	var told han.Outbox
	said, err := f.endpoint.HandleMessage(now, &told, m.Data)
	for _, r := range told.Records {
		r.Peer = uint64(f.eui)
		h.record(out, r)
	}
	done := f.done
	f.done = nil
	if err != nil {
		return err
	}
	for _, do := range done {
		do(now, out)
	}
	for _, message := range said {
		if err := h.supplier.Received(now, out, f.eui, message); err != nil {
			return err
		}
	}
	return h.store.Commit(store.Delete(store.Message{Device: f.eui, Sequence: m.Sequence}))
}

// readOwnVersion answers Read Firmware Version of the communications hub (ECS52).
func (h *Hub) readOwnVersion(_ time.Time, _ *han.Outbox, c core.Command) (gbcs.Payload, error) {
	command := c.Payload.(gbcs.ReadESMEFirmwareVersionCommand)
	return gbcs.ReadESMEFirmwareVersionResponse{InvokeID: command.InvokeID, FirmwareVersion: h.cfg.FirmwareVersion}, nil
}

// readGasMeterVersion answers Read Firmware Version of a gas meter (GCS38) for the GPF,
// from what the meter last said of itself; the meter sleeps on. Of no gas meter, and of
// more than one, the proxy has no version to tell.
func (h *Hub) readGasMeterVersion(time.Time, *han.Outbox, core.Command) (gbcs.Payload, error) {
	var meters []store.Device
	for _, eui := range h.order {
		if d := h.devices[eui]; d.log.Kind == store.KindGSME {
			meters = append(meters, d.log)
		}
	}
	if len(meters) != 1 || meters[0].FirmwareVersion == 0 {
		return gbcs.ReadGSMEFirmwareVersionResponse{Status: zcl.StatusUnsupAttribute}, nil
	}
	return gbcs.ReadGSMEFirmwareVersionResponse{FirmwareVersion: meters[0].FirmwareVersion}, nil
}
