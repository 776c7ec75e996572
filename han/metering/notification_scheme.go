package metering

// NotificationScheme says which flag words a [MirrorReportAttributeResponse]
// carries. 0x81 to 0xFE are left to market participants.
type NotificationScheme uint8

// The predefined schemes.
const (
	SchemeNone NotificationScheme = 0x00
	// SchemeA has the functional notification flags only.
	SchemeA NotificationScheme = 0x01
	// SchemeB has the functional notification flags and notification flags 2 to
	// 5. GB meters configure it (GBCS 10.2.2.2 as cited by implementers).
	SchemeB NotificationScheme = 0x02
)

// Words returns the number of flag words of a predefined scheme, 0 of others.
func (s NotificationScheme) Words() int {
	switch s {
	case SchemeA:
		return 1
	case SchemeB:
		return 5
	default:
		return 0
	}
}
