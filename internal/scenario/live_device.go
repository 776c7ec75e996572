package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/live"
)

// LiveDeviceOptions describe a device process.
type LiveDeviceOptions struct {
	Hub        hub.Config // of the hub that the device belongs to
	Broker     link.Broker
	Credential *pki.Credential
	// Clock is the emulated clock; nil takes the one that the hub publishes and
	// waits for it.
	Clock *live.Clock
	// Patience is the least time in which an answer is overdue, on the wall clock;
	// 0 takes the driver's default.
	Patience time.Duration
	Records  func(r *trace.Record)
	Frames   func(now time.Time, f *han.Frame)
	Log      *slog.Logger
}

// LiveDevice is a device that runs over MQTT and DTLS.
type LiveDevice struct {
	driver *live.Driver
	link   *link.Device
	chip   *flash.Chip // of a meter
	done   chan error
	ended  chan struct{} // closed when the driver makes no further call
	joined atomic.Bool   // has a DTLS session
	cancel context.CancelFunc
}

// Joined reports whether the device has a DTLS session with its hub.
func (d *LiveDevice) Joined() bool { return d.joined.Load() }

// StartMeter starts a meter whose flash is kept in a file of the folder dir.
func StartMeter(ctx context.Context, m Meter, dir string, o LiveDeviceOptions) (*LiveDevice, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start meter %s: %w", m.EUI64, err)
	}
	chip, err := openFlash(ctx, filepath.Join(dir, m.EUI64.String()+".flash"), meter.Geometry(m.SlotCapacity))
	if err != nil {
		return nil, fmt.Errorf("start meter %s: %w", m.EUI64, err)
	}
	d, err := startDevice(ctx, m.EUI64, o, func(now time.Time) han.Node {
		if m.Kind == hub.KindGSME {
			return gsme.New(m.GSME(o.Hub), chip, now)
		}
		return esme.New(m.ESME(o.Hub), chip, now)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start meter %s: %w", m.EUI64, err), chip.Close())
	}
	d.chip = chip
	return d, nil
}

// openFlash opens a meter's flash. A process that was just killed may hold it for
// another moment.
func openFlash(ctx context.Context, path string, g flash.Geometry) (*flash.Chip, error) {
	const tries, pause = 20, 100 * time.Millisecond
	for i := 1; ; i++ {
		chip, err := flash.Open(path, g)
		if !errors.Is(err, flash.ErrInUse) || i == tries {
			return chip, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// StartDisplay starts an in-home display.
func StartDisplay(ctx context.Context, eui han.EUI64, o LiveDeviceOptions) (*LiveDevice, error) {
	d, err := startDevice(ctx, eui, o, func(now time.Time) han.Node { return ihd.New(IHD(eui, o.Hub), now) })
	if err != nil {
		return nil, fmt.Errorf("start display %s: %w", eui, err)
	}
	return d, nil
}

// powerOff is how long a device's power stays off after a cut, in emulated time.
const powerOff = 5 * time.Second

// joinPatience is how long a device waits for its first DTLS session.
const joinPatience = 3 * time.Second

// onJoin returns a channel that is closed when the first session is established,
// and keeps in up whether there is one.
func onJoin(events *link.Events, up *atomic.Bool) <-chan struct{} {
	joined := make(chan struct{})
	var once sync.Once
	next := events.Association
	events.Association = func(peer han.EUI64, established bool, reason error) {
		up.Store(established)
		if next != nil {
			next(peer, established, reason)
		}
		if established {
			once.Do(func() { close(joined) })
		}
	}
	return joined
}

// startDevice dials the link, waits for the clock and runs the node.
func startDevice(ctx context.Context, eui han.EUI64, o LiveDeviceOptions, build func(now time.Time) han.Node) (*LiveDevice, error) {
	d := &LiveDevice{done: make(chan error, 1), ended: make(chan struct{})}
	var driver atomic.Pointer[live.Driver]
	clock := make(chan live.Anchor, 1)
	events := linkEvents(o.Log)
	joined := onJoin(&events, &d.joined)
	var err error
	d.link, err = link.DialDevice(ctx, link.DeviceOptions{
		Broker: o.Broker, Device: eui, Hub: o.Hub.EUI64,
		Certificate: certificate(o.Credential), Roots: o.Credential.Roots(),
		Receive: func(f han.Frame) {
			if r := driver.Load(); r != nil {
				r.Deliver(f)
			}
		},
		Clock:  func(c link.Clock) { offer(clock, live.Anchor{Wall: c.Wall, Emulated: c.Emulated, Speed: c.Speed}) },
		Events: events,
	})
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		select {
		case a := <-clock:
			o.Clock = live.NewClock(a)
		case <-ctx.Done():
			return nil, errors.Join(errors.New("stopped while waiting for the hub's clock"), d.link.Close())
		}
	}
	// A node's first frames would be lost before the first handshake. A device whose
	// hub is not there starts all the same: a meter meters.
	select {
	case <-joined:
	case <-time.After(joinPatience):
	case <-ctx.Done():
	}
	d.driver = live.New(build(o.Clock.Now()), live.Options{
		Clock: o.Clock, Send: func(f han.Frame) { _ = d.link.Send(f) }, // a frame that cannot be sent is lost
		Records: o.Records, Frames: o.Frames, Patience: o.Patience, Rebuild: build, Off: powerOff,
	})
	driver.Store(d.driver)
	runCtx, cancel := context.WithCancel(ctx)
	d.cancel = cancel
	go func() {
		d.done <- d.driver.Run(runCtx)
		close(d.ended)
	}()
	go d.followClock(runCtx, clock, o.Clock)
	return d, nil
}

// offer replaces what waits in a channel of one.
func offer[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	select {
	case c <- v:
	default:
	}
}

// followClock sets the clock whenever the hub publishes another one.
func (d *LiveDevice) followClock(ctx context.Context, changes <-chan live.Anchor, clock *live.Clock) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-changes:
			clock.Set(a)
			d.driver.Wake()
		}
	}
}

// MeterStatus returns a meter as a test engineer with a debugger sees it; ok is
// false while its power is off, and for a display.
func (d *LiveDevice) MeterStatus() (s meter.Status, ok bool) {
	d.driver.Node(func(now time.Time, n han.Node) {
		switch n := n.(type) {
		case *gsme.Meter:
			s, ok = n.Status(now), true
		case *esme.Meter:
			s, ok = n.Status(now), true
		}
	})
	return s, ok
}

// Node runs f with the device's node between two calls, to look at it; f gets nil
// while its power is off.
func (d *LiveDevice) Node(f func(now time.Time, n han.Node)) { d.driver.Node(f) }

// CutPower switches the device's power off for a moment, as at a socket.
func (d *LiveDevice) CutPower() { d.driver.Cut() }

// Drain takes a meter's battery down to so many percent; it is never charged. It
// reports false while the power is off, and for a display.
func (d *LiveDevice) Drain(percent uint8) (ok bool) {
	d.driver.Node(func(_ time.Time, n han.Node) {
		var ledger *battery.Ledger
		switch n := n.(type) {
		case *gsme.Meter:
			ledger = n.Ledger
		case *esme.Meter:
			ledger = n.Ledger
		default:
			return
		}
		// Half a percent more, so that the meter shows that percentage for a while.
		left := ledger.Set().Capacity() / 200 * (2*battery.Charge(percent) + 1)
		ledger.Drain(max(0, ledger.Remaining()-left))
		ok = true
	})
	return ok
}

// Counters returns what the device's link did.
func (d *LiveDevice) Counters() link.Counters { return d.link.Counters() }

// Done returns a channel that yields the reason if the device stops by itself.
func (d *LiveDevice) Done() <-chan error { return d.done }

// Close stops the device: its session is closed, its flash is on disk.
func (d *LiveDevice) Close() error {
	d.cancel()
	err := d.link.Close()
	<-d.ended // the flash must not go away under a running call
	if d.chip != nil {
		err = errors.Join(err, d.chip.Close())
	}
	return err
}
