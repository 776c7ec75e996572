package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
)

// hostileText is what a file, a device, a bridge or a broker may call itself: it would
// clear the screen, colour what follows, set the window's title, turn the line round,
// and pass for a line of ours.
var hostileText = "\x1b[2J\x1b[31mx\x1b]0;y\a\u009b31m\u202egnp\u2066\u200b\x7f\r\nFORGED\tz\x00" + strings.Repeat("ab\x1b", 10_000/3)

// hostileLines are the command lines of every command that shows what others wrote. In
// them NAME is a hostile name of a file that is not there, IMAGE one of a file that is
// an image, SCENARIO of a scenario, HOME of a folder.
var hostileLines = map[string][]string{
	"battery explain":     {"NAME"},
	"battery list":        {""},
	"bridge":              {"NAME", "BRIDGE"},
	"broker":              {"--listen NAME", "--pki IMAGE"},
	"capture":             {"", "--out OUT", "--out NAME/x", "NAME"},
	"clock":               {"", "--json"},
	"clock pause":         {""},
	"clock resume":        {""},
	"clock step":          {""},
	"clock speed":         {"60", "NAME"},
	"clock run":           {"--until 90m --timeout 1s", "--until NAME"},
	"demo":                {"--image NAME", "--listen NAME", "--trust NAME"},
	"device accept":       {"00DB1234567890A1 0000", "NAME NAME"},
	"device add":          {"00DB1234567890A1 --kind GSME", "NAME --kind NAME", "00DB1234567890A1 --kind GSME --install-code NAME"},
	"device list":         {"", "--json"},
	"device log":          {"00DB1234567890A1 --timeout 300ms", "00DB1234567890A1 --security --json --timeout 300ms", "gsme --last", "NAME"},
	"device readings":     {"00DB1234567890A1", "00DB1234567890A1 --json", "NAME"},
	"device remove":       {"00DB1234567890A1", "NAME"},
	"device topup":        {"00DB1234567890A1 12.50", "NAME 1", "00DB1234567890A1 NAME"},
	"device type":         {"00DB1234567890A1 7395 0067 8871 0517 8605", "NAME 1", "00DB1234567890A1 NAME"},
	"firmware activate":   {"00DB1234567890A1", "NAME"},
	"firmware cancel":     {"00DB1234567890A1", "NAME"},
	"firmware distribute": {"TEXT 00DB1234567890A1", "NAME NAME"},
	"firmware list":       {"", "--json"},
	"firmware orders":     {"", "--json"},
	"firmware remove":     {"TEXT", "NAME", "0000000000000000000000000000000000000000000000000000000000000000"},
	"firmware status":     {"", "--json"},
	"firmware upload":     {"IMAGE", "IMAGE --json", "NAME", "SCENARIO"},
	"firmware version":    {"--timeout 300ms", "gsme --timeout 300ms", "00DB1234567890A1 --json --timeout 300ms", "NAME"},
	"firmware watch":      {"--until activated --timeout 2s", "--until activated --timeout 2s --json", "NAME"},
	"gbcs verify":         {"NAME --certs NAME", "IMAGE --certs IMAGE", "SCENARIO"},
	"gbcs counters":       {"", "--json", "--state NAME --api NAME", "--state SCENARIO"},
	"gbcs sign":           {"NAME --keys NAME", "IMAGE --keys IMAGE", "SCENARIO", "DF09 --keys .", ". --keys ."},
	"gbcs utrn":           {"NAME", "TEXT", "NAME --keys NAME", "--pence 1 --keys IMAGE --meter NAME", "73950067887105178605 --keys NAME --meter 00DB1234567890A2"},
	"gbcs decode":         {"NAME", "IMAGE", "SCENARIO", "IMAGE --json", "TEXT", "SCENARIO --keys IMAGE"},
	"health":              {"", "--api NAME"},
	"hub":                 {"--broker NAME", "--listen NAME", "--pki IMAGE"},
	"image build":         {"--out NAME/x", "--out OUT --payload NAME", "--out OUT --payload IMAGE --model TEXT --text TEXT"},
	"image inspect":       {"IMAGE", "IMAGE --json", "NAME", "SCENARIO", "MODEL", "MODEL --json"},
	"image sign":          {"IMAGE --out OUT", "NAME --out OUT"},
	"image verify":        {"IMAGE", "NAME", "MODEL", "IMAGE --supplier NAME"},
	"image wrap":          {"IMAGE --version 1 --out OUT", "NAME --version 1 --out OUT", "IMAGE --version 1 --out OUT --sign NAME"},
	"meter esme":          {"--broker NAME", "--like SCENARIO", "--like IMAGE --broker NAME"},
	"meter gsme":          {"--broker NAME", "--factory-image NAME"},
	"meter health":        {"--api NAME"},
	"meter ihd":           {"--broker NAME", "--install-code NAME"},
	"pki init":            {"--pki NAME/x/y"},
	"pki issue":           {"NAME", "00DB1234567890A1 --pki NAME/x/y"},
	"pki show":            {"--pki NAME"},
	"provision":           {"OUT --device NAME", "IMAGE --device GSME=00DB1234567890A1", "OUT --device GSME=00DB1234567890A1 --like NAME"},
	"report":              {"00DB1234567890A1 --html PAGE", "SCENARIO --html PAGE", "NAME"},
	"sim chaos":           {"--seeds NAME", "--seeds 1 --out IMAGE"},
	"sim run":             {"SCENARIO", "SCENARIO --json", "NAME", "IMAGE", "SCENARIO --homes 2"},
	"sim sweep":           {"SCENARIO --vary loss=0,0.1 --seeds 1", "NAME --vary loss=0", "SCENARIO --vary NAME"},
	"storage key":         {"IMAGE", "IMAGE/x"},
	"storage encrypt":     {"--storage-key NAME", "--storage-key IMAGE", "--storage-key env:NAME"},
	"storage decrypt":     {"--storage-key NAME", "--storage-key IMAGE", ""},
	"token":               {"--state NAME/x", "--token-file NAME"},
	"top":                 {"--json", ""},
}

// ours are commands that show nothing of others'.
var ours = []string{"completion", "help", "docs", "sim schema"}

// writers are the commands that may write into the state folder. All others look only.
var writers = []string{"bridge", "broker", "demo", "hub", "meter", "pki init", "pki issue", "provision", "image build", "image sign", "storage encrypt", "storage decrypt"}

// TestNoCommandLetsTextOfOthersOut: each command of the tree is run against a hub whose
// every text is hostile, one that refuses with such a reason, and one whose texts are
// empty, with files and names of the same kind.
func TestNoCommandLetsTextOfOthersOut(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	files := hostileFiles(t)
	for name, handler := range map[string]http.Handler{"shows": hostileHub(hostileText), "refuses": refusingHub(), "is empty": hostileHub("")} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		commands(newRoot(streams{}), func(path string, asks bool) {
			if !asks && name != "shows" {
				return // it knows no hub
			}
			lines, known := hostileLines[path]
			if !known {
				t.Errorf("no hostile command line for commshub %s", path)
			}
			for _, line := range lines {
				t.Run(name+"/"+path+" "+line, func(t *testing.T) {
					args := strings.Fields(path)
					for _, word := range strings.Fields(line) {
						args = append(args, files(word))
					}
					runHostile(t, args, server.URL)
				})
			}
		})
	}
}

func runHostile(t *testing.T, args []string, hub string) {
	t.Setenv("COMMSHUB_API", hub)
	state := t.TempDir()
	t.Setenv("COMMSHUB_STATE", state)
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code := run(ctx, args, streams{strings.NewReader(""), &out, &errs})
	if ctx.Err() != nil {
		t.Error("it does not end")
	}
	if strings.Contains(errs.String(), "unknown flag") {
		t.Error(errs.String())
	}
	if code != exitOK && strings.Count(errs.String(), "\n") < 1 {
		t.Errorf("exit code %d and no reason", code)
	}
	if made, err := os.ReadDir(state); err != nil || len(made) > 0 && !slices.Contains(writers, strings.Join(args[:min(2, len(args))], " ")) && !slices.Contains(writers, args[0]) {
		t.Errorf("a command that only looks made %v; %v", made, err)
	}
	for _, text := range []string{out.String(), errs.String(), read(t, args)} {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "FORGED") && !strings.HasPrefix(text, "<!doctype html>") {
				t.Errorf("a line is forged: %.80q", line)
			}
		}
		for i, r := range text {
			if r != '\n' && r != '\t' && !strconv.IsPrint(r) {
				t.Fatalf("%U gets out: %.120q", r, text[max(0, i-60):])
			}
		}
	}
}

// read returns the page that a report wrote.
func read(t *testing.T, args []string) string {
	if args[0] != "report" || args[len(args)-2] != "--html" {
		return ""
	}
	b, err := os.ReadFile(args[len(args)-1])
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_ = os.Remove(args[len(args)-1])
	return string(b)
}

// commands calls f with each command that can be run and shows something of others', and
// whether it asks a hub.
func commands(cmd *cobra.Command, f func(path string, asks bool)) {
	path := strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), "commshub"))
	for _, o := range ours {
		if path == o || strings.HasPrefix(path, o+" ") {
			return
		}
	}
	if path == "clock" || !cmd.HasSubCommands() {
		f(path, cmd.Flags().Lookup("api") != nil)
	}
	for _, c := range cmd.Commands() {
		commands(c, f)
	}
}

// hostileFiles returns what the words of hostileLines stand for.
func hostileFiles(t *testing.T) func(word string) string {
	t.Helper()
	dir := t.TempDir()
	// A file's name has at most 255 bytes, and no NUL.
	name := filepath.Join(dir, strings.NewReplacer("\x00", "", "/", "").Replace(hostileText[:80]))
	write := func(suffix string, b []byte) string {
		if err := os.WriteFile(name+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name + suffix
	}
	h := ota.ImageHeader{ImageID: ota.ImageID{FileVersion: 1}, Text: hostileText[:32], Extra: hostileText[:100]}
	body := ota.SubElement{Data: []byte(hostileText)}.Append(nil)
	h.TotalSize = uint32(h.Size() + len(body))
	quoted, err := json.Marshal(hostileText[:100])
	if err != nil {
		t.Fatal(err)
	}
	quoted = foreign.JSON(quoted) // which YAML takes too
	words := map[string]string{
		"NAME": name, "TEXT": hostileText[:30], "OUT": filepath.Join(dir, "out"), "PAGE": filepath.Join(dir, "page.html"), "IMAGE": write(".ota", append(h.Append(nil), body...)),
		"SCENARIO": write(".yaml", fmt.Appendf(nil, "description: %s\ndevices:\n  gas: {kind: GSME}\nimage: {size: 4KiB}\nexpect: {alerts: [FFFF]}\n", quoted)),
		"BRIDGE":   write(".bridge.yaml", fmt.Appendf(nil, "broker: %s\n%s: 1\n", quoted, quoted)),
		"MODEL":    filepath.Join(dir, "model.ota"),
	}
	var out, errs bytes.Buffer
	t.Setenv("COMMSHUB_STATE", dir)
	if code := run(t.Context(), []string{"image", "build", "--out", words["MODEL"], "--size", "4KiB", "--text", hostileText[:30], "--model", hostileText[:60]},
		streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatal(errs.String())
	}
	return func(word string) string {
		first, rest, _ := strings.Cut(word, "/")
		if w, ok := words[first]; ok {
			return strings.TrimSuffix(w+"/"+rest, "/")
		}
		return word
	}
}

// hostileHub answers every request with what it should answer, each text in it of one kind.
func hostileHub(text string) http.Handler {
	answers := []struct {
		path  string
		value any
	}{
		{"/battery", api.Battery{}}, {"/timeline", api.Timeline{}}, {"/v1/hub", api.Hub{}}, {"/v1/clock", api.Clock{}},
		{"/v1/devices", struct{ Devices []api.Device }{}}, {"/v1/updates", struct{ Updates []api.Update }{}},
		{"/v1/counters", struct{ Counters []api.Counter }{}},
		{"/v1/orders", struct{ Orders []api.Order }{}}, {"/v1/alerts", struct{ Alerts []api.InboxEntry }{}},
		{"/v1/devices/00DB1234567890A1", api.Device{}},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "1")
		if r.URL.Path == "/events" {
			w.Header().Set("Content-Type", "text/event-stream")
			for kind, v := range map[string]any{
				"hello": struct{}{}, "update": api.Update{}, "device": api.Device{}, "alert": api.InboxEntry{}, "clock": api.Clock{}, "battery": api.Battery{}, "broker": api.Hub{},
				"window": struct {
					Device han.EUI64  `json:"device"`
					Image  string     `json:"image"`
					Window api.Window `json:"window"`
				}{},
			} {
				fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, filled(reflect.TypeOf(v), text))
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/images" {
			var v any = struct{ Images []api.Image }{}
			if r.Method == http.MethodPost {
				v = api.Image{}
			}
			_, _ = w.Write(filled(reflect.TypeOf(v), text))
			return
		}
		for _, a := range answers {
			if r.URL.Path == a.path || strings.HasSuffix(r.URL.Path, a.path) {
				_, _ = w.Write(filled(reflect.TypeOf(a.value), text))
				return
			}
		}
		_, _ = w.Write([]byte("{}"))
	})
}

// refusingHub refuses everything with a hostile reason.
func refusingHub() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(client.Header, "1")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"title": hostileText, "detail": hostileText, "errors": []any{map[string]string{"message": hostileText + "!", "location": hostileText}},
		})
	})
}

// filled returns a value of a type in JSON, with a text wherever there can be any.
func filled(t reflect.Type, text string) []byte {
	b, err := json.Marshal(value(t, text))
	if err != nil {
		panic(err)
	}
	// As a hub of another make might write it: what JSON does not forbid is raw.
	return bytes.ReplaceAll(b, []byte(`\u009b`), []byte("\u009b"))
}

func value(t reflect.Type, text string) any {
	switch t {
	case reflect.TypeFor[han.EUI64]():
		return "00DB1234567890A1"
	case reflect.TypeFor[time.Time]():
		return "2026-01-05T12:00:00Z"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return value(t.Elem(), text)
	case reflect.Slice, reflect.Array:
		return []any{value(t.Elem(), text)}
	case reflect.Map:
		return map[string]any{text: value(t.Elem(), text)}
	case reflect.String:
		return text
	case reflect.Bool:
		return true
	case reflect.Struct:
		fields := map[string]any{}
		for f := range structFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous && name == "":
				for k, v := range value(f.Type, text).(map[string]any) {
					fields[k] = v
				}
			case text != "" && slices.Contains([]string{"image", "sha256", "image_hash"}, name): // what they name is asked for
				fields[name] = strings.Repeat("a1", 32)
			case name == "next" && f.Type.Kind() == reflect.String: // the next page, for ever
			case name == "":
				fields[strings.ToLower(f.Name)] = value(f.Type, text)
			case name != "-":
				fields[name] = value(f.Type, text)
			}
		}
		return fields
	default:
		return 1
	}
}

func structFields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && !yield(f) {
				return
			}
		}
	}
}
