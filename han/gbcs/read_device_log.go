package gbcs

import (
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

func init() {
	reads(CodeReadDeviceLogAndCheckHAN, Command, ParseReadDeviceLogCommand)
	reads(CodeReadDeviceLogAndCheckHAN, Response, ParseReadDeviceLogResponse)
}

// ReadDeviceLogCommand asks the CHF for its device log and how it hears each device
// (message code 0x010F, CCS06). It is MACed by the access control broker, who gives it, and
// not signed. On the wire it is a DLMS access request that gets active_devices.
type ReadDeviceLogCommand struct {
	InvokeID uint32 // [InvokeIDOf] the message's counter
}

// Append appends the payload.
func (c ReadDeviceLogCommand) Append(b []byte) []byte {
	return dlms.AccessRequest{
		Head: accessHead(c.InvokeID), Descriptors: []dlms.Descriptor{activeDevices}, Data: []dlms.Data{datum(dlms.NullData)},
	}.Append(b)
}

// ParseReadDeviceLogCommand reads the payload.
func ParseReadDeviceLogCommand(payload []byte) (ReadDeviceLogCommand, error) {
	return parseCOSEM("read device log command", payload, func(r *cosemReader) (ReadDeviceLogCommand, error) {
		return ReadDeviceLogCommand{invokeIDIn(r.request(payload, 1).Head)}, nil
	})
}

// Fields implements [Payload].
func (c ReadDeviceLogCommand) Fields() []Field {
	return []Field{field("invoke identifier", c.InvokeID)}
}

// ActiveDevice is how the CHF hears a device of its device log.
type ActiveDevice struct {
	Device han.EUI64
	Status byte // of these bits
	// RSSI in dBm and LQI: the highest, the mean and the lowest.
	RSSI [3]int8
	LQI  [3]uint8
	// LastCommunication is when it was heard last; NotSpecified if it never was.
	LastCommunication         DateTime
	Hops, Failures, Successes uint8 // radio hops; transmissions
	Application, Stack        uint8 // versions
}

// The bits of a status (Blue Book, ZigBee network control; the published devices have all
// three).
const (
	DeviceAuthorized   byte = 0x80 // on the PAN
	DeviceReporting    byte = 0x40 // actively, on the PAN
	DeviceTransmitting byte = 0x08 // by the Smart Energy Profile
)

// NotSpecified is a date-time that names no instant.
var NotSpecified = DateTime{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0x00, 0xFF}

// ReadDeviceLogResponse answers a [ReadDeviceLogCommand]. It is MACed, not signed. On the
// wire it is a DLMS access response with an array of structures of 14 elements, in the
// order of [ActiveDevice].
type ReadDeviceLogResponse struct {
	InvokeID uint32 // of the command
	Devices  []ActiveDevice
}

const activeDeviceElements = 14

// Append appends the payload.
func (c ReadDeviceLogResponse) Append(b []byte) []byte {
	devices := make([]dlms.Data, len(c.Devices))
	for i, d := range c.Devices {
		e := []dlms.Data{entityIdentifier(d.Device), {Tag: dlms.BitString, Length: dlms.Length{N: 8}, Value: []byte{d.Status}}}
		for _, v := range d.RSSI {
			e = append(e, datum(dlms.Integer, byte(v)))
		}
		for _, v := range d.LQI {
			e = append(e, datum(dlms.Unsigned, v))
		}
		e = append(e, octetString(d.LastCommunication[:]))
		for _, v := range []uint8{d.Hops, d.Failures, d.Successes, d.Application, d.Stack} {
			e = append(e, datum(dlms.Unsigned, v))
		}
		devices[i] = structure(e...)
	}
	return dlms.AccessResponse{
		Head: accessHead(c.InvokeID), Data: []dlms.Data{arrayOf(devices)}, Results: []dlms.Result{{Choice: dlms.Get}},
	}.Append(b)
}

// ParseReadDeviceLogResponse reads the payload.
func ParseReadDeviceLogResponse(payload []byte) (ReadDeviceLogResponse, error) {
	return parseCOSEM("read device log response", payload, func(r *cosemReader) (c ReadDeviceLogResponse, err error) {
		a, err := dlms.ParseAccessResponse(payload, 0)
		if err != nil {
			return c, err
		}
		if len(a.Data) != 1 {
			r.failf("%d data, want 1", len(a.Data))
			return c, nil
		}
		c.InvokeID = invokeIDIn(a.Head)
		for _, e := range r.elements("devices", a.Data[0], dlms.Array, -1) {
			c.Devices = append(c.Devices, r.activeDevice(r.elements("device", e, dlms.Structure, activeDeviceElements)))
		}
		return c, nil
	})
}

func (r *cosemReader) activeDevice(e []dlms.Data) ActiveDevice {
	d := ActiveDevice{Device: r.eui("MAC address", e[0]), Status: r.value("status", e[1], dlms.BitString, 1)[0]}
	for i := range d.RSSI {
		d.RSSI[i] = int8(r.value("RSSI", e[2+i], dlms.Integer, 1)[0])
		d.LQI[i] = r.value("LQI", e[5+i], dlms.Unsigned, 1)[0]
	}
	copy(d.LastCommunication[:], r.value("last communication", e[8], dlms.OctetString, len(DateTime{})))
	for i, to := range []*uint8{&d.Hops, &d.Failures, &d.Successes, &d.Application, &d.Stack} {
		*to = r.value("count", e[9+i], dlms.Unsigned, 1)[0]
	}
	return d
}

// Fields implements [Payload].
func (c ReadDeviceLogResponse) Fields() []Field {
	fields := []Field{field("invoke identifier", c.InvokeID)}
	for _, d := range c.Devices {
		fields = append(fields, field("device", d.Device), field("last communication", d.LastCommunication))
	}
	return fields
}
