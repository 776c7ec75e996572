package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

const (
	connectTimeout = 10 * time.Second
	// writeTimeout bounds how long Send can block on a broker that stopped reading.
	writeTimeout = 5 * time.Second
	keepAlive    = 30 * time.Second
	// quiesce bounds how long closing waits for a broker to take the goodbye.
	quiesce = 250 * time.Millisecond

	subscriptionRefused = 0x80 // MQTT 3.1.1 §3.9.3
)

// session is one connection to the broker. The link makes a new one after each
// loss in place of paho's own reconnection, which cannot be interrupted and
// forgets the subscriptions.
type session struct {
	client paho.Client
	lost   chan error
}

// connect opens a connection and subscribes. The error is one line that says
// which step failed.
func (l *Link) connect(ctx context.Context) (*session, error) {
	s := &session{lost: make(chan error, 1)}
	s.client = paho.NewClient(l.clientOptions(ctx, s))
	token := s.client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		// Closing the connection ends the attempt; see Server.Dial.
		<-token.Done()
	}
	if err := token.Error(); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", l.server, plain(err))
	}
	if err := l.subscribe(ctx, s); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (l *Link) clientOptions(ctx context.Context, s *session) *paho.ClientOptions {
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: "tcp", Host: l.server.address}}
	o.SetClientID(l.opts.ClientID).SetUsername(l.opts.Username).SetPassword(l.opts.Password)
	o.SetProtocolVersion(4).SetCleanSession(true).SetOrderMatters(true)
	o.SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(connectTimeout).SetWriteTimeout(writeTimeout)
	o.SetKeepAlive(keepAlive).SetPingTimeout(connectTimeout)
	o.SetDefaultPublishHandler(l.handle)
	if l.opts.Device != 0 {
		o.SetBinaryWill(l.topics.up, lastWill, 0, false)
	}
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { s.lost <- err })
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		return l.server.Dial(ctx, l.opts.TLS)
	})
	return o
}

// subscribe asks for everything this side listens to and demands that the broker
// grants all of it.
func (l *Link) subscribe(ctx context.Context, s *session) error {
	filters := map[string]byte{l.topics.filter(): 0}
	if l.opts.Clock != nil && l.opts.Device != 0 {
		filters[l.topics.clock] = 0
	}
	token := s.client.SubscribeMultiple(filters, nil)
	timeout := time.NewTimer(connectTimeout)
	defer timeout.Stop()
	select {
	case <-token.Done():
	case err := <-s.lost:
		return fmt.Errorf("subscribe at %s: %w", l.server, DroppedFor(plain(err)))
	case <-timeout.C:
		return fmt.Errorf("subscribe at %s: no answer in %s", l.server, connectTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("subscribe at %s: %w", l.server, DroppedFor(plain(err)))
	}
	granted := token.(*paho.SubscribeToken).Result()
	for filter := range filters {
		if qos, answered := granted[filter]; !answered || qos == subscriptionRefused {
			return fmt.Errorf("subscribe to %s at %s: refused by the broker", filter, l.server)
		}
	}
	return nil
}

// publish hands a message to the connection without waiting for it to be written.
func (s *session) publish(topic string, payload []byte, retained bool) error {
	token := s.client.Publish(topic, 0, retained, payload)
	select {
	case <-token.Done():
		return token.Error()
	default:
		return nil
	}
}

func (s *session) close() { s.client.Disconnect(uint(quiesce.Milliseconds())) }

// handle takes a message from the broker. paho makes a new payload for each, so
// it can be given away.
func (l *Link) handle(_ paho.Client, m paho.Message) {
	payload := m.Payload()
	if l.opts.Device != 0 && m.Topic() == l.topics.clock {
		l.handleClock(payload)
		return
	}
	peer, ok := l.topics.from(m.Topic())
	// A datagram somebody left as a retained message is stale by definition.
	if !ok || m.Retained() || len(payload) == 0 || len(payload) > MaxDatagram {
		l.dropped.Add(1)
		return
	}
	if l.opts.Device == 0 && bytes.Equal(payload, lastWill) {
		if l.opts.Gone != nil {
			l.opts.Gone(peer)
		}
		return
	}
	l.received.Add(1)
	l.opts.Receive(peer, payload)
}

func (l *Link) handleClock(text []byte) {
	clock, err := ParseClock(text)
	if err != nil || l.opts.Clock == nil {
		l.dropped.Add(1)
		return
	}
	l.mu.Lock()
	changed := !clock.Equal(l.clock)
	l.clock = clock
	l.mu.Unlock()
	if changed {
		l.opts.Clock(clock)
	}
}

// plain returns the cause alone: paho puts "network Error : " before it.
func plain(err error) error {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		causes := several.Unwrap()
		return causes[len(causes)-1]
	}
	return err
}

// jitter spreads devices that lost the same broker at the same instant.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
