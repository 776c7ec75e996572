package tree

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/commshub/commshub/han/gbcs/dlms"
)

//go:embed cosem.txt
var cosemTable string

// cosem is what cosem.txt says.
type cosem struct {
	classes map[uint16]cosemClass
	objects map[cosemMember]cosemObject
	shapes  map[string]*shape
	// attributes are the rows of the attributes of a name, in the order of the table; each
	// shape has the name.
	attributes map[string][]*shape
}

type cosemClass struct {
	name    string
	members map[string]string // by a2, m1
}

// cosemMember names an attribute or method of an object as the table does.
type cosemMember struct {
	class  uint16
	object string // 0-0:1.0.0.255
	member string // a2, m1
}

// cosemObject is the row of an attribute or method.
type cosemObject struct {
	name  string
	shape *shape // nil if the value has no parts
}

// cosemNames reads the table once. One that cannot be read is a programmer's error and
// panics.
var cosemNames = sync.OnceValue(func() cosem {
	c, err := readCosem(cosemTable)
	if err != nil {
		panic("tree: cosem.txt: " + err.Error())
	}
	return c
})

func readCosem(table string) (cosem, error) {
	c := cosem{classes: map[uint16]cosemClass{}, objects: map[cosemMember]cosemObject{}, shapes: map[string]*shape{}, attributes: map[string][]*shape{}}
	var class uint16
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var err error
		switch {
		case len(words) < 2:
			err = fmt.Errorf("want two words or more")
		case words[0] == "shape":
			c.shapes[words[1]], err = parseShape(strings.Join(words[2:], " "))
		case words[0] == "class":
			class, err = parseClass(words[1])
			c.classes[class] = cosemClass{strings.Join(words[2:], " "), map[string]string{}}
		case line[0] == ' ':
			c.classes[class].members[words[0]] = words[1]
		default:
			err = c.readObject(words)
		}
		if err != nil {
			return cosem{}, fmt.Errorf("line %q: %w", strings.TrimSpace(line), err)
		}
	}
	c.protect()
	return c, nil
}

// protect says of what objects of Data Protection protect what it is: the attributes that
// have the object's name.
func (c *cosem) protect() {
	for key, o := range c.objects {
		if o.shape != nil && o.shape == c.shapes["protected"] {
			s := *o.shape
			s.holds = c.attributes[o.name]
			o.shape = &s
			c.objects[key] = o
		}
	}
}

func parseClass(word string) (uint16, error) {
	n, err := strconv.ParseUint(word, 10, 16)
	return uint16(n), err
}

func (c *cosem) readObject(words []string) error {
	const columns = 4 // in front of the name
	if len(words) <= columns {
		return fmt.Errorf("%d words, want more than %d", len(words), columns)
	}
	class, err := parseClass(words[0])
	if err != nil {
		return err
	}
	key := cosemMember{class, words[1], words[2]}
	if c.classes[class].members[key.member] == "" {
		return fmt.Errorf("class %d has no %s", class, key.member)
	}
	if _, twice := c.objects[key]; twice {
		return fmt.Errorf("is there twice")
	}
	o := cosemObject{name: strings.Join(words[columns:], " ")}
	if name, found := strings.CutPrefix(words[3], "="); found {
		if o.shape = c.shapes[name]; o.shape == nil {
			return fmt.Errorf("no shape %s", name)
		}
	}
	c.objects[key] = o
	if key.member[0] == 'a' {
		s := shape{}
		if o.shape != nil {
			s = *o.shape
		}
		s.name = o.name
		c.attributes[o.name] = append(c.attributes[o.name], &s)
	}
	return nil
}

// memberOf returns how the table names what a descriptor does something with.
func memberOf(d dlms.Descriptor) cosemMember {
	kind := "a"
	if d.Choice == dlms.Action {
		kind = "m"
	}
	return cosemMember{d.Class, obis(d.Object[:]), fmt.Sprintf("%s%d", kind, d.Member)}
}

// lookUp returns the row of a member. Of an object that the table does not have, it is
// made of what the class says; false if the class says nothing.
func (c cosem) lookUp(m cosemMember) (cosemObject, bool) {
	if o, ok := c.objects[m]; ok {
		return o, true
	}
	if name := c.classes[m.class].members[m.member]; name != "" {
		return cosemObject{name: fmt.Sprintf("%s %s", c.classes[m.class].name, m.object)}, true
	}
	return cosemObject{name: m.object}, false
}

// memberName returns the class's name of a member, or its number.
func (c cosem) memberName(m cosemMember) string {
	if name := c.classes[m.class].members[m.member]; name != "" {
		return name
	}
	return m.member
}
