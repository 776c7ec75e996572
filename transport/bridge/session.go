package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/commshub/commshub/transport/mqtt"
)

const (
	connectTimeout = 10 * time.Second
	writeTimeout   = 5 * time.Second
	keepAlive      = 15 * time.Second
	retryMin       = 200 * time.Millisecond
	retryMax       = 5 * time.Second
	// farewell bounds how long stopping waits for the broker to take the last messages.
	farewell = 3 * time.Second

	qosAtLeastOnce      = 1
	subscriptionRefused = 0x80 // MQTT 3.1.1 §3.9.3
)

// session is one connection to the outside broker. There is a new one after each
// loss; paho's own reconnection forgets the subscriptions.
type session struct {
	client paho.Client
	lost   chan error
	end    context.CancelFunc // closes the connection
	last   []paho.Token       // of messages published since the last flush
}

// arrival is what came from the broker's side, in order.
type arrival struct {
	up         *session // connected
	again      bool     // the broker accepts connections and drops them at once
	down       error    // lost, or why it cannot be reached
	subscribed *session // the adapters' filters are in place
	message    *Message
}

// stayConnected connects again and again until ctx is done.
func (b *Bridge) stayConnected(ctx context.Context, p *presence) {
	retry := mqtt.Retry{Min: retryMin, Max: retryMax}
	for ctx.Err() == nil {
		var wait time.Duration
		s, err := b.connect(ctx, p)
		if err == nil {
			since := time.Now()
			b.tell(ctx, arrival{up: s, again: retry.Dropping()})
			select {
			case err = <-s.lost:
				err = fmt.Errorf("connection lost: %w", plain(err))
				s.close()
			case <-ctx.Done():
				return // the bridge says goodbye and closes it
			}
			if wait = retry.Lost(time.Since(since)); retry.Dropping() {
				err = b.dropping(p)
			}
		} else if errors.As(err, new(mqtt.Dropped)) {
			if wait = retry.Lost(0); retry.Dropping() {
				err = b.dropping(p)
			}
		} else {
			wait = retry.Failed()
		}
		b.tell(ctx, arrival{down: err, again: retry.Dropping()})
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// dropping says what to look at with a broker that accepts and then drops.
func (b *Bridge) dropping(p *presence) error {
	return fmt.Errorf("connection lost: the broker accepts the connection and drops it, again and again: look there for a second client with the id %s, retained messages that are forbidden, an access list without %s, or a limit on the size of packets",
		b.opts.Config.Broker.clientID(p.self), p.topic())
}

func (b *Bridge) tell(ctx context.Context, e arrival) {
	select {
	case b.arrivals <- e:
	case <-ctx.Done():
		if e.up != nil {
			e.up.close()
		}
	}
}

// connect opens a connection and listens to the presence of other bridges.
func (b *Bridge) connect(ctx context.Context, p *presence) (*session, error) {
	// The connection outlives ctx by the time that the goodbye takes; an attempt
	// to connect does not.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, end)()
	b.owners.end()
	s := &session{lost: make(chan error, 1), end: end}
	s.client = paho.NewClient(b.clientOptions(life, p, s))
	token := s.client.Connect()
	<-token.Done() // ends with life
	if err := token.Error(); err != nil {
		end()
		return nil, fmt.Errorf("connect to %s: %w", b.opts.Config.Broker.server, plain(err))
	}
	if err := s.subscribe(ctx, []string{p.filter(), ownerRoot + "#"}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (b *Bridge) clientOptions(life context.Context, p *presence, s *session) *paho.ClientOptions {
	c := &b.opts.Config.Broker
	o := paho.NewClientOptions()
	o.Servers = []*url.URL{{Scheme: "tcp", Host: c.server.Address()}}
	o.SetClientID(c.clientID(p.self)).SetUsername(c.Username).SetPassword(c.password)
	o.SetProtocolVersion(4).SetCleanSession(true).SetOrderMatters(true)
	o.SetAutoReconnect(false).SetConnectRetry(false)
	o.SetConnectTimeout(connectTimeout).SetWriteTimeout(writeTimeout)
	o.SetKeepAlive(keepAlive).SetPingTimeout(connectTimeout)
	o.SetBinaryWill(p.topic(), nil, qosAtLeastOnce, true)
	o.SetDefaultPublishHandler(b.take)
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { s.lose(err) })
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
		conn, err := c.server.Dial(life, c.tls)
		if err != nil {
			return nil, err
		}
		return &limitedConn{Conn: conn, limit: maxPacket}, nil
	})
	return o
}

// take hands a message over. paho makes a new payload for each. It must not
// block: nothing else is read meanwhile.
func (b *Bridge) take(_ paho.Client, m paho.Message) {
	if b.owners.take(m.Topic(), m.Payload()) {
		return
	}
	select {
	case b.arrivals <- arrival{message: &Message{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained()}}:
	default:
		b.dropped.Add(1)
	}
}

// subscribe asks for filters and demands that the broker grants all of them.
func (s *session) subscribe(ctx context.Context, filters []string) error {
	wanted := map[string]byte{}
	for _, f := range filters {
		wanted[f] = qosAtLeastOnce
	}
	if len(wanted) == 0 {
		return nil
	}
	token := s.client.SubscribeMultiple(wanted, nil)
	timeout := time.NewTimer(connectTimeout)
	defer timeout.Stop()
	select {
	case <-token.Done():
	case <-timeout.C:
		return errors.New("subscribe: the broker does not answer")
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := token.Error(); err != nil {
		return fmt.Errorf("subscribe: %w", mqtt.DroppedFor(s.reason(err)))
	}
	granted := token.(*paho.SubscribeToken).Result()
	for filter := range wanted {
		if qos, answered := granted[filter]; !answered || qos == subscriptionRefused {
			return fmt.Errorf("subscribe to %s: refused by the broker", filter)
		}
	}
	return nil
}

// publish hands a message to the connection. What is lost with the connection is
// made good by the adapters when it is up again.
func (s *session) publish(m Message) {
	token := s.client.Publish(m.Topic, qosAtLeastOnce, m.Retained, m.Payload)
	s.last = append(s.last, token)
	if len(s.last) > queueSize {
		s.last = s.last[len(s.last)/2:]
	}
}

// reason returns why a connection was lost, for an answer that did not come because
// of it. The library tells that a moment later, if at all.
func (s *session) reason(err error) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case cause := <-s.lost:
		return plain(cause)
	case <-timer.C:
		return plain(err)
	}
}

// lose ends a session for the first reason given.
func (s *session) lose(reason error) {
	select {
	case s.lost <- reason:
	default:
	}
}

// flush waits until the broker has taken what was published, for a while, and reports
// whether it has.
func (s *session) flush() bool {
	timeout := time.NewTimer(farewell)
	defer timeout.Stop()
	for _, token := range s.last {
		select {
		case <-token.Done():
			if token.Error() != nil {
				return false
			}
		case <-timeout.C:
			return false
		}
	}
	s.last = s.last[:0]
	return true
}

func (s *session) close() {
	s.client.Disconnect(250)
	s.end()
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
