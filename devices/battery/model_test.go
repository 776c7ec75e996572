package battery

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTheSetsOfTheProgram(t *testing.T) {
	if got, want := Names(), []string{"2.4ghz-new", "2.4ghz-old", "868-gb"}; !slices.Equal(got, want) {
		t.Fatalf("sets %v, want %v", got, want)
	}
	for _, name := range Names() {
		m, err := NamedModel(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Parameters) != len(parameters) || m.About == "" {
			t.Errorf("%s explains %d figures of %d, about %q", name, len(m.Parameters), len(parameters), m.About)
		}
		for _, f := range m.Parameters {
			if f.Source == "" || f.Means == "" {
				t.Errorf("%s: %s has the source %q and means %q", name, f.Name, f.Source, f.Means)
			}
		}
		again, err := ParseModel(m.YAML())
		if err != nil || again.Set != m.Set {
			t.Errorf("%s printed and read again is %+v (%v), want %+v", name, again.Set, err, m.Set)
		}
	}
	s, err := Named("868-gb")
	if err != nil {
		t.Fatal(err)
	}
	if s.TransmitMicroamps != 37_000 || s.SleepNanoamps != 1_700 || s.Radio.Name != "868mhz" || s.Radio.Host != 2*time.Millisecond ||
		s.CapacityMicroampHours != 19_000_000 || s.SelfDischargeBasisPoints != 100 || s.PageProgram != 1400*time.Microsecond {
		t.Errorf("868-gb is %+v", s)
	}
	if _, err := Named("nothing"); err == nil || !strings.Contains(err.Error(), "2.4ghz-new, 2.4ghz-old, 868-gb") {
		t.Errorf("an unknown set: %v, want the names there are", err)
	}
}

func TestAFaultInASetIsNamedWithItsLine(t *testing.T) {
	good := string(models()[DefaultSet].text)
	line := func(what string) int { return 1 + strings.Count(good[:strings.Index(good, what)], "\n") }
	tests := []struct {
		name, old, new string
		want           string
		at             string // what stands in the line that is named
	}{
		{"no unit", "value: 19 Ah", "value: 19", `cell.capacity: "19": want a number and Ah, mAh, µAh`, "value: 19 Ah"},
		{"a unit of something else", "value: 5.1 mA", "value: 5.1 ms", `radio.receive: "5.1 ms": want a number and mA, µA`, "value: 5.1 mA"},
		{"no number", "value: 39 MHz", "value: fast MHz", `processor.clock: "fast MHz"`, "value: 39 MHz"},
		{"nothing where something is divided by", "value: 256 B", "value: 0 B", `flash.page: "0 B": want 1 to`, "value: 256 B"},
		{"more than can be reckoned with", "value: 5 mA", "value: 5000 mA", `radio.transmit: "5000 mA": want 1 to 1000000 µA`, "value: 5 mA"},
		{"finer than can be reckoned with", "value: 1.3 µA", "value: 1.3004 µA", `cell.sleep: "1.3004 µA"`, "value: 1.3 µA"},
		{"an exponent", "value: 1 ms", "value: 1e3 ms", `want a number and s, ms, µs`, "value: 1 ms"},
		{"an unknown figure", "  sector-erase:", "  chip-erase:", "unknown figure flash.chip-erase", "  sector-erase:"},
		{"an unknown word", "value: poll", "value: sometimes", `radio.strategy: "sometimes": want listen or poll`, "value: poll"},
		{"an unknown band", "value: 2.4ghz", "value: 5ghz", `radio.band: "5ghz": want one of 2.4ghz, 868mhz`, "value: 2.4ghz"},
		{"no source", `{value: 39 MHz, source: "EFR32MG24 data sheet"}`, "{value: 39 MHz}", "processor.clock has no source", "value: 39 MHz"},
		{"a figure that is there twice", "  host:", "  band:", "band is there twice", "  host:"},
		{"no mapping", "processor:\n", "processor: fast\nradio-2:\n", "want keys and values", "processor:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(good, tt.old) {
				t.Fatalf("the set has no %q", tt.old)
			}
			_, err := ParseModel([]byte(strings.Replace(good, tt.old, tt.new, 1)))
			want := "line " + strconv.Itoa(line(tt.at)) + ": "
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q … %q", err, want, tt.want)
			}
		})
	}
	for name, text := range map[string]string{
		"the file is empty":   "",
		"name is missing":     strings.Replace(good, "name: 2.4ghz-new\n", "", 1),
		"one document":        good + "---\n" + good,
		"capacity is missing": strings.Replace(good, good[strings.Index(good, "  capacity"):strings.Index(good, "  self-dis")], "", 1),
	} {
		if _, err := ParseModel([]byte(text)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

func FuzzParseModel(f *testing.F) {
	for _, name := range Names() {
		f.Add(models()[name].text)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("- 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseModel(text)
		if err != nil {
			return
		}
		// A set that is taken can be reckoned with.
		l := NewLedger(m.Set, installed)
		l.Elapse(installed.Add(365 * 24 * time.Hour))
		l.Radio(m.Set.Radio.Exchange(17, 65))
		im := m.Set.Image(10<<20, 48)
		if l.Total() < 0 || im.Total() < 0 || l.Remaining() > m.Set.Capacity() {
			t.Errorf("a year takes %d, an image %d of %d", l.Total(), im.Total(), m.Set.Capacity())
		}
	})
}
