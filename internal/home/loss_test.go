package home

import "testing"

func TestLossIsReadInPercent(t *testing.T) {
	for text, want := range map[string]Loss{"0": 0, "10%": 100_000, "0.5%": 5_000, "100": 1_000_000} {
		if got, err := ParseLoss(text); err != nil || got != want || got.Link().Loss != 0 && int(got.Link().Loss) != int(want) {
			t.Errorf("%q is %v (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "-1%", "101", "ten", "NaN", "10%%"} {
		if got, err := ParseLoss(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
