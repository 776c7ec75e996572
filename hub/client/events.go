package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Event is one server-sent event.
type Event struct {
	Kind string
	Data []byte // JSON
}

// silence is how long a stream of events may say nothing. The hub gives a sign of
// life every 15 s.
const silence = 40 * time.Second

// maxEvent is the most bytes of one line of an event.
const maxEvent = 4 << 20

// Events reads events of some kinds, with commas in between, until the connection
// ends or yield returns an error. It always returns why.
func (c *Client) Events(ctx context.Context, kinds string, yield func(e Event) error) error {
	stream, err := c.endless(ctx, "/events?types="+url.QueryEscape(kinds))
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // it was only read
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxEvent)
	var e Event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.Kind = value
		case "data":
			e.Data = append(e.Data, value...)
		case "":
			if lines.Text() == "" && e.Data != nil {
				e.Data = c.shown(e.Data)
				if err := yield(e); err != nil {
					return err
				}
				e = Event{}
			}
		}
	}
	if lines.Err() != nil {
		return lines.Err()
	}
	return errors.New("the hub ended the connection")
}

// endless is an answer that goes on for as long as the hub does.
type endless struct {
	client   *Client
	ctx      context.Context
	cancel   context.CancelCauseFunc
	watchdog *time.Timer
	body     io.ReadCloser
}

func (c *Client) endless(ctx context.Context, path string) (*endless, error) {
	e := &endless{client: c}
	e.ctx, e.cancel = context.WithCancelCause(ctx)
	e.watchdog = time.AfterFunc(silence, func() { e.cancel(fmt.Errorf("the hub said nothing for %v", silence)) })
	unlimited := &http.Client{Transport: c.http.Transport} // no limit on the whole
	resp, err := c.send(e.ctx, unlimited, http.MethodGet, path, nil, 0, "")
	if err != nil {
		e.watchdog.Stop()
		e.cancel(nil)
		return nil, err
	}
	e.body = resp.Body
	return e, nil
}

// Read implements io.Reader. Each byte is a sign of life.
func (e *endless) Read(b []byte) (int, error) {
	n, err := e.body.Read(b)
	if n > 0 {
		e.watchdog.Reset(silence)
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	if cause := context.Cause(e.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return n, cause
	}
	return n, e.client.unreachable(err)
}

// Close implements io.Closer.
func (e *endless) Close() error {
	e.watchdog.Stop()
	e.cancel(nil)
	return e.body.Close()
}
