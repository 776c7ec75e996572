package metering

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// RequestFastPollModeResponse answers [RequestFastPollMode] (0x03 from the server).
type RequestFastPollModeResponse struct {
	AppliedPeriod uint8       // seconds between updates that the meter granted
	EndTime       zcl.UTCTime // when it goes back to its default period
}

// Append implements zcl.Command.
func (c RequestFastPollModeResponse) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(append(b, c.AppliedPeriod), uint32(c.EndTime))
}

// ParseRequestFastPollModeResponse reads the 5 bytes payload.
func ParseRequestFastPollModeResponse(payload []byte) (RequestFastPollModeResponse, error) {
	r := zcl.NewReader(payload)
	c := RequestFastPollModeResponse{AppliedPeriod: r.Uint8(), EndTime: zcl.UTCTime(r.Uint32())}
	return c, r.Err("request fast poll mode response")
}
