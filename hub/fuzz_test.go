package hub_test

import (
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	described "github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/nodetest"
)

const stranger han.EUI64 = 0x00DB1234567890FF

// FuzzHandleFrame lets arbitrary frames of its devices and of a stranger loose on
// a hub that is in one of several states. See devicetest for what must hold.
func FuzzHandleFrame(f *testing.F) {
	peers := []han.EUI64{described.DefaultGSME, described.DefaultESME, described.DefaultIHD, stranger}
	nodetest.Record().Fuzz(f, func() han.Node { return nodetest.Hub(store.NewMemory()) }, peers, 0)
}
