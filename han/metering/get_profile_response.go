package metering

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/commshub/commshub/han/zcl"
)

// ProfileStatus says how a [GetProfile] was answered.
type ProfileStatus uint8

// The profile statuses.
const (
	ProfileSuccess ProfileStatus = iota
	ProfileUndefinedChannel
	ProfileUnsupportedChannel
	ProfileInvalidEndTime
	ProfileTooManyPeriods
	ProfileNoIntervals
)

// ProfileInterval is the length of a load profile's intervals.
type ProfileInterval uint8

// The lengths of intervals that a GB meter has.
const (
	IntervalDaily       ProfileInterval = 0
	IntervalHour        ProfileInterval = 1
	IntervalHalfHour    ProfileInterval = 2
	IntervalQuarterHour ProfileInterval = 3
)

// GetProfileResponse answers [GetProfile] (0x00 from the server).
type GetProfileResponse struct {
	EndTime  zcl.UTCTime // end of the newest interval
	Status   ProfileStatus
	Interval ProfileInterval
	// Intervals are consumptions, 24 bits each, the newest first; at most 255.
	// FFFFFF is an interval without a valid reading.
	Intervals []uint32
}

// Append implements zcl.Command. More than 255 intervals are a programmer's
// error and panic.
func (c GetProfileResponse) Append(b []byte) []byte {
	if len(c.Intervals) > math.MaxUint8 {
		panic(fmt.Sprintf("metering: get profile response with %d intervals, want at most 255", len(c.Intervals)))
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(c.EndTime))
	b = append(b, byte(c.Status), byte(c.Interval), byte(len(c.Intervals)))
	for _, v := range c.Intervals {
		b = appendUint24(b, v)
	}
	return b
}

// ParseGetProfileResponse reads the payload: 7 bytes and 3 per interval.
func ParseGetProfileResponse(payload []byte) (GetProfileResponse, error) {
	r := zcl.NewReader(payload)
	c := GetProfileResponse{
		EndTime:  zcl.UTCTime(r.Uint32()),
		Status:   ProfileStatus(r.Uint8()),
		Interval: ProfileInterval(r.Uint8()),
	}
	for range r.Uint8() {
		c.Intervals = append(c.Intervals, r.Uint24())
	}
	return c, r.Err("get profile response")
}
