package zcl

// DefaultResponse answers a command that has no answer of its own, or one that
// could not be carried out (ZCL §2.5.12).
type DefaultResponse struct {
	Command uint8 // identifier of the command it answers
	Status  Status
}

// Append implements [Command].
func (c DefaultResponse) Append(b []byte) []byte { return append(b, c.Command, byte(c.Status)) }

// Confirms reports whether the peer took a command. One that it refused may be another
// than was sent: a bit may have been turned on the way.
func (c DefaultResponse) Confirms(command uint8) bool {
	return c.Command == command && c.Status == StatusSuccess
}

// ParseDefaultResponse reads the 2-byte payload.
func ParseDefaultResponse(payload []byte) (DefaultResponse, error) {
	r := NewReader(payload)
	c := DefaultResponse{Command: r.Uint8(), Status: Status(r.Uint8())}
	return c, r.Err("default response")
}
