package dtls

import "sync/atomic"

// Counters says what a server or a client did since it was made.
type Counters struct {
	HandshakesStarted   uint64
	HandshakesCompleted uint64
	HandshakesFailed    uint64 // also those that a newer one replaced
	RecordsSent         uint64
	RecordsReceived     uint64 // handed to the application
	DatagramsDropped    uint64 // malformed, for nobody, or no room
	Replayed            uint64 // records of an association that came again, as they were; they are dropped
	Refused             uint64 // attempts of devices that were refused
	Unproven            uint64 // handshakes that did not prove an install code
}

type counters struct {
	started, completed, failed, sent, received, dropped, replayed, refused, unproven atomic.Uint64
}

func (c *counters) snapshot() Counters {
	return Counters{
		HandshakesStarted:   c.started.Load(),
		HandshakesCompleted: c.completed.Load(),
		HandshakesFailed:    c.failed.Load(),
		RecordsSent:         c.sent.Load(),
		RecordsReceived:     c.received.Load(),
		DatagramsDropped:    c.dropped.Load(),
		Replayed:            c.replayed.Load(),
		Refused:             c.refused.Load(),
		Unproven:            c.unproven.Load(),
	}
}
