package gbcs

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/commshub/commshub/han/zcl"
)

// DateTime is a COSEM date-time (DLMS Blue Book §4.1.6.1), 12 bytes:
//
//	0  2  year
//	2  1  month, 1 to 12
//	3  1  day of the month, 1 to 31
//	4  1  day of the week, 1 = Monday
//	5  1  hour
//	6  1  minute
//	7  1  second
//	8  1  hundredths of a second
//	9  2  deviation from UTC in minutes, 8000 = not specified
//	11 1  clock status
//
// FF, in the year FFFF, means "not specified". GBCS times are UTC throughout.
type DateTime [12]byte

const (
	notSpecified          = 0xFF
	deviationNotSpecified = 0x8000
)

// DateTimeOf returns the form that the published messages use: day of the week,
// deviation and clock status are not specified, the hundredths are 0.
func DateTimeOf(u zcl.UTCTime) DateTime {
	var d DateTime
	t := u.Time()
	binary.BigEndian.PutUint16(d[0:], uint16(t.Year()))
	d[2], d[3], d[4] = byte(t.Month()), byte(t.Day()), notSpecified
	d[5], d[6], d[7] = byte(t.Hour()), byte(t.Minute()), byte(t.Second())
	binary.BigEndian.PutUint16(d[9:], deviationNotSpecified)
	d[11] = notSpecified
	return d
}

// UTCTime returns the instant, rounded down to a second. It refuses a date-time
// that is no instant (fields that are not specified, no such day), one with a
// deviation from UTC, and one outside the years 2000 to 2136 that the type can
// hold. The clock status is ignored.
func (d DateTime) UTCTime() (zcl.UTCTime, error) {
	t := time.Date(int(binary.BigEndian.Uint16(d[0:])), time.Month(d[2]), int(d[3]),
		int(d[5]), int(d[6]), int(d[7]), 0, time.UTC)
	u, ok := utcTimeOf(t)
	if !ok {
		return 0, fmt.Errorf("date-time % X: not a time from 2000 to 2136", d[:])
	}
	// A field out of range has moved others, so that d is not what u gives.
	canonical := DateTimeOf(u)
	canonical[4], canonical[8], canonical[11] = d[4], d[8], d[11]
	switch deviation := binary.BigEndian.Uint16(d[9:]); {
	case deviation != 0 && deviation != deviationNotSpecified:
		return 0, fmt.Errorf("date-time % X: deviation of %d minutes, want UTC", d[:], int16(deviation))
	case [9]byte(d[:9]) != [9]byte(canonical[:9]):
		return 0, fmt.Errorf("date-time % X: not a time", d[:])
	case d[8] > 99 && d[8] != notSpecified:
		return 0, fmt.Errorf("date-time % X: hundredths %d, want at most 99", d[:], d[8])
	case d[4] != notSpecified && d[4] != byte((t.Weekday()+6)%7+1):
		return 0, fmt.Errorf("date-time % X: day of the week %d is not that day's", d[:], d[4])
	default:
		return u, nil
	}
}

// String returns the time as RFC 3339, or the bytes in hex if it is none.
func (d DateTime) String() string {
	u, err := d.UTCTime()
	if err != nil {
		return fmt.Sprintf("% X", d[:])
	}
	return u.Time().Format(time.RFC3339)
}

// utcTimeOf converts t if the type can hold it; unlike zcl.UTCTimeOf it does not clamp.
func utcTimeOf(t time.Time) (zcl.UTCTime, bool) {
	u := zcl.UTCTimeOf(t)
	return u, u.Time().Equal(t)
}
