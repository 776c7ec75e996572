package homefile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const docs = "../../../docs/"

// TestThePublishedSchemaIsThisOne: `go generate ./cmd/commshub` writes it anew.
func TestThePublishedSchemaIsThisOne(t *testing.T) {
	published, err := os.ReadFile(docs + "scenario.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, Schema()) {
		t.Error("docs/scenario.schema.json is not what the Go types say; run go generate ./cmd/commshub")
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("scenario.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("scenario.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tree reads YAML as editors do, who know nothing of the Go types.
func tree(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheExamplesAgreeWithTheSchema(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob(docs + "examples/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, want 10 or more; error %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(tree(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := Parse(file, text); err != nil {
			t.Error(err)
		}
	}
}

// TestSchemaAndParserRefuseTheSame: mistakes of form are refused by both, and what
// is right is taken by both.
func TestSchemaAndParserRefuseTheSame(t *testing.T) {
	s := compile(t)
	for _, tt := range []struct {
		text  string
		right bool
	}{
		{gas, true},
		{gas + "seed: 7\nblock_size: 64\n", true},
		{gas + "link: {loss: 0.1, corruption: 2%, bursts: {begin: 1%, end: 1}}\n", true},
		{gas + "heartbeat: {period: 1d2h30m, jitter: 90s}\n", true},
		{image + "expect: {version: 02000000, alerts: [8F72, 8153], battery_used_below: 3mAh}\n", true},
		{gas + "image: {size: 262144, version: 0A000000, hardware: 0100}\n", true},
		{image + "faults: [{at: 1h, power_cut: {device: gas}}]\n", true},
		{gas + "radio: 868-gb\nbattery: {set: 868-gb}\n", true},
		{gas + "radio: 868mhz\n", false},
		{gas + "battery: {set: 4}\n", false},
		{"seed: 1\n", false},
		{"devices: {gas: {drift: 1ppm}}\n", false},
		{"devices: {the gas: {kind: GSME}}\n", false},
		{gas + "los: 1\n", false},
		{gas + "link: {los: 1}\n", false},
		{gas + "seed: {}\n", false},
		{gas + "seed: one\n", false},
		{gas + "duration: 14 days\n", false},
		{gas + "duration: 14\n", false},
		{gas + "link: {loss: many}\n", false},
		{gas + "stop: later\n", false},
		{gas + "start: yesterday\n", false},
		{gas + "faults: [{hub_restart: {off: 1s}}]\n", false},
		{gas + "faults: {at: 1h}\n", false},
		{image + "expect: {version: two}\n", false},
		{image + "expect: {never: [exploded]}\n", false},
		{image + "expect: {alerts: [verified]}\n", false},
		{image + "expect: {battery_used_below: 3V}\n", false},
		{image + "expect: {state: happy}\n", false},
	} {
		_, err := Parse("x.yaml", []byte(tt.text))
		if (err == nil) != tt.right {
			t.Errorf("%q: the parser says %v", tt.text, err)
		}
		if err := s.Validate(tree(t, []byte(tt.text))); (err == nil) != tt.right {
			t.Errorf("%q: the schema says %v", tt.text, err)
		}
	}
}

// TestTheManualHasEveryKey as a row of its table.
func TestTheManualHasEveryKey(t *testing.T) {
	manual, err := os.ReadFile(docs + "simulation.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if k.Doc == "" {
			t.Errorf("%s has no description", k.Path)
		}
		if !strings.Contains(string(manual), k.Row()+"\n") {
			t.Errorf("docs/simulation.md lacks the row\n%s", k.Row())
		}
	}
}

// TestDefaultsAreWhatTheKeysSay: writing a default into a file changes nothing.
func TestDefaultsAreWhatTheKeysSay(t *testing.T) {
	const text = `
devices: {NAME: {kind: GSME, heartbeat: {}, battery: {}}}
image: {size: 4KiB}
link: {bursts: {begin: 1%, end: 1%}}
heartbeat: {}
battery: {}
distribute: {}
`
	plain, err := Parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, k := range Keys() {
		if k.Default == "" || strings.Contains(k.Path, "[]") {
			continue
		}
		written, err := Parse("x.yaml", []byte(text), Override{Path: k.Path, Value: k.Default, Source: k.Path})
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(plain, written, cmp.AllowUnexported(ChargePart{})); diff != "" {
			t.Errorf("%s is not %s by default:\n%s", k.Path, k.Default, diff)
		}
		checked++
	}
	if checked < 25 {
		t.Errorf("only %d defaults", checked)
	}
}
