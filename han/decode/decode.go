// Package decode turns frames of the HAN, and the GBCS messages inside tunnels,
// into named fields: for the REST interface, the traffic view, captures and
// transcripts. It is the one place that knows which command of which cluster has
// which fields; values come from the parse functions of the packages beside it.
//
//	Image Block Request: offset 96, at most 48 bytes
//	 0  3  ZCL header
//	 0  1    frame control        cluster, to server
//	 1  1    transaction          7
//	 2  1    command              03 Image Block Request
//	 3 14  payload
//	 3  1    field control        00
//	 4  8    image
//	 …
//
// The innermost fields with bytes cover a frame without gap or overlap: what cannot
// be read is a field of its own, with its bytes. No input panics. The output is bounded by
// the length of the input, and a frame longer than han.MaxPayload is one field.
package decode

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

// Field is a named part of a frame or message.
type Field struct {
	Name string
	// Value is the content in words or figures; of a field with Children it is
	// what they say in short, or empty.
	Value string
	// Start is the offset of the first byte in the frame's payload or the message.
	Start int
	// Raw are the field's bytes; they alias the input. What a payload says on which
	// something here acts has no bytes of its own, only those of the payload above it;
	// all others are read by package tree.
	Raw      []byte
	Children []Field
}

// End returns the offset of the first byte behind the field.
func (f Field) End() int { return f.Start + len(f.Raw) }

// Summary is a frame or message in a line.
type Summary struct {
	// Cluster is the cluster's name, empty if it is not known; of a message it is
	// "GBCS".
	Cluster string
	// Command is the command's name, its number, or what is wrong; of a message it
	// is the use case.
	Command string
	// Detail is what the command says, in short.
	Detail string
}

// Tree is all that a frame or message says.
type Tree struct {
	Summary
	Fields []Field
}

// Frame decodes a frame. The error says what could not be read and why; the tree
// is whole nevertheless.
func Frame(f han.Frame) (Tree, error) {
	c := cutter{data: f.Payload, cluster: f.Cluster}
	summary, err := read(f, &c)
	return Tree{summary, c.fields}, err
}

// Summarize is [Frame] without the fields.
func Summarize(f han.Frame) (Summary, error) { return read(f, nil) }

var clusterNames = map[uint16]string{
	zcl.ClusterBasic: "Basic", zcl.ClusterTime: "Time", ota.ClusterID: "OTA Upgrade",
	metering.ClusterID: "Metering", tunnel.ClusterID: "Tunnelling",
}

// read reads a frame, and cuts it into fields if c is not nil.
func read(f han.Frame, c *cutter) (Summary, error) {
	s := Summary{Cluster: clusterNames[f.Cluster]}
	if n := len(f.Payload); n > han.MaxPayload {
		s.Command = "not a frame of the HAN"
		c.rest("frame")
		return s, fmt.Errorf("decode frame: %d bytes, want at most %d", n, han.MaxPayload)
	}
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		s.Command = "not a ZCL frame"
		c.rest("frame")
		return s, err
	}
	s.Command = fmt.Sprintf("command %02X", h.Command)
	k, known := commandOf(f.Cluster, h)
	if known {
		s.Command = k.name
	}
	c.takeHeader(h, s.Command)
	if !known {
		c.rest("payload")
		return s, nil
	}
	command, err := k.parse(payload)
	if err != nil {
		c.rest("payload")
		return s, err
	}
	s.Detail = k.text(command)
	if c != nil && len(payload) > 0 {
		c.group("payload", "", func() {
			k.cut(c, command)
			c.rest("not known here") // later revisions append fields (ZCL §2.5.1.1)
		})
	}
	return s, nil
}

// cutter takes named fields off data, one after the other. A nil cutter takes
// nothing, for those who want no fields.
type cutter struct {
	data    []byte
	at      int
	fields  []Field
	cluster uint16
	header  zcl.Header
}

// take makes the next size bytes a field; fewer if there are fewer, because sizes
// are told here and bytes come from anywhere.
func (c *cutter) take(name string, size int, value any) {
	size = min(size, len(c.data)-c.at)
	raw := c.data[c.at : c.at+size : c.at+size]
	c.fields = append(c.fields, Field{Name: name, Value: fmt.Sprint(value), Start: c.at, Raw: raw})
	c.at += size
}

// fixed takes size bytes that speak for themselves.
func (c *cutter) fixed(name string, size int) {
	c.take(name, size, octets(c.data[c.at:min(c.at+size, len(c.data))]))
}

// rest makes what is left a field of bytes; nothing if nothing is left.
func (c *cutter) rest(name string) {
	if c != nil && c.at < len(c.data) {
		c.fixed(name, len(c.data)-c.at)
	}
}

// group makes a field of the fields that cut takes.
func (c *cutter) group(name, value string, cut func()) {
	outer, start := c.fields, c.at
	c.fields = nil
	cut()
	c.fields = append(outer, Field{
		Name: name, Value: value, Start: start, Raw: c.data[start:c.at:c.at], Children: c.fields})
}

func (c *cutter) takeHeader(h zcl.Header, command string) {
	if c == nil {
		return
	}
	c.header = h
	control := []string{"profile-wide", "to server"}
	if h.ClusterSpecific {
		control[0] = "cluster"
	}
	if h.ToClient {
		control[1] = "to client"
	}
	if h.DisableDefaultResponse {
		control = append(control, "no default response")
	}
	if h.ManufacturerSpecific {
		control = append(control, "manufacturer's own")
	}
	c.group("ZCL header", "", func() {
		c.take("frame control", 1, strings.Join(control, ", "))
		if h.ManufacturerSpecific {
			c.take("manufacturer", 2, hex16(h.Manufacturer))
		}
		c.take("transaction", 1, h.TSN)
		name := fmt.Sprintf("%02X", h.Command)
		if !strings.HasSuffix(command, name) {
			name += " " + command
		}
		c.take("command", 1, name)
	})
}

// utc returns an instant as RFC 3339 has it, or that it is none.
func utc(u zcl.UTCTime) string {
	if u == zcl.UTCTimeInvalid {
		return "none"
	}
	return u.Time().Format("2006-01-02T15:04:05Z")
}

func octets(b []byte) string    { return strings.ToUpper(hex.EncodeToString(b)) }
func hex8[N ~uint8](v N) string { return fmt.Sprintf("%02X", uint8(v)) }
func hex16(v uint16) string     { return fmt.Sprintf("%04X", v) }
func hex32(v uint32) string     { return fmt.Sprintf("%08X", v) }
