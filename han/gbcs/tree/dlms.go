package tree

import (
	"bytes"
	"fmt"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/dlms"
)

// accessRequest takes the payload that reaches to the end of data.
func (r *reader) accessRequest(data []byte) {
	a, err := dlms.ParseAccessRequest(data, r.at)
	if err != nil {
		r.unread(len(data), "%v", err)
		return
	}
	r.payload = a.Append(nil)
	r.group("access request", func() {
		r.dlmsHead(a.Head)
		c := cosemNames()
		shapes := make([]*shape, len(a.Descriptors))
		specifications := Field{Name: "list of access request specifications", Value: fmt.Sprint(len(a.Descriptors))}
		for i, d := range a.Descriptors {
			var f Field
			f, shapes[i] = r.descriptor(c, d)
			specifications.Children = append(specifications.Children, f)
		}
		r.put(specifications, a.DataList.Start)
		list := Field{Name: "list of data", Value: fmt.Sprint(len(a.Data))}
		for i, d := range a.Data {
			name, s := fmt.Sprintf("data %d", i), (*shape)(nil)
			if i < len(a.Descriptors) {
				name, s = specifications.Children[i].Value, shapes[i]
			}
			list.Children = append(list.Children, r.value(d, name, s))
		}
		r.put(list, len(data))
	})
}

// dlmsHead takes the tag, the invoke identifier and the date-time.
func (r *reader) dlmsHead(h dlms.Head) {
	r.bytes("tag", 1, octets)
	r.bytes("long-invoke-id-and-priority", len(h.InvokeID), func(b []byte) string {
		return fmt.Sprintf("invoke identifier %d, service %02X", number(b[1:]), b[0])
	})
	r.bytes("date-time", len(h.DateTime), func(b []byte) string { return octetsOr(dateTime(b[1:]))(b[1:]) })
}

// descriptor returns the field of a descriptor, whose value is the name of what it is
// about, and the shape of the data that go with it.
func (r *reader) descriptor(c cosem, d dlms.Descriptor) (Field, *shape) {
	m := memberOf(d)
	o, known := c.lookUp(m)
	if !known {
		r.problem(d.Start, "unknown attribute: class %d, object %s, %s", m.class, m.object, m.member)
	}
	kind := "attribute"
	if d.Choice == dlms.Action {
		kind = "method"
	}
	f := r.field("access request "+d.Choice.String(), o.name+" ("+c.memberName(m)+")", d.Start, d.End)
	member := d.Start + dlms.DescriptorSize
	f.Children = []Field{
		r.field("choice", d.Choice.String(), d.Start, d.Start+1),
		r.field("class", fmt.Sprintf("%d %s", d.Class, c.classes[d.Class].name), d.Start+1, d.Start+3),
		r.field("object", fmt.Sprintf("%s %s", m.object, o.name), d.Start+3, member),
		r.field(kind, fmt.Sprintf("%d %s", d.Member, c.memberName(m)), member, member+1),
	}
	if d.Choice == dlms.GetWithSelection {
		f.Children = append(f.Children, r.field("access selector", fmt.Sprint(d.Selector), member+1, member+2),
			r.value(d.Selection, "access parameters", c.shapes["range"]))
	}
	return f, o.shape
}

// accessResponse takes the payload that reaches to the end of data. It does not say what
// it answers; the table of orders does, if the response has as many parts.
func (r *reader) accessResponse(data []byte) {
	a, err := dlms.ParseAccessResponse(data, r.at)
	if err != nil {
		r.unread(len(data), "%v", err)
		return
	}
	r.payload = a.Append(nil)
	r.group("access response", func() {
		r.dlmsHead(a.Head)
		r.bytes("access request specification", 1, func([]byte) string { return "none" })
		c := cosemNames()
		ordered := orderOf(r.code, a)
		list := Field{Name: "list of access response data", Value: fmt.Sprint(len(a.Data))}
		for i, d := range a.Data {
			name, s := fmt.Sprintf("data %d", i), (*shape)(nil)
			if ordered != nil {
				o, _ := c.lookUp(ordered[i])
				name, s = o.name+" ("+c.memberName(ordered[i])+")", o.shape
			}
			list.Children = append(list.Children, r.value(d, name, s))
		}
		r.put(list, a.ResultList.Start)
		results := Field{Name: "list of access response specifications", Value: fmt.Sprint(len(a.Results))}
		for i, result := range a.Results {
			names := dataAccessResults
			if result.Choice == dlms.Action {
				names = actionResults
			}
			name := "access response " + result.Choice.String()
			if ordered != nil {
				name = list.Children[i].Name
			}
			f := r.field(name, named(names, uint64(result.Code)), result.Start, result.Start+dlms.ResultSize)
			f.Children = []Field{
				r.field("choice", result.Choice.String(), result.Start, result.Start+1),
				r.field("result", f.Value, result.Start+1, f.End()),
			}
			results.Children = append(results.Children, f)
		}
		r.put(results, len(data))
	})
}

// The results of access (Green Book, Data-Access-Result and Action-Result).
var (
	dataAccessResults = map[uint64]string{
		0: "success", 1: "hardware-fault", 2: "temporary-failure", 3: "read-write-denied", 4: "object-undefined",
		9: "object-class-inconsistent", 11: "object-unavailable", 12: "type-unmatched", 13: "scope-of-access-violated",
		14: "data-block-unavailable", 15: "long-get-aborted", 16: "no-long-get-in-progress", 17: "long-set-aborted",
		18: "no-long-set-in-progress", 19: "data-block-number-invalid", 250: "other-reason",
	}
	actionResults = map[uint64]string{
		0: "success", 1: "hardware-fault", 2: "temporary-failure", 3: "read-write-denied", 4: "object-undefined",
		9: "object-class-inconsistent", 11: "object-unavailable", 12: "type-unmatched", 13: "scope-of-access-violated",
		14: "data-block-unavailable", 15: "long-action-aborted", 16: "no-long-action-in-progress", 250: "other-reason",
	}
)

// dataNotification takes the payload that reaches to the end of data: an alert.
func (r *reader) dataNotification(data []byte) {
	n, err := dlms.ParseDataNotification(data, r.at)
	if err != nil {
		r.unread(len(data), "%v", err)
		return
	}
	r.payload = n.Append(nil)
	r.group("data notification", func() {
		r.dlmsHead(n.Head)
		r.put(r.alertBody(n.Body), len(data))
	})
}

// alertBody returns the field of what an alert says: a structure of its code, its time,
// and what the use case adds.
func (r *reader) alertBody(body dlms.Data) Field {
	const head = 2
	if body.Tag != dlms.Structure || len(body.Elements) < head {
		r.problem(body.Start, "alert of %s with %d elements, want a structure of %d or more", body.Tag, len(body.Elements), head)
		return r.value(body, "alert", nil)
	}
	f := r.field("alert", "", body.Start, body.End)
	code, at := body.Elements[0], body.Elements[1]
	text := alertCode(number(code.Value))
	f.Value = text
	f.Children = []Field{
		r.field("alert code", text, code.Start, code.End),
		r.value(at, "time stamp", nil),
	}
	extra := body.Elements[head:]
	if len(extra) == 2 && isProtection(extra[0], extra[1]) {
		f.Children = append(f.Children, r.protected(extra[0], extra[1], gbcs.MessageCode.String(r.code), cosemNames().attributes[alertHolds[r.code]])...)
		return f
	}
	s := &shape{elements: alertShapes[r.code]}
	for i, e := range extra {
		inner := s.element(i, len(extra))
		name := fmt.Sprintf("data %d", i)
		if inner != nil {
			name = inner.name
		}
		f.Children = append(f.Children, r.value(e, name, inner))
	}
	return f
}

// value returns the field of data with a name.
func (r *reader) value(d dlms.Data, name string, s *shape) Field {
	f := r.field(name, "", d.Start, d.End)
	if d.Tag == dlms.Structure && len(d.Elements) == 2 && isProtection(d.Elements[0], d.Elements[1]) {
		var holds []*shape
		if s != nil {
			holds = s.holds
		}
		f.Children = r.protected(d.Elements[0], d.Elements[1], name, holds)
		return f
	}
	switch d.Tag {
	case dlms.Array, dlms.CompactArray:
		f.Value = fmt.Sprintf("%d", len(d.Elements))
		var each *shape
		if s != nil {
			each = s.each
		}
		for i, e := range d.Elements {
			inner := "element"
			if each != nil && each.name != "" {
				inner = each.name
			}
			f.Children = append(f.Children, r.value(e, fmt.Sprintf("%s [%d]", inner, i), each))
		}
	case dlms.Structure:
		for i, e := range d.Elements {
			inner := s.element(i, len(d.Elements))
			elementName := fmt.Sprintf("%s %d", e.Tag, i)
			if inner != nil {
				elementName = inner.name
			}
			f.Children = append(f.Children, r.value(e, elementName, inner))
		}
	default:
		if s != nil && len(s.octets) > 0 && d.Tag == dlms.OctetString {
			f.Children = r.parts(d, s.octets)
		} else {
			f.Value = dataText(d, f.Name)
		}
	}
	return f
}

// parts returns the fields of an octet-string that has parts; nil if it has not their
// size.
func (r *reader) parts(d dlms.Data, parts []part) []Field {
	size := 0
	for _, p := range parts {
		size += p.size
	}
	if size != len(d.Value) {
		r.problem(d.Start, "octet-string of %d bytes, want %d", len(d.Value), size)
		return nil
	}
	var fields []Field
	at := d.End - len(d.Value)
	for _, p := range parts {
		fields = append(fields, r.field(p.name, p.text(r.data[at:at+p.size]), at, at+p.size))
		at += p.size
	}
	return fields
}

const (
	sealedHead = 5  // security control and invocation counter
	sealedTag  = 12 // of AES-GCM

	securityEncrypted = 0x31 // authenticated and encrypted, suite 1
)

// isProtection reports whether two data are what a protected attribute is answered
// with: an array of protection parameters, and the sealed octet-string.
func isProtection(parameters, sealed dlms.Data) bool {
	return parameters.Tag == dlms.Array && len(parameters.Elements) > 0 &&
		sealed.Tag == dlms.OctetString && len(sealed.Value) >= sealedHead+sealedTag && sealed.Value[0] == securityEncrypted
}

// protected returns the fields of protection parameters and a sealed octet-string, which
// holds attributes of these shapes.
func (r *reader) protected(parameters, sealed dlms.Data, name string, holds []*shape) []Field {
	f := r.field("protected attributes", "", sealed.Start, sealed.End)
	start := sealed.End - len(sealed.Value)
	r.sealedValue(name, start+sealedHead, sealed.Value[sealedHead:], func(r *reader, end int) { r.protectedAttributes(end, holds) })
	f.Children = []Field{
		r.field("security header", octets(sealed.Value[:sealedHead]), start, start+sealedHead),
		r.field("encrypted value of "+name, octets(sealed.Value[sealedHead:len(sealed.Value)-sealedTag]), start+sealedHead, f.End()-sealedTag),
		r.field("tag", octets(sealed.Value[len(sealed.Value)-sealedTag:]), f.End()-sealedTag, f.End()),
	}
	return []Field{r.value(parameters, "protection parameters", cosemNames().shapes["protection"]), f}
}

// sealedValue notes an encrypted value, and how it is read once it is open.
func (r *reader) sealedValue(name string, start int, sealed []byte, read func(r *reader, end int)) {
	r.encrypted = append(r.encrypted, Encrypted{name, start, sealed, r.data, read})
}

// protectedAttributes takes what a sealed octet-string holds, up to end: a structure with
// the value of each attribute that the object protects.
func (r *reader) protectedAttributes(end int, holds []*shape) {
	d, err := dlms.ParseData(r.data[:end], r.at)
	if err == nil && !bytes.Equal(d.Append(nil), r.data[r.at:end]) {
		err = fmt.Errorf("value of %d bytes is written again as another", end-r.at)
	}
	if err != nil {
		r.unread(end, "%v", err)
		return
	}
	s := &shape{elements: holds[:min(len(holds), len(d.Elements))]}
	r.put(r.value(d, "attributes", s), end)
}

// isTime are the elements that count seconds since 2000.
var isTime = map[string]bool{"timestamp": true, "from_value": true, "to_value": true, "boost_start": true, "boost_end": true}

// dataText shows a value that has no parts. What an octet-string is, its name and its
// size tell.
func dataText(d dlms.Data, name string) string {
	if v, ok := d.Int(); ok {
		switch {
		case d.Tag == dlms.Boolean:
			return fmt.Sprint(v != 0)
		case name == "logCode":
			return alertCode(uint64(v))
		case isTime[name] && d.Tag == dlms.DoubleLongUnsigned:
			return seconds(uint32(v))
		}
		return fmt.Sprint(v)
	}
	switch d.Tag {
	case dlms.NullData:
		return "null-data"
	case dlms.BitString:
		text := ""
		for i := range d.Length.N {
			text += fmt.Sprint(d.Value[i/8] >> (7 - i%8) & 1)
		}
		return text
	case dlms.VisibleString, dlms.UTF8String:
		return fmt.Sprintf("%q", d.Value)
	case dlms.OctetString:
		return octetStringText(d.Value, name)
	default:
		return octets(d.Value)
	}
}

func octetStringText(b []byte, name string) string {
	if text, ok := dateTime(b); ok {
		return text
	}
	switch name {
	case "logical_name", "script_logical_name":
		if len(b) == obisSize {
			return obis(b)
		}
	case "start_time", "switch_time", "time":
		return octetsOr(clockTime(b))(b)
	case "specialday_date", "begin_date", "end_date", "date":
		return octetsOr(date(b))(b)
	}
	return words(b)
}
