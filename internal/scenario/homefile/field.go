package homefile

import (
	"reflect"
	"strings"
)

// field is a key of a group.
type field struct {
	index int
	key   string
	doc   string
	def   string // default, "" if there is none
	need  bool
	typ   reflect.Type
}

type fields []field

// fieldsOf returns the keys of a group in the order of its Go type.
func fieldsOf(t reflect.Type) fields {
	var all fields
	for i := range t.NumField() {
		f := t.Field(i)
		key, ok := f.Tag.Lookup("key")
		if !ok || key == "-" {
			continue
		}
		all = append(all, field{i, key, f.Tag.Get("doc"), f.Tag.Get("def"), f.Tag.Get("need") == "yes", f.Type})
	}
	return all
}

func (fs fields) find(key string) (field, bool) {
	for _, f := range fs {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func (fs fields) keys() []string {
	var keys []string
	for _, f := range fs {
		keys = append(keys, f.key)
	}
	return keys
}

// nameField returns which field of a list's elements holds the name under which
// they stand in the file, or -1.
func nameField(list reflect.Type) int {
	element := list.Elem()
	if element.Kind() != reflect.Struct {
		return -1
	}
	for i := range element.NumField() {
		if f := element.Field(i); f.Type == reflect.TypeFor[Name]() && f.Tag.Get("key") == "-" {
			return i
		}
	}
	return -1
}

// value returns the type without its pointer, and its scalar if it is one.
func (f field) value() (reflect.Type, scalar) {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s, _ := reflect.New(t).Interface().(scalar)
	return t, s
}

// want says what a key's value is.
func (f field) want() string {
	t, s := f.value()
	switch {
	case s != nil:
		return s.form().want
	case t.Kind() == reflect.Struct:
		return "a group of keys: " + strings.Join(fieldsOf(t).keys(), ", ")
	case nameField(t) >= 0:
		return "names, and a group of keys under each"
	default:
		return "a list"
	}
}
