package dlms

import (
	"encoding/binary"
	"fmt"
)

// Tag is the type of a [Data].
type Tag byte

// The types (Green Book, choice Data).
const (
	NullData           Tag = 0
	Array              Tag = 1
	Structure          Tag = 2
	Boolean            Tag = 3
	BitString          Tag = 4
	DoubleLong         Tag = 5
	DoubleLongUnsigned Tag = 6
	OctetString        Tag = 9
	VisibleString      Tag = 10
	UTF8String         Tag = 12
	BCD                Tag = 13
	Integer            Tag = 15
	Long               Tag = 16
	Unsigned           Tag = 17
	LongUnsigned       Tag = 18
	CompactArray       Tag = 19
	Long64             Tag = 20
	Long64Unsigned     Tag = 21
	Enum               Tag = 22
	Float32            Tag = 23
	Float64            Tag = 24
	DateTime           Tag = 25
	Date               Tag = 26
	Time               Tag = 27
	DontCare           Tag = 255
)

// kind is how a type is encoded.
type kind struct {
	name string
	size int // of the value in bytes; variable if it has a length, made if of elements
}

const (
	variable = -1
	made     = -2
)

var kinds = map[Tag]kind{
	NullData: {"null-data", 0}, Array: {"array", made}, Structure: {"structure", made}, Boolean: {"boolean", 1},
	BitString: {"bit-string", variable}, DoubleLong: {"double-long", 4}, DoubleLongUnsigned: {"double-long-unsigned", 4},
	OctetString: {"octet-string", variable}, VisibleString: {"visible-string", variable}, UTF8String: {"utf8-string", variable},
	BCD: {"bcd", 1}, Integer: {"integer", 1}, Long: {"long", 2}, Unsigned: {"unsigned", 1}, LongUnsigned: {"long-unsigned", 2},
	CompactArray: {"compact-array", made}, Long64: {"long64", 8}, Long64Unsigned: {"long64-unsigned", 8}, Enum: {"enum", 1},
	Float32: {"float32", 4}, Float64: {"float64", 8}, DateTime: {"date-time", 12}, Date: {"date", 5}, Time: {"time", 4},
	DontCare: {"dont-care", 0},
}

// String returns the type's name, or its number.
func (t Tag) String() string {
	if k, ok := kinds[t]; ok {
		return k.name
	}
	return fmt.Sprintf("type %d", byte(t))
}

// Data is a value with its type.
type Data struct {
	Tag Tag
	// Length is of a string (of a bit-string in bits), an array and a structure the
	// length; of a compact array that of its contents in bytes.
	Length   Length
	Value    []byte // of what is not made of elements
	Elements []Data // of an array, a structure and a compact array
	Type     *Type  // of the elements of a compact array
	// Start and End are the offsets in what was parsed. Within a compact array an
	// element has no tag.
	Start, End int
	// Inner is the offset of the first element of what is made of elements.
	Inner int
}

// Type is what a compact array says of its elements.
type Type struct {
	Tag    Tag
	Length Length // of a structure
	Count  uint16 // of an array
	Fields []Type // of a structure; of an array the one type of its elements
}

// Append appends the data with its tag.
func (d Data) Append(b []byte) []byte {
	b = append(b, byte(d.Tag))
	switch d.Tag {
	case Array, Structure:
		b = Length{len(d.Elements), d.Length.Size}.append(b)
		for _, e := range d.Elements {
			b = e.Append(b)
		}
		return b
	case CompactArray:
		b = d.Type.append(b)
		var contents []byte
		for _, e := range d.Elements {
			contents = e.appendBare(contents)
		}
		return append(Length{len(contents), d.Length.Size}.append(b), contents...)
	default:
		return d.appendValue(b)
	}
}

// appendBare appends the data as it lies in a compact array.
func (d Data) appendBare(b []byte) []byte {
	if kinds[d.Tag].size != made {
		return d.appendValue(b)
	}
	for _, e := range d.Elements {
		b = e.appendBare(b)
	}
	return b
}

func (d Data) appendValue(b []byte) []byte {
	if kinds[d.Tag].size == variable {
		n := len(d.Value)
		if d.Tag == BitString {
			n = d.Length.N
		}
		b = Length{n, d.Length.Size}.append(b)
	}
	return append(b, d.Value...)
}

func (t Type) append(b []byte) []byte {
	b = append(b, byte(t.Tag))
	switch t.Tag {
	case Structure:
		b = Length{len(t.Fields), t.Length.Size}.append(b)
	case Array:
		b = binary.BigEndian.AppendUint16(b, t.Count)
	default:
	}
	for _, f := range t.Fields {
		b = f.append(b)
	}
	return b
}

// value takes a value with its tag.
func (r *reader) value(depth int) Data {
	start := r.off
	if depth > MaxDepth {
		r.failf(start, "nested deeper than %d", MaxDepth)
		return Data{}
	}
	d := Data{Tag: Tag(r.byte("type")), Start: start}
	k, known := kinds[d.Tag]
	switch {
	case r.err != nil:
		return Data{}
	case !known:
		r.failf(start, "%s is none of DLMS", d.Tag)
	case d.Tag == CompactArray:
		r.compactArray(&d, depth)
	case k.size == made:
		d.Length = r.length("elements of "+k.name, 1)
		d.Inner = r.off
		for range d.Length.N {
			if r.err != nil {
				break
			}
			d.Elements = append(d.Elements, r.value(depth+1))
		}
	default:
		r.bare(&d, k)
	}
	d.End = r.off
	return d
}

// bare takes the value of what is not made of elements.
func (r *reader) bare(d *Data, k kind) {
	n := k.size
	if n == variable {
		if d.Tag == BitString {
			d.Length = r.bits(k.name)
			n = bytesOf(d.Length.N)
		} else {
			d.Length = r.length(k.name, 1)
			n = d.Length.N
		}
	}
	d.Value = r.take(n, k.name)
}

func (r *reader) compactArray(d *Data, depth int) {
	t := r.typ(depth + 1)
	d.Type = &t
	d.Length = r.length("contents of compact-array", 1)
	d.Inner = r.off
	if r.err != nil {
		return
	}
	end := r.off + d.Length.N
	inner := reader{data: r.data[:end], off: r.off}
	for inner.err == nil && inner.off < end {
		d.Elements = append(d.Elements, inner.element(t))
	}
	r.off, r.err = inner.off, inner.err
}

// typ takes the type of the elements of a compact array. Types whose elements take no
// byte are refused: a short array could hold any number of them.
func (r *reader) typ(depth int) Type {
	start := r.off
	if depth > MaxDepth {
		r.failf(start, "nested deeper than %d", MaxDepth)
		return Type{}
	}
	t := Type{Tag: Tag(r.byte("type of elements"))}
	k, known := kinds[t.Tag]
	fields := 0
	switch {
	case r.err != nil:
		return Type{}
	case t.Tag == Structure:
		t.Length = r.length("fields of structure", 1)
		fields = t.Length.N
		if r.err == nil && fields == 0 {
			r.failf(start, "structure without fields in a compact-array")
		}
	case t.Tag == Array:
		if b := r.take(2, "number of elements"); b != nil {
			t.Count = binary.BigEndian.Uint16(b)
			if t.Count == 0 {
				r.failf(start, "array without elements in a compact-array")
			}
		}
		fields = 1
	case !known || t.Tag == CompactArray || k.size == 0:
		r.failf(start, "%s in a compact-array", t.Tag)
	}
	for range fields {
		if r.err != nil {
			break
		}
		t.Fields = append(t.Fields, r.typ(depth+1))
	}
	return t
}

// element takes an element of a compact array.
func (r *reader) element(t Type) Data {
	d := Data{Tag: t.Tag, Start: r.off, Inner: r.off}
	switch t.Tag {
	case Structure:
		for _, f := range t.Fields {
			if r.err != nil {
				break
			}
			d.Elements = append(d.Elements, r.element(f))
		}
		d.Length.N = len(d.Elements)
	case Array:
		for range t.Count {
			if r.err != nil {
				break
			}
			d.Elements = append(d.Elements, r.element(t.Fields[0]))
		}
		d.Length.N = len(d.Elements)
	default:
		r.bare(&d, kinds[t.Tag])
	}
	d.End = r.off
	return d
}

// Int returns the number in an integer type, an enum or a boolean; false for others.
func (d Data) Int() (int64, bool) {
	var v uint64
	for _, b := range d.Value {
		v = v<<8 | uint64(b)
	}
	switch d.Tag {
	case Integer, Long, DoubleLong, Long64:
		shift := 64 - 8*len(d.Value)
		return int64(v<<shift) >> shift, true
	case Unsigned, LongUnsigned, DoubleLongUnsigned, Enum, Boolean:
		return int64(v), true
	default:
		return 0, false
	}
}
