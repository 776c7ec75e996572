package devicetest

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
)

// State is where in the life of a home a node is.
type State uint8

// The states.
const (
	Joined State = iota
	Downloading
	Waiting
	Updating
	NumStates
)

var stateNames = [...]string{"joined", "downloading", "waiting", "updating"}

// String returns the state's name.
func (s State) String() string { return stateNames[s] }

// Start and End are when the recording begins and ends.
var (
	Start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	End   = Start.Add(4 * time.Hour)
)

// Recording is a short life of a home, as its nodes met it.
type Recording struct {
	inputs map[han.EUI64][]Input
	marks  map[han.EUI64]*[NumStates]time.Time
}

// NewRecording returns an empty recording of which some nodes have states of their own.
func NewRecording(nodes ...han.EUI64) *Recording {
	r := &Recording{inputs: map[han.EUI64][]Input{}, marks: map[han.EUI64]*[NumStates]time.Time{}}
	for _, n := range nodes {
		r.marks[n] = new([NumStates]time.Time)
	}
	return r
}

//go:embed testdata/recording.txt
var recorded string

// Record returns what a home said to its devices; internal/nodetest wrote it down and
// holds it against a home.
var Record = sync.OnceValue(func() *Recording {
	r, err := parse(recorded)
	if err != nil {
		panic(err)
	}
	return r
})

// Until returns a node's inputs up to the moment at which it reached a state, and
// those after it. The hub is as far as its gas meter.
func (r *Recording) Until(node han.EUI64, s State) (before, after []Input) {
	all := r.inputs[node]
	for i := range all {
		if all[i].At.After(r.mark(node, s)) {
			return all[:i], all[i:]
		}
	}
	return all, nil
}

func (r *Recording) mark(node han.EUI64, s State) time.Time {
	if m, ok := r.marks[node]; ok {
		return m[s]
	}
	return r.marks[GSMEAddress][s]
}

// Mark tells when a node reached a state; the first time counts, or the last.
func (r *Recording) Mark(node han.EUI64, s State, at time.Time, last bool) {
	if m := r.marks[node]; m != nil && (last || m[s].IsZero()) {
		m[s] = at
	}
}

// Inputs returns all inputs of a node.
func (r *Recording) Inputs(node han.EUI64) []Input { return r.inputs[node] }

// Bring plays a node up to a state and returns what it was called with after it
// in the recording.
func (r *Recording) Bring(tb testing.TB, node han.Node, s State) (p *Player, after []Input) {
	before, after := r.Until(node.EUI64(), s)
	p = &Player{TB: tb, Node: node, Now: Start}
	p.Play(before)
	p.Advance(r.mark(node.EUI64(), s))
	return p, after
}

// Insert keeps a node's inputs in the order in which they come to it. What comes
// after End is left out.
func (r *Recording) Insert(node han.EUI64, in Input) {
	if in.At.After(End) {
		return
	}
	all := append(r.inputs[node], in)
	for i := len(all) - 1; i > 0 && all[i].At.Before(all[i-1].At); i-- {
		all[i], all[i-1] = all[i-1], all[i]
	}
	r.inputs[node] = all
}

// Text returns what some nodes met, one line each: when they reached each state, and
// the frames that came.
func (r *Recording) Text(nodes ...han.EUI64) string {
	var b strings.Builder
	for _, node := range nodes {
		fmt.Fprintf(&b, "node %s\n", node)
		for s := range NumStates {
			fmt.Fprintf(&b, "%s %s\n", s, r.mark(node, s).Format(time.RFC3339Nano))
		}
		for _, in := range r.inputs[node] {
			f := in.Frame
			fmt.Fprintf(&b, "%s %s %d %d %04X %d %x\n", in.At.Format(time.RFC3339Nano), f.Src, f.SrcEndpoint, f.DstEndpoint, f.Cluster, f.Counter, f.Payload)
		}
	}
	return b.String()
}

// parse reads what Text wrote.
func parse(text string) (*Recording, error) {
	r := NewRecording()
	var node han.EUI64
	number := 0
	for line := range strings.Lines(text) {
		number++
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var err error
		if state := slices.Index(stateNames[:], word); state >= 0 {
			r.marks[node][state], err = time.Parse(time.RFC3339Nano, rest)
		} else if word == "node" {
			node, err = han.ParseEUI64(rest)
			r.marks[node] = new([NumStates]time.Time)
		} else {
			err = r.parseFrame(node, word, rest)
		}
		if err != nil {
			return nil, fmt.Errorf("recording, line %d: %w", number, err)
		}
	}
	return r, nil
}

func (r *Recording) parseFrame(node han.EUI64, at, rest string) error {
	in := Input{Frame: han.Frame{Dst: node, Profile: han.ProfileSmartEnergy}}
	f := &in.Frame
	var src, payload string
	_, err := fmt.Sscanf(rest, "%s %d %d %X %d %s", &src, &f.SrcEndpoint, &f.DstEndpoint, &f.Cluster, &f.Counter, &payload)
	if err != nil {
		return err
	}
	if in.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return err
	}
	if f.Src, err = han.ParseEUI64(src); err != nil {
		return err
	}
	if f.Payload, err = hex.DecodeString(payload); err != nil {
		return err
	}
	r.Insert(node, in)
	return nil
}
