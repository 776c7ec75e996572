package capture

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
)

// Headers of a radio frame. Values are those of IEEE 802.15.4-2003 and of the Zigbee
// specification.
const (
	// macControl is a data frame with both short addresses in one PAN, without a
	// request for an acknowledgement.
	macControl uint16 = 0x8841
	// networkControl is a data frame of protocol version 2, unsecured, with both
	// EUI64s.
	networkControl uint16 = 0x1808
	networkRadius  uint8  = 30
	// apsControl is a data frame to one device, unsecured.
	apsControl  uint8 = 0x00
	apsExtended uint8 = 0x80 // an extended header follows
	apsFirst    uint8 = 0x01 // fragment; the block number is how many there are
	apsNext     uint8 = 0x02
)

// Short addresses that no device can have.
const (
	coordinator   uint16 = 0x0000
	noAddress     uint16 = 0xFFFE // of a device that has none
	firstReserved uint16 = 0xFFF8
	// maxPAN is the highest PAN identifier of Zigbee.
	maxPAN = 0x3FFF
)

// station is what the synthetic layers know of a device.
type station struct {
	eui          han.EUI64
	short        uint16
	mac, network uint8 // sequence numbers
}

// station returns a device's entry. The first to come has the low 16 bits of its EUI64
// as address.
func (e *Encoder) station(eui han.EUI64) *station {
	if s, ok := e.stations[eui]; ok {
		return s
	}
	s := &station{eui: eui, short: e.address(eui)}
	e.stations[eui] = s
	e.taken[s.short] = true
	return s
}

// address returns the short address of a new device.
func (e *Encoder) address(eui han.EUI64) uint16 {
	if eui == e.hub {
		return coordinator
	}
	if len(e.taken) >= int(firstReserved) {
		return noAddress
	}
	short := uint16(eui)
	for short == coordinator || short >= firstReserved || e.taken[short] {
		short++
	}
	return short
}

// appendPSDU appends one radio frame with fragment i of n.
func (e *Encoder) appendPSDU(b []byte, src, dst *station, f *han.Frame, i, n int, zcl []byte) []byte {
	src.mac++
	b = binary.LittleEndian.AppendUint16(b, macControl)
	b = append(b, src.mac)
	b = binary.LittleEndian.AppendUint16(b, uint16(e.hub)&maxPAN)
	b = binary.LittleEndian.AppendUint16(b, dst.short)
	b = binary.LittleEndian.AppendUint16(b, src.short)

	b = binary.LittleEndian.AppendUint16(b, networkControl)
	b = binary.LittleEndian.AppendUint16(b, dst.short)
	b = binary.LittleEndian.AppendUint16(b, src.short)
	b = append(b, networkRadius, src.network)
	b = src.eui.AppendAir(dst.eui.AppendAir(b))

	control := apsControl
	if n > 1 {
		control |= apsExtended
	}
	b = append(b, control, f.DstEndpoint)
	b = binary.LittleEndian.AppendUint16(b, f.Cluster)
	b = binary.LittleEndian.AppendUint16(b, f.Profile)
	b = append(b, f.SrcEndpoint, f.Counter)
	switch {
	case n == 1:
	case i == 0:
		b = append(b, apsFirst, uint8(n))
	default:
		b = append(b, apsNext, uint8(i))
	}
	b = append(b, zcl...)
	return binary.LittleEndian.AppendUint16(b, checkSequence(b))
}

// checkTable is the CRC of each byte: ITU-T CRC-16, the lowest bit first.
var checkTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0x8408
			} else {
				c >>= 1
			}
		}
		t[i] = c
	}
	return t
}()

// checkSequence returns the frame check sequence (IEEE 802.15.4-2003 §7.2.1.8).
func checkSequence(b []byte) uint16 {
	var c uint16
	for _, x := range b {
		c = c>>8 ^ checkTable[uint8(c)^x]
	}
	return c
}
