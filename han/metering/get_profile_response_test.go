package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const getProfileResponseGolden = `
	00 00 00 30 # end time
	00          # success
	02          # half-hourly
	02          # 2 periods:
	10 00 00    # 16
	FF FF FF    # no valid reading`

func TestGetProfileResponse(t *testing.T) {
	golden := codectest.Hex(t, getProfileResponseGolden)
	codectest.RoundTrip(t, golden, GetProfileResponse{
		EndTime: 0x30000000, Status: ProfileSuccess, Interval: IntervalHalfHour, Intervals: []uint32{16, 0xFFFFFF},
	}, GetProfileResponse.Append, ParseGetProfileResponse)
	codectest.RefusesPrefixes(t, golden, ParseGetProfileResponse)
}

func TestGetProfileResponseWithoutIntervals(t *testing.T) {
	golden := codectest.Hex(t, "00 00 00 30 05 02 00")
	codectest.RoundTrip(t, golden, GetProfileResponse{EndTime: 0x30000000, Status: ProfileNoIntervals, Interval: IntervalHalfHour},
		GetProfileResponse.Append, ParseGetProfileResponse)
	codectest.RefusesPrefixes(t, golden, ParseGetProfileResponse)
}

func TestGetProfileResponseHoldsAtMost255Intervals(t *testing.T) {
	most := GetProfileResponse{Intervals: make([]uint32, 255)}
	codectest.RoundTrip(t, most.Append(nil), most, GetProfileResponse.Append, ParseGetProfileResponse)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	GetProfileResponse{Intervals: make([]uint32, 256)}.Append(nil)
}

func FuzzParseGetProfileResponse(f *testing.F) {
	f.Add(codectest.Hex(f, getProfileResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseGetProfileResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, GetProfileResponse.Append, ParseGetProfileResponse)
		}
	})
}
