package gasproxy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is a pacing policy: how much of an image a meter may fetch per window.
// Each policy is one file that registers its name; nothing else knows it.
type Policy interface {
	// Admit decides on the next block in a window. again tells that the same block
	// was admitted before and asked for once more. cost is the radio-on time of the
	// block and of being told to wait after it.
	Admit(w *Window, again bool, cost time.Duration) bool
	// String returns the policy as it is written on the command line.
	String() string
}

// parsers maps a policy's name to the parser of what follows the equals sign.
var parsers = map[string]parser{}

type parser struct {
	example string
	parse   func(value string) (Policy, error)
}

// register enters a policy; the result is only there to be assigned to blank.
func register(name, example string, parse func(string) (Policy, error)) struct{} {
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
