package metering

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// MirrorFailed is the endpoint that says that no mirror is free.
const MirrorFailed uint16 = 0xFFFF

// RequestMirrorResponse answers [RequestMirror] (0x01 from the client).
type RequestMirrorResponse struct {
	Endpoint uint16 // where the meter reports to from now on, or MirrorFailed
}

// Append implements zcl.Command.
func (c RequestMirrorResponse) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(b, c.Endpoint)
}

// ParseRequestMirrorResponse reads the 2 bytes payload.
func ParseRequestMirrorResponse(payload []byte) (RequestMirrorResponse, error) {
	r := zcl.NewReader(payload)
	c := RequestMirrorResponse{Endpoint: r.Uint16()}
	return c, r.Err("request mirror response")
}
