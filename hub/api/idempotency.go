package api

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
)

// keysKept is how many Idempotency-Keys are remembered, the newest.
const keysKept = 256

const (
	idempotencyHeader = "Idempotency-Key"
	maxKey            = 64
	// maxReplay is the largest answer kept for a repetition, in bytes; a longer one
	// is repeated without its body.
	maxReplay = 64 << 10
)

// idempotency answers a request that comes twice with the same Idempotency-Key
// without doing it twice. The keys live as long as the process: after a restart a
// repeated distribution is refused as a conflict, not done twice.
type idempotency struct {
	mu    sync.Mutex
	keys  map[string]*attempt
	order []string // oldest first
}

// attempt is the first request with a key.
type attempt struct {
	request [sha256.Size]byte
	done    chan struct{} // closed when the answer is there
	status  int
	header  http.Header
	body    []byte
}

func newIdempotency() *idempotency { return &idempotency{keys: map[string]*attempt{}} }

// serve serves a request, or repeats the answer to an earlier one.
func (i *idempotency) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	key := r.Header.Get(idempotencyHeader)
	if key == "" {
		next.ServeHTTP(w, r)
		return
	}
	if !validKey(key) {
		writeProblem(w, invalid("header."+idempotencyHeader, key, fmt.Errorf("%s: want 1 to %d visible ASCII characters", idempotencyHeader, maxKey)))
		return
	}
	request := digest(r)
	first, fresh := i.attempt(key, request)
	if fresh {
		i.perform(w, r, next, key, first)
		return
	}
	if first.request != request {
		writeProblem(w, invalid("header."+idempotencyHeader, key, fmt.Errorf("%s %q was used for another request", idempotencyHeader, key)))
		return
	}
	select {
	case <-first.done:
		first.repeat(w)
	case <-r.Context().Done():
	}
}

func validKey(key string) bool {
	if len(key) > maxKey {
		return false
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// digest identifies a request: method, path and body, which is in memory already.
func digest(r *http.Request) [sha256.Size]byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(fmt.Sprintf("api: read a body from memory: %v", err))
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n%s\n", r.Method, r.URL.RequestURI(), r.Header.Get("If-Match"))
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// attempt returns the first attempt with a key, a fresh one if there was none.
func (i *idempotency) attempt(key string, request [sha256.Size]byte) (*attempt, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if known, ok := i.keys[key]; ok {
		return known, false
	}
	if len(i.order) == keysKept {
		delete(i.keys, i.order[0])
		i.order = i.order[1:]
	}
	fresh := &attempt{request: request, done: make(chan struct{})}
	i.keys[key] = fresh
	i.order = append(i.order, key)
	return fresh, true
}

// perform serves the first request with a key. A failure of the hub's is not
// kept: the client shall try again.
func (i *idempotency) perform(w http.ResponseWriter, r *http.Request, next http.Handler, key string, a *attempt) {
	c := &copied{ResponseWriter: w, status: http.StatusInternalServerError}
	defer func() {
		a.status, a.header, a.body = c.status, maps.Clone(w.Header()), c.body
		close(a.done)
		if a.status >= http.StatusInternalServerError {
			i.forget(key)
		}
	}()
	next.ServeHTTP(c, r)
}

func (i *idempotency) forget(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.keys, key)
	for at, k := range i.order {
		if k == key {
			i.order = append(i.order[:at], i.order[at+1:]...)
			break
		}
	}
}

func (a *attempt) repeat(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client is gone if this fails
}

// copied keeps a copy of an answer.
type copied struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (c *copied) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *copied) Write(p []byte) (int, error) {
	if len(c.body)+len(p) <= maxReplay {
		c.body = append(c.body, p...)
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (c *copied) Unwrap() http.ResponseWriter { return c.ResponseWriter }
