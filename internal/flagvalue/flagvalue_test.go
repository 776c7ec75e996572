package flagvalue

import (
	"fmt"
	"testing"
)

// value is what a command line sets.
type value interface {
	fmt.Stringer
	Set(s string) error
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		v        value
		set      string
		want     string
		refusals []string
	}{
		{new(Hex16), "9a", "009A", []string{"", "x", "10000", "-1"}},
		{new(Hex32), "02000000", "02000000", []string{"", "100000000"}},
		{new(AutoHex16), "9a", "009A", []string{"10000", "Auto"}},
		{new(AutoHex16), "auto", "auto", nil},
		{new(AutoHex32), "1", "00000001", []string{"x"}},
		{new(Bytes), "262144", "262144", []string{"", "-1", "1.5kB", "kB", "2147483648", "3000MiB", "1TB"}},
		{new(Bytes), "2147483647", "2147483647", nil},
		{new(Bytes), "256KiB", "262144", nil},
		{new(Bytes), "1MiB", "1048576", nil},
		{new(Bytes), "750kB", "750000", nil},
		{new(Bytes), "2MB", "2000000", nil},
	} {
		if err := tt.v.Set(tt.set); err != nil || tt.v.String() != tt.want {
			t.Errorf("%T %s: %s, %v; want %s", tt.v, tt.set, tt.v, err, tt.want)
		}
		for _, s := range tt.refusals {
			if err := tt.v.Set(s); err == nil {
				t.Errorf("%T took %q as %s", tt.v, s, tt.v)
			}
		}
	}
}

func TestAutoLeavesItToTheProgram(t *testing.T) {
	var h AutoHex16
	if got := h.Or(7); got != 7 {
		t.Errorf("%d, want 7", got)
	}
	if err := h.Set("0"); err != nil || h.Or(7) != 0 {
		t.Errorf("%d, %v", h.Or(7), err)
	}
}
