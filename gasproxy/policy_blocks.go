package gasproxy

import (
	"errors"
	"fmt"
	"strconv"
)

// Blocks admits so many blocks per window. A block asked for again, because its
// answer was lost, does not count again.
type Blocks uint32

var _ = register("blocks", "blocks=50", func(value string) (Policy, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n == 0 {
		return nil, errors.New("want a number of blocks per window from 1 on")
	}
	return Blocks(n), nil
})

// Admit implements [Policy].
func (p Blocks) Admit(w *HeartbeatWindow, again bool, _ *Cost) bool {
	return again || w.Blocks < uint32(p)
}

// PerWindow implements [Policy].
func (p Blocks) PerWindow(*Load) Allowance { return Allowance{Blocks: int64(p)} }

// String implements [Policy].
func (p Blocks) String() string { return fmt.Sprintf("blocks=%d", uint32(p)) }
