package gbcs

import "fmt"

// MessageCode names the use case of a message (GBCS "message code"). What it
// stands for is in the table, see [UseCase].
type MessageCode uint16

// String returns the use case's number and title, or the code in hex.
func (c MessageCode) String() string {
	if u, ok := useCases[c]; ok {
		return u.String()
	}
	return fmt.Sprintf("message code %04X", uint16(c))
}

// The codes of use cases whose payload is only passed on, and which are named somewhere.
const (
	CodeAddDevice                   MessageCode = 0x0001
	CodeRemoveDevice                MessageCode = 0x0002
	CodeRestoreDeviceLog            MessageCode = 0x0003
	CodeDeviceLogChangedAlert       MessageCode = 0x0018
	CodeCloseGSMEValve              MessageCode = 0x0081
	CodeReadGSMEValveStatus         MessageCode = 0x0082
	CodeArmGSMEValve                MessageCode = 0x0085
	CodeFutureDatedAlertDLMS        MessageCode = 0x00CC
	CodeFutureDatedAlertGBZ         MessageCode = 0x00CD
	CodeFailureToDeliverToESMEAlert MessageCode = 0x00D5
	CodeReadDeviceLogs              MessageCode = 0x00FE
	CodeReadDeviceLogAndCheckHAN    MessageCode = 0x010F
	CodeReadPPMIDFirmwareVersion    MessageCode = 0x0129
)
