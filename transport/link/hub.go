package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/dtls"
)

// HubOptions says who the hub is and how it reaches its devices. Certificate and
// Roots, or InstallKey, or both, are required.
type HubOptions struct {
	Broker Broker
	Hub    han.EUI64

	Certificate *tls.Certificate
	Roots       *x509.CertPool
	// InstallKey returns the key of a device that may join with an install code.
	InstallKey func(peer han.EUI64) (Key, bool)
	// Authorise says whether a device is in the device log. It is asked at each
	// handshake and for each frame, from several goroutines; it must be quick. Nil
	// allows everybody.
	Authorise func(peer han.EUI64) error

	// Receive takes what comes in.
	Receive Receivers
	Notices Notices

	MaxHandshakes    int           // at the same time, over all devices; default 64
	HandshakeTimeout time.Duration // default 10 s
	FlightInterval   time.Duration // until an unanswered flight is sent again; default 500 ms
}

// Hub is the hub's end: one link to all its devices.
type Hub struct {
	end      *end
	sessions *dtls.Server
}

// DialHub starts the hub's end. It lives until Close is called or ctx is done.
func DialHub(ctx context.Context, opts HubOptions) (*Hub, error) {
	if opts.Receive.Frame == nil {
		return nil, fmt.Errorf("dial hub: %w", errNoReceive)
	}
	h := &Hub{end: newEnd(opts.Hub, opts.Receive, opts.Notices)}
	sessions, err := dtls.NewServer(dtls.ServerOptions{
		Certificate: opts.Certificate,
		Roots:       opts.Roots,
		InstallKey:  opts.InstallKey,
		Authorise:   opts.Authorise,
		Send:        func(peer han.EUI64, datagram []byte) error { return h.end.carrier.Send(peer, datagram) },
		Receive:     h.end.take,
		Established: func(peer han.EUI64) { h.end.notices.association(peer, true, nil) },
		Lost:        func(peer han.EUI64, reason error) { h.end.notices.association(peer, false, reason) },
		Refused:     h.end.notices.refused,
		Unproven:    h.end.notices.unproven,

		MaxHandshakes:    opts.MaxHandshakes,
		HandshakeTimeout: opts.HandshakeTimeout,
		FlightInterval:   opts.FlightInterval,
	})
	if err != nil {
		return nil, fmt.Errorf("dial hub: %w", err)
	}
	h.sessions = sessions
	carrier := opts.Broker.options()
	carrier.Hub = opts.Hub
	carrier.Receive = sessions.Receive
	carrier.Status = h.end.notices.broker
	carrier.Gone = h.end.notices.gone
	if err := h.end.dial(ctx, carrier, sessions); err != nil {
		return nil, fmt.Errorf("dial hub: %w", err)
	}
	return h, nil
}

// Send sends a frame to the device f.Dst in the caller's goroutine, with its stamp if
// it has one. The payload may be reused afterwards. No error means that the frame is on
// its way.
func (h *Hub) Send(f han.Frame, st *han.Stamp) error {
	return h.end.send(f, st, func(record []byte) error { return h.sessions.Send(f.Dst, record) })
}

// SendStamp sends a stamp without a frame to a device.
func (h *Hub) SendStamp(to han.EUI64, st *han.Stamp) error {
	return sendStamp(st, func(record []byte) error { return h.sessions.Send(to, record) })
}

// Drop ends the session with a device that was removed from the device log.
// Nothing it sends afterwards gets through. No event tells that the association
// is lost: the caller knows.
func (h *Hub) Drop(peer han.EUI64) { h.sessions.Drop(peer) }

// PublishClock tells the devices the emulated clock, now and after every
// reconnection.
func (h *Hub) PublishClock(c Clock) error { return h.end.carrier.PublishClock(c) }

// WaitUp returns when the broker is connected, or with the error of ctx.
func (h *Hub) WaitUp(ctx context.Context) error { return h.end.carrier.WaitUp(ctx) }

// Counters returns a snapshot.
func (h *Hub) Counters() Counters { return h.end.counters(h.sessions.Counters()) }

// Close says goodbye to all devices, disconnects, and returns when nothing runs
// in the background any more. It must not be called from a callback.
func (h *Hub) Close() error { return h.end.close() }
