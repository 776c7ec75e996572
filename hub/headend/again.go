package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// spacing is how long an image waits until it is offered again after an attempt that
// ended without it: the reason may pass. After the last of them the update has failed.
var spacing = [...]time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour}

// passing reports whether what a device says of the end of a download may be otherwise
// the next time: all but that the image is bad. Statuses that are none of this command
// (ZCL §11.13.9.1) say nothing of the image.
func passing(status zcl.Status) bool { return status != zcl.StatusInvalidImage }

// again returns an update after an attempt that ended: to be offered again later, or
// failed, with the alert for the supplier. The caller commits it and offers it.
func (s *HeadEnd) again(now time.Time, u store.Update, why string) (store.Update, raised) {
	if u = retried(now, u, why); u.State == store.UpdateFailed {
		return u, s.transferEnded(now, u, gbcs.TransferFailure, u.Outcome)
	}
	return u, raised{}
}

// retried returns an update after an attempt that ended: to be offered again later, or
// failed after the last.
func retried(now time.Time, u store.Update, why string) store.Update {
	attempts := len(spacing) + 1
	if int(u.Attempts) >= len(spacing) {
		return with(u, now, store.UpdateFailed, fmt.Sprintf("given up after %d attempts: %s", attempts, why))
	}
	at := now.Add(spacing[u.Attempts])
	u.Attempts++
	u.NotBefore = at.UnixMicro()
	return with(u, now, store.UpdatePending, fmt.Sprintf("attempt %d of %d: %s; offered again from %s",
		u.Attempts, attempts, why, at.UTC().Format(time.RFC3339)))
}
