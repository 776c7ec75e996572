package battery

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Model is a parameter set with the source of each figure.
type Model struct {
	Set        Set
	About      string
	Parameters []Figure // in the order in which they are explained
	text       []byte   // the file
}

// YAML returns the file that the model was read from.
func (m *Model) YAML() []byte { return m.text }

// Figure is one figure of a model.
type Figure struct {
	Name   string // group and name, such as "radio.receive"
	Value  string // with its unit
	Source string
	Means  string // what the figure is used for
}

// DefaultSet is the name of the set that a meter has unless told otherwise.
const DefaultSet = "2.4ghz-new"

//go:embed sets/*.yaml
var setFiles embed.FS

// models are the sets that come with the program, by name.
var models = sync.OnceValue(func() map[string]Model {
	files, err := setFiles.ReadDir("sets")
	if err != nil {
		panic(err)
	}
	all := map[string]Model{}
	for _, f := range files {
		text, err := setFiles.ReadFile("sets/" + f.Name())
		if err != nil {
			panic(err)
		}
		m, err := ParseModel(text)
		if err != nil {
			panic(fmt.Sprintf("battery: sets/%s: %v", f.Name(), err))
		}
		if m.Set.Name+".yaml" != f.Name() {
			panic(fmt.Sprintf("battery: sets/%s holds the set %q", f.Name(), m.Set.Name))
		}
		all[m.Set.Name] = m
	}
	return all
})

// Names returns the names of the sets that come with the program, ascending.
func Names() []string {
	var names []string
	for name := range models() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// NamedModel returns a set that comes with the program, with its sources.
func NamedModel(name string) (Model, error) {
	m, ok := models()[name]
	if !ok {
		return Model{}, fmt.Errorf("battery set %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	return m, nil
}

// Named returns a set that comes with the program.
func Named(name string) (Set, error) {
	m, err := NamedModel(name)
	return m.Set, err
}

// Default returns the set named DefaultSet.
func Default() Set { return models()[DefaultSet].Set }

// entry is a figure as it stands in a file.
type entry struct {
	value, source string
	line          int
}

// ParseModel reads a set from a YAML file such as those that come with the
// program. Every figure must be there, with a unit and a source; what is not known
// is refused. Errors name the line.
func ParseModel(text []byte) (Model, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return Model{}, errors.New("the file is empty, want a battery set")
		}
		return Model{}, err
	}
	if more := decoder.Decode(&yaml.Node{}); !errors.Is(more, io.EOF) {
		return Model{}, errors.New("want one document in the file")
	}
	m := Model{text: text}
	entries := map[string]entry{}
	if err := eachPair(document.Content[0], func(key, value *yaml.Node) error {
		switch key.Value {
		case "name":
			m.Set.Name = value.Value
			return nil
		case "about":
			m.About = value.Value
			return nil
		default:
			return readGroup(key.Value, value, entries)
		}
	}); err != nil {
		return Model{}, err
	}
	if m.Set.Name == "" {
		return Model{}, errors.New("name is missing")
	}
	return m, m.fill(entries)
}

// readGroup collects the figures of one group.
func readGroup(group string, node *yaml.Node, entries map[string]entry) error {
	return eachPair(node, func(key, value *yaml.Node) error {
		name := group + "." + key.Value
		if _, ok := parameterNamed(name); !ok {
			return fmt.Errorf("line %d: unknown figure %s", key.Line, name)
		}
		e := entry{line: value.Line}
		err := eachPair(value, func(key, value *yaml.Node) error {
			switch key.Value {
			case "value":
				e.value = value.Value
			case "source":
				e.source = value.Value
			default:
				return fmt.Errorf("line %d: %s: unknown key %q, want value and source", key.Line, name, key.Value)
			}
			return nil
		})
		if err == nil && e.source == "" {
			err = fmt.Errorf("line %d: %s has no source", e.line, name)
		}
		entries[name] = e
		return err
	})
}

// eachPair calls f for each key of a mapping; a key that is there twice is refused.
func eachPair(node *yaml.Node, f func(key, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want keys and values", node.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if seen[key.Value] {
			return fmt.Errorf("line %d: %s is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if err := f(key, node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// fill sets each parameter from the file's figures.
func (m *Model) fill(entries map[string]entry) error {
	for _, p := range parameters {
		e, ok := entries[p.name]
		if !ok {
			return fmt.Errorf("%s is missing", p.name)
		}
		if err := p.set(&m.Set, e.value); err != nil {
			return fmt.Errorf("line %d: %s: %w", e.line, p.name, err)
		}
		m.Parameters = append(m.Parameters, Figure{Name: p.name, Value: e.value, Source: e.source, Means: p.means})
	}
	return nil
}
