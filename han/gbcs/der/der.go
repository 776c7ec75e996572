// Package der takes the ASN.1 payloads of GBCS apart and puts them together again
// without loss: the distinguished encoding of X.690 as devices write it, whose lengths
// are not always in their shortest form. What the elements are called is in package
// tree.
//
//	tag  length  content
//	30   82 00 9F                 a sequence of 159 bytes, its length in three
//	       02  01  07             an integer
//
// Parse and Append are inverse to each other on everything that Parse takes. Parsed
// bytes alias the input. No input panics; memory is bounded by the input's length, and
// depth by MaxDepth.
package der

import (
	"fmt"
)

// The universal tags that GBCS has.
const (
	Boolean         = 0x01
	Integer         = 0x02
	BitString       = 0x03
	OctetString     = 0x04
	Null            = 0x05
	ObjectID        = 0x06
	Enumerated      = 0x0A
	UTF8String      = 0x0C
	PrintableString = 0x13
	IA5String       = 0x16
	UTCTime         = 0x17
	GeneralizedTime = 0x18
	Sequence        = 0x30
	Set             = 0x31
)

// MaxDepth is how deep elements may lie in each other. A certificate in a credentials
// replacement lies 10 deep.
const MaxDepth = 24

const (
	constructed = 0x20 // bit of a tag: the content is elements
	highTag     = 0x1F // bits of a tag that stand for a tag of several bytes
	longForm    = 0x80 // bit of a length: the number of bytes that follow
	maxLength   = 4    // bytes of a length behind the first
)

// Element is a tag with what belongs to it.
type Element struct {
	Tag byte
	// LengthSize is the size of the length in bytes: 1 to 5, as found.
	LengthSize int
	Content    []byte    // if the tag is not a constructed one
	Children   []Element // if it is
	// Start and End are the offsets of the tag and behind the content in what was
	// parsed.
	Start, End int
}

// Constructed reports whether the element is made of elements.
func (e Element) Constructed() bool { return e.Tag&constructed != 0 }

// Append appends the element. A length that does not fit into LengthSize takes what it
// needs.
func (e Element) Append(b []byte) []byte {
	n := e.contentSize()
	b = append(b, e.Tag)
	size := max(e.LengthSize, lengthSize(n))
	if size == 1 {
		b = append(b, byte(n))
	} else {
		b = append(b, longForm|byte(size-1))
		for i := size - 2; i >= 0; i-- {
			b = append(b, byte(n>>(8*i)))
		}
	}
	for _, c := range e.Children {
		b = c.Append(b)
	}
	return append(b, e.Content...)
}

func (e Element) contentSize() int {
	n := len(e.Content)
	for _, c := range e.Children {
		size := c.contentSize()
		n += 1 + max(c.LengthSize, lengthSize(size)) + size
	}
	return n
}

// lengthSize returns the least size of a length (X.690 §8.1.3).
func lengthSize(n int) int {
	size := 1
	if n >= longForm {
		for ; n > 0; n >>= 8 {
			size++
		}
	}
	return size
}

// Parse reads data from an offset on, which is one element. Offsets, in errors too,
// count from the start of data.
func Parse(data []byte, offset int) (Element, error) {
	p := parser{data}
	e, err := p.element(offset, len(data), 0)
	if err == nil && e.End != len(data) {
		err = fmt.Errorf("%d bytes after the element", len(data)-e.End)
		return Element{}, at(e.End, err)
	}
	return e, err
}

type parser struct{ data []byte }

func at(offset int, err error) error { return fmt.Errorf("parse DER at byte %d: %w", offset, err) }

// element reads the element at start, which ends at end or before.
func (p parser) element(start, end, depth int) (Element, error) {
	if depth > MaxDepth {
		return Element{}, at(start, fmt.Errorf("nested deeper than %d", MaxDepth))
	}
	if start == end {
		return Element{}, at(start, fmt.Errorf("nothing there, want an element"))
	}
	e := Element{Tag: p.data[start], Start: start}
	if e.Tag&highTag == highTag {
		return Element{}, at(start, fmt.Errorf("tag %02X of several bytes, want one of one", e.Tag))
	}
	content, err := p.length(&e, end)
	if err != nil {
		return Element{}, err
	}
	if !e.Constructed() {
		e.Content = p.data[content:e.End:e.End]
		return e, nil
	}
	for offset := content; offset < e.End; {
		child, err := p.element(offset, e.End, depth+1)
		if err != nil {
			return Element{}, err
		}
		e.Children = append(e.Children, child)
		offset = child.End
	}
	return e, nil
}

// length reads the length of an element behind its tag, and returns where the content
// starts.
func (p parser) length(e *Element, end int) (content int, err error) {
	offset := e.Start + 1
	if offset == end {
		return 0, at(offset, fmt.Errorf("nothing there, want the length of tag %02X", e.Tag))
	}
	first := p.data[offset]
	n, size := uint64(first), 0
	if first&longForm != 0 {
		n, size = 0, int(first&^longForm)
		if size == 0 || size > maxLength {
			return 0, at(offset, fmt.Errorf("length %02X, want one of 1 to %d bytes", first, maxLength))
		}
		if size > end-offset-1 {
			return 0, at(offset, fmt.Errorf("length of %d bytes, but %d are left", size, end-offset-1))
		}
		for _, b := range p.data[offset+1 : offset+1+size] {
			n = n<<8 | uint64(b)
		}
	}
	e.LengthSize = 1 + size
	content = offset + e.LengthSize
	if n > uint64(end-content) {
		return 0, at(offset, fmt.Errorf("length %d of tag %02X, but %d bytes are left", n, e.Tag, end-content))
	}
	e.End = content + int(n)
	return content, nil
}

// Unsigned returns the number in an integer or enumeration; false if it is negative,
// empty, or longer than 64 bits.
func (e Element) Unsigned() (uint64, bool) {
	b := e.Content
	if len(b) > 1 && b[0] == 0 {
		b = b[1:]
	} else if len(b) == 0 || b[0] >= 0x80 {
		return 0, false
	}
	if len(b) > 8 {
		return 0, false
	}
	var v uint64
	for _, octet := range b {
		v = v<<8 | uint64(octet)
	}
	return v, true
}

// OID returns an object identifier in dots, empty if it is not one (X.690 §8.19).
func (e Element) OID() string {
	var arcs []uint64
	var v uint64
	for i, octet := range e.Content {
		if v > 1<<56 {
			return ""
		}
		v = v<<7 | uint64(octet&0x7F)
		if octet&0x80 != 0 {
			if i == len(e.Content)-1 {
				return ""
			}
			continue
		}
		if arcs == nil { // the first two arcs share a number
			arcs = append(arcs, min(v/40, 2))
			v -= arcs[0] * 40
		}
		arcs = append(arcs, v)
		v = 0
	}
	text := ""
	for i, arc := range arcs {
		if i > 0 {
			text += "."
		}
		text += fmt.Sprint(arc)
	}
	return text
}
