package dtls

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/commshub/commshub/han"
)

const (
	// readBuffer is pion's own limit for a datagram; a record never outgrows it.
	readBuffer = 8192
	// maxNoise is how many records in a row may make no sense.
	maxNoise = 64
)

// association is one handshake and, if it succeeds, the session that follows.
type association struct {
	conn    *pion.Conn
	carrier *carrier
	random  random // of the ClientHello; only on the server's side
	started time.Time

	usesKey   atomic.Bool     // an install code in place of certificates
	try       int             // set before usesKey on the server's side: so many in a row, this one included
	ctx       context.Context // of the handshake
	cancel    context.CancelFunc
	elsewhere atomic.Bool   // another has its place; only on the client's side
	deliver   sync.Mutex    // held while a record is handed over; only on the server's side
	confirmed atomic.Bool   // a record came, so the peer has our Finished
	seen      *replays      // of the records that came; whoever pushes to the carrier guards it
	ended     chan struct{} // closed when no record of it will be delivered any more
}

// newAssociation returns one whose conn is still to be set: pion wants the
// carrier first.
func newAssociation(ctx context.Context, peer han.EUI64, send func([]byte) error) *association {
	a := &association{carrier: newCarrier(address(peer), send), started: time.Now(), seen: newReplays(), ended: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancel(ctx)
	return a
}

// handshake returns nil when both Finished messages are verified.
func (a *association) handshake(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(a.ctx, timeout)
	defer cancel()
	if err := a.conn.HandshakeContext(ctx); err != nil {
		return handshakeReason(err, timeout, a.usesKey.Load())
	}
	return nil
}

// read delivers records until the association ends, and says why it did. The
// record is only valid during the call.
func (a *association) read(deliver func(record []byte)) error {
	buf := make([]byte, readBuffer)
	for noise := 0; noise < maxNoise; noise++ {
		n, err := a.conn.Read(buf)
		if err == nil {
			noise = 0
			a.confirmed.Store(true)
			deliver(buf[:n])
			continue
		}
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pion.ErrConnClosed) {
			return errGoodbye
		}
		// A warning alert or a record that makes no sense; the peer has the keys,
		// so a few of them are borne.
	}
	return errors.New("too many records that make no sense")
}

// send encrypts a record on the current association and hands it to the carrier.
// If that is replaced in the middle, the next one takes the record.
func send(record []byte, current func() *association) error {
	if len(record) > MaxRecord {
		return errRecordTooLong
	}
	a := current()
	for a != nil {
		_, err := a.conn.Write(record)
		if err == nil {
			return nil
		}
		if own, ok := fromCarrier(err); ok {
			return own
		}
		next := current()
		if next == a {
			break
		}
		a = next
	}
	return ErrNoAssociation
}

// rest returns when no record of it is being handed over any more.
func (a *association) rest() {
	a.deliver.Lock()
	defer a.deliver.Unlock()
}

// close ends the association and says goodbye to the peer, who may not hear it.
func (a *association) close() {
	a.cancel()
	_ = a.conn.Close()
}

// abandon ends the association without a word: the peer has a newer one. Without an
// association it does nothing.
func (a *association) abandon() {
	if a == nil {
		return
	}
	a.carrier.mute()
	a.close()
}
