package dtls

import (
	"errors"
	"math/rand/v2"
	"time"
)

// run makes associations as long as the client lives.
func (c *Client) run() {
	retry := c.opts.RetryMin
	for c.await() {
		err := c.attempt()
		if c.ctx.Err() != nil {
			return
		}
		if err == nil {
			retry = c.opts.RetryMin
			continue
		}
		c.fail(err, spread(retry))
		retry = min(2*retry, c.opts.RetryMax)
	}
}

// await returns true when a handshake is to be made, false when the client is
// closed.
func (c *Client) await() bool {
	for c.ctx.Err() == nil {
		select {
		case <-c.wake: // what it was about is seen now
		default:
		}
		due, wanted := c.due()
		wait := time.Until(due)
		switch {
		case !wanted:
			c.pause(time.Hour)
		case wait > 0:
			c.pause(wait)
		default:
			return true
		}
	}
	return false
}

// due returns when the next handshake is to be made, as things stand.
func (c *Client) due() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.carrierUp {
		return time.Time{}, false
	}
	now := time.Now()
	due, wanted := now, true
	if c.established != nil {
		due, wanted = c.doubt.due(now)
	}
	for _, least := range []time.Time{c.notBefore, c.away.until} {
		if due.Before(least) {
			due = least
		}
	}
	return due, wanted
}

// pause sleeps until something happened, but not longer than d.
func (c *Client) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.wake:
	case <-c.ctx.Done():
	}
}

// spread returns between half of d and d: devices that lost the same hub at the
// same instant do not come back at the same instant.
func spread(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// attempt makes one handshake and puts its association in the place of the
// present one.
func (c *Client) attempt() error {
	a := newAssociation(c.ctx, c.opts.Hub, c.opts.Send)
	if err := c.opts.open(a); err != nil {
		return err
	}
	c.counters.started.Add(1)
	c.mu.Lock()
	c.pending = a
	c.mu.Unlock()

	err := a.handshake(c.opts.HandshakeTimeout)

	c.mu.Lock()
	c.pending = nil
	old := c.established
	if err == nil && c.ctx.Err() != nil {
		err = errSuperseded // closed meanwhile
	}
	if err == nil {
		c.established = a
		c.doubt.renewed()
		c.lastFailure = ""
	}
	c.mu.Unlock()
	if err != nil {
		c.counters.failed.Add(1)
		if c.opts.InstallKey != nil && errors.Is(err, keyRefused) {
			err = errNoKey
		}
		a.abandon()
		return err
	}
	c.counters.completed.Add(1)
	c.wg.Go(func() { c.read(a, old) })
	return nil
}

// read is the life of an association after its handshake.
func (c *Client) read(a, old *association) {
	if old != nil {
		old.abandon()
		<-old.ended
	}
	if c.opts.Established != nil {
		c.opts.Established()
	}
	reason := a.read(func(record []byte) { c.deliver(a, record) })
	close(a.ended)
	a.close()
	c.mu.Lock()
	lost := c.established == a
	if lost && a.elsewhere.Load() {
		reason = errGaveWay(c.away.giveWay(time.Now(), a.started))
	}
	if lost {
		c.established = nil
		c.notBefore = time.Now().Add(spread(c.opts.RetryMin))
	}
	c.mu.Unlock()
	if lost {
		if c.opts.Lost != nil {
			c.opts.Lost(reason)
		}
		c.look()
	}
}

func (c *Client) deliver(a *association, record []byte) {
	c.mu.Lock()
	current, gone := c.established == a, isElsewhere(record)
	if current && !gone {
		c.doubt.received()
	}
	c.mu.Unlock()
	if current && gone {
		a.elsewhere.Store(true)
		a.close()
	}
	if !current || gone {
		return
	}
	if len(record) > MaxRecord {
		c.counters.dropped.Add(1)
		return
	}
	c.counters.received.Add(1)
	c.opts.Receive(record)
}

// fail holds the next handshake off, and tells why this one failed, once in a
// row. Without a carrier that is no news.
func (c *Client) fail(reason error, holdOff time.Duration) {
	c.mu.Lock()
	c.notBefore = time.Now().Add(holdOff)
	tell := c.carrierUp && reason.Error() != c.lastFailure
	if tell {
		c.lastFailure = reason.Error()
	}
	c.mu.Unlock()
	if tell && c.opts.Failed != nil {
		c.opts.Failed(reason)
	}
}
