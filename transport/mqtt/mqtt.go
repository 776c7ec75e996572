// Package mqtt carries HAN datagrams over an MQTT 3.1.1 broker.
//
//	han/<hub>/<device>/up     device to hub, and its last will
//	han/<hub>/<device>/down   hub to device
//	han/<hub>/clock           the emulated clock, retained
//
// Identifiers in topics are 16 upper-case hex digits. Datagrams travel at QoS 0
// and are never retained: the HAN is a lossy datagram network, and DTLS and the
// OTA client do the repeating. Order within a topic is kept.
//
// A [Link] is one client of a broker, as hub or as device. It connects by
// itself, again and again: a device that is started before its broker waits.
// Every connection starts with a clean session and subscribes anew, because a
// broker that restarted has forgotten what it was asked.
package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/commshub/commshub/han"
)

// MaxDatagram is the longest datagram that is sent or accepted. The longest one
// DTLS makes is about half of it.
const MaxDatagram = 4096

// lastWill is what the broker publishes on a device's topic for it when its connection
// breaks: no DTLS record starts so. It proves nothing, so that nothing follows from it
// but that nobody waits.
var lastWill = []byte("gone")

const (
	defaultRetryMax = 5 * time.Second
	retryMin        = 100 * time.Millisecond
	// The hub publishes its clock again, soon after a change and then ever more rarely: a
	// device that subscribes just while a broker files a retained message can miss it.
	clockIntervalMin = 250 * time.Millisecond
	clockIntervalMax = 5 * time.Second
)

// ErrDown says that the broker is not connected; the datagram is lost.
var ErrDown = errors.New("send datagram: the broker is not connected")

// Options says which broker to use, and as whom.
type Options struct {
	URL                string      // mqtt://host:port or tcp://…; mqtts:// or ssl:// for TLS
	TLS                *tls.Config // roots and client certificate, only with TLS
	Username, Password string
	// ClientID is by default commshub-<EUI64 of the hub>, and of a device commshub-<its
	// EUI64>-<four digits drawn>: of two processes with the keys of one device it is for
	// their hub to say which one works, and the broker must not have them throw each other out.
	ClientID string

	Hub    han.EUI64
	Device han.EUI64 // zero if this side is the hub

	// Receive takes a datagram from peer and owns it. Calls come one at a time in
	// the order of arrival. It must not block: nothing else is read meanwhile.
	Receive func(peer han.EUI64, datagram []byte)
	// Status tells that the link came up, or went down and why. While it stays
	// down, a reason is told once. Calls come one at a time. Optional.
	Status func(up bool, reason error)
	// Clock takes the emulated clock when it changes. Device only; optional.
	Clock func(Clock)
	// Gone is told that a device's connection to the broker broke without a goodbye.
	// Hub only; optional.
	Gone func(peer han.EUI64)

	RetryMax time.Duration // longest wait between two attempts to connect, default 5 s
}

// Counters says what a link did since Dial.
type Counters struct {
	Connected uint64 // times the broker accepted connection and subscriptions
	Sent      uint64 // datagrams handed to the broker's connection
	Received  uint64 // datagrams handed to Receive
	Dropped   uint64 // messages refused: topic, size, retained, or not a clock
}

// Link is one client of a broker.
type Link struct {
	opts   Options
	server Server
	topics topics

	session  atomic.Pointer[session] // nil while down
	newClock chan struct{}           // told that the clock to publish is another one
	cancel   context.CancelFunc
	done     chan struct{}

	mu         sync.Mutex
	up         chan struct{} // closed while up
	clock      Clock         // last published (hub) or received (device)
	lastReason string

	connected, sent, received, dropped atomic.Uint64
}

// Dial starts a link and returns at once. The link lives until Close is called
// or ctx is done.
func Dial(ctx context.Context, opts Options) (*Link, error) {
	address, err := ParseServer(opts.URL)
	if err != nil {
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	if opts.Hub == 0 || opts.Receive == nil {
		return nil, errors.New("dial broker: hub and receive function are required")
	}
	if opts.Username == "" {
		opts.Username, opts.Password = address.Username, address.Password
	}
	if opts.ClientID == "" {
		opts.ClientID = "commshub-" + self(&opts).String()
		if opts.Device != 0 {
			opts.ClientID += fmt.Sprintf("-%04X", rand.N[uint32](1<<16))
		}
	}
	if opts.RetryMax <= 0 {
		opts.RetryMax = defaultRetryMax
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Link{
		opts:     opts,
		server:   address,
		topics:   newTopics(opts.Hub, opts.Device),
		newClock: make(chan struct{}, 1),
		cancel:   cancel,
		done:     make(chan struct{}),
		up:       make(chan struct{}),
	}
	go l.run(ctx)
	return l, nil
}

func self(opts *Options) han.EUI64 {
	if opts.Device != 0 {
		return opts.Device
	}
	return opts.Hub
}

// WaitUp returns when the link is up, or with the error of ctx and why the link is down.
func (l *Link) WaitUp(ctx context.Context) error {
	l.mu.Lock()
	up := l.up
	l.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-l.done:
		return ErrDown
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.lastReason != "" {
			return fmt.Errorf("%w: %s", ctx.Err(), l.lastReason)
		}
		return ctx.Err()
	}
}

// Send publishes a datagram to peer in the caller's goroutine. The link owns the
// datagram afterwards. A device can send to its hub only. No error means that
// the datagram is on its way, not that it arrives.
func (l *Link) Send(peer han.EUI64, datagram []byte) error {
	if len(datagram) > MaxDatagram {
		return fmt.Errorf("send datagram: %d bytes, at most %d are allowed", len(datagram), MaxDatagram)
	}
	topic, ok := l.topics.to(peer)
	if !ok {
		return fmt.Errorf("send datagram: a device reaches its hub only, not %s", peer)
	}
	s := l.session.Load()
	if s == nil {
		return ErrDown
	}
	if err := s.publish(topic, datagram, false); err != nil {
		return fmt.Errorf("send datagram: %w", err)
	}
	l.sent.Add(1)
	return nil
}

// PublishClock tells the devices the emulated clock: now, after every
// reconnection, and every few seconds. Hub only.
func (l *Link) PublishClock(c Clock) error {
	if l.opts.Device != 0 {
		return errors.New("publish clock: only the hub does")
	}
	if err := c.validate(); err != nil {
		return fmt.Errorf("publish clock: %w", err)
	}
	l.mu.Lock()
	l.clock = c
	l.mu.Unlock()
	if s := l.session.Load(); s != nil {
		err := l.sendClock(s)
		select {
		case l.newClock <- struct{}{}:
		default:
		}
		return err
	}
	return nil
}

// sendClock publishes the clock if the hub has one.
func (l *Link) sendClock(s *session) error {
	l.mu.Lock()
	clock := l.clock
	l.mu.Unlock()
	if l.opts.Device != 0 || clock.Speed == 0 {
		return nil
	}
	return s.publish(l.topics.clock, clock.Append(nil), true)
}

// Counters returns a snapshot.
func (l *Link) Counters() Counters {
	return Counters{
		Connected: l.connected.Load(),
		Sent:      l.sent.Load(),
		Received:  l.received.Load(),
		Dropped:   l.dropped.Load(),
	}
}

// Close disconnects and returns when nothing runs in the background any more.
// It must not be called from a callback.
func (l *Link) Close() error {
	l.cancel()
	<-l.done
	return nil
}

// run keeps the link connected.
func (l *Link) run(ctx context.Context) {
	defer close(l.done)
	defer l.cancel()
	retry := Retry{Min: retryMin, Max: l.opts.RetryMax}
	for ctx.Err() == nil {
		var wait time.Duration
		s, err := l.connect(ctx)
		if err == nil {
			since := time.Now()
			l.becomeUp(s)
			err = l.stay(ctx, s, retry.Settling())
			l.becomeDown()
			s.close()
			if wait = retry.Lost(time.Since(since)); retry.Dropping() {
				err = fmt.Errorf("connection lost: %s", l.dropping())
			}
		} else if errors.As(err, new(Dropped)) {
			if wait = retry.Lost(0); retry.Dropping() {
				err = errors.New(l.dropping())
			}
		} else {
			wait = retry.Failed()
		}
		if ctx.Err() != nil {
			return
		}
		l.tellDown(err)
		sleep(ctx, jitter(wait))
	}
}

// dropping says what it is about a broker that accepts and then drops, and what to look at.
func (l *Link) dropping() string {
	text := fmt.Sprintf("the broker accepts the connection and drops it, again and again: look there for a second client with the id %s", l.opts.ClientID)
	if l.opts.Device == 0 {
		text += fmt.Sprintf(", retained messages that are forbidden (%s is one)", l.topics.clock)
	}
	return text + fmt.Sprintf(", an access list without the topics below han/%s, or a limit on packets below %d bytes", l.opts.Hub, MaxDatagram)
}

// stay returns why the connection was lost. Up is told when it has been there for a
// while, at once if that is 0.
func (l *Link) stay(ctx context.Context, s *session, settling time.Duration) error {
	interval := clockIntervalMin
	again := time.NewTimer(interval)
	defer again.Stop()
	settled := time.NewTimer(settling)
	defer settled.Stop()
	if settling == 0 {
		l.tellUp()
	}
	// An error of publishing means that the connection is about to be lost.
	_ = l.sendClock(s)
	for {
		select {
		case err := <-s.lost:
			return fmt.Errorf("connection lost: %w", plain(err))
		case <-ctx.Done():
			return ctx.Err()
		case <-settled.C:
			if settling > 0 {
				l.tellUp()
			}
		case <-l.newClock:
			interval = clockIntervalMin
			again.Reset(interval)
		case <-again.C:
			_ = l.sendClock(s)
			interval = min(2*interval, clockIntervalMax)
			again.Reset(interval)
		}
	}
}

func (l *Link) becomeUp(s *session) {
	l.connected.Add(1)
	l.session.Store(s)
	l.mu.Lock()
	close(l.up)
	l.mu.Unlock()
}

// tellUp tells that the link is up.
func (l *Link) tellUp() {
	l.mu.Lock()
	l.lastReason = ""
	l.mu.Unlock()
	if l.opts.Status != nil {
		l.opts.Status(true, nil)
	}
}

func (l *Link) becomeDown() {
	l.session.Store(nil)
	l.mu.Lock()
	l.up = make(chan struct{})
	l.mu.Unlock()
}

// tellDown tells a reason once, until the link was up again.
func (l *Link) tellDown(reason error) {
	l.mu.Lock()
	told := reason.Error() == l.lastReason
	l.lastReason = reason.Error()
	l.mu.Unlock()
	if !told && l.opts.Status != nil {
		l.opts.Status(false, reason)
	}
}
