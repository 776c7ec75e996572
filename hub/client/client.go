// Package client is the Go client of a hub's REST interface (package hub/api): calls,
// whole lists, uploads and the stream of events. The command line, the terminal, the
// bridge and whoever steers many homes use it.
//
// What a hub refuses is a [*Refusal]; every other error says that no hub answered, or
// not in a way that can be read. Both are one line for a person. That it is a hub is
// seen by [Header], which each of its answers has: what another program answers is
// taken for nothing but that.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/commshub/commshub/internal/foreign"
)

// DefaultBase is the address of a hub on this machine.
const DefaultBase = "http://127.0.0.1:8080"

// Header is in every answer of a hub, and of a device's health check: the version of
// the program.
const Header = "Commshub-Version"

// Limits of one call.
const (
	callTime  = 5 * time.Minute
	headTime  = 20 * time.Second // until the answer begins
	maxAnswer = 64 << 20         // bytes
	maxReason = 1 << 20          // bytes of a refusal
)

// Client talks to one hub. Its methods may be called from any goroutine.
type Client struct {
	// Shown says that texts of answers and events are to be printed: they come as
	// foreign.Line writes them. Without it they come without loss.
	Shown bool

	base    string
	address string // base as messages show it
	token   string
	http    *http.Client
}

// New returns a client of the hub at an address such as [DefaultBase]. It bears a
// token, which changes need; "" for none.
func New(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q: want an address such as %s", foreign.Address(base), DefaultBase)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = headTime
	base = strings.TrimRight(base, "/")
	return &Client{base: base, address: foreign.Address(base), token: token, http: &http.Client{Transport: transport, Timeout: callTime}}, nil
}

// IsLocal reports whether the hub is on this machine.
func (c *Client) IsLocal() bool {
	u, err := url.Parse(c.base)
	return err == nil && IsLoopback(u.Hostname())
}

// IsLoopback reports whether a host is this machine itself.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Call sends a request with an optional JSON body and decodes the answer into out,
// if out is not nil.
func (c *Client) Call(ctx context.Context, method, path string, body, out any) error {
	var reader io.Reader
	kind := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader, kind = bytes.NewReader(b), "application/json"
	}
	return c.exchange(ctx, method, path, reader, 0, kind, out)
}

// Get reads a resource; there is false for one that does not exist.
func (c *Client) Get(ctx context.Context, path string, out any) (there bool, err error) {
	err = c.Call(ctx, http.MethodGet, path, nil, out)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// Upload puts an image of size bytes into the hub's cache, and decodes what the hub
// says about it into out. One whose integrity code does not fit has to be forced.
func (c *Client) Upload(ctx context.Context, image io.Reader, size int64, force bool, out any) error {
	path := "/v1/images"
	if force {
		path += "?force=true"
	}
	return c.exchange(ctx, http.MethodPost, path, image, size, "application/octet-stream", out)
}

// Download writes the file of an image, which is named by its SHA-256 in hex.
func (c *Client) Download(ctx context.Context, image string, w io.Writer) error {
	resp, err := c.send(ctx, c.http, http.MethodGet, "/v1/images/"+image+"/file", nil, 0, "")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read image %s from %s: %w", image, c.address, err)
	}
	return nil
}

// Capture reads what passes the HAN from now on, as pcapng, or with recent from the oldest
// frame on that the hub keeps; of one device, or of all if device is empty. The caller
// closes it. A read fails when the hub gives no sign of life.
func (c *Client) Capture(ctx context.Context, device string, recent bool) (io.ReadCloser, error) {
	query := url.Values{"follow": {"true"}}
	if device != "" {
		query.Set("device", device)
	}
	if recent {
		query.Set("after", "0")
	}
	return c.endless(ctx, "/v1/capture?"+query.Encode())
}

// List reads a whole list, page by page; name is its key in the answers.
func List[T any](ctx context.Context, c *Client, path, name string) ([]T, error) {
	all := []T{}
	for cursor := ""; ; {
		answer := map[string]json.RawMessage{}
		if err := c.Call(ctx, http.MethodGet, path+"?limit=1000"+cursor, nil, &answer); err != nil {
			return nil, err
		}
		var page []T
		if err := json.Unmarshal(answer[name], &page); err != nil {
			return nil, fmt.Errorf("the answer of %s%s cannot be read: %w", c.address, path, err)
		}
		all = append(all, page...)
		var next string
		if more, ok := answer["next"]; !ok || json.Unmarshal(more, &next) != nil || next == "" {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
}

// exchange sends a request and decodes the answer.
func (c *Client) exchange(ctx context.Context, method, path string, body io.Reader, size int64, kind string, out any) error {
	resp, err := c.send(ctx, c.http, method, path, body, size, kind)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(c.shown(answer), out)
	}
	if err != nil {
		return fmt.Errorf("the answer of %s cannot be read: %w", c.address, err)
	}
	return nil
}

func (c *Client) shown(encoded []byte) []byte {
	if !c.Shown {
		return encoded
	}
	return foreign.Shown(encoded)
}

// send sends a request. It returns an answer that is no refusal; its body is the
// caller's to close. A size of 0 leaves it to package http to know it.
func (c *Client) send(ctx context.Context, via *http.Client, method, path string, body io.Reader, size int64, kind string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if size > 0 {
		req.ContentLength = size
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := via.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if len(resp.Header.Values(Header)) == 0 {
		defer resp.Body.Close()
		return nil, c.stranger(resp)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, refusal(resp)
	}
	return resp, nil
}

func (c *Client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("no hub answers at %s: %w (is commshub hub running?)", c.address, err)
}

// maxQuoted is how much of what something else answers is shown, in bytes.
const maxQuoted = 80

// stranger says what answered in place of a hub.
func (c *Client) stranger(resp *http.Response) error {
	what := resp.Status
	if kind := resp.Header.Get("Content-Type"); kind != "" {
		what += fmt.Sprintf(", %q", kind)
	}
	if server := resp.Header.Get("Server"); server != "" {
		what += fmt.Sprintf(", server %q", server)
	}
	begin := make([]byte, maxQuoted)
	n, _ := io.ReadFull(resp.Body, begin) // what came is shown
	if n > 0 {
		what += fmt.Sprintf(": %q", begin[:n])
	}
	return fmt.Errorf("what answers at %s is not a hub: %s (want the address that commshub hub prints)", c.address, what)
}
