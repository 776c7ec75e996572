package metering

import "github.com/commshub/commshub/han/zcl"

// RequestFastPollMode asks a mains-powered meter to update its attributes often
// for a while (0x03 from the client). Whether GBCS wants a GSME to know it is
// unknown.
type RequestFastPollMode struct {
	UpdatePeriod    uint8 // seconds between updates
	DurationMinutes uint8 // at most 15
}

// Append implements zcl.Command.
func (c RequestFastPollMode) Append(b []byte) []byte {
	return append(b, c.UpdatePeriod, c.DurationMinutes)
}

// ParseRequestFastPollMode reads the 2 bytes payload.
func ParseRequestFastPollMode(payload []byte) (RequestFastPollMode, error) {
	r := zcl.NewReader(payload)
	c := RequestFastPollMode{UpdatePeriod: r.Uint8(), DurationMinutes: r.Uint8()}
	return c, r.Err("request fast poll mode")
}
