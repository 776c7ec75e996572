package live

import (
	"sync"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/link"
)

// sessions remembers who has a session with the hub, and whether the hub has its
// broker.
type sessions struct {
	mu     sync.Mutex
	peers  map[han.EUI64]bool
	broker bool
	since  time.Time // on the wall clock, that the broker is there or not
	reason error     // why it is not there
}

// watch returns notices whose changes of the broker are also remembered.
func (s *sessions) watch(next link.Notices) link.Notices {
	watched := next
	watched.Broker = func(up bool, reason error) {
		s.mu.Lock()
		if up != s.broker {
			s.broker, s.since = up, time.Now()
		}
		s.reason = reason
		s.mu.Unlock()
		if next.Broker != nil {
			next.Broker(up, reason)
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

func (s *sessions) connected(peer han.EUI64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[peer]
}

func (s *sessions) brokerUp() (up bool, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broker, s.since
}

func (s *sessions) brokerReason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == nil {
		return ""
	}
	return s.reason.Error()
}
