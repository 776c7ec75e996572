package gbcs

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

func init() {
	reads(CodeRestoreDeviceLog, Command, ParseRestoreDeviceLogCommand)
	reads(CodeDeviceLogChangedAlert, Alert, ParseDeviceLogChangedAlert)
}

// LinkKeyHashSize is the size of a hashed trust centre link key in bytes.
const LinkKeyHashSize = 16

// LoggedDevice is what a backup of a device log has of a device.
type LoggedDevice struct {
	Device han.EUI64
	// LinkKeyHash is the hash of its trust centre link key.
	LinkKeyHash [LinkKeyHashSize]byte
}

// DeviceLogChangedAlert tells the access control broker that the CHF's device log is not
// what it was, with a backup of it (message code 0x0018, CS14). It is MACed, not signed. On
// the wire it is a DLMS alert with one element:
//
//	structure { date_time octet-string(12), extended_PAN_ID octet-string(8),
//	array of structure { MAC_address octet-string(8), hashed_TC_link_key octet-string(16) } }
type DeviceLogChangedAlert struct {
	AlertHead             // in LayoutDLMS
	ExtendedPAN han.EUI64 // extended PAN identifier
	Devices     []LoggedDevice
}

// RestoreDeviceLogCommand has the CHF make its device log again what a backup has (message
// code 0x0003, CCS03). It is MACed by the access control broker, who gives it, and not
// signed. On the wire it is a DLMS access request that executes restore_PAN of the device
// log with
//
//	structure { extended_PAN_ID octet-string(8), array of structure { MAC_address
//	octet-string(8), hashed_TC_link_key octet-string(16) } }
type RestoreDeviceLogCommand struct {
	InvokeID    uint32 // [InvokeIDOf] the message's counter
	ExtendedPAN han.EUI64
	Devices     []LoggedDevice
}

func loggedDevices(devices []LoggedDevice) dlms.Data {
	elements := make([]dlms.Data, len(devices))
	for i, d := range devices {
		elements[i] = structure(entityIdentifier(d.Device), octetString(d.LinkKeyHash[:]))
	}
	return arrayOf(elements)
}

func (r *cosemReader) loggedDevices(d dlms.Data) (devices []LoggedDevice) {
	for _, e := range r.elements("devices", d, dlms.Array, -1) {
		pair := r.elements("device", e, dlms.Structure, 2)
		l := LoggedDevice{Device: r.eui("MAC address", pair[0])}
		copy(l.LinkKeyHash[:], r.value("hashed link key", pair[1], dlms.OctetString, LinkKeyHashSize))
		devices = append(devices, l)
	}
	return devices
}

// Append appends the payload.
func (c DeviceLogChangedAlert) Append(b []byte) []byte {
	date := DateTimeOf(c.Time)
	return structure(octetString(date[:]), entityIdentifier(c.ExtendedPAN), loggedDevices(c.Devices)).Append(c.append(b, 1))
}

// ParseDeviceLogChangedAlert reads the payload.
func ParseDeviceLogChangedAlert(payload []byte) (DeviceLogChangedAlert, error) {
	return parseCOSEM("device log changed alert", payload, func(r *cosemReader) (c DeviceLogChangedAlert, err error) {
		n, err := dlms.ParseDataNotification(payload, 0)
		if err != nil {
			return c, err
		}
		alert := r.elements("alert", n.Body, dlms.Structure, alertHeadElements+1)
		c.InvokeID = invokeIDIn(n.Head)
		c.Code = AlertCode(binary.BigEndian.Uint16(r.value("alert code", alert[0], dlms.LongUnsigned, 2)))
		c.Time, err = DateTime(r.value("time", alert[1], dlms.OctetString, len(DateTime{}))).UTCTime()
		backup := r.elements("backup", alert[2], dlms.Structure, 3)
		c.ExtendedPAN = r.eui("extended PAN identifier", backup[1])
		c.Devices = r.loggedDevices(backup[2])
		if r.err != nil {
			return c, r.err
		}
		return c, err
	})
}

// Fields implements [Payload].
func (c DeviceLogChangedAlert) Fields() []Field {
	return append(append(c.fields(), field("extended PAN identifier", c.ExtendedPAN)), loggedFields(c.Devices)...)
}

func loggedFields(devices []LoggedDevice) (fields []Field) {
	for _, d := range devices {
		fields = append(fields, field("device", d.Device), bytesField("hashed link key", d.LinkKeyHash[:]))
	}
	return fields
}

// Append appends the payload.
func (c RestoreDeviceLogCommand) Append(b []byte) []byte {
	return dlms.AccessRequest{
		Head: accessHead(c.InvokeID), Descriptors: []dlms.Descriptor{restorePAN},
		Data: []dlms.Data{structure(entityIdentifier(c.ExtendedPAN), loggedDevices(c.Devices))},
	}.Append(b)
}

// ParseRestoreDeviceLogCommand reads the payload.
func ParseRestoreDeviceLogCommand(payload []byte) (RestoreDeviceLogCommand, error) {
	return parseCOSEM("restore device log command", payload, func(r *cosemReader) (c RestoreDeviceLogCommand, err error) {
		a := r.request(payload, 1)
		c.InvokeID = invokeIDIn(a.Head)
		backup := r.elements("backup", a.Data[0], dlms.Structure, 2)
		c.ExtendedPAN = r.eui("extended PAN identifier", backup[0])
		c.Devices = r.loggedDevices(backup[1])
		return c, nil
	})
}

// Fields implements [Payload].
func (c RestoreDeviceLogCommand) Fields() []Field {
	return append([]Field{field("invoke identifier", c.InvokeID), field("extended PAN identifier", c.ExtendedPAN)}, loggedFields(c.Devices)...)
}
