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
// Divergence: the HAN is a star. There is a topic for each way between the hub and a
// device, and none between devices.
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
	ClientID           string        // default as mqtt.Options have it
	RetryMax           time.Duration // longest wait between two attempts to connect, default 5 s
}

func (b Broker) options() mqtt.Options {
	return mqtt.Options{
		URL: b.URL, TLS: b.TLS, Username: b.Username, Password: b.Password,
		ClientID: b.ClientID, RetryMax: b.RetryMax,
	}
}

// Notices tells a person what goes on, one line each. All functions are optional;
// they must not block and not close the link.
type Notices struct {
	// Broker tells that the broker is connected, or not any more or not yet, and why.
	Broker func(up bool, reason error)
	// Association tells that a session with peer is established, or lost and why.
	Association func(peer han.EUI64, established bool, reason error)
	// Gone tells that a device's connection to the broker broke. Its session may go on
	// when it comes back. Hub only.
	Gone func(peer han.EUI64)
	// Unproven tells of a handshake that did not prove the install code with which it was
	// begun, and how many in a row that is. Hub only.
	Unproven func(peer han.EUI64, inARow int)
	// Refused tells why a handshake with peer failed or a frame of it was
	// refused; never many per second.
	Refused func(peer han.EUI64, reason error)
}

func (e *Notices) broker(up bool, reason error) {
	if e.Broker != nil {
		e.Broker(up, reason)
	}
}

func (e *Notices) association(peer han.EUI64, established bool, reason error) {
	if e.Association != nil {
		e.Association(peer, established, reason)
	}
}

func (e *Notices) gone(peer han.EUI64) {
	if e.Gone != nil {
		e.Gone(peer)
	}
}

func (e *Notices) unproven(peer han.EUI64, inARow int) {
	if e.Unproven != nil {
		e.Unproven(peer, inARow)
	}
}

func (e *Notices) refused(peer han.EUI64, reason error) {
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
	receive Receivers
	notices Notices
	limit   *rate.Limiter // of reports about refused frames
	carrier *mqtt.Link
	ready   chan struct{} // closed when carrier is set

	sessions io.Closer
	stop     func() bool // following ctx
	closing  sync.Once
	closed   error // set in closing

	sent, received, refused atomic.Uint64
}

// Receivers take what comes in. Calls for one device come one at a time, for
// different devices at the same time.
type Receivers struct {
	// Frame takes a frame, whose payload is only valid during the call, with its
	// stamp; nil if it has none. Required.
	Frame func(f han.Frame, st *han.Stamp)
	// Stamp takes a stamp that came without a frame. Optional.
	Stamp func(peer han.EUI64, st han.Stamp)
}

func newEnd(self han.EUI64, receive Receivers, notices Notices) *end {
	return &end{
		self: self, receive: receive, notices: notices,
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

// send encodes a frame with its stamp, if it has one, and passes it on.
func (e *end) send(f han.Frame, st *han.Stamp, pass func(record []byte) error) error {
	if f.Src != e.self {
		return fmt.Errorf("send frame: its source is %s, this is %s", f.Src, e.self)
	}
	if err := encode(f, st, pass); err != nil {
		return err
	}
	e.sent.Add(1)
	return nil
}

// sendStamp encodes a stamp alone and passes it on.
func sendStamp(st *han.Stamp, pass func(record []byte) error) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	return pass(cborframe.AppendStamp((*buffer)[:0], st))
}

var buffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, cborframe.MaxSize)
	return &buffer
}}

// encode calls use with the encoding of f, which is only valid during the call.
func encode(f han.Frame, st *han.Stamp, use func(encoded []byte) error) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	encoded, err := cborframe.Append((*buffer)[:0], f, st)
	if err != nil {
		return err
	}
	return use(encoded)
}

// take decodes a record that came from peer and hands on what it holds.
func (e *end) take(peer han.EUI64, record []byte) {
	m, err := cborframe.Decode(record)
	switch {
	case err != nil || !m.HasFrame:
	case m.Frame.Src != peer:
		err = fmt.Errorf("frame refused: its source is %s, it came from %s", m.Frame.Src, peer)
	case m.Frame.Dst != e.self:
		err = fmt.Errorf("frame refused: it is for %s, this is %s", m.Frame.Dst, e.self)
	}
	switch {
	case err != nil:
		e.refused.Add(1)
		if e.limit.Allow() {
			e.notices.refused(peer, err)
		}
	case !m.HasFrame:
		if e.receive.Stamp != nil {
			e.receive.Stamp(peer, m.Stamp)
		}
	default:
		e.received.Add(1)
		e.hand(&m)
	}
}

// hand hands a frame on.
func (e *end) hand(m *cborframe.Message) {
	if m.HasStamp {
		e.receive.Frame(m.Frame, &m.Stamp)
		return
	}
	e.receive.Frame(m.Frame, nil)
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

var errNoReceive = errors.New("the function Receive.Frame is required")
