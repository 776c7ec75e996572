package hub

import (
	"time"

	"github.com/commshub/commshub/han"
)

// ImageWaiting reports whether a device shall ask for a firmware image.
func ImageWaiting(h *Hub, now time.Time, device han.EUI64) bool { return h.server.Waiting(now, device) }
