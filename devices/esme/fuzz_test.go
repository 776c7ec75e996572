package esme_test

import (
	"testing"

	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/nodetest"
)

const stranger han.EUI64 = 0x00DB1234567890FF

// FuzzHandleFrame lets arbitrary frames and instants loose on an electricity meter that is in
// one of several states. See nodetest for what must hold.
func FuzzHandleFrame(f *testing.F) {
	peers := []han.EUI64{nodetest.Config().EUI64, stranger, nodetest.ESME().EUI64()}
	nodetest.Fuzz(f, func() han.Node { return nodetest.ESME() }, peers, esme.DefaultReportInterval)
}
