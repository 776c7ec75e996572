// Package link carries HAN frames between a hub and its devices for real: each
// frame one CBOR array (cborframe), in a DTLS record (transport/dtls), in a
// datagram on an MQTT topic (transport/mqtt).
//
//	han.Frame ── CBOR ──► record ── DTLS ──► datagram ── MQTT ──► broker
//
// [DialHub] makes the hub's end, [DialDevice] a device's. Both return at once
// and connect by themselves, again and again, until they are closed. A frame
// that cannot be sent is lost, as on any radio; the nodes repeat what matters.
//
// What comes in is taken only if it is canonical CBOR, not too long, sent by the
// device whose association it came on, and meant for this end.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/dtls"
	"github.com/commshub/commshub/transport/link/cborframe"
	"github.com/commshub/commshub/transport/mqtt"
)

// ErrNoAssociation says that the other end is not there; the frame is lost.
var ErrNoAssociation = dtls.ErrNoAssociation

// Key is the link key derived from an install code.
type Key = dtls.Key

// Clock is the emulated clock that a hub publishes.
type Clock = mqtt.Clock

// Broker says which MQTT broker to use and how to prove who one is there.
type Broker struct {
	URL                string      // mqtt://host:port, mqtts:// with TLS
	TLS                *tls.Config // roots and client certificate, only with TLS
	Username, Password string
	ClientID           string        // default commshub-<EUI64 of this end>
	RetryMax           time.Duration // longest wait between two attempts to connect, default 5 s
}

func (b Broker) options() mqtt.Options {
	return mqtt.Options{
		URL: b.URL, TLS: b.TLS, Username: b.Username, Password: b.Password,
		ClientID: b.ClientID, RetryMax: b.RetryMax,
	}
}

// Events tells a person what goes on, one line each. All functions are optional;
// they must not block and not close the link.
type Events struct {
	// Broker tells that the broker is connected, or not any more or not yet, and why.
	Broker func(up bool, reason error)
	// Association tells that a session with peer is established, or lost and why.
	Association func(peer han.EUI64, established bool, reason error)
	// Refused tells why a handshake with peer failed or a frame of it was
	// refused; never many per second.
	Refused func(peer han.EUI64, reason error)
}

func (e *Events) broker(up bool, reason error) {
	if e.Broker != nil {
		e.Broker(up, reason)
	}
}

func (e *Events) association(peer han.EUI64, established bool, reason error) {
	if e.Association != nil {
		e.Association(peer, established, reason)
	}
}

func (e *Events) refused(peer han.EUI64, reason error) {
	if e.Refused != nil {
		e.Refused(peer, reason)
	}
}

// Counters says what a link did since it was dialled.
type Counters struct {
	FramesSent     uint64
	FramesReceived uint64
	FramesRefused  uint64 // malformed, or misaddressed
	DTLS           dtls.Counters
	MQTT           mqtt.Counters
}

const (
	refusalsPerSecond = 2
	refusalsAtOnce    = 20
)

// end is what both ends of a link have in common.
type end struct {
	self    han.EUI64
	receive func(f han.Frame)
	events  Events
	limit   *rate.Limiter // of reports about refused frames
	carrier *mqtt.Link
	ready   chan struct{} // closed when carrier is set

	sessions io.Closer
	stop     func() bool // following ctx
	closing  sync.Once
	closed   error // set in closing

	sent, received, refused atomic.Uint64
}

func newEnd(self han.EUI64, receive func(han.Frame), events Events) *end {
	return &end{
		self: self, receive: receive, events: events,
		limit: rate.NewLimiter(refusalsPerSecond, refusalsAtOnce),
		ready: make(chan struct{}),
	}
}

// dial starts the carrier of the sessions, for as long as ctx lives. Its callbacks wait
// until the carrier can be used.
func (e *end) dial(ctx context.Context, opts mqtt.Options, sessions io.Closer) error {
	receive, status := opts.Receive, opts.Status
	opts.Receive = func(peer han.EUI64, datagram []byte) {
		<-e.ready
		receive(peer, datagram)
	}
	opts.Status = func(up bool, reason error) {
		<-e.ready
		status(up, reason)
	}
	// The carrier outlives ctx for the goodbyes that closing sends.
	carrier, err := mqtt.Dial(context.Background(), opts)
	e.carrier, e.sessions = carrier, sessions
	close(e.ready)
	if err != nil {
		return errors.Join(err, sessions.Close())
	}
	e.stop = context.AfterFunc(ctx, e.shut)
	return nil
}

// close ends the sessions and the carrier; closing again returns the same.
func (e *end) close() error {
	e.stop()
	e.shut()
	return e.closed
}

func (e *end) shut() {
	e.closing.Do(func() {
		goodbye := e.sessions.Close() // first, so that its goodbyes get out
		e.closed = errors.Join(goodbye, e.carrier.Close())
	})
}

// send encodes a frame and passes it on.
func (e *end) send(f han.Frame, pass func(record []byte) error) error {
	if f.Src != e.self {
		return fmt.Errorf("send frame: its source is %s, this is %s", f.Src, e.self)
	}
	if err := encode(f, pass); err != nil {
		return err
	}
	e.sent.Add(1)
	return nil
}

var buffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, cborframe.MaxSize)
	return &buffer
}}

// encode calls use with the encoding of f, which is only valid during the call.
func encode(f han.Frame, use func(encoded []byte) error) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	encoded, err := cborframe.Append((*buffer)[:0], f)
	if err != nil {
		return err
	}
	return use(encoded)
}

// take decodes a record that came from peer and hands the frame on.
func (e *end) take(peer han.EUI64, record []byte) {
	f, err := cborframe.Decode(record)
	switch {
	case err != nil:
	case f.Src != peer:
		err = fmt.Errorf("frame refused: its source is %s, it came from %s", f.Src, peer)
	case f.Dst != e.self:
		err = fmt.Errorf("frame refused: it is for %s, this is %s", f.Dst, e.self)
	}
	if err != nil {
		e.refused.Add(1)
		if e.limit.Allow() {
			e.events.refused(peer, err)
		}
		return
	}
	e.received.Add(1)
	e.receive(f)
}

func (e *end) counters(d dtls.Counters) Counters {
	return Counters{
		FramesSent:     e.sent.Load(),
		FramesReceived: e.received.Load(),
		FramesRefused:  e.refused.Load(),
		DTLS:           d,
		MQTT:           e.carrier.Counters(),
	}
}

var errNoReceive = errors.New("the function Receive is required")
