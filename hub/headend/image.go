package headend

import (
	"crypto/ecdsa"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/imagecache"
)

// Config is whose head end it is, and which images it takes.
type Config struct {
	Supplier han.EUI64
	// Key checks the authorising signature of GB images. Without it they are taken
	// unchecked.
	Key *ecdsa.PublicKey
	// Known are other suppliers whose images are taken too.
	Known []KnownSupplier
	// AllowForeign takes a GB image whoever signed it, also an altered one.
	AllowForeign bool
	Security     Security // of messages
}

// KnownSupplier is another supplier than the home's.
type KnownSupplier struct {
	Name string // for a person, such as its certificate's file
	Key  *ecdsa.PublicKey
}

// AuthorityError is why an image may not come in: its GB trailer does not verify.
type AuthorityError struct{ Err error }

// Error implements error.
func (e AuthorityError) Error() string { return e.Err.Error() }

// Unwrap returns the reason alone.
func (e AuthorityError) Unwrap() error { return e.Err }

// DamageError is why an image may not come in unless it is forced: its integrity code
// does not fit. Nothing else that looks damaged keeps an image out, since makers publish
// files that do.
type DamageError struct{ image ota.ImageID }

// Error implements error.
func (e DamageError) Error() string {
	return fmt.Sprintf("image %s: its image integrity code does not fit the bytes before it: the file is damaged, fetch it again, or force it (--force, or force=true in a request)", e.image)
}

// Authorised is an image of a hub's cache that may be made known; see Authorise.
type Authorised struct {
	entry   imagecache.Entry
	checked bool
}

// Authorise is the one policy on uploads, whichever door an image comes in by. One whose
// integrity code is bad comes in if it is forced, else there is a [DamageError]. A GB image
// comes in if its authorising signature is the supplier's or a known one's, or if any
// will do (Config.AllowForeign); otherwise it may be altered, and an [AuthorityError]
// says so. Any other image has no such signature and comes in: what a meter thinks of
// it is the meter's affair. Only one that the supplier signed counts as checked. It may
// be called from any goroutine, and takes as long as hashing the image does.
func (s *HeadEnd) Authorise(e imagecache.Entry, cache *imagecache.Cache, force bool) (Authorised, error) {
	if e.Integrity == ota.IntegrityBad && !force {
		return Authorised{}, DamageError{e.Header.ImageID}
	}
	if e.Layout != ota.LayoutGB || s.cfg.Key == nil {
		return Authorised{entry: e}, nil
	}
	im, err := cache.Load(e.FileHash)
	if err != nil {
		return Authorised{}, err
	}
	switch {
	case im.VerifyAuthority(s.cfg.Key) == nil:
		return Authorised{entry: e, checked: true}, nil
	case s.cfg.AllowForeign || slices.ContainsFunc(s.cfg.Known, func(k KnownSupplier) bool { return im.VerifyAuthority(k.Key) == nil }):
		return Authorised{entry: e}, nil
	default:
		return Authorised{}, AuthorityError{s.foreign(im)}
	}
}

// foreign says in a line whose signature was expected, and what mends it.
func (s *HeadEnd) foreign(im *ota.Image) error {
	known := ""
	for _, k := range s.cfg.Known {
		known += ", nor by " + k.Name
	}
	return fmt.Errorf("image %s: the signature in its GB trailer (the last %d bytes) is not by the home's supplier %s%s: "+
		"altered, or another supplier's; that is taken if the hub is started with --known-supplier CERTIFICATE, and any with --allow-foreign-signature",
		im.Header.ImageID, ota.TrailerSize, s.cfg.Supplier, known)
}

// RegisterImage makes an image known to the hub, in whose cache it is.
func (s *HeadEnd) RegisterImage(now time.Time, out *han.Outbox, a Authorised) error {
	return s.hub.RegisterImage(now, out, a.entry, a.checked)
}
