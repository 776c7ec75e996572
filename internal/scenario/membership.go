package scenario

import (
	"sync/atomic"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
)

// membership answers, for each frame and from any goroutine, whether a device is
// in the device log; bridged ones are not. It looks at the store only when the device log has changed.
type membership struct {
	store   *store.Store
	present atomic.Pointer[deviceLog]
}

// deviceLog is the device log at one moment, and a channel that is closed when it
// is no longer true.
type deviceLog struct {
	changed <-chan struct{}
	devices map[han.EUI64]bool
}

// authorise returns why a device may not speak, or nil.
func (m *membership) authorise(device han.EUI64) error {
	log := m.present.Load()
	if log == nil || isClosed(log.changed) {
		log = m.read()
	}
	if !log.devices[device] {
		return hub.ErrUnknownDevice
	}
	return nil
}

func (m *membership) read() *deviceLog {
	log := &deviceLog{changed: m.store.Watch(store.TableDevices), devices: map[han.EUI64]bool{}}
	for _, d := range m.store.Devices() {
		log.devices[d.EUI64] = hub.Kind(d.Kind) != hub.KindBridged
	}
	m.present.Store(log)
	return log
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
