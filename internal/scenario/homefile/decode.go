package homefile

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Error is what is wrong with a scenario file, and where.
type Error struct {
	File         string
	Line, Column int
	Text         string
}

// Error returns one line: file:line:column: text. What does not come from the file
// has no line.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// place is where something stands.
type place struct{ line, column int }

// parseYAML reads the one document of a file.
func parseYAML(file string, text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var document, second yaml.Node
	if err := d.Decode(&document); err != nil {
		return nil, yamlError(file, err)
	}
	if err := d.Decode(&second); err == nil {
		return nil, &Error{file, second.Line, second.Column, "a second document, expected one scenario per file"}
	}
	return document.Content[0], nil
}

// yamlError brings what the YAML library says into the form of all errors.
func yamlError(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	e := &Error{File: file, Line: 1, Column: 1, Text: "not YAML: " + text}
	if n, scanErr := fmt.Sscanf(text, "line %d: ", &e.Line); n == 1 && scanErr == nil {
		_, rest, _ := strings.Cut(text, ": ")
		e.Text = "not YAML: " + rest
	}
	if text == "EOF" {
		e.Text = "an empty file, expected a scenario"
	}
	return e
}

// decoder fills Go values from YAML and remembers where each of them stands.
type decoder struct {
	file   string
	places map[string]place // by path, such as faults[2].at
}

func (d *decoder) errorAt(n *yaml.Node, path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if path != "" {
		text = path + ": " + text
	}
	return &Error{d.file, n.Line, n.Column, text}
}

// errorOf returns an error about what stands at a path, or at the nearest place
// around it that the file has.
func (d *decoder) errorOf(path, format string, args ...any) error {
	at := path
	for {
		if p, ok := d.places[at]; ok {
			return &Error{d.file, p.line, p.column, path + ": " + fmt.Sprintf(format, args...)}
		}
		cut := strings.LastIndexAny(at, ".[")
		if cut < 0 {
			at = ""
			continue
		}
		at = at[:cut]
	}
}

// defaulter is a value with defaults for the keys that are not there.
type defaulter interface{ setDefaults() }

// decode fills the value that target points to.
func (d *decoder) decode(n *yaml.Node, path string, target any) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.places[path] = place{n.Line, n.Column}
	if s, ok := target.(scalar); ok {
		return d.decodeScalar(n, path, s)
	}
	if t, ok := target.(defaulter); ok {
		t.setDefaults()
	}
	v := reflect.ValueOf(target).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, path, v.Interface())
	case reflect.Struct:
		return d.decodeStruct(n, path, v)
	case reflect.Slice:
		if nameField(v.Type()) >= 0 {
			return d.decodeNamed(n, path, v)
		}
		return d.decodeList(n, path, v)
	default:
		panic(fmt.Sprintf("homefile: no way to decode a %s", v.Type()))
	}
}

func (d *decoder) decodeScalar(n *yaml.Node, path string, s scalar) error {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return d.errorAt(n, path, "%s, expected %s", describe(n), s.form().want)
	}
	err := s.set(n.Value)
	if r, ok := s.(resolver); ok && err == nil {
		err = r.resolve(filepath.Dir(d.file))
	}
	switch {
	case errors.Is(err, errForm):
		return d.errorAt(n, path, "%q, expected %s", shorten(n.Value), s.form().want)
	case err != nil:
		return d.errorAt(n, path, "%v", err)
	default:
		return nil
	}
}

// shorten keeps a message on one line of reasonable length.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// describe says what kind of node stands where another was expected.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	default:
		return fmt.Sprintf("%q", shorten(n.Value))
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, path string, v reflect.Value) error {
	fields := fieldsOf(v.Type())
	if n.Kind != yaml.MappingNode {
		return d.errorAt(n, path, "%s, expected a group of keys: %s", describe(n), strings.Join(fields.keys(), ", "))
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, ok := fields.find(key.Value)
		switch {
		case !ok:
			return d.errorAt(key, path, "unknown key %q, expected one of %s", shorten(key.Value), strings.Join(fields.keys(), ", "))
		case seen[f.key]:
			return d.errorAt(key, path, "key %q a second time, expected once", f.key)
		}
		seen[f.key] = true
		if err := d.decode(value, join(path, f.key), v.Field(f.index).Addr().Interface()); err != nil {
			return err
		}
	}
	for _, f := range fields {
		if f.need && !seen[f.key] {
			return d.errorAt(n, path, "key %q is missing, expected %s", f.key, f.want())
		}
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (d *decoder) decodeList(n *yaml.Node, path string, v reflect.Value) error {
	if n.Kind != yaml.SequenceNode {
		return d.errorAt(n, path, "%s, expected a list", describe(n))
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		if err := d.decode(item, fmt.Sprintf("%s[%d]", path, i), v.Index(i).Addr().Interface()); err != nil {
			return err
		}
	}
	return nil
}

// decodeNamed fills a list whose elements are keys of the file, by their names.
func (d *decoder) decodeNamed(n *yaml.Node, path string, v reflect.Value) error {
	if n.Kind != yaml.MappingNode {
		return d.errorAt(n, path, "%s, expected names, and a group of keys under each", describe(n))
	}
	name := nameField(v.Type())
	count := len(n.Content) / 2
	v.Set(reflect.MakeSlice(v.Type(), count, count))
	seen := map[string]bool{}
	for i := range count {
		key, value := n.Content[2*i], n.Content[2*i+1]
		if err := d.decodeScalar(key, path, v.Index(i).Field(name).Addr().Interface().(scalar)); err != nil {
			return err
		}
		if seen[key.Value] {
			return d.errorAt(key, path, "key %q a second time, expected once", key.Value)
		}
		seen[key.Value] = true
		if err := d.decode(value, join(path, key.Value), v.Index(i).Addr().Interface()); err != nil {
			return err
		}
	}
	return nil
}
