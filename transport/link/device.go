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

// DeviceOptions says who a device is and how it reaches its hub. Certificate and
// Roots, or InstallKey, are required.
type DeviceOptions struct {
	Broker      Broker
	Device, Hub han.EUI64

	Certificate *tls.Certificate
	Roots       *x509.CertPool
	InstallKey  *Key // in place of a certificate

	// Receive takes what comes in. Calls come one at a time.
	Receive Receivers
	// Clock takes the emulated clock of the hub when it changes. Optional.
	Clock   func(Clock)
	Notices Notices

	Unanswered         int           // frames sent without any back that make doubtful; default 3
	Patience           time.Duration // after the last of them; default 2 s
	HandshakeTimeout   time.Duration // default 10 s
	FlightInterval     time.Duration // until an unanswered flight is sent again; default 500 ms
	RetryMin, RetryMax time.Duration // between handshakes that fail; default 500 ms growing to 5 s
}

// Device is a device's end: its link to its hub.
type Device struct {
	end     *end
	session *dtls.Client
}

// DialDevice starts a device's end. It lives until Close is called or ctx is done.
func DialDevice(ctx context.Context, opts DeviceOptions) (*Device, error) {
	if opts.Receive.Frame == nil {
		return nil, fmt.Errorf("dial device: %w", errNoReceive)
	}
	d := &Device{end: newEnd(opts.Device, opts.Receive, opts.Notices)}
	session, err := dtls.NewClient(dtls.ClientOptions{
		Device: opts.Device, Hub: opts.Hub,
		Certificate: opts.Certificate,
		Roots:       opts.Roots,
		InstallKey:  opts.InstallKey,
		Send:        func(datagram []byte) error { return d.end.carrier.Send(opts.Hub, datagram) },
		Receive:     func(record []byte) { d.end.take(opts.Hub, record) },
		Established: func() { d.end.notices.association(opts.Hub, true, nil) },
		Lost:        func(reason error) { d.end.notices.association(opts.Hub, false, reason) },
		Failed:      func(reason error) { d.end.notices.refused(opts.Hub, reason) },

		Unanswered:       opts.Unanswered,
		Patience:         opts.Patience,
		HandshakeTimeout: opts.HandshakeTimeout,
		FlightInterval:   opts.FlightInterval,
		RetryMin:         opts.RetryMin,
		RetryMax:         opts.RetryMax,
	})
	if err != nil {
		return nil, fmt.Errorf("dial device: %w", err)
	}
	d.session = session
	carrier := opts.Broker.options()
	carrier.Hub, carrier.Device = opts.Hub, opts.Device
	carrier.Clock = opts.Clock
	carrier.Receive = func(_ han.EUI64, datagram []byte) { session.Receive(datagram) }
	carrier.Status = func(up bool, reason error) {
		d.end.notices.broker(up, reason)
		session.CarrierUp(up)
	}
	if err := d.end.dial(ctx, carrier, session); err != nil {
		return nil, fmt.Errorf("dial device: %w", err)
	}
	return d, nil
}

// Send sends a frame to the hub in the caller's goroutine, with its stamp if it has
// one. The payload may be reused afterwards. No error means that the frame is on its
// way.
func (d *Device) Send(f han.Frame, st *han.Stamp) error { return d.end.send(f, st, d.session.Send) }

// SendStamp sends a stamp without a frame.
func (d *Device) SendStamp(st *han.Stamp) error { return sendStamp(st, d.session.Send) }

// Counters returns a snapshot.
func (d *Device) Counters() Counters { return d.end.counters(d.session.Counters()) }

// Close says goodbye to the hub, disconnects, and returns when nothing runs in
// the background any more. It must not be called from a callback.
func (d *Device) Close() error { return d.end.close() }
