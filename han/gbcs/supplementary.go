package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
)

// Supplementary names in the other information of a message the remote party for whom the
// access control broker gives a command: identifier(8) counter(8). The response repeats it.
type Supplementary struct {
	Party   han.EUI64
	Counter uint64 // its originator counter
}

// Append appends the other information.
func (s Supplementary) Append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(s.Party.AppendPrint(b), s.Counter)
}
