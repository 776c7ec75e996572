package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
)

// WaitPaused returns the clock of a hub when it stands.
func WaitPaused(ctx context.Context, c *client.Client) (api.Clock, error) {
	const pause = 50 * time.Millisecond
	for {
		var clock api.Clock
		err := c.Call(ctx, http.MethodGet, "/v1/clock", nil, &clock)
		switch {
		case ctx.Err() != nil:
			return clock, ctx.Err()
		case err != nil || clock.Paused:
			return clock, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// ParseClockRun reads until when a clock shall run: an instant (RFC 3339), a time from now, or
// a device with the state its update shall be in, or with "window" and how many of its
// windows shall have ended. The device, as it is named, is not in the order yet.
func ParseClockRun(text string) (o api.ClockOrder, device string, err error) {
	o.Action = "run"
	words := strings.Fields(text)
	if len(words) == 1 {
		if at, err := time.Parse(time.RFC3339, words[0]); err == nil {
			o.At = &at
			return o, "", nil
		}
		if d, err := time.ParseDuration(words[0]); err == nil && d >= 0 {
			seconds := d.Seconds()
			o.For = &seconds
			return o, "", nil
		}
	}
	if len(words) < 2 {
		return o, "", fmt.Errorf("%q: want an instant such as 2026-12-01T03:00:00Z, a time such as 90m, or a device with a state or window", text)
	}
	switch {
	case len(words) == 3 && words[1] == "window":
		n, err := strconv.Atoi(words[2])
		if err != nil || n < 1 {
			return o, "", fmt.Errorf("window %q: want a number from 1 on", words[2])
		}
		o.Window = &n
	case len(words) == 2:
		o.State = &words[1] // the hub knows which there are
	default:
		return o, "", errors.New("want a device and a state, or a device and window with its number")
	}
	return o, words[0], nil
}

// PrintClock writes where a hub's clock is, for a person.
func PrintClock(w io.Writer, c api.Clock) {
	pace := fmt.Sprintf("runs %g times as fast as the wall", c.Speed)
	if c.Paused {
		pace = "paused"
	}
	foreign.Fprintf(w, "%s  %s\n", c.Now.UTC().Format("2006-01-02T15:04:05.000Z"), pace)
	if c.Next != nil {
		foreign.Fprintf(w, "next event at %s, in %v\n", c.Next.UTC().Format("2006-01-02T15:04:05.000Z"), c.Next.Sub(c.Now).Round(time.Millisecond))
	}
	for _, eui := range c.WallBound {
		foreign.Fprintf(w, "%s lives on the wall clock\n", eui)
	}
	for _, eui := range c.Silent {
		foreign.Fprintf(w, "%s does not answer; the clock waits no longer for it\n", eui)
	}
}
