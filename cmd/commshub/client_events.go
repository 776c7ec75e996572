package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/commshub/commshub/internal/console"
)

// silence is how long a stream of events may say nothing. The hub gives a sign of
// life every 15 s.
const silence = 40 * time.Second

// maxEvent is the most bytes of one line of an event.
const maxEvent = 4 << 20

// Get implements console.Source.
func (c *client) Get(ctx context.Context, path string, out any) (there bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false, c.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return true, c.take(resp, out)
}

// Events implements console.Source.
func (c *client) Events(ctx context.Context, kinds string, yield func(e console.Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the hub said nothing for %v", silence)) })
	defer watchdog.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/events?types="+url.QueryEscape(kinds), nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: c.http.Transport}).Do(req) // without a limit on the whole
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var e console.Event
	for lines.Scan() {
		watchdog.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.Kind = value
		case "data":
			e.Data = append(e.Data, value...)
		case "":
			if lines.Text() == "" && e.Data != nil {
				if err := yield(e); err != nil {
					return err
				}
				e = console.Event{}
			}
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if lines.Err() != nil {
		return c.unreachable(lines.Err())
	}
	return errors.New("the hub ended the connection")
}
