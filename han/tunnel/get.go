package tunnel

import "fmt"

// Get asks the hub for the next message that waits for the meter. It is the
// whole data, one byte.
type Get struct{}

// Append appends the data.
func (Get) Append(b []byte) []byte { return append(b, byte(PrefixGet)) }

// ParseGet reads the data of a TransferData.
func ParseGet(data []byte) (Get, error) {
	if err := expect(PrefixGet, data, 1); err != nil {
		return Get{}, err
	}
	if len(data) > 1 {
		return Get{}, fmt.Errorf("parse %s: %d bytes after the prefix", PrefixGet, len(data)-1)
	}
	return Get{}, nil
}
