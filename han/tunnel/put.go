package tunnel

// Put hands the hub a message from the meter: a response or an alert.
type Put struct{ Message []byte }

// Append appends the data: prefix and message.
func (c Put) Append(b []byte) []byte { return append(append(b, byte(PrefixPut)), c.Message...) }

// ParsePut reads the data of a TransferData. Message aliases data.
func ParsePut(data []byte) (Put, error) {
	if err := expect(PrefixPut, data, 2); err != nil {
		return Put{}, err
	}
	return Put{Message: data[1:]}, nil
}
