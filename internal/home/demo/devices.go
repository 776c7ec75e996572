package demo

import (
	"sync"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/home/live"
)

// deviceSet are the devices that run so far. The interface asks for them while the
// others start.
type deviceSet struct {
	mu  sync.Mutex
	all map[han.EUI64]*live.Device
}

func (s *deviceSet) put(eui han.EUI64, d *live.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[han.EUI64]*live.Device{}
	}
	s.all[eui] = d
}

func (s *deviceSet) get(eui han.EUI64) *live.Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[eui]
}
