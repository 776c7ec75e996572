package live

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
)

// A bridged device is known to the hub, and still no member of the HAN.
func TestOnlyDevicesOfTheDeviceLogAreLetIn(t *testing.T) {
	records := store.NewMemory()
	m := membership{store: records}
	if err := m.authorise(home.DefaultGSME); !errors.Is(err, store.ErrUnknownDevice) {
		t.Errorf("a stranger: %v", err)
	}
	const outside = 0x00DB12345678B001
	if err := records.Commit(
		store.Put(store.Device{EUI64: home.DefaultGSME, Kind: store.KindGSME}),
		store.Put(store.Device{EUI64: outside, Kind: store.KindBridged}),
	); err != nil {
		t.Fatal(err)
	}
	if err := m.authorise(home.DefaultGSME); err != nil {
		t.Errorf("a gas meter: %v", err)
	}
	if err := m.authorise(outside); !errors.Is(err, store.ErrUnknownDevice) {
		t.Errorf("a bridged device: %v", err)
	}
}

// The key of an install code is there as long as the device log has the code; the published
// example of a code and its key is that of Zigbee (Smart Energy §5.4.8.1.1).
func TestAnInstallCodeOfTheDeviceLogIsAKey(t *testing.T) {
	records := store.NewMemory()
	m := membership{store: records}
	code, err := installcode.Parse("83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5")
	if err != nil {
		t.Fatal(err)
	}
	entry := store.Device{EUI64: home.DefaultGSME, Kind: store.KindGSME, HasInstallCode: true, InstallCode: [16]byte(code[:16])}
	if err := records.Commit(store.Put(entry), store.Put(store.Device{EUI64: home.DefaultESME, Kind: store.KindESME})); err != nil {
		t.Fatal(err)
	}
	key, ok := m.installKey(home.DefaultGSME)
	if got := hex.EncodeToString(key[:]); !ok || got != "66b6900981e1ee3ca4206b6b861c02bb" {
		t.Errorf("key %s, %v", got, ok)
	}
	if _, ok := m.installKey(home.DefaultESME); ok {
		t.Error("a device without a code has a key")
	}
	if err := records.Commit(store.Delete(entry)); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.installKey(home.DefaultGSME); ok {
		t.Error("a device that left the device log has a key")
	}
}
