package systemtest

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
)

// Addresses of the home's devices; the word home names the home under test here.
const (
	theESME = home.DefaultESME
	theGSME = home.DefaultGSME
	theIHD  = home.DefaultIHD
)

// newMeter describes a meter that trusts the keys of package testimage.
func newMeter(eui han.EUI64, kind store.Kind, factory []byte) home.Meter {
	m := home.NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), factory)
	m.SupplierKey = &testimage.Supplier().PublicKey
	return m
}

// driven is a home under test, whatever drives it.
type driven interface {
	Order(f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) error
	Upload(im *imagecache.Image) error
	Store() *store.Store
	// await returns when done is true, or an error when it takes too long.
	await(done func() bool) error
}

// inVirtualTime is a driven home in virtual time.
type inVirtualTime struct {
	*virtual.Home
	limit time.Time
}

func (h inVirtualTime) await(done func() bool) error {
	if !h.RunUntil(h.limit, done) {
		return fmt.Errorf("not reached by %v", h.limit)
	}
	return nil
}

// update is an image on its way to meters of a home.
type update struct {
	home   driven
	image  *imagecache.Image
	meters []han.EUI64
}

func updateOf(h driven, im *imagecache.Image, meters ...han.EUI64) update {
	return update{home: h, image: im, meters: meters}
}

// distribute uploads the image and has it offered to the meters.
func (u update) distribute() error {
	if err := u.home.Upload(u.image); err != nil {
		return err
	}
	return u.home.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.Distribute(now, out, headend.Distribution{Image: u.image.FileHash, Devices: u.meters})
	})
}

// awaitTransfer returns when each meter has verified the image, or did not take it.
func (u update) awaitTransfer() error {
	for _, m := range u.meters {
		if err := u.home.await(func() bool { return u.state(m) >= store.UpdateTransferred }); err != nil {
			return fmt.Errorf("the image was not transferred to %s; the update is %s: %w", m, u.state(m), err)
		}
	}
	return nil
}

// activate has each meter switch to the image.
func (u update) activate() error {
	for _, m := range u.meters {
		if err := u.home.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
			return e.Activate(now, out, headend.Activation{Device: m, Hash: u.image.ImageHash})
		}); err != nil {
			return err
		}
	}
	return nil
}

func (u update) state(meter han.EUI64) store.UpdateState {
	record, _ := u.home.Store().Update(meter, u.image.FileHash)
	return record.State
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
