package dtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/commshub/commshub/han"
)

const (
	defaultUnanswered = 3
	defaultPatience   = 2 * time.Second
	defaultRetryMin   = 500 * time.Millisecond
	defaultRetryMax   = 5 * time.Second
	// patienceMax bounds how long a client waits for a hub that accepts handshakes
	// but answers nothing.
	patienceMax = time.Minute
)

// ClientOptions says who a device is and how it reaches its hub. Certificate and
// Roots, or InstallKey, are required.
type ClientOptions struct {
	Device, Hub han.EUI64

	Certificate *tls.Certificate
	Roots       *x509.CertPool
	InstallKey  *Key // in place of a certificate

	// Send hands a datagram to the carrier, which owns it afterwards.
	Send func(datagram []byte) error
	// Receive takes a record, which is only valid during the call. Calls do not
	// overlap.
	Receive func(record []byte)

	// Established and Lost tell about the association, Failed about a handshake;
	// the same failure is told once in a row. All are optional.
	Established func()
	Lost        func(reason error)
	Failed      func(reason error)

	// Unanswered records without any answer, and Patience of real time after the
	// last of them, make the client suspect that the hub lost the association.
	Unanswered int           // default 3
	Patience   time.Duration // default 2 s

	HandshakeTimeout   time.Duration // default 10 s
	FlightInterval     time.Duration // until an unanswered flight is sent again; default 500 ms
	RetryMin, RetryMax time.Duration // between handshakes that fail; default 500 ms growing to 5 s
}

func (o *ClientOptions) fill() error {
	if err := checkCredential(o.Certificate, o.Roots, o.InstallKey != nil); err != nil {
		return err
	}
	if o.Send == nil || o.Receive == nil || o.Device == 0 || o.Hub == 0 {
		return errors.New("the functions Send and Receive and both identifiers are required")
	}
	orStandard(&o.Patience, defaultPatience)
	orStandard(&o.HandshakeTimeout, defaultHandshakeTimeout)
	orStandard(&o.FlightInterval, defaultFlightInterval)
	orStandard(&o.RetryMin, defaultRetryMin)
	orStandard(&o.RetryMax, defaultRetryMax)
	if o.Unanswered <= 0 {
		o.Unanswered = defaultUnanswered
	}
	return nil
}

// Client is a device's side: at most one association with its hub, which it
// makes again whenever there is none, or when it seems dead, while the carrier
// is up.
type Client struct {
	opts     ClientOptions
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	wake     chan struct{} // asks run to look again
	counters counters

	mu                   sync.Mutex
	carrierUp            bool
	established, pending *association
	doubt                doubt
	notBefore            time.Time // of the next handshake, after one that failed
	away                 away
	lastFailure          string
}

// NewClient makes a client. It begins when CarrierUp is called.
func NewClient(opts ClientOptions) (*Client, error) {
	if err := opts.fill(); err != nil {
		return nil, fmt.Errorf("make DTLS client: %w", err)
	}
	c := &Client{opts: opts, wake: make(chan struct{}, 1)}
	c.doubt = doubt{limit: opts.Unanswered, base: opts.Patience, patience: opts.Patience}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Go(c.run)
	return c, nil
}

// CarrierUp says whether datagrams can be sent. An association outlives a time
// without a carrier; handshakes wait for it.
func (c *Client) CarrierUp(up bool) {
	c.mu.Lock()
	if up && !c.carrierUp {
		c.notBefore = time.Time{}
	}
	c.carrierUp = up
	c.mu.Unlock()
	c.look()
}

// Reset makes a new association although there is one. The present one is used
// until the new one is there.
func (c *Client) Reset() {
	c.mu.Lock()
	c.doubt.certain = true
	c.mu.Unlock()
	c.look()
}

// Send encrypts a record for the hub. The record may be reused afterwards. No
// error means that it is on its way, not that it arrives.
func (c *Client) Send(record []byte) error {
	if err := send(record, c.current); err != nil {
		return err
	}
	c.counters.sent.Add(1)
	c.mu.Lock()
	doubtful := c.doubt.sent(time.Now())
	c.mu.Unlock()
	if doubtful {
		c.look()
	}
	return nil
}

func (c *Client) current() *association {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.established
}

// Receive takes a datagram from the carrier and owns it. It never blocks.
func (c *Client) Receive(datagram []byte) {
	what, _ := classify(datagram)
	c.mu.Lock()
	taken, hinted := false, false
	switch {
	case what == malformed || what == hello:
	case what == protected:
		taken = c.pending != nil && c.pending.carrier.push(datagram)
		if c.established != nil && c.established.carrier.push(datagram) {
			taken = true
			if c.established.seen.again(datagram) {
				c.counters.replayed.Add(1)
			}
		}
	case c.pending != nil:
		taken = c.pending.carrier.push(datagram)
	case what == alert && c.established != nil:
		hinted = c.doubt.hint(time.Now())
		taken = true
	}
	c.mu.Unlock()
	if !taken {
		c.counters.dropped.Add(1)
	}
	if hinted {
		c.look()
	}
}

// Counters returns a snapshot.
func (c *Client) Counters() Counters { return c.counters.snapshot() }

// Close says goodbye and returns when nothing runs in the background any more.
// It must not be called from a callback.
func (c *Client) Close() error {
	c.cancel() // first, so that attempt does not establish another one
	c.mu.Lock()
	a := c.established
	c.established = nil
	c.mu.Unlock()
	if a != nil {
		a.close()
	}
	c.wg.Wait()
	return nil
}

// look makes run look again at what is to be done.
func (c *Client) look() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
