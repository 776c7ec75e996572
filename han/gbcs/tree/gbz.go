package tree

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/han/gbcs/gbz"
)

// The codes of the alerts with a form of their own.
const (
	codeBillingDataLogAlert   = 0x008B // GCS53
	codeFutureDatedAlert      = 0x00CD
	codeDistributionReceipt   = 0x00CF
	codeIntegrityWarningAlert = 0x00F2
)

// gbz takes the payload that reaches to the end of data.
func (r *reader) gbz(data []byte) {
	parse := gbz.Parse
	if r.cra == alert {
		parse = gbz.ParseAlert
	}
	p, err := parse(data, r.at)
	if err != nil {
		r.unread(len(data), "%v", err)
		return
	}
	r.payload = p.Append(nil)
	r.group("GBZ", func() {
		r.bytes("profile", 2, func(b []byte) string { return octets(b) + " Smart Energy" })
		r.bytes("number of components", 1, decimal)
		for _, c := range p.Components {
			r.component(c)
		}
		if p.Alert != nil {
			r.gbzAlert(len(data))
		}
	})
}

// gbzAlert takes code and time of an alert, and what the use case adds.
func (r *reader) gbzAlert(end int) {
	r.bytes("alert code", 2, func(b []byte) string { return alertCode(number(b)) })
	r.bytes("time stamp", gbz.TimeSize, bigSeconds)
	rest := end - r.at
	switch {
	case r.code == codeFutureDatedAlert && rest == 1+2+counterSize+2+1+1:
		r.group("future dated command", r.futureDated)
	case r.code == codeDistributionReceipt && rest > 2:
		r.group("manufacturer image hash", func() {
			r.bytes("type and length", 2, octets)
			r.bytes("manufacturer image hash", end-r.at, octets)
		})
	case r.code == codeIntegrityWarningAlert && rest == 2:
		r.bytes("other information", rest, integrityIssue)
	case r.code == codeBillingDataLogAlert:
		for r.at < end {
			c, err := gbz.ParseComponent(r.data[:end], r.at)
			if err != nil {
				r.unread(end, "%v", err)
				return
			}
			r.component(c)
		}
	case rest > 0:
		r.unread(end, "%d bytes that the use case adds to the alert are not in the tables", rest)
	}
}

func bigSeconds(b []byte) string { return seconds(binary.BigEndian.Uint32(b)) }

func (r *reader) futureDated() {
	r.bytes("length", 1, decimal)
	r.bytes("message code", 2, messageCode)
	r.bytes("originator counter", counterSize, decimal)
	var cluster uint16
	if b := r.bytes("cluster", 2, clusterText); b != nil {
		cluster = uint16(number(b))
	}
	var f gbz.Frame
	if b := r.bytes("frame control", 1, octets); b != nil {
		f.Control = b[0]
	}
	f.Command = r.data[r.at]
	r.command(cluster, f)
}

func clusterText(b []byte) string {
	if c := zclNames()[uint16(number(b))]; c != nil {
		return octets(b) + " " + c.name
	}
	return octets(b)
}

// commandOf returns a command's name, and its row if it is one of the cluster's; false
// if the tables do not have it.
func commandOf(cluster uint16, f gbz.Frame) (string, *zclCommandRow, bool) {
	if !f.ClusterSpecific() {
		name, ok := profileCommands[f.Command]
		return name, nil, ok
	}
	if c := zclNames()[cluster]; c != nil {
		if row := c.commands[zclCommand{f.FromServer(), f.Command}]; row != nil {
			return row.name, row, true
		}
	}
	return "", nil, false
}

// command takes the command of a frame. One that the tables do not have is a problem.
func (r *reader) command(cluster uint16, f gbz.Frame) (string, *zclCommandRow) {
	name, row, known := commandOf(cluster, f)
	if !known {
		r.problem(r.at, "unknown command %02X of cluster %04X, frame control %02X", f.Command, cluster, f.Control)
	}
	r.bytes("command", 1, func([]byte) string { return numbered(f.Command, name) })
	return name, row
}

// numbered returns a number with its name if it has one.
func numbered(v byte, name string) string {
	return strings.TrimRight(fmt.Sprintf("%02X %s", v, name), " ")
}

// The commands of the profile that GBCS has (ZCL §2.5).
const (
	readAttributes         = 0x00
	readAttributesResponse = 0x01
	defaultResponse        = 0x0B
)

var profileCommands = map[byte]string{
	readAttributes: "Read Attributes", readAttributesResponse: "Read Attributes Response", defaultResponse: "Default Response",
}

// component takes a component. It has been parsed: its parts are there.
func (r *reader) component(c gbz.Component) {
	before := len(r.fields)
	name := ""
	r.group("component", func() {
		r.bytes("control", 1, func([]byte) string { return controlText(c.Control) })
		r.bytes("cluster", 2, clusterText)
		r.bytes("length", 2, decimal)
		if c.Additional != nil {
			r.bytes("additional header control", 1, octets)
			r.bytes("additional header frame counter", 1, decimal)
		}
		if c.From != nil {
			r.bytes("from date-time", gbz.TimeSize, bigSeconds)
		}
		r.bytes("frame control", 1, func([]byte) string { return frameControlText(c.Frame) })
		if c.Frame.ManufacturerSpecific() {
			r.bytes("manufacturer", 2, octets)
		}
		r.bytes("transaction", 1, decimal)
		var row *zclCommandRow
		name, row = r.command(c.Cluster, c.Frame)
		if c.Sealed != nil {
			r.sealed(c, name, row)
			return
		}
		r.group("payload", func() { r.zclPayload(c, row) })
	})
	if len(r.fields) > before {
		r.fields[len(r.fields)-1].Value = name
	}
}

func controlText(control byte) string {
	var text []string
	for _, bit := range []struct {
		mask byte
		name string
	}{{gbz.ControlLast, "last"}, {gbz.ControlEncrypted, "encrypted"}, {gbz.ControlFrom, "from a date-time"}} {
		if control&bit.mask != 0 {
			text = append(text, bit.name)
		}
	}
	return fmt.Sprintf("%02X", control) + strings.TrimRight(" "+strings.Join(text, ", "), " ")
}

func frameControlText(f gbz.Frame) string {
	text := fmt.Sprintf("%02X profile-wide", f.Control)
	if f.ClusterSpecific() {
		text = fmt.Sprintf("%02X cluster", f.Control)
	}
	if f.FromServer() {
		return text + ", to client"
	}
	return text + ", to server"
}

func (r *reader) sealed(c gbz.Component, name string, row *zclCommandRow) {
	r.bytes("length of the encrypted payload", gbz.SealedLengthSize, decimal)
	r.bytes("security header", sealedHead, octets)
	size := len(c.Sealed.Ciphertext)
	r.sealedValue(name, r.at, r.data[r.at:r.at+size+sealedTag], func(r *reader, end int) {
		c.End = end
		r.zclPayload(c, row)
	})
	r.bytes("encrypted value of "+name, size, octets)
	r.bytes("tag", sealedTag, octets)
}

// zclPayload takes the payload of a component's frame.
func (r *reader) zclPayload(c gbz.Component, row *zclCommandRow) {
	switch {
	case r.at == c.End:
	case row != nil:
		counts := map[string]uint64{}
		if r.zclFields(row.fields, c.End, counts) {
			break
		}
		if r.at < c.End { // the problem is noted
			r.put(Field{Name: NotRead}, c.End)
		}
	case c.Frame.ClusterSpecific() || profileCommands[c.Frame.Command] == "":
		r.unread(c.End, "payload of an unknown command")
	case c.Frame.Command == readAttributes:
		for r.at+2 <= c.End {
			r.attribute(c.Cluster)
		}
	case c.Frame.Command == readAttributesResponse:
		for ok := true; ok && r.at < c.End; {
			ok = r.attributeRecord(c)
		}
	case c.Frame.Command == defaultResponse && c.End-r.at == 2:
		// It names the command that it answers, which went the other way. A device that
		// answers none by number writes FF.
		r.bytes("command", 1, func(b []byte) string {
			name, _, _ := commandOf(c.Cluster, c.Frame.Answered(b[0]))
			return numbered(b[0], name)
		})
		r.bytes("status", 1, statusText)
	}
	if r.at < c.End {
		r.unread(c.End, "%d bytes after the last field", c.End-r.at)
	}
}

func statusText(b []byte) string { return numbered(b[0], zclStatus[b[0]]) }

// attribute takes the identifier of an attribute.
func (r *reader) attribute(cluster uint16) string {
	var name string
	start := r.at
	r.bytes("attribute", 2, func(b []byte) string {
		id := binary.LittleEndian.Uint16(b)
		if c := zclNames()[cluster]; c != nil {
			name = c.attributes[id]
		}
		if name == "" {
			r.problem(start, "unknown attribute %04X of cluster %04X", id, cluster)
		}
		return strings.TrimRight(fmt.Sprintf("%04X %s", id, name), " ")
	})
	return name
}

// attributeRecord takes a record of a Read Attributes Response; false if it is not one.
func (r *reader) attributeRecord(c gbz.Component) bool {
	const least = 3 // identifier and status
	if c.End-r.at < least {
		return false
	}
	ok := true
	before := len(r.fields)
	var name, value string
	r.group("attribute record", func() {
		name = r.attribute(c.Cluster)
		status := r.bytes("status", 1, statusText)
		if status[0] != 0 || r.at == c.End {
			value = statusText(status)
			return
		}
		t, known := zclTypes[r.data[r.at]]
		start, size := r.at, t.size
		if known && size == 0 && r.at+1 < c.End { // a byte in front says
			size = 1 + int(r.data[r.at+1])
		}
		if !known || size == 0 || r.at+1+size > c.End {
			ok = false
			r.problem(start, "attribute of type %02X does not fit into the component", r.data[start])
			return
		}
		id := r.data[start]
		r.bytes("type", 1, func([]byte) string { return fmt.Sprintf("%02X %s", id, t.name) })
		r.bytes("value", size, func(b []byte) string {
			value = zclValueText(id, b)
			return value
		})
	})
	if f := &r.fields[before]; len(f.Children) > 0 {
		f.Value = strings.TrimSpace(name + " " + value)
	}
	return ok
}

// little reads a little-endian number of at most 8 bytes.
func little(b []byte) uint64 {
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func zclValueText(id byte, b []byte) string {
	v := little(b[:min(len(b), 8)])
	switch {
	case id == 0x41 || id == 0x42:
		return words(b[1:])
	case id == 0xE2:
		return seconds(uint32(v))
	case id == 0xF0:
		return fmt.Sprintf("%016X", v)
	case id >= 0x28 && id <= 0x2F:
		shift := 64 - 8*len(b)
		return fmt.Sprint(int64(v<<shift) >> shift)
	case id >= 0x18 && id <= 0x1B:
		return fmt.Sprintf("%0*X", 2*len(b), v)
	default:
		return fmt.Sprint(v)
	}
}

// zclFields takes fields up to end at the most, and notes the numbers in them; false if
// one does not fit.
func (r *reader) zclFields(fields []zclField, end int, counts map[string]uint64) bool {
	for _, f := range fields {
		switch f.typ {
		case typeOptional:
			if r.at == end {
				return true
			}
		case typeRepeat:
			if !r.zclRepeat(f, end, counts) {
				return false
			}
		default:
			if !r.zclField(f, end, counts) {
				return false
			}
		}
	}
	return true
}

func (r *reader) zclRepeat(f zclField, end int, counts map[string]uint64) bool {
	for i := uint64(0); ; i++ {
		switch {
		case f.count != "" && i == counts[f.count], f.count == "" && f.times > 0 && i == uint64(f.times):
			return true
		case f.count == "" && f.times == 0 && r.at == end:
			return true
		}
		ok := false
		r.group(fmt.Sprintf("[%d]", i), func() { ok = r.zclFields(f.fields, end, counts) })
		if !ok {
			return false
		}
	}
}

func (r *reader) zclField(f zclField, end int, counts map[string]uint64) bool {
	size := zclSizes[f.typ]
	switch {
	case f.typ == typeRest:
		size = end - r.at
		if size == 0 {
			return true
		}
	case f.typ == typeString && r.at < end:
		size = 1 + int(r.data[r.at])
	case f.typ == typeString:
		size = 1
	}
	if size > end-r.at {
		r.problem(r.at, "%s of %d bytes, but %d are left in the component", f.name, size, end-r.at)
		return false
	}
	r.bytes(f.name, size, func(b []byte) string {
		if size <= 8 && f.typ != typeString {
			counts[f.name] = little(b)
			if f.typ == typeNibbles {
				counts[f.name] &= 0x0F
			}
		}
		return zclFieldText(f, b)
	})
	return true
}

// The years and days of a ZCL date count from 1900, and FF is any (ZCL §2.6.2.14).
const zclDateYear = 1900

func zclFieldText(f zclField, b []byte) string {
	v := little(b[:min(len(b), 8)])
	switch {
	case f.typ == typeString:
		return words(b[1:])
	case f.typ == typeRest:
		return octets(b)
	case f.typ == typeNibbles:
		return fmt.Sprintf("%d, %d", v>>4, v&0x0F)
	case f.typ == "utc":
		return seconds(uint32(v))
	case f.typ == "event":
		return alertCode(v)
	case f.typ == "minutes":
		return (time.Duration(v) * time.Minute).String()
	case f.typ == "date":
		dlmsDate := []byte{0xFF, 0xFF, b[1], b[2], b[3]}
		if b[0] != anyOctet {
			binary.BigEndian.PutUint16(dlmsDate, zclDateYear+uint16(b[0]))
		}
		return octetsOr(date(dlmsDate))(b)
	case f.typ[0] == 'b':
		return fmt.Sprintf("%0*X", 2*len(b), v)
	case f.typ == "i32":
		return fmt.Sprint(int32(v))
	default:
		return fmt.Sprint(v)
	}
}
