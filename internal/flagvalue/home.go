package flagvalue

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/home"
)

// EUI64 is a flag for an EUI64. Without one it is what the home has.
type EUI64 han.EUI64

// Type implements pflag.Value.
func (e *EUI64) Type() string { return "eui64" }

// String implements pflag.Value.
func (e *EUI64) String() string {
	if *e == 0 {
		return ""
	}
	return han.EUI64(*e).String()
}

// Set implements pflag.Value.
func (e *EUI64) Set(s string) error {
	if s == "" {
		*e = 0
		return nil
	}
	v, err := han.ParseEUI64(s)
	*e = EUI64(v)
	return err
}

// Policy is a flag for a pacing policy.
type Policy struct{ gasproxy.Policy }

// Type implements pflag.Value.
func (p *Policy) Type() string { return "policy" }

// Set implements pflag.Value.
func (p *Policy) Set(s string) error {
	v, err := gasproxy.ParsePolicy(s)
	if err == nil {
		p.Policy = v
	}
	return err
}

// Trust is a flag for what a meter demands of an image.
type Trust bootloader.Trust

// String implements pflag.Value.
func (t *Trust) String() string { return bootloader.Trust(*t).String() }

// Type implements pflag.Value.
func (t *Trust) Type() string { return "policy" }

// Set implements pflag.Value.
func (t *Trust) Set(s string) error {
	v, err := bootloader.ParseTrust(s)
	*t = Trust(v)
	return err
}

// Time is a flag for an instant that the devices of a HAN can tell: their clocks
// count 32 bits of seconds from 2000 on.
type Time struct{ time.Time }

// String implements pflag.Value.
func (t *Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// Type implements pflag.Value.
func (t *Time) Type() string { return "time" }

// Set implements pflag.Value.
func (t *Time) Set(s string) error {
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("want a time such as 2026-12-01T03:00:00Z")
	}
	if year := v.UTC().Year(); year < 2000 || year > 2135 {
		return fmt.Errorf("want a time from 2000 to 2135")
	}
	t.Time = v.UTC()
	return nil
}

// Loss is a flag for the share of radio frames that a link loses, such as 10%.
type Loss struct{ home.Loss }

// Type implements pflag.Value.
func (l *Loss) Type() string { return "percent" }

// Set implements pflag.Value.
func (l *Loss) Set(s string) error {
	v, err := home.ParseLoss(s)
	if err == nil {
		l.Loss = v
	}
	return err
}
