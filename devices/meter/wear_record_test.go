package meter

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTheRecordOfWearIsBounded: of a part of 600 sectors worn in any way it has few bytes,
// and never says less than was erased; of an ordinary one it says just that.
func TestTheRecordOfWearIsBounded(t *testing.T) {
	const sectors, most = 600, 1 + maxRuns*(2+5)
	dice := rand.New(rand.NewPCG(1, 2))
	wild, plain := make([]uint32, sectors), make([]uint32, sectors)
	for i := range wild {
		wild[i], plain[i] = dice.Uint32(), uint32(i/50)
	}
	for name, erases := range map[string][]uint32{"wild": wild, "plain": plain, "new": make([]uint32, sectors)} {
		b := appendWear(nil, erases)
		got, err := parseWear(b, sectors)
		if err != nil || len(b) > most {
			t.Fatalf("%s: %d bytes, %v", name, len(b), err)
		}
		for i, n := range erases {
			if got[i] < n {
				t.Fatalf("%s: sector %d: %d, want at least %d", name, i, got[i], n)
			}
		}
		if name != "wild" && !slices.Equal(got, erases) {
			t.Errorf("%s: %v, want %v", name, got, erases)
		}
	}
}
