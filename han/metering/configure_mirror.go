package metering

import (
	"encoding/binary"
	"time"

	"github.com/commshub/commshub/han/zcl"
)

// ConfigureMirror tells the gas proxy how the meter will report (0x08 from the
// server).
type ConfigureMirror struct {
	IssuerEventID     uint32 // a later command with a larger one replaces this one
	ReportingInterval uint32 // seconds, 24 bits; 1800 in GB
	// NotificationReporting asks for a [MirrorReportAttributeResponse] after each report.
	NotificationReporting bool
	Scheme                NotificationScheme
}

// Interval returns the reporting interval as a duration.
func (c ConfigureMirror) Interval() time.Duration {
	return time.Duration(c.ReportingInterval) * time.Second
}

// Append implements zcl.Command. Of ReportingInterval it appends the low 24 bits.
func (c ConfigureMirror) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, c.IssuerEventID)
	b = appendUint24(b, c.ReportingInterval)
	b = appendBool(b, c.NotificationReporting)
	return append(b, byte(c.Scheme))
}

// ParseConfigureMirror reads the 9 bytes payload.
func ParseConfigureMirror(payload []byte) (ConfigureMirror, error) {
	r := zcl.NewReader(payload)
	c := ConfigureMirror{
		IssuerEventID:         r.Uint32(),
		ReportingInterval:     r.Uint24(),
		NotificationReporting: r.Uint8() != 0,
		Scheme:                NotificationScheme(r.Uint8()),
	}
	return c, r.Err("configure mirror")
}

func appendUint24(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
