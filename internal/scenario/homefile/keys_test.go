package homefile

import "reflect"

// Key is a key of scenario files.
type Key struct {
	Path    string // with NAME for a device and [] for each element of a list
	Value   string // what its value is, in a word or two; "" for a group of keys
	Default string
	Doc     string
	Need    bool
}

// Row returns the key as a row of the manual's table.
func (k Key) Row() string {
	value, def := k.Value, k.Default
	if k.Need {
		def = "needed"
	}
	if value == "" {
		value = "group"
	}
	return "| `" + k.Path + "` | " + value + " | " + def + " | " + k.Doc + " |"
}

// Keys returns all keys in the order of the Go types. A group that may also stand
// at the top is listed there alone.
func Keys() []Key {
	var all []Key
	top := map[reflect.Type]bool{}
	for _, f := range fieldsOf(reflect.TypeFor[Home]()) {
		if group, _ := f.group(); group != nil {
			top[group] = true
		}
	}
	var walk func(prefix string, t reflect.Type)
	walk = func(prefix string, t reflect.Type) {
		for _, f := range fieldsOf(t) {
			k := Key{Path: join(prefix, f.key), Default: f.def, Doc: f.doc, Need: f.need}
			group, suffix := f.group()
			if group == nil {
				k.Value = f.name()
			}
			all = append(all, k)
			if group != nil && (prefix == "" || !top[group]) {
				walk(k.Path+suffix, group)
			}
		}
	}
	walk("", reflect.TypeFor[Home]())
	return all
}

// name returns what a key's value is, in a word or two.
func (f field) name() string {
	t, s := f.value()
	if s != nil {
		return s.form().name
	}
	return "list of " + field{typ: t.Elem()}.name()
}

// group returns the type of the group of keys that a key's value is or holds, and
// what stands between the key and those.
func (f field) group() (t reflect.Type, suffix string) {
	t, s := f.value()
	switch {
	case s != nil:
		return nil, ""
	case t.Kind() == reflect.Struct:
		return t, ""
	case nameField(t) >= 0:
		return t.Elem(), ".NAME"
	case t.Elem().Kind() == reflect.Struct:
		if _, isScalar := reflect.New(t.Elem()).Interface().(scalar); !isScalar {
			return t.Elem(), "[]"
		}
	}
	return nil, ""
}
