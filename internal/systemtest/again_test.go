package systemtest

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/transport/sim"
)

// month is how long a gas meter is watched that is refused something, or refuses it.
const month = 30 * 24 * time.Hour

// retries is how often the head end offers an image again.
const retries = 3

// gasHome returns a home with a gas meter that has joined.
func gasHome(t *testing.T, capacity int) inVirtualTime {
	t.Helper()
	home := virtual.New(sim.Config{Start: storyStart, Seed: 1}, hub.DefaultConfig())
	m := newMeter(theGSME, store.KindGSME, factoryOfTests)
	m.SlotCapacity = capacity
	if err := home.AddMeter(m); err != nil {
		t.Fatal(err)
	}
	home.Run(storyStart.Add(pacedAhead))
	return inVirtualTime{Home: home, limit: storyStart.Add(month)}
}

func (h inVirtualTime) cancel(t *testing.T) {
	t.Helper()
	if err := h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.CancelUpdate(now, out, theGSME)
	}); err != nil {
		t.Fatal(err)
	}
}

// held waits until the meter holds an image.
func (h inVirtualTime) held(t *testing.T, im *imagecache.Image) {
	t.Helper()
	if err := updateOf(h, im, theGSME).awaitTransfer(); err != nil {
		t.Fatal(err)
	}
	h.Run(h.Now().Add(time.Hour))
}

// again is what happens to a gas meter, and what comes of it.
type again struct {
	name     string
	capacity int
	do       func(t *testing.T, h inVirtualTime)
	last     *imagecache.Image
	state    store.UpdateState
	outcome  string
	most     battery.Charge // besides that of idling
}

// TestEveryUpdateCanBeTriedAgain, and whatever is in its way has an end: in a month the
// meter spends no more than on idling and on the downloads that there can be.
func TestEveryUpdateCanBeTriedAgain(t *testing.T) {
	const size = 64 << 10
	im, twin, short := exactImage(t, size), seededImage(t, size, 2), seededImage(t, size-1024, 3)
	idle := gasHome(t, 2*size)
	idle.Run(storyStart.Add(month))
	still := idle.Ledger(theGSME).Active()
	once := gasHome(t, 2*size)
	distributed(t, once, im)
	once.Run(storyStart.Add(month))
	download := once.Ledger(theGSME).Active() - still

	tests := []again{
		{"the same image after half of it", 2 * size, func(t *testing.T, h inVirtualTime) {
			distributed(t, h, im)
			h.Run(h.Now().Add(40 * time.Minute))
			h.cancel(t)
			distributed(t, h, im)
		}, im, store.UpdateTransferred, "", download + download/20},
		{"the same image that it holds", 2 * size, func(t *testing.T, h inVirtualTime) {
			distributed(t, h, im)
			h.held(t, im)
			h.cancel(t)
			distributed(t, h, im)
		}, im, store.UpdateTransferred, "", download + download/20},
		{"a twin after half of an image", 2 * size, func(t *testing.T, h inVirtualTime) {
			distributed(t, h, im)
			h.Run(h.Now().Add(40 * time.Minute))
			distributed(t, h, twin)
		}, twin, store.UpdateTransferred, "", 2 * download},
		{"a twin of the image that it holds", 2 * size, func(t *testing.T, h inVirtualTime) {
			distributed(t, h, im)
			h.held(t, im)
			distributed(t, h, twin)
		}, twin, store.UpdateTransferred, "", 2*download + download/20},
		{"a shorter twin after half of an image", 2 * size, func(t *testing.T, h inVirtualTime) {
			distributed(t, h, im)
			h.Run(h.Now().Add(40 * time.Minute))
			distributed(t, h, short)
		}, short, store.UpdateTransferred, "", 2 * download},
		{"an image that has no room", size / 2, func(t *testing.T, h inVirtualTime) {
			distributed(t, h, im)
		}, im, store.UpdateFailed, "given up after 4 attempts: the device gave up: ABORT", (1 + retries) * download},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, still, download) })
	}
}

// run plays a case. Idling and one download alone cost as much.
func (tt again) run(t *testing.T, still, download battery.Charge) {
	h := gasHome(t, tt.capacity)
	tt.do(t, h)
	h.Run(storyStart.Add(month))
	u, _ := h.Store().Update(theGSME, tt.last.FileHash)
	if u.State != tt.state || !strings.HasPrefix(u.Outcome, tt.outcome) {
		t.Errorf("the update is %s (%s), want %s (%s)", u.State, u.Outcome, tt.state, tt.outcome)
	}
	if spent := h.Ledger(theGSME).Active() - still; spent > tt.most {
		t.Errorf("spent %.4f mAh besides idling, want at most %.4f; a download is %.4f", mAh(spent), mAh(tt.most), mAh(download))
	}
	if tt.state != store.UpdateTransferred {
		return
	}
	if err := updateOf(h, tt.last, theGSME).activate(); err != nil {
		t.Fatal(err)
	}
	h.Run(h.Now().Add(2 * time.Hour))
	if u, _ := h.Store().Update(theGSME, tt.last.FileHash); u.State != store.UpdateActivated {
		t.Errorf("after the order to activate it is %s (%s)", u.State, u.Outcome)
	}
}

func distributed(t *testing.T, h inVirtualTime, im *imagecache.Image) {
	t.Helper()
	if err := updateOf(h, im, theGSME).distribute(); err != nil {
		t.Fatal(err)
	}
}
