package tree

import (
	"fmt"
	"strings"

	"github.com/commshub/commshub/han/gbcs/der"
)

// typ is a type of an ASN.1 schema with the name of the field that has it.
type typ struct {
	name     string
	tag      byte // wanted; 0 takes any
	optional bool
	fields   []typ // of a SEQUENCE
	of       *typ  // of a SEQUENCE OF or SET OF
	choice   []typ // of a CHOICE
	text     func(e der.Element) string
}

// The builders of types. Their names are those of ASN.1.

func sequence(name string, fields ...typ) typ {
	return typ{name: name, tag: der.Sequence, fields: fields}
}

func sequenceOf(name string, of typ) typ { return typ{name: name, tag: der.Sequence, of: &of} }

func setOf(name string, of typ) typ { return typ{name: name, tag: der.Set, of: &of} }

func choice(name string, alternatives ...typ) typ { return typ{name: name, choice: alternatives} }

func anything(name string) typ { return typ{name: name, text: anyText} }

// integer takes the names of its numbers, nil if they have none.
func integer(name string, names map[uint64]string) typ {
	return typ{name: name, tag: der.Integer, text: func(e der.Element) string {
		if v, ok := e.Unsigned(); ok {
			return named(names, v)
		}
		return octets(e.Content)
	}}
}

func enumerated(name string, names map[uint64]string) typ {
	return tagged(der.Enumerated, integer(name, names))
}

func alertCodeField(name string) typ {
	return typ{name: name, tag: der.Integer, text: func(e der.Element) string {
		if v, ok := e.Unsigned(); ok {
			return alertCode(v)
		}
		return octets(e.Content)
	}}
}

func octetString(name string) typ {
	return typ{name: name, tag: der.OctetString, text: func(e der.Element) string { return octets(e.Content) }}
}

// entityIdentifier is an OCTET STRING with an EUI-64.
func entityIdentifier(name string) typ {
	return typ{name: name, tag: der.OctetString, text: func(e der.Element) string { return eui(e.Content) }}
}

func null(name string) typ {
	return typ{name: name, tag: der.Null, text: func(der.Element) string { return "" }}
}

func generalizedTime(name string) typ {
	return typ{name: name, tag: der.GeneralizedTime, text: func(e der.Element) string { return timeText(e) }}
}

// bitString takes the names of its bits, the first being bit 0.
func bitString(name string, names map[int]string) typ {
	return typ{name: name, tag: der.BitString, text: func(e der.Element) string { return bitText(e, names) }}
}

func boolean(name string) typ {
	return typ{name: name, tag: der.Boolean, text: func(e der.Element) string { return fmt.Sprint(!allAre(e.Content, 0)) }}
}

func objectIdentifier(name string) typ {
	return typ{name: name, tag: der.ObjectID, text: oidText}
}

func optional(t typ) typ {
	t.optional = true
	return t
}

// tagged gives a type a tag of its own (IMPLICIT).
func tagged(tag byte, t typ) typ {
	t.tag = tag
	return t
}

// as gives a type another name.
func as(name string, t typ) typ {
	t.name = name
	return t
}

// matches returns the type, or the alternative of a choice, that an element has.
func (t typ) matches(e der.Element) (typ, bool) {
	if len(t.choice) == 0 {
		return t, t.tag == 0 || t.tag == e.Tag
	}
	for _, alternative := range t.choice {
		if m, ok := alternative.matches(e); ok {
			if t.name != "" && m.name == "" {
				m.name = t.name
			}
			return m, true
		}
	}
	return typ{}, false
}

// der takes the bytes up to end, which are one element of the type.
func (r *reader) der(name string, t typ, end int) (der.Element, bool) {
	e, err := der.Parse(r.data[:end], r.at)
	if err != nil {
		r.unread(end, "%s: %v", name, err)
		return der.Element{}, false
	}
	m, ok := t.matches(e)
	if !ok {
		r.unread(end, "%s has tag %02X, want %s", name, e.Tag, t.wanted())
		return e, true
	}
	r.fields = append(r.fields, r.element(e, m))
	r.at = end
	return e, true
}

// wanted says which tags a type may have.
func (t typ) wanted() string {
	if len(t.choice) == 0 {
		return fmt.Sprintf("%02X", t.tag)
	}
	tags := make([]string, len(t.choice))
	for i, c := range t.choice {
		tags[i] = c.wanted()
	}
	return strings.Join(tags, " or ")
}

func (r *reader) field(name, value string, start, end int) Field {
	return Field{Name: name, Value: value, Start: start, Raw: r.data[start:end:end]}
}

// element returns the field of an element that has the type.
func (r *reader) element(e der.Element, t typ) Field {
	f := r.field(t.name, "", e.Start, e.End)
	switch {
	case t.of != nil && e.Constructed():
		for i, c := range e.Children {
			f.Children = append(f.Children, r.child(c, as(fmt.Sprintf("%s [%d]", t.of.name, i), *t.of)))
		}
		f.Value = fmt.Sprintf("%d", len(e.Children))
	case t.fields != nil && e.Constructed():
		f.Children = r.members(e, t)
	case e.Constructed(): // of a type that says no more
		for _, c := range e.Children {
			f.Children = append(f.Children, r.element(c, anything(tagName(c.Tag))))
		}
	case t.text == nil: // a SEQUENCE is constructed by its tag; only a tag of its own may not be
		r.problem(e.Start, "%s of tag %02X is not made of elements", t.name, e.Tag)
		f.Name = NotRead
	default:
		f.Value = t.text(e)
	}
	return f
}

// child returns the field of an element that should have the type.
func (r *reader) child(e der.Element, t typ) Field {
	m, ok := t.matches(e)
	if !ok {
		r.problem(e.Start, "%s has tag %02X, want %s", t.name, e.Tag, t.wanted())
		return r.field(NotRead, "", e.Start, e.End)
	}
	return r.element(e, m)
}

// members returns the fields of the elements in a SEQUENCE.
func (r *reader) members(e der.Element, t typ) []Field {
	var fields []Field
	wanted := t.fields
	for _, c := range e.Children {
		found := false
		for len(wanted) > 0 && !found {
			var m typ
			if m, found = wanted[0].matches(c); found {
				fields = append(fields, r.element(c, m))
			} else if !wanted[0].optional {
				break
			}
			wanted = wanted[1:]
		}
		if !found {
			r.problem(c.Start, "tag %02X in %s, where %s", c.Tag, t.name, nextOf(wanted))
			fields = append(fields, r.field(NotRead, "", c.Start, c.End))
		}
	}
	for _, w := range wanted {
		if !w.optional {
			r.problem(e.End, "%s ends without %s", t.name, w.name)
			break
		}
	}
	return fields
}

func nextOf(wanted []typ) string {
	if len(wanted) == 0 {
		return "nothing more is wanted"
	}
	return fmt.Sprintf("%s (%s) is wanted", wanted[0].name, wanted[0].wanted())
}

var tagNames = map[byte]string{
	der.Boolean: "BOOLEAN", der.Integer: "INTEGER", der.BitString: "BIT STRING", der.OctetString: "OCTET STRING",
	der.Null: "NULL", der.ObjectID: "OBJECT IDENTIFIER", der.Enumerated: "ENUMERATED", der.UTF8String: "UTF8String",
	der.PrintableString: "PrintableString", der.IA5String: "IA5String", der.UTCTime: "UTCTime",
	der.GeneralizedTime: "GeneralizedTime", der.Sequence: "SEQUENCE", der.Set: "SET",
}

// tagName returns the name of a universal tag, or the number of another.
func tagName(tag byte) string {
	if name, ok := tagNames[tag]; ok {
		return name
	}
	return fmt.Sprintf("[%d]", tag&0x1F)
}

// anyText shows an element by its tag.
func anyText(e der.Element) string {
	switch e.Tag {
	case der.Integer, der.Enumerated:
		if v, ok := e.Unsigned(); ok {
			return fmt.Sprint(v)
		}
	case der.ObjectID:
		return oidText(e)
	case der.UTF8String, der.PrintableString, der.IA5String:
		return words(e.Content)
	case der.UTCTime, der.GeneralizedTime:
		return timeText(e)
	case der.BitString:
		return bitText(e, nil)
	}
	return octets(e.Content)
}

// timeText shows YYYYMMDDhhmmssZ, or as much of the year as a UTCTime has.
func timeText(e der.Element) string {
	const short, long = len("YYMMDDhhmmssZ"), len("YYYYMMDDhhmmssZ")
	s := string(e.Content)
	if n := len(s); n != short && n != long || s[n-1] != 'Z' || strings.Trim(s[:n-1], "0123456789") != "" {
		return words(e.Content)
	}
	i := len(s) - len("MMDDhhmmssZ")
	return s[:i] + "-" + s[i:i+2] + "-" + s[i+2:i+4] + " " + s[i+4:i+6] + ":" + s[i+6:i+8] + ":" + s[i+8:i+10]
}

// bitText names the bits that are set; without names it shows the bits' bytes, or the
// identifier that they are.
func bitText(e der.Element, names map[int]string) string {
	if len(e.Content) == 0 {
		return ""
	}
	bits := e.Content[1:]
	if names == nil {
		return eui(bits)
	}
	var set []string
	for i := range 8 * len(bits) {
		if bits[i/8]&(0x80>>(i%8)) != 0 {
			name, ok := names[i]
			if !ok {
				name = fmt.Sprintf("bit %d", i)
			}
			set = append(set, name)
		}
	}
	return strings.Join(set, ", ")
}
