package gasproxy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/devices/battery"
)

// Policy is a pacing policy: how much of an image a meter may fetch per window.
// Each policy is one file that registers its name; nothing else knows it. A policy
// is a value without state: what it decides by is in the window.
type Policy interface {
	// Admit decides on the next block in a window. again tells that the same block
	// was admitted before and asked for once more.
	Admit(w *HeartbeatWindow, again bool, c *Cost) bool
	// PerWindow returns how much of an image the policy lets a meter have in each
	// window, for a prediction.
	PerWindow(l *Load) Allowance
	// String returns the policy as it is written on the command line.
	String() string
}

// Planner is a policy that sets a window's plan when the meter first asks in it.
type Planner interface {
	Policy
	// Plan decides on the window that has begun.
	Plan(d *Download) Plan
}

// Doubter is a policy that cannot hold under all circumstances what it promises.
type Doubter interface {
	Policy
	// Doubt says why it may not hold for a download, in one line; "" if it will.
	Doubt(l *Load) string
}

// Doubt says why a policy may not hold what it promises for a download; "" if it will, or
// promises nothing that depends on the download.
func Doubt(p Policy, l Load) string {
	if d, ok := p.(Doubter); ok {
		return d.Doubt(&l)
	}
	return ""
}

// Plan is what a planner makes of a window.
type Plan struct {
	Size  int            // bytes per block, 0 = as every hub does it
	Spend battery.Charge // on the download in this window; what it means is the policy's own
	// Hold tells to end the window if the channel turns out to be worse than Loss,
	// answers lost in parts per million.
	Hold bool
	Loss int
}

// Download is what a planner plans by.
type Download struct {
	Now     time.Time
	Started time.Time // of the distribution
	Total   uint32    // bytes of the image
	Left    uint32    // bytes from the one that is asked for
	Most    int       // bytes per block that meter and hub allow
	Period  time.Duration
	Loss    int // radio frames lost, parts per million, measured
	// Best is the most that the loss of answers can have been in the best window so
	// far; negative if there was none.
	Best int
	Set  *battery.Set
	// Before is the charge that the window took before the first block, and its last word.
	Before battery.Charge
	// Remaining is the charge of the meter's cell by its own report.
	Remaining battery.Charge
}

// Cost is what blocks of one size cost a meter.
type Cost struct {
	Block, Wait             time.Duration  // radio-on time of a block; of asking once more and being told to wait
	BlockCharge, WaitCharge battery.Charge // the same in charge, with storing the block
	// After is the radio-on time of what follows the block in the same window if it is
	// the last of the image; 0 if it is not.
	After time.Duration
	// Last is the radio-on time of a meter's last word in a window, what it spent.
	Last time.Duration
}

// parsers maps a policy's name to the parser of what follows the equals sign.
var parsers = map[string]parser{}

type parser struct {
	example string
	parse   func(value string) (Policy, error)
}

// register enters a policy; the result is only there to be assigned to blank. A name
// that is taken is a programmer's error and panics.
func register(name, example string, parse func(string) (Policy, error)) struct{} {
	if old, ok := parsers[name]; ok {
		panic(fmt.Sprintf("gasproxy: two policies are called %s: %s and %s", name, old.example, example))
	}
	parsers[name] = parser{example, parse}
	return struct{}{}
}

// ParsePolicy reads a policy as it is written on the command line, such as
// "radio=10s" or "blocks=50".
func ParsePolicy(s string) (Policy, error) {
	name, value, _ := strings.Cut(s, "=")
	p, ok := parsers[name]
	if !ok {
		return nil, fmt.Errorf("pacing %q: want one of %s", s, strings.Join(PolicyExamples(), ", "))
	}
	policy, err := p.parse(value)
	if err != nil {
		return nil, fmt.Errorf("pacing %q: %w (for example %s)", s, err, p.example)
	}
	return policy, nil
}

// PolicyExamples returns one example of each policy.
func PolicyExamples() []string {
	var all []string
	for _, p := range parsers {
		all = append(all, p.example)
	}
	slices.Sort(all)
	return all
}
