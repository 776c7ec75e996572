package gbcs

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

func dateTime(t *testing.T, hex string) DateTime {
	t.Helper()
	return DateTime(codectest.Hex(t, hex))
}

func TestDateTime(t *testing.T) {
	tests := []struct {
		name, golden string
		want         time.Time
	}{
		{"of the published messages", "07DF 01 01 FF 00 00 00 00 8000 FF", time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"a leap day", "07E8 02 1D FF 17 3B 3B 00 8000 FF", time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC)},
		{"the first second", "07D0 01 01 FF 00 00 00 00 8000 FF", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"the last second", "0858 02 07 FF 06 1C 0E 00 8000 FF", time.Date(2136, 2, 7, 6, 28, 14, 0, time.UTC)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			golden := dateTime(t, tt.golden)
			if got := DateTimeOf(zcl.UTCTimeOf(tt.want)); got != golden {
				t.Errorf("DateTimeOf = % X, want % X", got[:], golden[:])
			}
			got, err := golden.UTCTime()
			if err != nil || !got.Time().Equal(tt.want) {
				t.Errorf("UTCTime() = %v, %v; want %v", got.Time(), err, tt.want)
			}
		})
	}
}

func TestDateTimeTakesFieldsThatAreSpecified(t *testing.T) {
	for name, give := range map[string]string{
		"day of the week, a Thursday": "07DF 01 01 04 00 00 00 00 8000 FF",
		"hundredths":                  "07DF 01 01 FF 00 00 00 63 8000 FF",
		"hundredths not specified":    "07DF 01 01 FF 00 00 00 FF 8000 FF",
		"deviation 0":                 "07DF 01 01 FF 00 00 00 00 0000 FF",
		"clock status":                "07DF 01 01 FF 00 00 00 00 8000 00",
	} {
		if got, err := dateTime(t, give).UTCTime(); err != nil || got != 0x1C374A80 {
			t.Errorf("%s: %#x, %v; want 0x1C374A80", name, got, err)
		}
	}
	if got, err := dateTime(t, "07DF 01 04 07 00 00 00 00 8000 FF").UTCTime(); err != nil {
		t.Errorf("a Sunday: %v, %v", got, err)
	}
}

func TestDateTimeRefusesWhatIsNoInstant(t *testing.T) {
	for name, give := range map[string]string{
		"now, as commands say it":   "0000 00 00 00 00 00 00 00 8000 FF",
		"never, as commands say it": "FFFF FF FF FF FF FF FF FF 8000 FF",
		"year not specified":        "FFFF 01 01 FF 00 00 00 00 8000 FF",
		"month not specified":       "07DF FF 01 FF 00 00 00 00 8000 FF",
		"last day of the month":     "07DF 01 FE FF 00 00 00 00 8000 FF",
		"30 February":               "07DF 02 1E FF 00 00 00 00 8000 FF",
		"29 February, no leap year": "07DF 02 1D FF 00 00 00 00 8000 FF",
		"hour 24":                   "07DF 01 01 FF 18 00 00 00 8000 FF",
		"minute 60":                 "07DF 01 01 FF 00 3C 00 00 8000 FF",
		"second 60":                 "07DF 01 01 FF 00 00 3C 00 8000 FF",
		"hundredths 100":            "07DF 01 01 FF 00 00 00 64 8000 FF",
		"the wrong day of the week": "07DF 01 01 05 00 00 00 00 8000 FF",
		"day of the week 0":         "07DF 01 04 00 00 00 00 00 8000 FF",
		"day of the week 11":        "07DF 01 01 0B 00 00 00 00 8000 FF",
		"an hour ahead of UTC":      "07DF 01 01 FF 00 00 00 00 FFC4 FF",
		"before 2000":               "07CF 0C 1F FF 17 3B 3B 00 8000 FF",
		"after 2136":                "0858 02 07 FF 06 1C 0F 00 8000 FF",
	} {
		if got, err := dateTime(t, give).UTCTime(); err == nil {
			t.Errorf("%s: took it as %v", name, got.Time())
		}
	}
}

func TestDateTimeString(t *testing.T) {
	if got, want := DateTimeOf(0x1C374A80).String(), "2015-01-01T00:00:00Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := (DateTime{}).String(), "00 00 00 00 00 00 00 00 00 00 00 00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzDateTime(f *testing.F) {
	f.Add(codectest.Hex(f, "07DF 01 01 FF 00 00 00 00 8000 FF"))
	f.Add(codectest.Hex(f, "07E8 02 1D 04 17 3B 3B 63 0000 00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != len(DateTime{}) {
			return
		}
		u, err := DateTime(data).UTCTime()
		if err != nil {
			return
		}
		if again, err := DateTimeOf(u).UTCTime(); err != nil || again != u {
			t.Errorf("% X is %#x, but that gives %#x, %v", data, u, again, err)
		}
	})
}
