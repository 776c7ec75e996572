package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/hub/client"
)

// maxBody is the largest JSON body, in bytes. Uploads have a bound of their own.
const maxBody = 64 << 10

// guard stands before all routes. What it refuses reaches no operation.
func (a *API) guard(mux *http.ServeMux) http.Handler {
	origin := http.NewCrossOriginProtection()
	keys := newIdempotency()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		recorder := &answer{ResponseWriter: w}
		route := "none"
		defer func() { a.Answered(r.Method, route, recorder.status, time.Since(began)) }()
		setSecurityHeaders(recorder.Header())
		recorder.Header().Set(client.Header, a.Version)
		if !a.allowsHost(r.Host) {
			refuse(recorder, http.StatusMisdirectedRequest, fmt.Sprintf("host %q: not a name of this hub; start it with --allow-host to allow it", r.Host))
			return
		}
		if err := origin.Check(r); err != nil {
			refuse(recorder, http.StatusForbidden, "a page of another origin may not change anything here")
			return
		}
		handler, pattern := mux.Handler(r)
		if pattern == "" {
			a.noRoute(recorder, r, handler)
			return
		}
		route = pattern
		if changes(r.Method) && !a.bearsToken(r) {
			recorder.Header().Set("WWW-Authenticate", `Bearer realm="commshub"`)
			refuse(recorder, http.StatusUnauthorized, "this changes something and needs the token: Authorization: Bearer …, from the file api-token of the hub's state folder")
			return
		}
		if changes(r.Method) && pattern != uploadPattern {
			if err := a.readBody(recorder, r); err != nil {
				writeProblem(recorder, err)
				return
			}
		}
		if idempotent[pattern] {
			keys.serve(recorder, r, mux)
			return
		}
		mux.ServeHTTP(recorder, r)
	})
}

// idempotent are the routes that take an Idempotency-Key.
var idempotent = map[string]bool{"POST " + pathUpdates: true, "POST " + pathActivation: true, "POST " + pathTopUp: true}

// answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// setSecurityHeaders tells a browser to keep the answer to this origin.
func setSecurityHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	h.Set("Cache-Control", "no-cache")
}

// allowsHost refuses names that somebody could have pointed here (DNS rebinding).
// An address cannot be pointed anywhere.
func (a *API) allowsHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return strings.EqualFold(name, "localhost") ||
		slices.ContainsFunc(a.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, name) })
}

// bearsToken reports whether a request bears the token, if one is asked for.
func (a *API) bearsToken(r *http.Request) bool {
	return a.isToken(r.Header.Get("Authorization"))
}

// isToken reports whether the value of an Authorization header is the token.
func (a *API) isToken(authorization string) bool {
	if a.Token == "" {
		return true
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	// Hashed first, so that not even the length shows in the time it takes.
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(a.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// noRoute turns the multiplexer's own refusals into problems, and lets its
// redirects pass.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	said := &discard{header: http.Header{}}
	handler.ServeHTTP(said, r)
	switch said.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", said.header.Get("Allow"))
		refuse(w, said.status, fmt.Sprintf("%s is not possible here, only %s", r.Method, said.header.Get("Allow")))
	case http.StatusNotFound:
		refuse(w, said.status, fmt.Sprintf("%s: there is nothing here; /docs lists what there is", r.URL.Path))
	default:
		handler.ServeHTTP(w, r)
	}
}

// discard is an answer that nobody sees.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}
func (d *discard) Write(p []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return len(p), nil
}

// readBody reads a request's body, at most maxBody, and puts it back.
func (a *API) readBody(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(a.BodyTimeout)) // not every connection has one
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return bodyProblem(err, maxBody)
	}
	_ = control.SetReadDeadline(time.Time{})
	if where, found := findNull(body); found {
		return invalid("body."+where, nil, fmt.Errorf("%s: null is no value here; leave it out", where))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return nil
}

// findNull returns the first key of a JSON object whose value is null. Where a key
// may be left out, null is an accident, and one that orders an activation at once.
func findNull(body []byte) (key string, found bool) {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil {
		return "", false // somebody else's to complain about
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if object[key] == nil {
			return key, true
		}
	}
	return "", false
}

// bodyProblem says why a body could not be read.
func bodyProblem(err error, limit int64) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return statusProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is too large, want at most %d bytes", limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return statusProblem(http.StatusRequestTimeout, "the body did not come in time")
	default:
		return statusProblem(http.StatusBadRequest, "the body cannot be read: "+err.Error())
	}
}
