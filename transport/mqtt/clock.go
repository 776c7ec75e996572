package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Clock relates emulated time to wall-clock time: at the instant Wall it was
// Emulated, and it runs Speed times as fast. Separate processes learn it from
// the retained topic han/<hub>/clock as
//
//	{"wall":"2026-11-21T10:30:00Z","emulated":"2030-01-01T00:00:00Z","speed":600}
//
// A clock that stands says so in one more member, "paused":true; one that devices run on
// without when its hub is away, in "runs_on":true.
type Clock struct {
	Wall, Emulated time.Time
	Speed          float64
	Paused, RunsOn bool
}

const (
	maxSpeed     = 1e6
	maxClockSize = 256
)

// Equal reports whether both clocks show the same.
func (c Clock) Equal(d Clock) bool {
	return c.Wall.Equal(d.Wall) && c.Emulated.Equal(d.Emulated) && c.Speed == d.Speed && c.Paused == d.Paused && c.RunsOn == d.RunsOn
}

func (c Clock) validate() error {
	if !(c.Speed > 0 && c.Speed <= maxSpeed) { // so written, NaN is refused too
		return fmt.Errorf("speed %v is not above 0 and at most %v", c.Speed, float64(maxSpeed))
	}
	for _, t := range []time.Time{c.Wall, c.Emulated} {
		if y := t.UTC().Year(); y < 1970 || y > 9999 {
			return fmt.Errorf("time %s is not between the years 1970 and 9999", t.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// Append appends the JSON form, with times in UTC.
func (c Clock) Append(b []byte) []byte {
	b = append(b, `{"wall":"`...)
	b = c.Wall.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","emulated":"`...)
	b = c.Emulated.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","speed":`...)
	b = strconv.AppendFloat(b, c.Speed, 'g', -1, 64)
	if c.Paused {
		b = append(b, `,"paused":true`...)
	}
	if c.RunsOn {
		b = append(b, `,"runs_on":true`...)
	}
	return append(b, '}')
}

// ParseClock reads the JSON form. Every member must be there exactly once but
// paused and runs_on, which need not be, and no other.
func ParseClock(text []byte) (Clock, error) {
	c, err := parseClock(text)
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		return Clock{}, fmt.Errorf("parse clock: %w", err)
	}
	return c, nil
}

func parseClock(text []byte) (Clock, error) {
	if len(text) > maxClockSize {
		return Clock{}, fmt.Errorf("%d bytes, at most %d are allowed", len(text), maxClockSize)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := demand(d, json.Delim('{')); err != nil {
		return Clock{}, err
	}
	var c Clock
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return Clock{}, errors.New("malformed JSON")
		}
		key, _ := name.(string)
		if seen[key] {
			return Clock{}, fmt.Errorf("member %q stands there twice", key)
		}
		seen[key] = true
		if err := c.readMember(d, key); err != nil {
			return Clock{}, err
		}
	}
	if err := demand(d, json.Delim('}')); err != nil {
		return Clock{}, err
	}
	if d.More() {
		return Clock{}, errors.New("something follows the object")
	}
	delete(seen, "paused")
	delete(seen, "runs_on")
	if len(seen) != 3 {
		return Clock{}, errors.New("want the members wall, emulated and speed")
	}
	return c, nil
}

func (c *Clock) readMember(d *json.Decoder, key string) error {
	value, err := d.Token()
	if err != nil {
		return errors.New("malformed JSON")
	}
	switch key {
	case "wall":
		c.Wall, err = parseTime(value)
	case "emulated":
		c.Emulated, err = parseTime(value)
	case "speed":
		number, ok := value.(json.Number)
		if !ok {
			return errors.New("speed is not a number")
		}
		c.Speed, err = number.Float64()
	case "paused", "runs_on":
		truth, ok := value.(bool)
		if !ok {
			return fmt.Errorf("%s is neither true nor false", key)
		}
		if key == "paused" {
			c.Paused = truth
		} else {
			c.RunsOn = truth
		}
	default:
		return fmt.Errorf("unknown member %q", key)
	}
	if err != nil {
		return fmt.Errorf("member %s: %w", key, err)
	}
	return nil
}

func parseTime(value json.Token) (time.Time, error) {
	text, ok := value.(string)
	if !ok {
		return time.Time{}, errors.New("not a string")
	}
	return time.Parse(time.RFC3339Nano, text)
}

func demand(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil || token != want {
		return errors.New("malformed JSON")
	}
	return nil
}
