package tree

import (
	"fmt"
	"strings"
)

// shape says what the parts of DLMS data are called; the nil shape says nothing.
type shape struct {
	name     string
	optional bool
	elements []*shape // of a structure
	each     *shape   // of an array
	holds    []*shape // of what is protected: the attributes, once they are open
	octets   []part   // of an octet-string
}

// part is a part of an octet-string that has parts.
type part struct {
	name string
	size int
	text func([]byte) string
}

// element returns the shape of the element i of a structure of n; nil if the shape does
// not have it.
func (s *shape) element(i, n int) *shape {
	if s == nil {
		return nil
	}
	elements := s.elements
	if n < len(elements) { // without the optional ones
		elements = nil
		for _, e := range s.elements {
			if !e.optional {
				elements = append(elements, e)
			}
		}
	}
	if n != len(elements) {
		return nil
	}
	return elements[i]
}

// parseShape reads the notation of cosem.txt.
func parseShape(text string) (*shape, error) {
	p := shapeParser{rest: strings.ReplaceAll(text, " ", "")}
	s, err := p.shape()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%q behind the shape", p.rest)
	}
	return s, err
}

type shapeParser struct{ rest string }

// shape takes name, what is in it, and the mark of an optional one.
func (p *shapeParser) shape() (*shape, error) {
	end := strings.IndexAny(p.rest, "{}[],?")
	if end < 0 {
		end = len(p.rest)
	}
	s := &shape{name: p.rest[:end]}
	p.rest = p.rest[end:]
	switch {
	case p.next("{"):
		for {
			e, err := p.shape()
			if err != nil {
				return nil, err
			}
			s.elements = append(s.elements, e)
			if p.next("}") {
				break
			}
			if !p.next(",") {
				return nil, fmt.Errorf("%q, want , or }", p.rest)
			}
		}
	case p.next("["):
		var err error
		if s.each, err = p.shape(); err != nil {
			return nil, err
		}
		if !p.next("]") {
			return nil, fmt.Errorf("%q, want ]", p.rest)
		}
	case s.name == "":
		return nil, fmt.Errorf("%q, want a name", p.rest)
	}
	s.optional = p.next("?")
	return s, nil
}

func (p *shapeParser) next(mark string) bool {
	rest, found := strings.CutPrefix(p.rest, mark)
	if found {
		p.rest = rest
	}
	return found
}
