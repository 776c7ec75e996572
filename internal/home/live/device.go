package live

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
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/live"
	"github.com/commshub/commshub/transport/radio"
)

// DeviceOptions describe a device process. Divergence: its DTLS session outlives a
// reset of the application, as if a radio module held it; a new process makes a new one.
type DeviceOptions struct {
	Hub        hub.Config // of the hub that the device belongs to
	Broker     Broker
	Credential *pki.Credential
	// InstallCode lets the device in without a credential, if it is in the hub's device
	// log with it.
	InstallCode *installcode.Code
	Keys        home.Keyring // for a meter's GBCS messages
	StorageKey  *atrest.Key  // that a meter's flash is encrypted with; nil for none
	// Clock is the emulated clock of a hub in the same process; nil follows the one
	// that the hub publishes, and waits for it.
	Clock *live.Schedule
	// Seed is that of the dice of the device's radio link, and Link what goes wrong with
	// what the device sends; its times follow from the device's own radio.
	Seed     uint64
	Link     fault.Link
	Observer han.Observer
	Log      *slog.Logger
	// Prepayment has a display show the gas meter's account.
	Prepayment bool
}

// prove says how the device proves who it is.
func (o *DeviceOptions) prove(dial *link.DeviceOptions) {
	if o.InstallCode != nil {
		key := o.InstallCode.Key()
		dial.InstallKey = &key
		return
	}
	dial.Certificate, dial.Roots = certificate(o.Credential), o.Credential.Roots()
}

// Device is a device that runs over MQTT and DTLS.
type Device struct {
	eui      han.EUI64
	observer han.Observer
	driver   atomic.Pointer[live.Driver]
	link     *link.Device
	chip     *flash.Chip // of a meter
	done     chan error
	ended    chan struct{} // closed when the driver makes no further call
	joined   atomic.Bool   // has a DTLS session
	cancel   context.CancelFunc
}

// Joined reports whether the device has a DTLS session with its hub.
func (d *Device) Joined() bool { return d.joined.Load() }

// StartMeter starts a meter whose flash is kept in a file of the folder dir.
func StartMeter(ctx context.Context, m home.Meter, dir string, o DeviceOptions) (*Device, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start meter %s: %w", m.EUI64, err)
	}
	path := FlashFile(dir, m.EUI64)
	chip, err := openFlash(ctx, path, m, o)
	if err != nil {
		return nil, fmt.Errorf("start meter %s: %w", m.EUI64, err)
	}
	if err := meter.Inspect(chip, m.SlotCapacity, m.Policy); err != nil {
		return nil, errors.Join(fmt.Errorf("start meter %s: %s: %w", m.EUI64, path, err), chip.Close())
	}
	if m.Security, err = o.security(m); err != nil {
		return nil, errors.Join(fmt.Errorf("start meter %s: %w", m.EUI64, err), chip.Close())
	}
	d, err := startDevice(ctx, m.EUI64, o, home.Link(o.Link, m.Battery), func(now time.Time) han.Node {
		if m.Kind == store.KindGSME {
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

// FlashFile returns the file with the flash of a meter whose memory is kept in the
// folder dir.
func FlashFile(dir string, eui han.EUI64) string { return filepath.Join(dir, eui.String()+".flash") }

// security returns the keys for a meter's messages.
func (o *DeviceOptions) security(m home.Meter) (remote.Security, error) {
	return o.Keys.Security(m.EUI64, o.Hub.Supplier, m.Messages)
}

// openFlash opens a meter's flash, made erased for a meter that was never there. One that the
// release before laid out becomes one of this release.
func openFlash(ctx context.Context, path string, m home.Meter, o DeviceOptions) (*flash.Chip, error) {
	if err := lostFlash(path); err != nil {
		return nil, err
	}
	chip, err := waitFlash(ctx, path, m, o)
	if err != nil {
		return nil, err
	}
	if err := markMade(path); err != nil {
		return nil, errors.Join(err, chip.Close())
	}
	return chip, nil
}

// waitFlash opens a meter's flash. A process that was just killed may hold it for
// another moment.
func waitFlash(ctx context.Context, path string, m home.Meter, o DeviceOptions) (*flash.Chip, error) {
	const tries, pause = 20, 100 * time.Millisecond
	for i := 1; ; i++ {
		chip, err := upgradeAndOpen(path, m, o)
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

func upgradeAndOpen(path string, m home.Meter, o DeviceOptions) (*flash.Chip, error) {
	upgraded, err := flash.Convert(path, o.StorageKey, func(part []byte) ([]byte, error) { return upgradeFlash(part, m, o) })
	if err != nil {
		return nil, err
	}
	if upgraded && o.Log != nil {
		o.Log.Info("the meter's flash was of the release before, and is one of this release now", "file", path)
	}
	return flash.Open(path, meter.Geometry(m.SlotCapacity), o.StorageKey)
}

// upgradeFlash returns what becomes of a meter's part that the release before laid out, nil if
// it is of another size.
func upgradeFlash(part []byte, m home.Meter, o DeviceOptions) (upgraded []byte, err error) {
	if !meter.IsOlder(part, m.SlotCapacity) {
		return nil, nil
	}
	if m.Security, err = o.security(m); err != nil {
		return nil, err
	}
	if m.Kind == store.KindGSME {
		return meter.Upgrade(m.GSME(o.Hub).Config, gbcs.RoleGSME, part)
	}
	return meter.Upgrade(m.ESME(o.Hub).Config, gbcs.RoleESME, part)
}

// StartDisplay starts an in-home display.
func StartDisplay(ctx context.Context, eui han.EUI64, o DeviceOptions) (*Device, error) {
	cfg := home.IHD(eui, o.Hub)
	cfg.Prepayment = o.Prepayment
	d, err := startDevice(ctx, eui, o, home.Link(o.Link, o.Hub.Battery), func(now time.Time) han.Node { return ihd.New(cfg, now) })
	if err != nil {
		return nil, fmt.Errorf("start display %s: %w", eui, err)
	}
	return d, nil
}

// powerOff is how long a device's power stays off after a cut, in emulated time.
const powerOff = 5 * time.Second

// joinPatience is how long a device waits for its first DTLS session.
const joinPatience = 3 * time.Second

// clockPatience is how long a device waits for its hub's clock before it says so.
const clockPatience = 10 * time.Second

// joins returns an observer that keeps in d whether there is a session, and closes
// joined when there is the first. Each later one keeps time with the hub anew.
func (d *Device) joins(o DeviceOptions, joined chan struct{}) han.Observer {
	var once sync.Once
	return han.Observer{Session: func(hub han.EUI64, established bool) {
		d.joined.Store(established)
		if !established {
			return
		}
		first := false
		once.Do(func() { close(joined); first = true })
		if driver := d.driver.Load(); !first && driver != nil && o.Clock == nil {
			go driver.Join(hub, nil) // a call of the driver may be waiting for this one
		}
	}}
}

// startDevice dials the link, waits for the clock and runs the node.
func startDevice(ctx context.Context, eui han.EUI64, o DeviceOptions, over radio.Link, build func(now time.Time) han.Node) (*Device, error) {
	d := &Device{eui: eui, done: make(chan error, 1), ended: make(chan struct{})}
	clock := make(chan live.Anchor, 1)
	joined := make(chan struct{})
	d.observer = han.Observers(o.Observer, d.joins(o, joined))
	dial := link.DeviceOptions{
		Broker: o.Broker, Device: eui, Hub: o.Hub.EUI64,
		Receive: link.Receivers{
			Frame: func(f han.Frame, st *han.Stamp) {
				if r := d.driver.Load(); r != nil {
					r.Deliver(f, st)
				}
			},
			Stamp: func(peer han.EUI64, st han.Stamp) {
				if r := d.driver.Load(); r != nil {
					r.Sync(peer, st)
				}
			},
		},
		Clock:   func(c link.Clock) { offer(clock, anchorOf(c)) },
		Notices: observedNotices(linkNotices(o.Log), d.observer),
	}
	o.prove(&dial)
	var err error
	if d.link, err = link.DialDevice(ctx, dial); err != nil {
		return nil, err
	}
	runCtx, cancel := context.WithCancel(ctx)
	d.cancel = cancel
	schedule, err := d.clock(runCtx, o, clock)
	if err != nil {
		cancel()
		return nil, errors.Join(err, d.link.Close())
	}
	driver := live.New(schedule, eui, live.Options{
		Link: over, Dice: radio.Dice(o.Seed, eui),
		Send: d.link.Send, Sync: func(_ han.EUI64, st han.Stamp) { _ = d.link.SendStamp(&st) }, // it asks again
		Observer: d.observer, Build: build, Off: powerOff, Eager: true,
	})
	d.driver.Store(driver)
	d.meet(ctx, o, joined)
	driver.Start()
	go func() {
		d.done <- driver.Run(runCtx)
		close(d.ended)
	}()
	return d, nil
}

// clock returns the clock to live by: that of the process, or one that follows the hub's.
func (d *Device) clock(ctx context.Context, o DeviceOptions, changes <-chan live.Anchor) (*live.Schedule, error) {
	if o.Clock != nil {
		return o.Clock, nil
	}
	told := time.NewTimer(clockPatience)
	defer told.Stop()
	for {
		select {
		case a := <-changes:
			schedule := live.NewSchedule(a, nil)
			go schedule.Run(ctx)
			go follow(ctx, changes, schedule)
			return schedule, nil
		case <-told.C:
			if o.Log != nil {
				o.Log.Warn("waits for the hub's clock: no hub of this address is at the broker", "hub", o.Hub.EUI64)
			}
		case <-ctx.Done():
			return nil, errors.New("stopped while waiting for the hub's clock")
		}
	}
}

// meet waits for the first session, and for the hub to say what time it is. A node's
// first frames would be lost before the first handshake. A device whose hub is not
// there starts all the same: a meter meters.
func (d *Device) meet(ctx context.Context, o DeviceOptions, joined <-chan struct{}) {
	patience := time.NewTimer(joinPatience)
	defer patience.Stop()
	select {
	case <-joined:
	case <-patience.C:
		return
	case <-ctx.Done():
		return
	}
	if o.Clock != nil {
		return
	}
	answered := make(chan struct{})
	d.driver.Load().Join(o.Hub.EUI64, answered)
	select {
	case <-answered:
	case <-patience.C:
	case <-ctx.Done():
	}
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

// follow sets the clock whenever the hub publishes another one.
func follow(ctx context.Context, changes <-chan live.Anchor, schedule *live.Schedule) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-changes:
			schedule.SetAnchor(a)
		}
	}
}

// MeterStatus returns a meter as a test engineer with a debugger sees it; ok is
// false while its power is off, and for a display.
func (d *Device) MeterStatus() (s meter.Status, ok bool) {
	d.driver.Load().Node(func(now time.Time, n han.Node) {
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
func (d *Device) Node(f func(now time.Time, n han.Node)) { d.driver.Load().Node(f) }

// CutPower switches the device's power off for a moment, as at a socket.
func (d *Device) CutPower() { d.driver.Load().Cut() }

// Drain takes a meter's battery down to so many percent; it is never charged. It
// reports false while the power is off, and for a display.
func (d *Device) Drain(percent uint8) (ok bool) {
	d.driver.Load().Node(func(now time.Time, n han.Node) {
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
		if d.observer.Record != nil {
			d.observer.Record(&trace.Record{At: now, Node: uint64(d.eui), Kind: fault.BatteryLow.Record(), Charge: int64(ledger.Remaining())})
		}
		ok = true
	})
	return ok
}

// Type has digits typed at a gas meter. It reports false while the power is off, and for a
// device of another kind.
func (d *Device) Type(digits string) (k gsme.Keyed, ok bool) {
	err := d.driver.Load().Do(func(now time.Time, n han.Node, out *han.Outbox) {
		if m, gas := n.(*gsme.Meter); gas {
			k, ok = m.Type(now, out, digits)
		}
	})
	return k, ok && err == nil
}

// Counters returns what the device's link did.
func (d *Device) Counters() link.Counters { return d.link.Counters() }

// Done returns a channel that yields the reason if the device stops by itself.
func (d *Device) Done() <-chan error { return d.done }

// Close stops the device: its session is closed, its flash is on disk.
func (d *Device) Close() error {
	d.cancel()
	err := d.link.Close()
	<-d.ended // the flash must not go away under a running call
	if d.chip != nil {
		err = errors.Join(err, d.chip.Close())
	}
	return err
}
