// Package api is the hub's REST interface: what the command line, the page and
// scripts use to see and steer a running hub. The OpenAPI 3.1 description is made
// from this code and served at /openapi.json.
//
// Errors are RFC 9457 problems whose detail is one line for a person. Times are
// emulated time in RFC 3339, UTC. Device identifiers are 16 hex digits, hashes 64.
package api

import (
	"crypto/ecdsa"
	"errors"
	"io/fs"
	"net/http"
	"syscall"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
)

// Backend is the hub behind the interface.
type Backend struct {
	// Operate runs an operation on the hub between two of its calls.
	Operate func(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error
	// Clock returns the emulated clock.
	Clock func() Clock
	Store *store.Store
	Cache *imagecache.Cache
	// SupplierKey checks the authorising signature of GB images. Without it they
	// are taken unchecked.
	SupplierKey *ecdsa.PublicKey
	Version     string
}

// New returns the handler of the whole interface.
func New(b Backend) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("commshub", b.Version)
	config.Info.Description = "A smart-meter Communications Hub and its Gas Proxy, emulated."
	config.CreateHooks = nil // no $schema links in answers
	config.DocsPath = ""
	a := humago.New(mux, config)
	b.registerDevices(a)
	b.registerImages(a, mux)
	b.registerUpdates(a)
	b.registerSupplier(a)
	b.registerStatus(a)
	return mux
}

// problem turns an error of the hub into an HTTP error with a one-line detail.
func problem(err error) error {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, hub.ErrUnknownDevice), errors.Is(err, hub.ErrUnknownImage), errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	case errors.Is(err, hub.ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, syscall.ENOSPC):
		status = http.StatusInsufficientStorage
	}
	return huma.NewError(status, err.Error())
}

func invalid(err error) error { return huma.Error422UnprocessableEntity(err.Error()) }

// operate runs an operation and turns its error into a problem.
func (b Backend) operate(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error {
	if err := b.Operate(f); err != nil {
		return problem(err)
	}
	return nil
}

// instant returns a stored time, or nil for none.
func instant(unixMicro int64) *time.Time {
	if unixMicro == 0 {
		return nil
	}
	t := time.UnixMicro(unixMicro).UTC()
	return &t
}
