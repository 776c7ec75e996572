package mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/codectest"
)

const goldenClock = `{"wall":"2026-11-21T10:30:00.5Z","emulated":"2030-01-01T00:00:00Z","speed":600}`

var clock = Clock{
	Wall:     time.Date(2026, 11, 21, 10, 30, 0, 5e8, time.UTC),
	Emulated: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	Speed:    600,
}

func TestClockGolden(t *testing.T) {
	codectest.RoundTrip(t, []byte(goldenClock), clock, Clock.Append, ParseClock)
	codectest.RefusesPrefixes(t, []byte(goldenClock), ParseClock)
}

func TestAClockThatStandsSaysSo(t *testing.T) {
	stands := clock
	stands.Paused, stands.RunsOn = true, true
	const golden = `{"wall":"2026-11-21T10:30:00.5Z","emulated":"2030-01-01T00:00:00Z","speed":600,"paused":true,"runs_on":true}`
	codectest.RoundTrip(t, []byte(golden), stands, Clock.Append, ParseClock)
	if stands.Equal(clock) {
		t.Error("it equals one that runs")
	}
}

func TestParseClockTakesOtherSpellings(t *testing.T) {
	text := ` { "speed": 6e2, "emulated": "2030-01-01T01:00:00+01:00", "wall": "2026-11-21T10:30:00.500Z" } `
	if got, err := ParseClock([]byte(text)); err != nil || !got.Equal(clock) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseClockRefuses(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"nothing", ``, "malformed"},
		{"no object", `[]`, "malformed"},
		{"no members", `{}`, "want the members"},
		{"paused that is no truth", `{"wall":"2026-11-21T10:30:00Z","emulated":"2026-11-21T10:30:00Z","speed":1,"paused":1}`, "neither true nor false"},
		{"a missing member", `{"wall":"2026-11-21T10:30:00Z","speed":1}`, "want the members"},
		{"a member twice", `{"speed":1,"speed":1}`, "twice"},
		{"an unknown member", `{"speeed":1}`, "unknown member"},
		{"a member in the wrong case", `{"Speed":1}`, "unknown member"},
		{"a speed in words", `{"speed":"fast"}`, "not a number"},
		{"a time without zone", `{"wall":"2026-11-21T10:30:00"}`, "member wall"},
		{"a time as number", `{"wall":1}`, "not a string"},
		{"an object in place of a value", `{"speed":{}}`, "not a number"},
		{"speed zero", strings.Replace(goldenClock, "600", "0", 1), "speed 0"},
		{"speed backwards", strings.Replace(goldenClock, "600", "-1", 1), "speed -1"},
		{"speed out of range", strings.Replace(goldenClock, "600", "1e7", 1), "speed 1e+07"},
		{"speed infinite", strings.Replace(goldenClock, "600", "1e999", 1), "speed"},
		{"a year before any of this", strings.Replace(goldenClock, "2030", "1960", 1), "1970"},
		{"something behind it", goldenClock + "{}", "follows"},
		{"too many bytes", goldenClock + strings.Repeat(" ", maxClockSize), "bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseClock([]byte(tt.give))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v, error %v; want one line with %q", c, err, tt.want)
			}
		})
	}
}

func FuzzParseClock(f *testing.F) {
	f.Add([]byte(goldenClock))
	f.Add([]byte(`{"wall":"1970-01-01T00:00:00Z","emulated":"9999-12-31T23:59:59.999999999Z","speed":1e-300}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseClock(text)
		if err != nil {
			return
		}
		again, err := ParseClock(c.Append(nil))
		if err != nil || !again.Equal(c) {
			t.Errorf("round trip of %q: %+v, %v", text, again, err)
		}
	})
}
