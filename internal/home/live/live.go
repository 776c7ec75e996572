// Package live runs a described home over a real broker and DTLS, on transport/live:
// a hub, meters and displays, each in a process of its own or many in one.
package live

import (
	"crypto/tls"
	"log/slog"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/link"
)

// Broker says how a process reaches its MQTT broker.
type Broker = link.Broker

func certificate(c *pki.Credential) *tls.Certificate {
	t := c.TLS()
	return &t
}

// observedNotices returns notices that an observer is told of too.
func observedNotices(next link.Notices, o han.Observer) link.Notices {
	if o.Session == nil {
		return next
	}
	observed := next
	observed.Association = func(peer han.EUI64, established bool, reason error) {
		o.Session(peer, established)
		if next.Association != nil {
			next.Association(peer, established, reason)
		}
	}
	return observed
}

// linkNotices turns what a link tells into log lines.
func linkNotices(log *slog.Logger) link.Notices {
	if log == nil {
		return link.Notices{}
	}
	return link.Notices{
		Broker: func(up bool, reason error) {
			if up {
				log.Info("broker connected")
				return
			}
			log.Warn("broker not connected", "reason", reason)
		},
		Association: func(peer han.EUI64, established bool, reason error) {
			if established {
				log.Info("DTLS session established", "peer", peer)
				return
			}
			log.Info("DTLS session ended", "peer", peer, "reason", reason)
		},
		Refused: func(peer han.EUI64, reason error) { log.Warn("refused", "peer", peer, "reason", reason) },
	}
}
