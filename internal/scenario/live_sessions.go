package scenario

import (
	"sync"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/link"
)

// sessions remembers who has a session with the hub, and whether the hub has its
// broker.
type sessions struct {
	mu     sync.Mutex
	peers  map[han.EUI64]bool
	broker bool
}

// watch returns events that are also remembered, and told.
func (s *sessions) watch(next link.Events, tell func(device han.EUI64, established bool)) link.Events {
	watched := next
	watched.Broker = func(up bool, reason error) {
		s.mu.Lock()
		s.broker = up
		s.mu.Unlock()
		if next.Broker != nil {
			next.Broker(up, reason)
		}
	}
	watched.Association = func(peer han.EUI64, established bool, reason error) {
		s.set(peer, established)
		if tell != nil {
			tell(peer, established)
		}
		if next.Association != nil {
			next.Association(peer, established, reason)
		}
	}
	return watched
}

func (s *sessions) set(peer han.EUI64, established bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !established {
		delete(s.peers, peer)
		return
	}
	if s.peers == nil {
		s.peers = map[han.EUI64]bool{}
	}
	s.peers[peer] = true
}

func (s *sessions) drop(peer han.EUI64) { s.set(peer, false) }

func (s *sessions) connected(peer han.EUI64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[peer]
}

func (s *sessions) brokerUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broker
}
