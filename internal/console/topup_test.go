package console

import "testing"

func TestPounds(t *testing.T) {
	for s, want := range map[string]uint32{"10": 1000, "12.50": 1250, "0.01": 1, "£8191": 819100} {
		if got, err := ParsePounds(s); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1", "1.5", "1,50", "1.505", "12345", "1e3", "ten", "£", ".50", "1 0"} {
		if got, err := ParsePounds(s); err == nil {
			t.Errorf("%q: %d", s, got)
		}
	}
}
