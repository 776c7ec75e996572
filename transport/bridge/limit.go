package bridge

import (
	"fmt"
	"net"
)

// maxPacket is the longest MQTT packet taken from the outside broker, in bytes.
// The longest message known is the device list of Zigbee2MQTT, with some 10 kB
// per device.
const maxPacket = 8 << 20

// limitedConn ends a connection on which a longer packet is announced. The MQTT
// library makes room for whatever length a packet claims, up to 256 MB.
type limitedConn struct {
	net.Conn
	limit   uint64
	left    uint64 // of the packet's body
	header  int    // bytes of the fixed header seen: type, then up to four of the length
	length  uint64
	refused error
}

// Read implements net.Conn.
func (c *limitedConn) Read(b []byte) (int, error) {
	if c.refused != nil {
		return 0, c.refused
	}
	n, err := c.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0; {
		if c.left > 0 {
			skip := min(c.left, uint64(len(rest)))
			c.left -= skip
			rest = rest[skip:]
			continue
		}
		if c.refused = c.takeHeader(rest[0]); c.refused != nil {
			return 0, c.refused
		}
		rest = rest[1:]
	}
	return n, err
}

// takeHeader takes a byte of the fixed header (MQTT 3.1.1 §2.2).
func (c *limitedConn) takeHeader(octet byte) error {
	if c.header == 0 {
		c.header, c.length = 1, 0
		return nil
	}
	c.length |= uint64(octet&0x7F) << (7 * (c.header - 1))
	if octet&0x80 != 0 {
		if c.header++; c.header > 4 {
			return fmt.Errorf("the broker sent a packet with a malformed length")
		}
		return nil
	}
	c.header = 0
	if c.length > c.limit {
		return fmt.Errorf("the broker announced a packet of %d bytes, at most %d are taken", c.length, c.limit)
	}
	c.left = c.length
	return nil
}
