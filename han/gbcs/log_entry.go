package gbcs

import (
	"slices"

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

// MaxInformation is how many bytes of other information an entry holds: an assumption. So
// the whole of a log of 100 entries fits one message.
const MaxInformation = 4

// securityCodes are the codes that go into the security log, as the published responses of
// ECS35b and CS10b have them. Divergence: none is published with 8F30 or 8F3D; they are
// here since their kin are.
var securityCodes = []AlertCode{
	AlertClockNotAdjusted,
	AlertFirmwareVerificationFailedAtPowerOn, AlertFirmwareVerificationFailed,
	AlertCommandIntegrityCheckFailed, AlertSourceLacksAuthority, AlertTrustedSourceAuthenticationFailure,
	AlertTamperDetect, AlertFirmwareVersionChanged,
	AlertDeviceJoiningFailed, AlertDeviceJoiningSucceeded, AlertOtherAuthenticationFailure,
	AlertUnusualMalformedCommands, AlertFirmwareVerificationSuccessful,
	AlertBatteryCoverRemoved, AlertMeterCoverRemoved, AlertMagneticField,
	AlertBatteryCapacityReset,
}

// LogOf returns the log that entries with a code go into.
func LogOf(c AlertCode) Log {
	if slices.Contains(securityCodes, c) {
		return SecurityLog
	}
	return EventLog
}
