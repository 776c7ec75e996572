package foreign

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for give, want := range map[string]string{
		"":                     "",
		"Gas meter":            "Gas meter",
		"Zähler 25 µAh – ×600": "Zähler 25 µAh – ×600",
		"\x1b[2J\x1b]0;x\a":    `\x1b[2J\x1b]0;x\a`,
		"a\nFAILED\r\tb":       `a\nFAILED\r\tb`,
		"a\x00b\x7f":           `a\x00b\x7f`,
		"\u009b31m":            `\u009b31m`,
		"\x9b31m\xff":          `\x9b31m\xff`,
		"\u202egnp.exe\u2066":  `\u202egnp.exe\u2066`,
		"\u2028\u200b\ufeff":   `\u2028\u200b\ufeff`,
		"\U000e0041":           `\U000e0041`,
		"\ufffd":               "\ufffd",
		"it's \"quoted\" \\":   "it's \"quoted\" \\",
	} {
		if got := Line(give); got != want {
			t.Errorf("Line(%q) = %q, want %q", give, got, want)
		}
	}
	if got := Line(strings.Repeat("\x1b", 10_000)); got != strings.Repeat(`\x1b`, MaxLine)+"… (10000 bytes)" {
		t.Errorf("10,000 escapes: %d characters that end with %q", len(got), got[len(got)-20:])
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"mqtt://hub.example:1883":        "mqtt://hub.example:1883",
		"mqtt://me:pass@hub.example":     "mqtt://hub.example",
		"http://me:p@ss://w@[::1]:80/%z": "http://[::1]:80/%z",
		"me:pass@hub.example":            "hub.example",
		"me:p@ss@http://hub.example":     "http://hub.example",
		"":                               "",
	} {
		if got := Address(text); got != want {
			t.Errorf("Address(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestPage(t *testing.T) {
	var b bytes.Buffer
	for _, text := range []string{"<h1>\n\tGas\x1b[2J", "\u202e\ufffd\xff meter\u009b</h1>\n"} {
		if n, err := io.WriteString(Page(&b), text); n != len(text) || err != nil {
			t.Errorf("%d bytes of %d, %v", n, len(text), err)
		}
	}
	if want := "<h1>\n\tGas\\x1b[2J\\u202e\ufffd\\xff meter\\u009b</h1>\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("Gas\x1b[2J\u202e\xff meter\n")
	f.Fuzz(func(t *testing.T, text string) {
		line := Line(text)
		for _, r := range line {
			if !strconv.IsPrint(r) {
				t.Errorf("Line(%q) has %U", text, r)
			}
		}
		if !utf8.ValidString(line) || Line(line) != line && len(line) <= MaxLine {
			t.Errorf("Line(%q) = %q", text, line)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add("Gas\x1b[2J\u202e\u009b\U000e0041\xff \"meter\"\\\n", "key\u202e")
	f.Fuzz(func(t *testing.T, text, key string) {
		encoded, err := json.Marshal(map[string]any{key: []any{text, 1, true}})
		if err != nil {
			t.Skip(err)
		}
		var before, after any
		var written bytes.Buffer
		if err := json.NewEncoder(Writer(&written)).Encode(json.RawMessage(encoded)); err != nil {
			t.Fatal(err)
		}
		harmless := JSON(encoded)
		if got := bytes.TrimSuffix(written.Bytes(), []byte("\n")); !bytes.Equal(got, harmless) {
			t.Errorf("written %q, want %q", got, harmless)
		}
		for _, r := range string(harmless) {
			if !strconv.IsPrint(r) {
				t.Errorf("%q has %U", harmless, r)
			}
		}
		if err := json.Unmarshal(encoded, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(harmless, &after); err != nil {
			t.Fatal(err)
		}
		if a, b := mustMarshal(t, before), mustMarshal(t, after); a != b {
			t.Errorf("%s became %s", a, b)
		}
		var show map[string][]any
		if err := json.Unmarshal(Shown(encoded), &show); err != nil {
			t.Fatalf("%s: %v", Shown(encoded), err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
		for k, v := range show {
			// An encoder replaces each byte that is no UTF-8.
			if k != Line(string([]rune(key))) || v[0] != Line(string([]rune(text))) || v[1] != 1.0 {
				t.Errorf("%q: %q shown as %q: %q", valid(key), valid(text), k, v)
			}
		}
	})
}

func mustMarshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestShownLeavesWhatIsNoJSONToTheDecoder(t *testing.T) {
	for _, text := range []string{"", "no", `"`, `{"a": "b`, `"\`, `{"a\q": 1}`} {
		if got := string(Shown([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
