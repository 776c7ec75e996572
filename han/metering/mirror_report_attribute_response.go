package metering

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han/zcl"
)

// MirrorReportAttributeResponse answers the last report of a wake-up with what
// the hub has for the meter (0x09 from the client).
type MirrorReportAttributeResponse struct {
	Scheme NotificationScheme
	// Words is how many of Flags are there, 1 to MaxNotificationWords.
	Words int
	// Flags are the words of the scheme; the first are the functional
	// notification flags.
	Flags [MaxNotificationWords]uint32
}

// MaxNotificationWords is how many words there are: the functional notification
// flags and notification flags 2 to 8.
const MaxNotificationWords = 8

// Functional returns the functional notification flags.
func (c MirrorReportAttributeResponse) Functional() FunctionalNotificationFlags {
	return FunctionalNotificationFlags(c.Flags[0])
}

// Append implements zcl.Command.
func (c MirrorReportAttributeResponse) Append(b []byte) []byte {
	b = append(b, byte(c.Scheme))
	for _, word := range c.Flags[:c.Words] {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

// ParseMirrorReportAttributeResponse reads the payload: a scheme and at least
// one word, as many as there are. A sender may leave words of the scheme out at
// the end; they count as 0. A truncated word is refused, and one too many.
func ParseMirrorReportAttributeResponse(payload []byte) (MirrorReportAttributeResponse, error) {
	const what = "mirror report attribute response"
	r := zcl.NewReader(payload)
	c := MirrorReportAttributeResponse{Scheme: NotificationScheme(r.Uint8())}
	for r.Remaining() > 0 || c.Words == 0 {
		if c.Words == MaxNotificationWords {
			return MirrorReportAttributeResponse{}, fmt.Errorf("parse %s: more than %d words of flags", what, MaxNotificationWords)
		}
		c.Flags[c.Words] = r.Uint32()
		c.Words++
		if err := r.Err(what); err != nil {
			return MirrorReportAttributeResponse{}, err
		}
	}
	return c, nil
}
