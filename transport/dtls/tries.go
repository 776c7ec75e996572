package dtls

import (
	"sync"
	"time"

	"github.com/commshub/commshub/han"
)

// The pause after a try that did not prove its install code, which doubles with each in
// a row. A try that succeeds ends it, and so does leaving the device log.
const (
	pauseAfterTry = time.Second
	longestPause  = time.Minute
)

// tries counts, for each device, the handshakes in a row that were begun with its install
// code and did not prove that the other side has it. Nobody can guess a code of 128 bits;
// what is slowed is the work that guessing makes, and the lines that it writes. It holds
// no more devices than have a code.
type tries struct {
	mu      sync.Mutex
	pending map[han.EUI64]unproven
}

// unproven is what there is of one device since its code was proved last.
type unproven struct {
	inARow int
	next   time.Time // before it the code is not looked at
}

// begin counts a try, or returns how long it has to wait. The try counts from here on, so
// that one which is given up for the next does not get around it.
func (t *tries) begin(peer han.EUI64) (inARow int, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, u := time.Now(), t.pending[peer]
	if wait := u.next.Sub(now); wait > 0 {
		return u.inARow, wait
	}
	pause := longestPause
	if u.inARow < 6 { // the seventh would be longer
		pause = pauseAfterTry << u.inARow
	}
	u.inARow++
	u.next = now.Add(pause)
	if t.pending == nil {
		t.pending = map[han.EUI64]unproven{}
	}
	t.pending[peer] = u
	return u.inARow, 0
}

// forget begins anew with a device: its code was proved, or is not known any more.
func (t *tries) forget(peer han.EUI64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pending, peer)
}
