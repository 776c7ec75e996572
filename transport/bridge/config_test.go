package bridge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
)

// settings is a section with every kind of value.
type settings struct {
	Text    string        `yaml:"text"`
	Number  int           `yaml:"number"`
	Part    float64       `yaml:"part"`
	Yes     bool          `yaml:"yes"`
	Wait    time.Duration `yaml:"wait"`
	Things  []thing       `yaml:"things"`
	Pacing  Pacing        `yaml:"pacing"`
	private int
}

type thing struct {
	Mapping `yaml:",inline"`
	Names   []string `yaml:"names"`
}

// withSettings is an adapter kind that decodes its section into s.
func withSettings(s *settings) []Kind {
	return []Kind{{Name: "echo", New: func(section *Section) (Adapter, error) {
		if err := section.Decode(s); err != nil {
			return nil, err
		}
		a := newEcho()
		a.mapping = nil
		for _, t := range s.Things {
			a.mapping = append(a.mapping, t.Mapping)
		}
		return a, nil
	}}}
}

const goodConfig = `broker: {url: mqtt://127.0.0.1}
echo:
  text: 0123
  number: 7
  part: 0.5
  yes: true
  wait: 30m
  pacing: {every: 1h, blocks: 10}
  things:
    - id: 0011223344556677
      label: lamp
      names: [a, b]
`

func TestConfigIsRead(t *testing.T) {
	s := settings{private: 1}
	c, err := ParseConfig("b.yaml", []byte(goodConfig), withSettings(&s))
	if err != nil {
		t.Fatal(err)
	}
	if s.Text != "0123" || s.Number != 7 || s.Part != 0.5 || !s.Yes || s.Wait != 30*time.Minute || s.Pacing != (Pacing{Every: time.Hour, Blocks: 10}) {
		t.Errorf("%+v", s)
	}
	if len(s.Things) != 1 || s.Things[0].EUI64 != 0x0011223344556677 || s.Things[0].Label != "lamp" || len(s.Things[0].Names) != 2 {
		t.Errorf("%+v", s.Things)
	}
	if c.Group != "home" || len(c.Adapters) != 1 || c.HTTP.Listen != "" {
		t.Errorf("%+v", c)
	}
}

func TestConfigRefusesWithThePlace(t *testing.T) {
	replace := func(from, to string) string { return strings.Replace(goodConfig, from, to, 1) }
	tests := []struct{ name, text, want string }{
		{"an empty file", "", "b.yaml:1:1: the file is empty"},
		{"no mapping", "- a\n", "b.yaml:1:1: want keys"},
		{"two documents", goodConfig + "---\na: b\n", "more than one document"},
		{"no YAML", "a: [\n", "b.yaml:1:1: did not find"},
		{"an unknown section", goodConfig + "zwave: {}\n", `b.yaml:13:1: unknown key "zwave"`},
		{"a section twice", goodConfig + "echo: {}\n", `b.yaml:13:1: key "echo" stands there twice`},
		{"an unknown key", replace("number", "nummer"), `b.yaml:4:3: unknown key "nummer"`},
		{"an unknown key in a list", replace("label", "lable"), `b.yaml:11:7: unknown key "lable"`},
		{"an unknown key of the broker", replace("url", "uri"), `b.yaml:1:10: unknown key "uri"`},
		{"a key twice", replace("number: 7", "number: 7\n  number: 8"), `b.yaml:5:3: key "number" stands there twice`},
		{"a word for a number", replace("number: 7", "number: seven"), `b.yaml:4:11: "seven": want a whole number`},
		{"a number too large", replace("number: 7", "number: 99999999999999999999"), "want a whole number"},
		{"a word for a part", replace("0.5", "half"), `b.yaml:5:9: "half": want a number`},
		{"a word for yes or no", replace("true", "often"), `b.yaml:6:8: "often": want true or false`},
		{"a number for a duration", replace("30m", "30"), "want a duration such as 30m"},
		{"a list for a text", replace("text: 0123", "text: [a]"), "b.yaml:3:9: want a single value"},
		{"a text for a list", replace("names: [a, b]", "names: a"), "b.yaml:12:14: want a list"},
		{"a text for a section", "broker: {url: mqtt://127.0.0.1}\necho: 7\n", "b.yaml:2:7: want keys"},
		{"no identifier", replace("0011223344556677", "1234"), "b.yaml:10:11: parse EUI64"},
		{"an alias", "broker: &b {url: mqtt://127.0.0.1}\necho: *b\n", "b.yaml:2:7: aliases are not taken"},
		{"no broker", "echo: {}\n", "b.yaml:1:1: broker: url is missing"},
		{"a broker that is none", "broker: {url: http://127.0.0.1}\necho: {}\n", "b.yaml:1:9: broker URL"},
		{"no adapter", "broker: {url: mqtt://127.0.0.1}\n", "b.yaml:1:1: no adapter"},
		{"a group that cannot stand in a topic", "group: a/b\n" + goodConfig, `b.yaml:1:8: group "a/b"`},
		{"a file that is not there", "broker: {url: mqtt://127.0.0.1, password-file: /nowhere}\necho: {}\n", "password-file: /nowhere: no such file"},
		{"no address to listen on", "http: {listen: here}\n" + goodConfig, `b.yaml:1:7: listen "here"`},
		{"no address to reach it", "http: {listen: 127.0.0.1:0, url: me}\n" + goodConfig, `url "me"`},
		{"only half of it", "http: {url: 'http://127.0.0.1'}\n" + goodConfig, "url without listen"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseConfig("b.yaml", []byte(tt.text), withSettings(&settings{}))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "b.yaml:") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func TestDeviceBelongsToOneAdapter(t *testing.T) {
	kinds := append(withSettings(&settings{}), Kind{Name: "again", New: func(*Section) (Adapter, error) {
		a := newEcho()
		a.mapping = []Mapping{{EUI64: 0x0011223344556677}}
		return a, nil
	}})
	_, err := ParseConfig("b.yaml", []byte(goodConfig+"again: {}\n"), kinds)
	if err == nil || !strings.Contains(err.Error(), "stands under echo too") {
		t.Errorf("error %v", err)
	}
	kinds[1].New = func(*Section) (Adapter, error) { a := newEcho(); a.mapping = []Mapping{{}}; return a, nil }
	if _, err := ParseConfig("b.yaml", []byte(goodConfig+"again: {}\n"), kinds); err == nil || !strings.Contains(err.Error(), "no id") {
		t.Errorf("error %v", err)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(goodConfig))
	f.Add([]byte("broker: &a {url: *a}\n"))
	f.Add([]byte("echo: {things: [{id: 0x11, id: 2}], ? [a]: b}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := settings{}
		_, err := ParseConfig("b.yaml", text, withSettings(&s))
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "b.yaml:")) {
			t.Errorf("error %q, want one line with its place", err)
		}
		for _, thing := range s.Things {
			if err == nil && thing.EUI64 == han.EUI64(0) {
				t.Error("a device without identifier was taken")
			}
		}
	})
}

func TestTwoKindsOfOneNamePanic(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "bridge: two kinds of adapter are named echo"; got != want {
			t.Errorf("panicked with %q, want %q", got, want)
		}
	}()
	_, _ = ParseConfig("b.yaml", []byte("group: a"), []Kind{{Name: "echo"}, {Name: "echo"}})
}
