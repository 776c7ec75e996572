package battery

import "testing"

// TestOneUpdateShows: 256 KiB at 2.4 GHz take 0.155 mAh, which of 19 Ah are 0.0008 % and
// 50 minutes.
func TestOneUpdateShows(t *testing.T) {
	for percent, want := range map[float64]string{
		100: "100.0000 %", 100 * (1 - 0.155/19_000): "99.9991 %", 100 * (1 - 2*0.155/19_000): "99.9983 %",
		99.99999: "99.9999 %", 10: "10.0000 %", 0: "0.0000 %",
	} {
		if got := Percent(percent); got != want {
			t.Errorf("%v is written %q, want %q", percent, got, want)
		}
	}
	for days, want := range map[float64]string{
		4325.13: "4,325.13 days (11.8 years)", 4325.13 - 50.0/1440: "4,325.10 days (11.8 years)", 4325: "4,325.00 days (11.8 years)",
		700.04: "700.04 days", 0.035: "0.04 days", 1234567.8: "1,234,567.80 days (3380.1 years)",
	} {
		if got := Days(days); got != want {
			t.Errorf("%v is written %q, want %q", days, got, want)
		}
	}
}
