package metering

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// MirrorReportAttributeResponse answers the last report of a wake-up with what
// the hub has for the meter (0x09 from the client).
type MirrorReportAttributeResponse struct {
	Scheme NotificationScheme
	// Flags are the words of the scheme; the first are the functional
	// notification flags.
	Flags []uint32
}

// Functional returns the functional notification flags.
func (c MirrorReportAttributeResponse) Functional() FunctionalNotificationFlags {
	if len(c.Flags) == 0 {
		return 0
	}
	return FunctionalNotificationFlags(c.Flags[0])
}

// Append implements zcl.Command.
func (c MirrorReportAttributeResponse) Append(b []byte) []byte {
	b = append(b, byte(c.Scheme))
	for _, word := range c.Flags {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

// ParseMirrorReportAttributeResponse reads the payload: a scheme and at least
// one word, as many as there are. A sender may leave words of the scheme out at
// the end; they count as 0. A truncated word is refused.
func ParseMirrorReportAttributeResponse(payload []byte) (MirrorReportAttributeResponse, error) {
	const what = "mirror report attribute response"
	r := zcl.NewReader(payload)
	c := MirrorReportAttributeResponse{Scheme: NotificationScheme(r.Uint8())}
	c.Flags = make([]uint32, 0, max(0, r.Remaining())/4+1)
	for {
		c.Flags = append(c.Flags, r.Uint32())
		if err := r.Err(what); err != nil {
			return MirrorReportAttributeResponse{}, err
		}
		if r.Remaining() == 0 {
			return c, nil
		}
	}
}
