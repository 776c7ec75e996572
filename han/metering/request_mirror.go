package metering

// RequestMirror asks the gas proxy to keep a mirror of the meter (0x01 from the
// server). It has no payload; [RequestMirrorResponse] answers it.
type RequestMirror struct{}

// Append implements zcl.Command.
func (RequestMirror) Append(b []byte) []byte { return b }

// ParseRequestMirror takes every payload, because later revisions may add fields.
func ParseRequestMirror([]byte) (RequestMirror, error) { return RequestMirror{}, nil }
