package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

func init() { reads(CodeAddDevice, Command, ParseAddDeviceCommand) }

// InstallCodeSize is how many bytes of an install code a command carries: those without its
// CRC.
const InstallCodeSize = 16

// DefaultJoinTimeout is how long devices may join, in seconds, in the published command.
const DefaultJoinTimeout = 90

// AddDeviceCommand has the CHF take a device into its device log (message code 0x0001,
// CCS01). It is MACed by the access control broker, who gives it, and not signed. On the
// wire it is a DLMS access request that executes register_device, and sets join_timeout and
// enable_disable_joining of the device log:
//
//	register_device: structure { ieee_address octet-string(8), key_type enum, key
//	                 octet-string, device_type enum }
//	join_timeout: long-unsigned
//	enable_disable_joining: boolean
//
// Divergence: a device that joins by its certificate alone has no install code; of it the
// key type is 0 and the key empty. What is published has key type 1, install code.
type AddDeviceCommand struct {
	InvokeID       uint32 // [InvokeIDOf] the message's counter
	Device         han.EUI64
	HasInstallCode bool
	InstallCode    [InstallCodeSize]byte // only with HasInstallCode
	DeviceType     uint8                 // 0 ESME, 1 GSME, 13 HCALCS, 128 IHD, 130 CAD, 132 PPMID, 254 GPF
	JoinTimeout    uint16                // seconds
}

const (
	keyTypeNone        = 0
	keyTypeInstallCode = 1

	cosemTrue = 0xFF
)

// Append appends the payload.
func (c AddDeviceCommand) Append(b []byte) []byte {
	keyType, key := byte(keyTypeNone), []byte(nil)
	if c.HasInstallCode {
		keyType, key = keyTypeInstallCode, c.InstallCode[:]
	}
	return dlms.AccessRequest{
		Head:        accessHead(c.InvokeID),
		Descriptors: []dlms.Descriptor{registerDevice, joinTimeout, enableJoining},
		Data: []dlms.Data{
			structure(entityIdentifier(c.Device), datum(dlms.Enum, keyType), octetString(key), datum(dlms.Enum, c.DeviceType)),
			datum(dlms.LongUnsigned, binary.BigEndian.AppendUint16(nil, c.JoinTimeout)...),
			datum(dlms.Boolean, cosemTrue),
		},
	}.Append(b)
}

// ParseAddDeviceCommand reads the payload.
func ParseAddDeviceCommand(payload []byte) (AddDeviceCommand, error) {
	return parseCOSEM("add device command", payload, func(r *cosemReader) (c AddDeviceCommand, err error) {
		a := r.request(payload, 3)
		c.InvokeID = invokeIDIn(a.Head)
		device := r.elements("device", a.Data[0], dlms.Structure, 4)
		c.Device = r.eui("ieee address", device[0])
		c.DeviceType = r.value("device type", device[3], dlms.Enum, 1)[0]
		if r.value("key type", device[1], dlms.Enum, 1)[0] == keyTypeInstallCode {
			c.HasInstallCode = true
			copy(c.InstallCode[:], r.value("key", device[2], dlms.OctetString, InstallCodeSize))
		}
		c.JoinTimeout = binary.BigEndian.Uint16(r.value("join timeout", a.Data[1], dlms.LongUnsigned, 2))
		return c, nil
	})
}

// Fields implements [Payload]. The install code is a secret, and stays one.
func (c AddDeviceCommand) Fields() []Field {
	return []Field{field("invoke identifier", c.InvokeID), field("device", c.Device), field("device type", c.DeviceType),
		field("install code", c.HasInstallCode), field("join timeout", c.JoinTimeout)}
}
