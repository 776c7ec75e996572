package tunnel

import "fmt"

// getResponseSize is the size of a GET-RESPONSE without a message: prefix and
// count.
const getResponseSize = 2

// GetResponse answers [Get] with the oldest message that waits for the meter.
type GetResponse struct {
	Remaining uint8  // messages that wait after this one; the meter GETs again until it is 0
	Message   []byte // a GBCS message; empty if none waits, then Remaining is 0
}

// Append appends the data: prefix, count, message.
func (c GetResponse) Append(b []byte) []byte {
	return append(append(b, byte(PrefixGetResponse), c.Remaining), c.Message...)
}

// ParseGetResponse reads the data of a TransferData. Message aliases data, and
// is nil if there is none.
func ParseGetResponse(data []byte) (GetResponse, error) {
	if err := expect(PrefixGetResponse, data, getResponseSize); err != nil {
		return GetResponse{}, err
	}
	c := GetResponse{Remaining: data[1]}
	if len(data) > getResponseSize {
		c.Message = data[getResponseSize:]
		return c, nil
	}
	if c.Remaining > 0 {
		return GetResponse{}, fmt.Errorf("parse %s: no message, but %d remain", PrefixGetResponse, c.Remaining)
	}
	return c, nil
}
