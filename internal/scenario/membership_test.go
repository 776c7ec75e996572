package scenario

import (
	"errors"
	"testing"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
)

// A bridged device is known to the hub, and still no member of the HAN.
func TestOnlyDevicesOfTheDeviceLogAreLetIn(t *testing.T) {
	records := store.NewMemory()
	m := membership{store: records}
	if err := m.authorise(DefaultGSME); !errors.Is(err, hub.ErrUnknownDevice) {
		t.Errorf("a stranger: %v", err)
	}
	const outside = 0x00DB12345678B001
	if err := records.Commit(
		store.Put(store.Device{EUI64: DefaultGSME, Kind: uint8(hub.KindGSME)}),
		store.Put(store.Device{EUI64: outside, Kind: uint8(hub.KindBridged)}),
	); err != nil {
		t.Fatal(err)
	}
	if err := m.authorise(DefaultGSME); err != nil {
		t.Errorf("a gas meter: %v", err)
	}
	if err := m.authorise(outside); !errors.Is(err, hub.ErrUnknownDevice) {
		t.Errorf("a bridged device: %v", err)
	}
}
