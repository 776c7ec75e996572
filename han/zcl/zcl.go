// Package zcl encodes and decodes Zigbee Cluster Library frames: the header,
// the profile-wide commands a meter needs, data types, status codes and
// UTCTime. Integers are little-endian. Section numbers are those of the ZCL
// specification, revision 6 and later (document 07-5123).
//
// A frame is a header and a command:
//
//	+---------------+--------------+-----+---------+---------
//	| frame control | manufacturer | TSN | command | payload
//	| 1             | 0 or 2       | 1   | 1       | ...
//	+---------------+--------------+-----+---------+---------
//
// Every command type of this package and of the cluster packages beside it has
// an Append method and a Parse function. Parse refuses a payload that is too
// short and ignores bytes after the last field it knows, because ZCL §2.5.1.1
// lets later revisions append fields. Parsed byte slices alias the input.
package zcl

// Command is anything that can append its payload, the bytes after the header.
type Command interface {
	Append(b []byte) []byte
}

// AppendFrame appends a whole ZCL frame. It is generic so that no command
// escapes to the heap on the block path.
func AppendFrame[C Command](b []byte, h Header, c C) []byte {
	return c.Append(h.Append(b))
}

// Empty is a command without a payload.
type Empty struct{}

// Append implements [Command].
func (Empty) Append(b []byte) []byte { return b }

// Clusters that need no package of their own.
const (
	ClusterBasic uint16 = 0x0000
	ClusterTime  uint16 = 0x000A
)

// AttributeTime is the Time attribute of the Time cluster, type UTCTime (ZCL §3.12.2.2.1).
const AttributeTime uint16 = 0x0000
