package gbcs

import "fmt"

// MessageCode names the use case of a message (GBCS "message code").
type MessageCode uint16

// The codes a communications hub and its meters meet most. The firmware ones
// have payload types in this package.
const (
	CodeAddDevice                   MessageCode = 0x0001
	CodeRemoveDevice                MessageCode = 0x0002
	CodeRestoreDeviceLog            MessageCode = 0x0003
	CodeActivateFirmware            MessageCode = 0x0012 // command and response
	CodeDeviceLogChangedAlert       MessageCode = 0x0018
	CodeReadESMEFirmwareVersion     MessageCode = 0x0059 // ESME and communications hub
	CodeCloseGSMEValve              MessageCode = 0x0081
	CodeReadGSMEValveStatus         MessageCode = 0x0082
	CodeReadGSMEFirmwareVersion     MessageCode = 0x0084
	CodeArmGSMEValve                MessageCode = 0x0085
	CodeActivateFirmwareAlert       MessageCode = 0x00CA // outcome of a dated activation
	CodeFutureDatedAlertDLMS        MessageCode = 0x00CC
	CodeFutureDatedAlertGBZ         MessageCode = 0x00CD
	CodeDistributionReceiptESME     MessageCode = 0x00CE
	CodeDistributionReceiptGSME     MessageCode = 0x00CF
	CodeFailureToDeliverToESMEAlert MessageCode = 0x00D5
	CodeReadDeviceLogs              MessageCode = 0x00FE
	CodeReadDeviceLogAndCheckHAN    MessageCode = 0x010F
	CodeFirmwareTransferAlert       MessageCode = 0x0128
	CodeReadPPMIDFirmwareVersion    MessageCode = 0x0129 // PPMID and HCALCS
	CodeGenericCriticalAlert        MessageCode = 0x1000
	CodeGenericNonCriticalAlert     MessageCode = 0x1001
)

// messageCodeNames also names the use cases that are only passed on, first of
// all those the gas proxy taps off.
var messageCodeNames = map[MessageCode]string{
	CodeAddDevice:                   "CCS01 Add Device to CHF Device Log",
	CodeRemoveDevice:                "CCS02 Remove Device from CHF Device Log",
	CodeRestoreDeviceLog:            "CCS03 Restore CHF Device Log",
	0x0004:                          "CCS05/CCS04 Read CHF Device Log / Check HAN Communications",
	0x0008:                          "CS02a Provide Security Credential Details",
	CodeActivateFirmware:            "CS06 Activate Firmware",
	0x0015:                          "CS11 Clear ZigBee Device Event Log",
	CodeDeviceLogChangedAlert:       "CS14 Device Addition To / Removal From HAN Whitelist Alert",
	CodeReadESMEFirmwareVersion:     "ECS52 Read ESME/Comms Hub Firmware Version",
	0x0062:                          "ECS70 Set Clock on ESME",
	0x006B:                          "GCS01a Set Tariff and Price on GSME",
	0x006F:                          "GCS05 Update Pre-payment Configurations on GSME",
	0x0071:                          "GCS07 Send Message to GSME",
	0x0074:                          "GCS13a Read GSME Consumption Register",
	0x007C:                          "GCS23 Set CV and Conversion Factor Value(s) on the GSME",
	0x007E:                          "GCS25 Set Billing Calendar on the GSME",
	0x007F:                          "GCS28 Set Clock on GSME",
	CodeCloseGSMEValve:              "GCS32 Remotely close the valve in the GSME",
	CodeReadGSMEValveStatus:         "GCS33 Read GSME Valve Status",
	CodeReadGSMEFirmwareVersion:     "GCS38 Read GSME Firmware Version",
	CodeArmGSMEValve:                "GCS39 Arm Valve in GSME",
	0x0088:                          "GCS44 Write Contact Details on GSME",
	0x008C:                          "GCS59 Restore GPF Device Log",
	0x0090:                          "PCS02 Activate Emergency Credit on GSME from PPMID",
	0x0097:                          "CS01b Apply Pre-payment Top Up to a GSME",
	0x009B:                          "PCS01 Apply Pre-payment Top Up to a GSME using PPMID",
	0x00A3:                          "GCS01b Set Price on GSME",
	0x00B2:                          "GCS62 Backup GPF Device Log",
	CodeActivateFirmwareAlert:       "Future Dated Firmware Activation Alert",
	CodeFutureDatedAlertDLMS:        "Future Dated Execution Of Instruction Alert (DLMS COSEM)",
	CodeFutureDatedAlertGBZ:         "Future Dated Execution Of Instruction Alert (GBZ)",
	CodeDistributionReceiptESME:     "Firmware Distribution Receipt Alert (ESME or Comms Hub)",
	CodeDistributionReceiptGSME:     "Firmware Distribution Receipt Alert (GSME)",
	CodeFailureToDeliverToESMEAlert: "Failure to Deliver Remote Party Message to ESME Alert",
	0x00D8:                          "GCS25a Set Billing Calendar on the GSME - all periodicities",
	0x00F0:                          "Meter Integrity Issue Warning Alert - ESME",
	0x00F2:                          "Meter Integrity Issue Warning Alert - GSME",
	CodeReadDeviceLogs:              "CCS07 Read CHF Device Logs",
	CodeReadDeviceLogAndCheckHAN:    "CCS06 Read CHF Device Log and check HAN communications",
	CodeFirmwareTransferAlert:       "CCS08 Firmware Transfer Alert",
	CodeReadPPMIDFirmwareVersion:    "CS08 Read PPMID/HCALCS Firmware Version",
	CodeGenericCriticalAlert:        "Generic Critical Alert",
	CodeGenericNonCriticalAlert:     "Generic Non Critical Alert",
}

// String returns the use case's number and name, or the code in hex.
func (c MessageCode) String() string {
	if name, ok := messageCodeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("message code %04X", uint16(c))
}
