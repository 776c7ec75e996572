package hub_test

import (
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/scenario"
)

const stranger han.EUI64 = 0x00DB1234567890FF

// FuzzHandleFrame lets arbitrary frames of its devices and of a stranger loose on
// a hub that is in one of several states. See nodetest for what must hold.
func FuzzHandleFrame(f *testing.F) {
	peers := []han.EUI64{scenario.DefaultGSME, scenario.DefaultESME, scenario.DefaultIHD, stranger}
	nodetest.Fuzz(f, func() han.Node { return nodetest.Hub(store.NewMemory()) }, peers, 0)
}
