package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// document is the OpenAPI document as the hub serves it. It is read with this
// reader of its own, so that the interface is not measured with its own ruler.
type document struct {
	Paths      map[string]map[string]*operation
	Components struct{ Schemas map[string]*schema }
}

type operation struct {
	OperationID string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   *schema
	}
	RequestBody *struct {
		Content map[string]struct{ Schema *schema }
	}
	Responses map[string]struct {
		Content map[string]struct{ Schema *schema }
	}

	method, path string
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any    // a string, or several
	Format               string
	Enum                 []any
	Properties           map[string]*schema
	Required             []string
	AdditionalProperties any
	Items                *schema
	Minimum, Maximum     *float64
	MinItems, MaxItems   *int
	MaxLength            *int // of free text
}

func (s *server) document() *document {
	s.t.Helper()
	_, text := s.send("GET", "/openapi.json", "")
	d := &document{}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		s.t.Fatal(err)
	}
	return d
}

// operations returns all operations in a stable order.
func (d *document) operations() []*operation {
	var all []*operation
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b *operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return all
}

func (d *document) resolve(s *schema) *schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// types returns the types that a schema allows.
func (s *schema) types() []string {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var all []string
		for _, v := range t {
			all = append(all, fmt.Sprint(v))
		}
		return all
	default:
		return nil
	}
}

// check demands that a value is what a schema says.
func (d *document) check(s *schema, v any, at string) error {
	s = d.resolve(s)
	if s == nil {
		return fmt.Errorf("%s: no schema", at)
	}
	if types := s.types(); types != nil && !slices.ContainsFunc(types, func(t string) bool { return isType(t, v) }) {
		return fmt.Errorf("%s: %T, want %v", at, v, types)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%s: %v, want one of %v", at, v, s.Enum)
	}
	switch v := v.(type) {
	case float64:
		if s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			return fmt.Errorf("%s: %v is out of range", at, v)
		}
	case string:
		if s.Format == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			return fmt.Errorf("%s: %d items", at, len(v))
		}
		for i, item := range v {
			if s.Items == nil {
				break // anything
			}
			if err := d.check(s.Items, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return d.checkObject(s, v, at)
	}
	return nil
}

func (d *document) checkObject(s *schema, v map[string]any, at string) error {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s.%s is missing", at, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		p, ok := s.Properties[name]
		if !ok {
			if s.AdditionalProperties == false {
				return fmt.Errorf("%s.%s is not documented", at, name)
			}
			continue
		}
		if err := d.check(p, v[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func isType(t string, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case float64:
		return t == "number" || t == "integer" && v == float64(int64(v))
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	default:
		return false
	}
}

// answerOf is what came back.
type answerOf struct {
	status      int
	contentType string
	body        string
}

// documented demands that an answer is one that the operation documents.
func (d *document) documented(op *operation, a answerOf) error {
	response, ok := op.Responses[fmt.Sprint(a.status)]
	if !ok {
		return fmt.Errorf("status %d is not documented (only %v): %.200s", a.status, slices.Sorted(maps.Keys(op.Responses)), a.body)
	}
	if len(response.Content) == 0 {
		if a.body != "" {
			return fmt.Errorf("status %d with the body %.200q, none is documented", a.status, a.body)
		}
		return nil
	}
	contentType, _, _ := strings.Cut(a.contentType, ";")
	content, ok := response.Content[contentType]
	if !ok {
		return fmt.Errorf("status %d of type %q, want %v", a.status, a.contentType, slices.Sorted(maps.Keys(response.Content)))
	}
	if !strings.HasSuffix(contentType, "json") {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		return fmt.Errorf("status %d: %w in %.200s", a.status, err, a.body)
	}
	return d.check(content.Schema, v, "answer")
}

func TestTheSchemaReaderFindsFaults(t *testing.T) {
	d := &document{}
	one := 1.0
	s := &schema{Type: "object", Required: []string{"a"}, AdditionalProperties: false, Properties: map[string]*schema{
		"a": {Type: "integer", Minimum: &one}, "b": {Type: []any{"string", "null"}, Enum: []any{"x", nil}}, "c": {Type: "array", Items: &schema{Type: "boolean"}},
		"t": {Type: "string", Format: "date-time"},
	}}
	for text, good := range map[string]bool{
		`{"a":1}`: true, `{"a":1,"b":null,"c":[true],"t":"2026-01-05T00:00:00Z"}`: true,
		`{}`: false, `{"a":0}`: false, `{"a":1.5}`: false, `{"a":1,"d":1}`: false, `{"a":1,"b":"y"}`: false, `{"a":1,"c":[1]}`: false,
		`{"a":1,"t":"soon"}`: false, `[]`: false, `null`: false,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := d.check(s, v, "v"); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}
