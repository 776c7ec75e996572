package gbcs

import (
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

func init() { reads(CodeRemoveDevice, Command, ParseRemoveDeviceCommand) }

// RemoveDeviceCommand has the CHF drop a device from its device log (message code 0x0002,
// CCS02). It is MACed by the access control broker, who gives it, and not signed. On the
// wire it is a DLMS access request that executes unregister_device of the device log with
// the device's identifier, an octet-string(8).
type RemoveDeviceCommand struct {
	InvokeID uint32 // [InvokeIDOf] the message's counter
	Device   han.EUI64
}

// Append appends the payload.
func (c RemoveDeviceCommand) Append(b []byte) []byte {
	return dlms.AccessRequest{
		Head: accessHead(c.InvokeID), Descriptors: []dlms.Descriptor{unregisterDevice}, Data: []dlms.Data{entityIdentifier(c.Device)},
	}.Append(b)
}

// ParseRemoveDeviceCommand reads the payload.
func ParseRemoveDeviceCommand(payload []byte) (RemoveDeviceCommand, error) {
	return parseCOSEM("remove device command", payload, func(r *cosemReader) (RemoveDeviceCommand, error) {
		a := r.request(payload, 1)
		return RemoveDeviceCommand{InvokeID: invokeIDIn(a.Head), Device: r.eui("device", a.Data[0])}, nil
	})
}

// Fields implements [Payload].
func (c RemoveDeviceCommand) Fields() []Field {
	return []Field{field("invoke identifier", c.InvokeID), field("device", c.Device)}
}
