package gbcs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han/zcl"
)

// Log is one of the logs that a meter keeps of what happened to it.
type Log uint8

// The logs.
const (
	EventLog Log = iota
	SecurityLog
)

var logNames = [...]string{"event log", "security log"}

// String returns the log's name.
func (l Log) String() string { return logNames[l] }

// LogEntry is an entry of a log.
type LogEntry struct {
	Time zcl.UTCTime // by the meter's own clock
	Code AlertCode
	// Information says more about some codes; at most MaxInformation bytes, and none in a
	// security log.
	Information []byte
}

// String returns the entry in a line.
func (e LogEntry) String() string {
	line := fmt.Sprintf("%s %04X %s", e.Time.Time().Format(time.RFC3339), uint16(e.Code), e.Code)
	return strings.TrimSpace(fmt.Sprintf("%s %X", line, e.Information))
}

// MaxInformation is how many bytes of other information an entry holds: an assumption. So
// the whole of a log of 100 entries fits one message.
const MaxInformation = 4

// securityCodes are the codes that go into the security log, as the published responses of
// ECS35b and CS10b have them. Divergence: none is published with 8F30 or 8F3D; they are
// here since their kin are.
var securityCodes = []AlertCode{
	0x8F0C, 0x8F1B, 0x8F1C, 0x8F1E, 0x8F30, 0x8F3D, 0x8F3E, 0x8F3F, 0x8F43, 0x8F47, 0x8F48, 0x8F49, 0x8F4A, 0x8F4B,
	0x8F4C, 0x8F4D, 0x8F4E, 0x8F4F, 0x8F51, 0x8F52, 0x8F53, 0x8F5B, 0x8F60, 0x8F63, 0x8F64, 0x8F70, 0x8F72, 0x8F73,
	0x8F74, 0x8F75, 0x8F76, 0x8F77, 0x8F78, 0x8F82,
}

// LogOf returns the log that entries with a code go into.
func LogOf(c AlertCode) Log {
	if slices.Contains(securityCodes, c) {
		return SecurityLog
	}
	return EventLog
}
