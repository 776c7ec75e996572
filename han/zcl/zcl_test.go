package zcl

import (
	"testing"
	"time"
)

func TestUTCTime(t *testing.T) {
	tests := []struct {
		name string
		give time.Time
		want UTCTime
	}{
		{"the epoch", time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{"a published GBCS time", time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), 0x1C374A80},
		{"another zone", time.Date(2015, 1, 1, 1, 0, 0, 0, time.FixedZone("CET", 3600)), 0x1C374A80},
		{"a fraction of a second is cut", time.Date(2015, 1, 1, 0, 0, 0, 999_999_999, time.UTC), 0x1C374A80},
		{"before the epoch", time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), 0},
		{"the last valid second", time.Unix(epochUnix+0xFFFFFFFE, 0), 0xFFFFFFFE},
		{"the second that would read as invalid", time.Unix(epochUnix+0xFFFFFFFF, 0), 0xFFFFFFFE},
		{"far future", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 0xFFFFFFFE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := UTCTimeOf(tt.give); got != tt.want {
				t.Errorf("UTCTimeOf(%v) = %#x, want %#x", tt.give, got, tt.want)
			}
		})
	}
	if got, want := UTCTime(0x1C374A80).Time(), time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC); got != want {
		t.Errorf("Time() = %v, want %v in UTC", got, want)
	}
}

func TestStatusString(t *testing.T) {
	for status, want := range map[Status]string{
		StatusSuccess:     "SUCCESS",
		StatusWaitForData: "WAIT_FOR_DATA",
		0x02:              "status 0x02",
		0xC3:              "status 0xc3",
	} {
		if got := status.String(); got != want {
			t.Errorf("Status(%#x).String() = %q, want %q", uint8(status), got, want)
		}
	}
}
