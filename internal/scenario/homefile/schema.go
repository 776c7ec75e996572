package homefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// Schema returns the JSON Schema of scenario files. It follows the Go types, as
// the decoder does. What two values mean to each other is beyond a schema; only
// Parse knows that.
func Schema() []byte {
	root := groupSchema(reflect.TypeFor[Home]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "commshub scenario"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(fmt.Sprintf("homefile: the schema is no JSON: %v", err))
	}
	return b.Bytes()
}

type object map[string]any

// groupSchema describes a group of keys.
func groupSchema(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(t) {
		s := valueSchema(f)
		s["description"] = f.doc
		if f.def != "" {
			s["default"] = f.def
		}
		properties[f.key] = s
		if f.need {
			required = append(required, f.key)
		}
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// valueSchema describes the value of a key.
func valueSchema(f field) object {
	t, s := f.value()
	switch {
	case s != nil:
		return scalarSchema(s.form())
	case t.Kind() == reflect.Struct:
		return groupSchema(t)
	case nameField(t) >= 0:
		return object{
			"type": "object", "additionalProperties": groupSchema(t.Elem()),
			"propertyNames": object{"pattern": new(Name).form().pattern},
		}
	default:
		return object{"type": "array", "items": valueSchema(field{typ: t.Elem()})}
	}
}

// scalarSchema describes a value of one word. YAML takes some words for numbers or
// for true and false; those are let through as such.
func scalarSchema(f form) object {
	if f.enum != nil {
		values := []any{}
		for _, w := range f.enum {
			values = append(values, w)
			if w == "true" || w == "false" {
				values = append(values, w == "true")
			}
		}
		if f.pattern == "" {
			return object{"enum": values}
		}
		return object{"anyOf": []object{{"enum": values}, {"type": "string", "pattern": f.pattern}}}
	}
	out := object{"type": "string"}
	if f.number {
		out["type"] = []string{"string", "number"}
	}
	if f.pattern != "" {
		out["pattern"] = f.pattern
	}
	return out
}
