package gbcs

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// AlertCode numbers an alert or an entry of a device's event log (GBCS "alert
// code").
type AlertCode uint16

// The codes that are named somewhere in this house, by what they are about. All of them,
// with their text, are in alert_codes.txt.
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

//go:embed alert_codes.txt
var alertCodeTable string

// alertCodeNames is the table by code.
var alertCodeNames = readAlertCodes(alertCodeTable)

// readAlertCodes reads the table: a code and its text in each row. A row that cannot be
// read is a programmer's error and panics.
func readAlertCodes(table string) map[AlertCode]string {
	names := make(map[AlertCode]string)
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		code, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.ParseUint(code, 16, 16)
		if _, twice := names[AlertCode(v)]; err != nil || twice || text == "" {
			panic(fmt.Sprintf("gbcs: alert_codes.txt: row %q, want a code of its own and a text", line))
		}
		names[AlertCode(v)] = text
	}
	return names
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
