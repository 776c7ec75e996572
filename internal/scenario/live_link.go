package scenario

import (
	"crypto/tls"
	"log/slog"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/link"
)

func certificate(c *pki.Credential) *tls.Certificate {
	t := c.TLS()
	return &t
}

// linkEvents turns what a link tells into log lines.
func linkEvents(log *slog.Logger) link.Events {
	if log == nil {
		return link.Events{}
	}
	return link.Events{
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
