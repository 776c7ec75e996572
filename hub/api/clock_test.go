package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/testimage"
)

// control writes down what it is told.
type control struct {
	told    []string
	running bool
	reached func() bool
}

func (c *control) add(format string, args ...any) {
	c.told = append(c.told, fmt.Sprintf(format, args...))
}
func (c *control) Pause()                 { c.add("pause") }
func (c *control) Resume()                { c.add("resume") }
func (c *control) SetSpeed(speed float64) { c.add("speed %g", speed) }

func (c *control) Step() error {
	if c.running {
		return errors.New("the clock runs; pause it first")
	}
	c.add("step")
	return nil
}

func (c *control) RunUntil(at time.Time, reached func() bool) {
	c.reached = reached
	if reached == nil {
		c.add("until %s", at.UTC().Format(time.RFC3339))
		return
	}
	c.add("until it is reached")
}

func TestTheClockIsControlledOverTheInterface(t *testing.T) {
	c := &control{}
	s := newServer(t, func(b *api.Backend) { b.Control = c })
	if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+gsme+`","kind":"GSME"}`); status != http.StatusCreated {
		t.Fatalf("add device: %d %v", status, v)
	}
	in90 := start.Add(90 * time.Second).UTC().Format(time.RFC3339)
	for _, tt := range []struct {
		body   string
		status int
		told   string // or a part of the refusal
	}{
		{`{"action":"pause"}`, 200, "pause"},
		{`{"action":"resume"}`, 200, "resume"},
		{`{"action":"step"}`, 200, "step"},
		{`{"action":"speed","speed":60}`, 200, "speed 60"},
		{`{"action":"run","for_s":90}`, 200, "until " + in90},
		{`{"action":"run","at":"` + in90 + `"}`, 200, "until " + in90},
		{`{"action":"run","device":"` + gsme + `","state":"transferred"}`, 200, "until it is reached"},
		{`{"action":"run","device":"` + gsme + `","window":3}`, 200, "until it is reached"},
		{`{"action":"speed"}`, 422, "want how many"},
		{`{"action":"run"}`, 422, "run until what"},
		{`{"action":"run","at":"2001-01-01T00:00:00Z"}`, 422, "it is later already"},
		{`{"action":"run","device":"` + gsme + `"}`, 422, "state or window"},
		{`{"action":"run","device":"` + gsme + `","state":"happy"}`, 422, "validation failed"},
		{`{"action":"run","device":"` + esme + `","window":1}`, 404, "not in the device log"},
		{`{"action":"wait"}`, 422, "validation failed"},
	} {
		c.told = nil
		status, v := s.json("POST", "/v1/clock", tt.body)
		said := strings.Join(c.told, ", ")
		if status >= 400 {
			said = fmt.Sprint(v["detail"])
		}
		if status != tt.status || !strings.Contains(said, tt.told) || status >= 400 && len(c.told) > 0 {
			t.Errorf("%s: %d %s, told %q; want %d %s", tt.body, status, said, c.told, tt.status, tt.told)
		}
	}
	c.running = true
	if status, v := s.json("POST", "/v1/clock", `{"action":"step"}`); status != http.StatusConflict {
		t.Errorf("a step of a running clock: %d %v", status, v)
	}
}

func TestAClockWithoutControlSaysSo(t *testing.T) {
	if status, v := newServer(t).json("POST", "/v1/clock", `{"action":"pause"}`); status != http.StatusNotFound {
		t.Errorf("%d %v", status, v)
	}
}

// A state is reached when the latest update has it, is past it, or has ended.
func TestAClockRunsUntilAnUpdatesState(t *testing.T) {
	c := &control{}
	s := newServer(t, func(b *api.Backend) { b.Control = c })
	if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+gsme+`","kind":"GSME"}`); status != http.StatusCreated {
		t.Fatalf("add device: %d %v", status, v)
	}
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	conditions := map[string]func() bool{}
	for _, state := range []string{"downloading", "cancelled"} {
		if status, v := s.json("POST", "/v1/clock", `{"action":"run","device":"`+gsme+`","state":"`+state+`"}`); status != http.StatusOK {
			t.Fatalf("%d %v", status, v)
		}
		conditions[state] = c.reached
	}
	reached := func(want ...string) {
		t.Helper()
		for state, condition := range conditions {
			if got := condition(); got != slices.Contains(want, state) {
				t.Errorf("%s reached: %v", state, got)
			}
		}
	}
	reached()
	if status, v := s.json("POST", "/v1/updates", fmt.Sprintf(`{"image":%q,"devices":[%q]}`, im["sha256"], gsme)); status >= 300 {
		t.Fatalf("distribute: %d %v", status, v)
	}
	reached()
	if status, v := s.json("DELETE", "/v1/updates/"+gsme, ""); status >= 300 {
		t.Fatalf("cancel: %d %v", status, v)
	}
	reached("downloading", "cancelled")
}
