package bridge

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Section is a part of the configuration file that knows where it stands.
type Section struct {
	path string
	node *yaml.Node
}

// maxConfig is the longest configuration file, in bytes.
const maxConfig = 1 << 20

// parseDocument reads the one document of a file; its top is a mapping.
func parseDocument(path string, text []byte) (*Section, error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("%s:1:1: %d bytes, at most %d are taken", path, len(text), maxConfig)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s:1:1: the file is empty", path)
		}
		return nil, syntaxError(path, err)
	}
	s := &Section{path: path, node: doc.Content[0]}
	if s.node.Kind != yaml.MappingNode {
		return nil, s.at(s.node, "want keys and values")
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1:1: more than one document", path)
	}
	return s, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError puts the place first that the parser tells; it tells no column.
func syntaxError(path string, err error) error {
	text, line := err.Error(), "1"
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		if m[1] != "" {
			line = m[1]
		}
		text = text[len(m[0]):]
	}
	return fmt.Errorf("%s:%s:1: %s", path, line, text)
}

// at returns an error at a node.
func (s *Section) at(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %w", s.path, n.Line, n.Column, fmt.Errorf(format, args...))
}

// Errorf returns an error at the value of a member of the section, or at the
// section's beginning if it has no such member.
func (s *Section) Errorf(member, format string, args ...any) error {
	at := s.node
	for i := 0; i+1 < len(s.node.Content) && s.node.Kind == yaml.MappingNode; i += 2 {
		if s.node.Content[i].Value == member {
			at = s.node.Content[i+1]
		}
	}
	return s.at(at, format, args...)
}

// members calls f for each member of a mapping; none may stand there twice.
func (s *Section) members(f func(key *yaml.Node, value *Section) error) error {
	if s.node.Kind != yaml.MappingNode {
		return s.at(s.node, "want keys and values")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		key, value := s.node.Content[i], s.node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return s.at(key, "want a plain key")
		}
		if seen[key.Value] {
			return s.at(key, "key %q stands there twice", key.Value)
		}
		seen[key.Value] = true
		if value.Kind == yaml.AliasNode {
			return s.at(value, "aliases are not taken")
		}
		if err := f(key, &Section{s.path, value}); err != nil {
			return err
		}
	}
	return nil
}

// Decode reads the section into a struct, by its yaml tags; inline structs, lists
// and nested structs are followed. A key without a field is refused, and so is a
// value of the wrong kind, each with its place. What the section does not name
// stays as it is.
func (s *Section) Decode(into any) error { return s.decode(reflect.ValueOf(into).Elem()) }

func (s *Section) decode(v reflect.Value) error {
	if _, isText := v.Addr().Interface().(encoding.TextUnmarshaler); isText || v.Type() == reflect.TypeFor[time.Duration]() {
		return s.scalar(v)
	}
	switch v.Kind() {
	case reflect.Struct:
		fields := map[string]reflect.Value{}
		collect(v, fields)
		return s.members(func(key *yaml.Node, value *Section) error {
			field, ok := fields[key.Value]
			if !ok {
				return s.at(key, "unknown key %q", key.Value)
			}
			return value.decode(field)
		})
	case reflect.Slice:
		if s.node.Kind != yaml.SequenceNode {
			return s.at(s.node, "want a list")
		}
		list := reflect.MakeSlice(v.Type(), len(s.node.Content), len(s.node.Content))
		for i, n := range s.node.Content {
			if err := (&Section{s.path, n}).decode(list.Index(i)); err != nil {
				return err
			}
		}
		v.Set(list)
		return nil
	default:
		return s.scalar(v)
	}
}

// collect finds the fields of a struct by their tags.
func collect(v reflect.Value, fields map[string]reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		tag, ok := f.Tag.Lookup("yaml")
		if !ok || !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if options == "inline" {
			collect(v.Field(i), fields)
			continue
		}
		fields[name] = v.Field(i)
	}
}

// scalar reads a value that stands in one word. Identifiers of 16 digits look
// like numbers, so the text as it stands is what counts for types that read text.
func (s *Section) scalar(v reflect.Value) error {
	if s.node.Kind != yaml.ScalarNode {
		return s.at(s.node, "want a single value")
	}
	if reader, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if err := reader.UnmarshalText([]byte(s.node.Value)); err != nil {
			return s.at(s.node, "%w", err)
		}
		return nil
	}
	if v.Kind() == reflect.String {
		v.SetString(s.node.Value)
		return nil
	}
	if err := s.node.Decode(v.Addr().Interface()); err != nil {
		return s.at(s.node, "%q: want %s", s.node.Value, wanted(v))
	}
	return nil
}

func wanted(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			return "a duration such as 30m"
		}
		return "a whole number"
	}
}
