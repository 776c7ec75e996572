package dtls

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5/deadline"
)

// carrierQueue bounds the datagrams that wait for one association. It holds the
// answers to an image page request, the longest burst a hub sends.
const carrierQueue = 256

// carrier is the net.PacketConn under one association. pion depends on details
// of it: a read deadline must interrupt a running ReadFrom, or a handshake whose
// context is done hangs for ever; and after Close, ReadFrom must return io.EOF
// or net.ErrClosed, or pion reads on at full speed.
type carrier struct {
	peer  address
	send  func(datagram []byte) error
	queue chan []byte
	muted atomic.Bool

	closing      sync.Once
	closed       chan struct{}
	readDeadline *deadline.Deadline
}

func newCarrier(peer address, send func([]byte) error) *carrier {
	return &carrier{
		peer:         peer,
		send:         send,
		queue:        make(chan []byte, carrierQueue),
		closed:       make(chan struct{}),
		readDeadline: deadline.New(),
	}
}

// push queues a datagram for reading and reports whether there was room.
func (c *carrier) push(datagram []byte) bool {
	select {
	case c.queue <- datagram:
		return true
	default:
		return false
	}
}

// mute makes the carrier swallow what is sent from now on.
func (c *carrier) mute() { c.muted.Store(true) }

// ReadFrom implements net.PacketConn.
func (c *carrier) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case datagram := <-c.queue:
		return copy(p, datagram), c.peer, nil
	case <-c.closed:
		return 0, nil, io.EOF
	case <-c.readDeadline.Done():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo implements net.PacketConn. pion makes a new slice for each datagram
// and does not keep it, so that it can be given away.
func (c *carrier) WriteTo(p []byte, _ net.Addr) (int, error) {
	if c.muted.Load() {
		return len(p), nil
	}
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	default:
	}
	if err := c.send(p); err != nil {
		return 0, &carrierError{err}
	}
	return len(p), nil
}

// Close implements net.PacketConn.
func (c *carrier) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (c *carrier) LocalAddr() net.Addr { return address(0) }

// SetDeadline implements net.PacketConn.
func (c *carrier) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (c *carrier) SetReadDeadline(t time.Time) error {
	c.readDeadline.Set(t)
	return nil
}

// SetWriteDeadline implements net.PacketConn. Writes are handed over at once, so
// there is nothing to interrupt.
func (c *carrier) SetWriteDeadline(time.Time) error { return nil }

// carrierError marks what the carrier's own send function returned.
type carrierError struct{ err error }

func (e *carrierError) Error() string { return e.err.Error() }
func (e *carrierError) Unwrap() error { return e.err }

// fromCarrier returns the carrier's own error in err, if that is what it is.
func fromCarrier(err error) (error, bool) {
	var own *carrierError
	if errors.As(err, &own) {
		return own.err, true
	}
	return nil, false
}
