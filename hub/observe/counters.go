package observe

import (
	"maps"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// DeviceCounters count what passed between the hub and one device since the hub
// started.
type DeviceCounters struct {
	Heartbeats uint64 // complete reports that opened a window
	Windows    uint64 // windows in which an image was asked for
	Blocks     uint64 // served for the first time
	Repeats    uint64 // served again
	Bytes      uint64 // of images, served for the first time
	Waits      uint64 // WAIT_FOR_DATA told
	Retries    uint64 // requests that a device in this process repeated
	FramesUp   uint64
	FramesDown uint64
}

// Counters count what happened since the hub started.
type Counters struct {
	Devices map[han.EUI64]DeviceCounters
	Alerts  map[uint16]uint64 // inbox entries by alert code
	Records map[trace.Kind]uint64
}

// Counters returns a snapshot.
func (o *Observer) Counters() Counters {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := Counters{Devices: map[han.EUI64]DeviceCounters{}, Alerts: maps.Clone(o.alerts), Records: maps.Clone(o.records)}
	for eui, d := range o.devices {
		c.Devices[eui] = d.counts
	}
	return c
}
