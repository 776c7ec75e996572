package live

import (
	"sync/atomic"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/transport/link"
)

// membership answers, for each frame and from any goroutine, whether a device is
// in the device log, and by which key it may join besides its certificate; bridged ones
// are not in it. It looks at the store only when the device log has changed.
type membership struct {
	store   *store.Store
	present atomic.Pointer[deviceLog]
}

// deviceLog is the device log at one moment, and a channel that is closed when it
// is no longer true.
type deviceLog struct {
	changed <-chan struct{}
	devices map[han.EUI64]member
}

// member is a device of the device log.
type member struct {
	joins  bool // not bridged
	hasKey bool
	key    link.Key // of its install code
}

// authorise returns why a device may not speak, or nil.
func (m *membership) authorise(device han.EUI64) error {
	if !m.log().devices[device].joins {
		return store.ErrUnknownDevice
	}
	return nil
}

// installKey returns the key of a device whose install code is in the device log.
func (m *membership) installKey(device han.EUI64) (link.Key, bool) {
	d := m.log().devices[device]
	return d.key, d.hasKey
}

func (m *membership) log() *deviceLog {
	if log := m.present.Load(); log != nil && !isClosed(log.changed) {
		return log
	}
	return m.read()
}

func (m *membership) read() *deviceLog {
	log := &deviceLog{changed: m.store.Watch(store.TableDevices), devices: map[han.EUI64]member{}}
	for _, d := range m.store.Devices() {
		joining := member{joins: d.Kind != store.KindBridged, hasKey: d.HasInstallCode}
		if d.HasInstallCode {
			joining.key = installcode.New(d.InstallCode).Key()
		}
		log.devices[d.EUI64] = joining
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
