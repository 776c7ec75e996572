package dtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/commshub/commshub/han"
)

const (
	defaultMaxHandshakes = 64
	// replaceAfter is the least age at which a pending handshake makes room for a
	// newer one of the same device. It bounds what a flood of ClientHellos costs.
	replaceAfter = 100 * time.Millisecond
	// alertsPerSecond bounds the plaintext alerts to all devices together.
	alertsPerSecond = 200
)

var (
	errBusy     = errors.New("too many handshakes at once")
	errNotTaken = errors.New("dropped without a word")
)

// ServerOptions says who the hub is and how it reaches its devices. Certificate
// and Roots, or InstallKey, or both, are required.
type ServerOptions struct {
	Certificate *tls.Certificate
	Roots       *x509.CertPool
	// InstallKey returns the key of a device that may join with an install code.
	InstallKey func(peer han.EUI64) (Key, bool)

	// Send hands a datagram to the carrier, which owns it afterwards.
	Send func(peer han.EUI64, datagram []byte) error
	// Receive takes a record, which is only valid during the call. Calls for one
	// peer do not overlap, unless it was dropped and is back before a call ended;
	// calls for different peers do.
	Receive func(peer han.EUI64, record []byte)
	// Authorise says whether peer is in the device log. It is asked at each
	// handshake and for each record; it must be quick. Nil allows everybody.
	Authorise func(peer han.EUI64) error

	// Established and Lost tell about associations, Refused about an attempt that
	// failed: once per attempt, and never many per second. All are optional.
	Established func(peer han.EUI64)
	Lost        func(peer han.EUI64, reason error)
	Refused     func(peer han.EUI64, reason error)
	// Unproven tells of each handshake that did not prove the install code with which it
	// was begun: wrong, given up, or lost on the way. So many in a row make the device
	// wait longer and longer, a minute at most. Optional.
	Unproven func(peer han.EUI64, inARow int)

	MaxHandshakes    int           // at the same time, over all devices; default 64
	HandshakeTimeout time.Duration // default 10 s
	FlightInterval   time.Duration // until an unanswered flight is sent again; default 500 ms
}

// authorise asks the device log, if there is one.
func (o *ServerOptions) authorise(peer han.EUI64) error {
	if o.Authorise == nil {
		return nil
	}
	if err := o.Authorise(peer); err != nil {
		return &identityError{err.Error()}
	}
	return nil
}

// Server is the hub's side.
type Server struct {
	opts     ServerOptions
	ctx      context.Context // of all handshakes
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	refusals *refusals
	tries    tries
	alerts   *rate.Limiter
	counters counters

	mu         sync.Mutex
	lanes      map[han.EUI64]*lane
	handshakes int
	closed     bool
}

// lane holds what there is with one peer. Server.mu guards it. A lane without
// any association is not kept.
type lane struct {
	peer                 han.EUI64
	established, pending *association
	// former is the one that established replaced: nil without established. Whoever still
	// uses it is told.
	former *association
}

// NewServer makes a server. It does nothing until it receives a datagram.
func NewServer(opts ServerOptions) (*Server, error) {
	if err := checkCredential(opts.Certificate, opts.Roots, opts.InstallKey != nil); err != nil {
		return nil, fmt.Errorf("make DTLS server: %w", err)
	}
	if opts.Send == nil || opts.Receive == nil {
		return nil, errors.New("make DTLS server: the functions Send and Receive are required")
	}
	if opts.MaxHandshakes <= 0 {
		opts.MaxHandshakes = defaultMaxHandshakes
	}
	orStandard(&opts.HandshakeTimeout, defaultHandshakeTimeout)
	orStandard(&opts.FlightInterval, defaultFlightInterval)
	s := &Server{
		opts:     opts,
		refusals: newRefusals(opts.Refused),
		alerts:   rate.NewLimiter(alertsPerSecond, alertsPerSecond),
		lanes:    make(map[han.EUI64]*lane),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Send encrypts a record for peer. The record may be reused afterwards. No error
// means that it is on its way, not that it arrives.
func (s *Server) Send(peer han.EUI64, record []byte) error {
	if err := send(record, func() *association { return s.current(peer) }); err != nil {
		return err
	}
	s.counters.sent.Add(1)
	return nil
}

func (s *Server) current(peer han.EUI64) *association {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[peer]; l != nil {
		return l.established
	}
	return nil
}

// Receive takes a datagram from the carrier and owns it. It never blocks.
func (s *Server) Receive(peer han.EUI64, datagram []byte) {
	what, attempt := classify(datagram)
	if what == malformed {
		s.counters.dropped.Add(1)
		return
	}
	if what == hello {
		s.receiveHello(peer, attempt, datagram)
		return
	}
	s.mu.Lock()
	l := s.lanes[peer]
	taken := l != nil && l.take(what, datagram)
	again := taken && what == protected && l.established != nil && l.established.seen.again(datagram)
	s.mu.Unlock()
	if again {
		s.counters.replayed.Add(1)
	}
	if taken {
		return
	}
	s.counters.dropped.Add(1)
	if l == nil && what == protected {
		s.hintLostState(peer)
	}
}

// take hands a datagram to the associations it may belong to and reports
// whether one had room. Without keys nobody can tell whether a protected record
// is the established or the pending association's; pion drops what does not
// decrypt.
func (l *lane) take(what kind, datagram []byte) bool {
	switch what {
	case alert: // an established association believes no plaintext alert
		return l.pending != nil && l.pending.carrier.push(datagram)
	case flight:
		if l.pending != nil {
			return l.pending.carrier.push(datagram)
		}
		// The client repeats its last flight until it gets ours. When it has, pion
		// would only collect fragments that nobody asked for.
		return !l.established.confirmed.Load() && l.established.carrier.push(datagram)
	default:
		taken := l.pending != nil && l.pending.carrier.push(datagram)
		if l.established != nil && l.established.carrier.push(datagram) {
			taken = true
		}
		if l.former != nil && l.former.carrier.push(datagram) {
			taken = true
		}
		return taken
	}
}

// Drop ends what there is with a device that was removed from the device log.
// Nothing that arrives afterwards gets through, and nothing can be sent; a
// record that is just being handed over may still be.
func (s *Server) Drop(peer han.EUI64) {
	s.mu.Lock()
	l := s.lanes[peer]
	var established, former *association
	if l != nil {
		established, former = l.established, l.former
		if l.pending != nil {
			l.pending.cancel()
		}
		l.established, l.pending, l.former = nil, nil, nil
		delete(s.lanes, peer)
	}
	s.mu.Unlock()
	former.abandon()
	s.tries.forget(peer)
	if established != nil {
		established.close()
	}
}

// Counters returns a snapshot.
func (s *Server) Counters() Counters { return s.counters.snapshot() }

// Close says goodbye on all associations and returns when nothing runs in the
// background any more. It must not be called from a callback.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	var established, former []*association
	for peer, l := range s.lanes {
		former = append(former, l.former)
		if l.established != nil {
			established = append(established, l.established)
		}
		l.established, l.pending, l.former = nil, nil, nil
		delete(s.lanes, peer)
	}
	s.mu.Unlock()
	s.cancel()
	for _, a := range former {
		a.abandon()
	}
	for _, a := range established {
		a.close()
	}
	s.wg.Wait()
	return nil
}
