package gbcs

import (
	"fmt"
	"maps"
	"slices"
)

// AlertCode numbers an alert or an entry of a device's event log (GBCS "alert
// code").
type AlertCode uint16

// The codes a communications hub and its meters raise, by what they are about.
// Two independent decoders of GBCS messages agree on them, except that only one
// knows 8F89, 8F8A and 8F8B.
const (
	// About firmware. Mind the order of the first two.
	AlertFirmwareVerificationSuccessful       AlertCode = 0x8F72
	AlertFirmwareVerificationFailed           AlertCode = 0x8F1C
	AlertFirmwareVerificationFailedAtPowerOn  AlertCode = 0x8F1B
	AlertFirmwareVersionChanged               AlertCode = 0x8F43
	AlertMetrologyFirmwareVerificationFailure AlertCode = 0x81AD
	AlertFirmwareTransferSuccess              AlertCode = 0x8F8A
	AlertFirmwareTransferFail                 AlertCode = 0x8F89
	AlertReadFirmwareVersion                  AlertCode = 0x8F8B

	// About commands.
	AlertImmediateCommandActioned           AlertCode = 0x8154
	AlertImmediateCommandNotActioned        AlertCode = 0x8155
	AlertFutureDatedCommandActioned         AlertCode = 0x8F66
	AlertFutureDatedCommandNotActioned      AlertCode = 0x8F67
	AlertCommandIntegrityCheckFailed        AlertCode = 0x8F1E
	AlertSourceLacksAuthority               AlertCode = 0x8F30
	AlertTrustedSourceAuthenticationFailure AlertCode = 0x8F3D
	AlertOtherAuthenticationFailure         AlertCode = 0x8F53
	AlertUnusualMalformedCommands           AlertCode = 0x8F60
	AlertGSMECommandNotRetrieved            AlertCode = 0x819D
	AlertTapOffFailure                      AlertCode = 0x819E
	AlertFailureToDeliverToESME             AlertCode = 0x8F84

	// About the HAN and its device logs.
	AlertCHFDeviceLogChanged    AlertCode = 0x8F12
	AlertGPFDeviceLogChanged    AlertCode = 0x8071
	AlertDeviceJoinedSMHAN      AlertCode = 0x8183
	AlertDeviceJoiningFailed    AlertCode = 0x8F48
	AlertDeviceJoiningSucceeded AlertCode = 0x8F49
	AlertDeviceCommissioned     AlertCode = 0x8F69
	AlertCloseTunnelRejected    AlertCode = 0x81A4
	AlertRequestTunnelRejected  AlertCode = 0x81BA

	// About a meter itself.
	AlertGSMEPowerSupplyLoss     AlertCode = 0x8F1D
	AlertLowBatteryCapacity      AlertCode = 0x8F1F
	AlertBatteryCapacityReset    AlertCode = 0x8F82
	AlertBatteryCoverRemoved     AlertCode = 0x8F73
	AlertBatteryCoverClosed      AlertCode = 0x81A1
	AlertMeterCoverRemoved       AlertCode = 0x8F74
	AlertMeterCoverClosed        AlertCode = 0x81B9
	AlertMagneticField           AlertCode = 0x8F75
	AlertMagneticFieldRemoved    AlertCode = 0x81BC
	AlertTilt                    AlertCode = 0x81C3
	AlertTiltEnded               AlertCode = 0x81C2
	AlertTamperDetect            AlertCode = 0x8F3F
	AlertIntegrityIssue          AlertCode = 0x81A0
	AlertMeasurementFault        AlertCode = 0x81AC
	AlertNonVolatileMemory       AlertCode = 0x81AE
	AlertProgramExecution        AlertCode = 0x81AF
	AlertProgramStorage          AlertCode = 0x81B0
	AlertRAM                     AlertCode = 0x81B1
	AlertUnexpectedHardwareReset AlertCode = 0x81B2
	AlertWatchdog                AlertCode = 0x81B3

	// About the supply.
	AlertExcessGasFlow                 AlertCode = 0x81B4
	AlertAirInGasFlow                  AlertCode = 0x81B5
	AlertReverseGasFlow                AlertCode = 0x81B6
	AlertSupplyConnectFailure          AlertCode = 0x81BD
	AlertSupplyDisconnectFailure       AlertCode = 0x81C0
	AlertSupplyLockedByTamper          AlertCode = 0x81BE
	AlertSupplyArmedByUncontrolledFlow AlertCode = 0x81BF
	AlertSupplyArmed                   AlertCode = 0x8F32
	AlertValveTested                   AlertCode = 0x8184
	AlertSupplyOutageRestored          AlertCode = 0x8F35
	AlertSupplyOutageRestoredLong      AlertCode = 0x8F36

	// About prepayment.
	AlertCreditBelowDisablementThreshold AlertCode = 0x8F0F
	AlertCreditExceedsMaximumBalance     AlertCode = 0x8F47
	AlertDuplicateUTRN                   AlertCode = 0x8F51
	AlertUTRNExceedsMaximumCredit        AlertCode = 0x8F5B
	AlertUTRNNotAuthentic                AlertCode = 0x8F63
	AlertUTRNNotForThisDevice            AlertCode = 0x8F64
	AlertUTRNEntrySuspended              AlertCode = 0x81C4
	AlertUTRNLockedOut                   AlertCode = 0x81C5

	// About clocks.
	AlertClockAdjusted         AlertCode = 0x8145
	AlertClockNotAdjusted      AlertCode = 0x8F0C
	AlertClockOutsideTolerance AlertCode = 0x81C6

	// About the 868 MHz band of a dual-band hub.
	AlertLimitedDutyCycle            AlertCode = 0x8F20
	AlertLimitedDutyCycleEnded       AlertCode = 0x8F21
	AlertCriticalDutyCycle           AlertCode = 0x8F22
	AlertCriticalDutyCycleEnded      AlertCode = 0x8F23
	AlertRegulatedDutyCycle          AlertCode = 0x8F24
	AlertRegulatedDutyCycleEnded     AlertCode = 0x8F25
	AlertSubGHzChannelChanged        AlertCode = 0x8F26
	AlertSubGHzChannelScan           AlertCode = 0x8F27
	AlertSubGHzChannelScanOutcome    AlertCode = 0x8F28
	AlertLostGSMESearchesFailed      AlertCode = 0x8F29
	AlertSubGHzConfigurationChanged  AlertCode = 0x8F2A
	AlertSubGHzChannelNotChanged     AlertCode = 0x8F2B
	AlertMessageDiscardedByDutyCycle AlertCode = 0x8F2C
	AlertNoMoreSubGHzCapacity        AlertCode = 0x8F2D
)

var alertCodeNames = map[AlertCode]string{
	AlertFirmwareVerificationSuccessful:       "Firmware Verification Successful",
	AlertFirmwareVerificationFailed:           "Firmware Verification Failed",
	AlertFirmwareVerificationFailedAtPowerOn:  "Firmware Verification Failed At Power On",
	AlertFirmwareVersionChanged:               "Change in the executing Firmware version",
	AlertMetrologyFirmwareVerificationFailure: "Error Metrology Firmware Verification Failure",
	AlertFirmwareTransferSuccess:              "Firmware transfer alert SUCCESS",
	AlertFirmwareTransferFail:                 "Firmware transfer alert FAIL",
	AlertReadFirmwareVersion:                  "Read Firmware version alert",
	AlertImmediateCommandActioned:             "Immediate HAN Interface Command Received and Successfully Actioned",
	AlertImmediateCommandNotActioned:          "Immediate HAN Interface Command Received but not Successfully Actioned",
	AlertFutureDatedCommandActioned:           "Future-date HAN Interface Command Successfully Actioned",
	AlertFutureDatedCommandNotActioned:        "Future-date HAN Interface Command not Successfully Actioned",
	AlertCommandIntegrityCheckFailed:          "Integrity check of content or format of command failed",
	AlertSourceLacksAuthority:                 "Source Does not have Authority for Command",
	AlertTrustedSourceAuthenticationFailure:   "Trusted Source Authentication Failure",
	AlertOtherAuthenticationFailure:           "Failed Authentication or Authorisation not covered by other codes",
	AlertUnusualMalformedCommands:             "Unusual numbers of malformed, out-of-order or unexpected Commands received",
	AlertGSMECommandNotRetrieved:              "GSME Command Not Retrieved",
	AlertTapOffFailure:                        "Tap Off Message Response or Alert Failure",
	AlertFailureToDeliverToESME:               "Failure to Deliver Remote Party Message to ESME",
	AlertCHFDeviceLogChanged:                  "CHF Device Log Changed",
	AlertGPFDeviceLogChanged:                  "GPF Device Log Changed",
	AlertDeviceJoinedSMHAN:                    "Device joined SMHAN",
	AlertDeviceJoiningFailed:                  "Device joining failed",
	AlertDeviceJoiningSucceeded:               "Device joining succeeded",
	AlertDeviceCommissioned:                   "Device commissioned",
	AlertCloseTunnelRejected:                  "Close Tunnel Command Rejected",
	AlertRequestTunnelRejected:                "Request Tunnel Command Rejected",
	AlertGSMEPowerSupplyLoss:                  "GSME Power Supply Loss",
	AlertLowBatteryCapacity:                   "Low Battery Capacity",
	AlertBatteryCapacityReset:                 "Remaining Battery Capacity reset",
	AlertBatteryCoverRemoved:                  "Unauthorised Physical Access - Battery Cover Removed",
	AlertBatteryCoverClosed:                   "Battery Cover Closed",
	AlertMeterCoverRemoved:                    "Unauthorised Physical Access - Meter Cover Removed",
	AlertMeterCoverClosed:                     "Meter Cover Closed",
	AlertMagneticField:                        "Unauthorised Physical Access - Strong Magnetic field",
	AlertMagneticFieldRemoved:                 "Strong Magnetic Field Removed",
	AlertTilt:                                 "Tilt Tamper",
	AlertTiltEnded:                            "Tilt Tamper Ended",
	AlertTamperDetect:                         "Unauthorised Physical Access - Tamper Detect",
	AlertIntegrityIssue:                       "Smart Meter Integrity Issue - Warning",
	AlertMeasurementFault:                     "Error Measurement Fault",
	AlertNonVolatileMemory:                    "Error Non Volatile Memory",
	AlertProgramExecution:                     "Error Program Execution",
	AlertProgramStorage:                       "Error Program Storage",
	AlertRAM:                                  "Error RAM",
	AlertUnexpectedHardwareReset:              "Error Unexpected Hardware Reset",
	AlertWatchdog:                             "Error Watchdog",
	AlertExcessGasFlow:                        "Excess Gas Flow Beyond Meter Capacity",
	AlertAirInGasFlow:                         "Flow Sensor Detects Air in Gas Flow",
	AlertReverseGasFlow:                       "Flow Sensor Detects Reverse Flow of Gas",
	AlertSupplyConnectFailure:                 "Supply Connect Failure (Valve or Load Switch)",
	AlertSupplyDisconnectFailure:              "Supply Disconnect Failure (Valve or Load Switch)",
	AlertSupplyLockedByTamper:                 "Supply Disabled Then Locked - Supply Tamper State Cause",
	AlertSupplyArmedByUncontrolledFlow:        "Supply Disabled Then Armed - Uncontrolled Gas Flow Rate",
	AlertSupplyArmed:                          "Supply Armed",
	AlertValveTested:                          "Valve tested",
	AlertSupplyOutageRestored:                 "Supply Outage Restored",
	AlertSupplyOutageRestoredLong:             "Supply Outage Restored - Outage >= 3 minutes",
	AlertCreditBelowDisablementThreshold:      "Credit Below Disablement Threshold (prepayment mode)",
	AlertCreditExceedsMaximumBalance:          "Credit would cause Meter Balance to exceed Maximum Meter Balance Threshold",
	AlertDuplicateUTRN:                        "Duplicate UTRN entered",
	AlertUTRNExceedsMaximumCredit:             "UTRN exceeds Maximum Credit Threshold",
	AlertUTRNNotAuthentic:                     "UTRN not Authentic",
	AlertUTRNNotForThisDevice:                 "UTRN not for this Device",
	AlertUTRNEntrySuspended:                   "UTRN Manual Entry Suspended",
	AlertUTRNLockedOut:                        "UTRN rejected as locked out",
	AlertClockAdjusted:                        "Clock adjusted (within tolerance)",
	AlertClockNotAdjusted:                     "Clock not adjusted (adjustment greater than 10 seconds)",
	AlertClockOutsideTolerance:                "Clock not adjusted (outside tolerance)",
	AlertLimitedDutyCycle:                     "Limited Duty Cycle Action Taken",
	AlertLimitedDutyCycleEnded:                "Duty Cycle fallen below Normal-Limited Duty Cycle Threshold",
	AlertCriticalDutyCycle:                    "Critical Duty Cycle Action Taken",
	AlertCriticalDutyCycleEnded:               "Duty Cycle fallen below Limited-Critical Duty Cycle Threshold",
	AlertRegulatedDutyCycle:                   "Regulated Duty Cycle Action Taken",
	AlertRegulatedDutyCycleEnded:              "Duty Cycle fallen below Critical-Regulated Duty Cycle Threshold",
	AlertSubGHzChannelChanged:                 "Sub GHz Channel Changed",
	AlertSubGHzChannelScan:                    "Sub GHz Channel Scan initiated",
	AlertSubGHzChannelScanOutcome:             "Sub GHz Channel Scan Request Assessment Outcome",
	AlertLostGSMESearchesFailed:               "Three Lost GSME Searches Failed",
	AlertSubGHzConfigurationChanged:           "Sub GHz Configuration Changed",
	AlertSubGHzChannelNotChanged:              "Sub GHz Channel not changed due to Frequency Agility Parameters",
	AlertMessageDiscardedByDutyCycle:          "Message Discarded Due to Duty Cycle Management",
	AlertNoMoreSubGHzCapacity:                 "No More Sub GHz Device Capacity",
}

// String returns the alert's name, or the code in hex.
func (c AlertCode) String() string {
	if name, ok := alertCodeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("alert code %04X", uint16(c))
}

// AlertCodes returns the codes that have a name, in ascending order.
func AlertCodes() []AlertCode { return slices.Sorted(maps.Keys(alertCodeNames)) }
