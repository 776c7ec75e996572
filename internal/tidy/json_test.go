package tidy

import (
	"go/ast"
	"go/types"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// foreignJSON are the packages whose JSON has the names of somebody else: other
// people's MQTT messages and manifests.
var foreignJSON = []string{
	"transport/bridge", "transport/bridge/filestreams", "transport/bridge/glow", "transport/bridge/homeassistant",
	"transport/bridge/tasmota", "transport/bridge/zigbee2mqtt",
}

// unitWords are words of names that are units; one of them may only be the last.
var unitWords = []string{"s", "uah", "percent", "days"}

// otherUnits are words that say a figure in another unit than the house has for it,
// or a device's address in another word.
var otherUnits = map[string]string{
	"ms": "_s", "us": "_s", "ns": "_s", "sec": "_s", "seconds": "_s", "minutes": "_s", "hours": "_s", "years": "_days",
	"ah": "_uah", "mah": "_uah", "nc": "_uah", "uc": "_uah", "coulombs": "_uah", "microcoulombs": "_uah", "nanocoulombs": "_uah",
	"pct": "_percent", "ratio": "_percent", "share": "_percent", "eui": "eui64", "mac": "eui64", "address": "eui64",
	"kb": "bytes", "kib": "bytes", "timestamp": "_at", "ts": "_at",
}

// instants are the names of instants that do not end in _at.
var instants = []string{
	"at", "now", "since", "overdue_since", "silent_since", "until", "last_heard", "next_heartbeat", "not_after", "emulated", "next",
}

// deviceNames are the names that an EUI64 has besides its own, eui64.
var deviceNames = []string{"eui64", "device", "from", "to", "node", "chf", "supplier", "meter"}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// jsonFault says what is wrong with a name of JSON whose value has the Go type
// written in kind, "" if nothing is.
func jsonFault(name, kind string) string {
	kind = strings.TrimPrefix(kind, "*")
	if !snakeCase.MatchString(name) {
		return "want lower case with underscores"
	}
	words := strings.Split(name, "_")
	for i, w := range words {
		if better, ok := otherUnits[w]; ok {
			return strconv.Quote(w) + " is not the unit or word of the house, want " + better
		}
		if slices.Contains(unitWords, w) && i != len(words)-1 && len(words) > 1 && w != "percent" {
			return "the unit " + w + " comes last"
		}
	}
	isInstant := strings.HasSuffix(name, "_at") || name == "wall" || strings.HasSuffix(name, "_wall") || slices.Contains(instants, name)
	switch {
	case kind == "time.Duration":
		return "a duration is a number of seconds, with a name that ends in _s"
	case kind == "time.Time" && !isInstant:
		return "the name of an instant ends in _at"
	case strings.HasSuffix(name, "_at") && kind != "time.Time":
		return "only an instant's name ends in _at"
	case kind == "han.EUI64" && !slices.Contains(deviceNames, name):
		return "a device is eui64 to itself and device to others"
	}
	return ""
}

// jsonNames calls yield for each name of JSON that a file's structs have.
func jsonNames(s source, yield func(name, kind string, at ast.Node)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		f, ok := n.(*ast.Field)
		if !ok || f.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			panic(err)
		}
		if name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ","); name != "" && name != "-" {
			yield(name, types.ExprString(f.Type), f)
		}
		return true
	})
}

// ourJSON calls yield for each name of JSON that is the house's own.
func ourJSON(t *testing.T, yield func(s source, name, kind string, at ast.Node)) {
	for _, s := range sources(t) {
		if s.test || slices.Contains(foreignJSON, s.pkg) {
			continue
		}
		jsonNames(s, func(name, kind string, at ast.Node) { yield(s, name, kind, at) })
	}
}

func TestAFigureHasOneUnitAndOneNameInJSON(t *testing.T) {
	names := 0
	ourJSON(t, func(s source, name, kind string, at ast.Node) {
		names++
		if fault := jsonFault(name, kind); fault != "" {
			t.Errorf("%s: %q: %s (see docs/json.md)", s.at(at), name, fault)
		}
	})
	if names < 200 {
		t.Errorf("only %d names were found", names)
	}
}

// What has a unit is listed where the convention is written down.
func TestFiguresOfJSONAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	now, _, _ := strings.Cut(string(text), "## Old names")
	told := map[string]bool{}
	ourJSON(t, func(s source, name, _ string, at ast.Node) {
		last := name[strings.LastIndex(name, "_")+1:]
		if slices.Contains(unitWords, last) && !told[name] && !strings.Contains(now, "`"+name+"`") {
			told[name] = true
			t.Errorf("%s: docs/json.md does not list %s", s.at(at), name)
		}
	})
}

func TestNamesThatWouldBeRefused(t *testing.T) {
	for _, c := range []struct{ name, kind, want string }{
		{"eui", "string", "eui64"}, {"radio_on_ms", "float64", "_s"}, {"charge_uAh", "float64", "lower case"}, {"fileName", "string", "lower case"},
		{"uah_spent", "float64", "comes last"}, {"changed", "*time.Time", "_at"}, {"resumed_at", "*uint32", "only an instant"},
		{"wait_s", "time.Duration", "seconds"}, {"mine", "han.EUI64", "device to others"}, {"emulated_seconds", "float64", "_s"},
	} {
		if got := jsonFault(c.name, c.kind); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q, want something with %q", c.name, c.kind, got, c.want)
		}
	}
	for _, c := range [][2]string{
		{"eui64", "han.EUI64"}, {"radio_on_s", "float64"}, {"charge_by_cause_uah", "map[string]float64"}, {"changed_at", "*time.Time"}, {"devices", "[]han.EUI64"},
	} {
		if got := jsonFault(c[0], c[1]); got != "" {
			t.Errorf("%s %s: %s", c[0], c[1], got)
		}
	}
}
