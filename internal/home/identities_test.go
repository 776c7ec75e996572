package home

import (
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
)

func TestHomesHaveIdentitiesOfTheirOwn(t *testing.T) {
	seen := map[han.EUI64]Number{}
	for _, n := range []Number{0, 1, 2, 0x88, 255, 256, 1 << 16, MaxNumber - 1, MaxNumber} {
		config := n.Hub(hub.DefaultConfig())
		all := []han.EUI64{config.EUI64, config.CHF}
		for _, d := range n.Devices() {
			all = append(all, d.EUI64)
		}
		for _, eui := range all {
			if other, twice := seen[eui]; twice {
				t.Errorf("%s is in home %d and in home %d", eui, other, n)
			}
			seen[eui] = n
			if eui>>48 != DefaultESME>>48 {
				t.Errorf("home %d: %s is another manufacturer's", n, eui)
			}
		}
		if config.Supplier != hub.DefaultConfig().Supplier {
			t.Errorf("home %d has supplier %s", n, config.Supplier)
		}
	}
	if got := Number(0).Hub(hub.DefaultConfig()).EUI64; got != hub.DefaultConfig().EUI64 {
		t.Errorf("home 0 has the hub %s", got)
	}
}
