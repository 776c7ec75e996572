package served

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/metrics"
	"github.com/commshub/commshub/transport/link"
)

// sources are where the metrics of a hub come from.
func (h *Hub) sources() metrics.Sources {
	return metrics.Sources{
		Store: h.Store, Observer: h.observer, Now: h.Clock.Now, Link: func() metrics.Link { return linkMetrics(h.Counters()) },
		Battery: h.battery, Connected: h.Connected, BrokerUp: h.BrokerUp, Readers: h.api.Readers,
		Version: h.opt.Version, Commit: api.Commit(),
	}
}

func linkMetrics(c link.Counters) metrics.Link {
	return metrics.Link{
		HandshakesStarted: c.DTLS.HandshakesStarted, HandshakesCompleted: c.DTLS.HandshakesCompleted,
		HandshakesFailed: c.DTLS.HandshakesFailed, Refused: c.DTLS.Refused, Unproven: c.DTLS.Unproven,
		RecordsSent: c.DTLS.RecordsSent, RecordsReceived: c.DTLS.RecordsReceived, RecordsReplayed: c.DTLS.Replayed,
		DatagramsDropped: c.DTLS.DatagramsDropped, FramesRefused: c.FramesRefused, BrokerConnections: c.MQTT.Connected,
		MessagesSent: c.MQTT.Sent, MessagesReceived: c.MQTT.Received, MessagesDropped: c.MQTT.Dropped,
	}
}

// coulombs are those of 1 µAh.
const coulombs = 0.0036

// battery returns what the interface knows of a battery, in base units.
func (h *Hub) battery(eui han.EUI64) (metrics.Battery, bool) {
	b, err := h.api.Battery(eui)
	if err != nil {
		return metrics.Battery{}, false
	}
	out := metrics.Battery{HasRemaining: b.Percent != nil, HasLife: b.DaysLeft != nil}
	if b.Percent != nil {
		out.Remaining = *b.Percent / 100
	}
	if b.DaysLeft != nil {
		out.Life = time.Duration(*b.DaysLeft * float64(24*time.Hour))
	}
	if b.Causes != nil {
		out.Coulombs = map[string]float64{}
		for _, c := range b.Causes {
			out.Coulombs[c.Cause] = c.Charge * coulombs
		}
	}
	return out, true
}
