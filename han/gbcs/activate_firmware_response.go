package gbcs

// ActivateFirmwareResponse answers an [ActivateFirmwareCommand] (message code
// 0x0012, CS06). The device signs it and adds no MAC. On the wire it is NULL or
// the outcome's SEQUENCE.
type ActivateFirmwareResponse struct {
	// Accepted tells that a dated command, or a cancellation, was taken; its
	// outcome follows later in an [ActivateFirmwareAlert].
	Accepted bool
	Outcome  ActivationOutcome // only without Accepted
}

// Append appends the payload.
func (c ActivateFirmwareResponse) Append(b []byte) []byte {
	if c.Accepted {
		return append(b, derNull, 0)
	}
	return c.Outcome.append(b)
}

// ParseActivateFirmwareResponse reads the payload.
func ParseActivateFirmwareResponse(payload []byte) (ActivateFirmwareResponse, error) {
	r := newReader("activate firmware response", payload)
	var c ActivateFirmwareResponse
	if r.peek() == derNull {
		r.expect("acceptance", derNull, 0)
		c.Accepted = true
	} else {
		c.Outcome = r.activationOutcome()
	}
	if err := r.done(); err != nil {
		return ActivateFirmwareResponse{}, err
	}
	return c, nil
}

// Fields implements [Payload].
func (c ActivateFirmwareResponse) Fields() []Field {
	if c.Accepted {
		return []Field{field("accepted", true)}
	}
	return c.Outcome.fields()
}
