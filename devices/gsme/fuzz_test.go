package gsme_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/devicetest"
)

const stranger han.EUI64 = 0x00DB1234567890FF

// FuzzHandleFrame lets arbitrary frames and instants loose on a gas meter that is in
// one of several states. See devicetest for what must hold.
func FuzzHandleFrame(f *testing.F) {
	peers := []han.EUI64{devicetest.HubAddress, stranger, devicetest.GSME().EUI64()}
	devicetest.Record().Fuzz(f, func() han.Node { return devicetest.GSME() }, peers, gsme.DefaultPeriod+time.Minute)
}
