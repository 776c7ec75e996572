package zcl

import "time"

// UTCTime is an instant in seconds from 2000-01-01 00:00 UTC (ZCL §2.6.2.14),
// without leap seconds.
type UTCTime uint32

// UTCTimeInvalid is the non-value. As an upgrade time it means "wait, do not
// switch" (ZCL §11.13.9.4).
const UTCTimeInvalid UTCTime = 0xFFFFFFFF

// epochUnix is 2000-01-01T00:00:00Z in Unix seconds.
const epochUnix = 946684800

// UTCTimeOf returns t rounded down to a second. Instants outside what the type
// can hold are clamped to 0 and to the last valid value, in February 2136.
func UTCTimeOf(t time.Time) UTCTime {
	s := t.Unix() - epochUnix
	switch {
	case s < 0:
		return 0
	case s >= int64(UTCTimeInvalid):
		return UTCTimeInvalid - 1
	default:
		return UTCTime(s)
	}
}

// Time returns the instant in UTC.
func (u UTCTime) Time() time.Time { return time.Unix(epochUnix+int64(u), 0).UTC() }
