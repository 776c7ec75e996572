package zcl

import (
	"encoding/binary"
	"fmt"
)

// Header is a ZCL frame header (ZCL §2.4.1).
type Header struct {
	// ClusterSpecific tells a command of the cluster from a profile-wide one.
	ClusterSpecific bool
	// ToClient is the direction bit: set on commands from the server side of the cluster.
	ToClient bool
	// DisableDefaultResponse asks the receiver for a Default Response only on error.
	DisableDefaultResponse bool
	// ManufacturerSpecific tells whether Manufacturer is present.
	ManufacturerSpecific bool
	Manufacturer         uint16
	TSN                  uint8 // transaction sequence number, echoed in the answer
	Command              uint8
}

// ForServer reports whether the frame is a command of the cluster for its server side, as
// the specification numbers them: those of the other side and of manufacturers have
// numbers of their own.
func (h Header) ForServer() bool { return h.ClusterSpecific && !h.ManufacturerSpecific && !h.ToClient }

// ForClient is ForServer of the other side.
func (h Header) ForClient() bool { return h.ClusterSpecific && !h.ManufacturerSpecific && h.ToClient }

const (
	frameTypeMask         = 0b11
	frameTypeProfileWide  = 0
	frameTypeCluster      = 1
	flagManufacturer      = 1 << 2
	flagToClient          = 1 << 3
	flagNoDefaultResponse = 1 << 4

	headerSize             = 3
	headerSizeManufacturer = 5
)

// Profile-wide commands (ZCL §2.5).
const (
	CommandReadAttributes         uint8 = 0x00
	CommandReadAttributesResponse uint8 = 0x01
	CommandReportAttributes       uint8 = 0x0A
	CommandDefaultResponse        uint8 = 0x0B
)

// Append appends the header's 3 or 5 bytes.
func (h Header) Append(b []byte) []byte {
	control := byte(frameTypeProfileWide)
	if h.ClusterSpecific {
		control = frameTypeCluster
	}
	if h.ManufacturerSpecific {
		control |= flagManufacturer
	}
	if h.ToClient {
		control |= flagToClient
	}
	if h.DisableDefaultResponse {
		control |= flagNoDefaultResponse
	}
	b = append(b, control)
	if h.ManufacturerSpecific {
		b = binary.LittleEndian.AppendUint16(b, h.Manufacturer)
	}
	return append(b, h.TSN, h.Command)
}

// ParseHeader reads a frame's header and returns the payload behind it. The
// reserved bits of the frame control are ignored (ZCL §2.4.1.1).
func ParseHeader(frame []byte) (Header, []byte, error) {
	if len(frame) < headerSize {
		return Header{}, nil, headerTooShort(len(frame), headerSize)
	}
	control := frame[0]
	if t := control & frameTypeMask; t > frameTypeCluster {
		return Header{}, nil, fmt.Errorf("parse ZCL header: frame control %#02x: frame type %d is reserved", control, t)
	}
	h := Header{
		ClusterSpecific:        control&frameTypeMask == frameTypeCluster,
		ToClient:               control&flagToClient != 0,
		DisableDefaultResponse: control&flagNoDefaultResponse != 0,
		ManufacturerSpecific:   control&flagManufacturer != 0,
	}
	rest := frame[1:]
	if h.ManufacturerSpecific {
		if len(frame) < headerSizeManufacturer {
			return Header{}, nil, headerTooShort(len(frame), headerSizeManufacturer)
		}
		h.Manufacturer = binary.LittleEndian.Uint16(rest)
		rest = rest[2:]
	}
	h.TSN, h.Command = rest[0], rest[1]
	return h, rest[2:], nil
}

func headerTooShort(got, want int) error {
	return fmt.Errorf("parse ZCL header: frame too short (got %d, want at least %d)", got, want)
}
