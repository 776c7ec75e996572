// Package story tells somebody at a terminal what happens in a home of this process, from
// its records.
package story

import (
	"fmt"
	"regexp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// longHash finds a SHA-256, of which the first 8 bytes tell people enough.
var longHash = regexp.MustCompile(`\b([0-9a-f]{16})[0-9a-f]{48}\b`)

// Of returns what a record means, in words for somebody who watches; nothing for one that
// tells no more than others do.
func Of(r *trace.Record) string {
	switch r.Kind {
	case trace.ImageCached:
		return fmt.Sprintf("cached the image: version %08X, %d bytes", r.Version, r.Size)
	case trace.ImageRemoved:
		return fmt.Sprintf("removed the image: version %08X", r.Version)
	case trace.DistributionStarted:
		return fmt.Sprintf("offers version %08X to %s", r.Version, han.EUI64(r.Peer))
	case trace.DownloadStarted:
		return fmt.Sprintf("downloads version %08X, %d bytes", r.Version, r.Size)
	case trace.DownloadResumed:
		return fmt.Sprintf("goes on at byte %d", r.Offset)
	case trace.DownloadComplete:
		return "has all bytes"
	case trace.DownloadAborted:
		return "gave the image up: " + r.Text
	case trace.ImageVerified:
		return "verified the image, and waits for the supplier's order"
	case trace.ImageRejected:
		return "refused the image: " + r.Text
	case trace.ActivationReceived:
		return "takes the order to activate"
	case trace.Rebooted:
		return fmt.Sprintf("starts version %08X (%s)", r.Version, r.Text)
	case trace.FirmwareConfirmed:
		return fmt.Sprintf("passed its self-test, stays on version %08X", r.Version)
	case trace.FirmwareRolledBack:
		return fmt.Sprintf("is back on version %08X: %s", r.Version, r.Text)
	case trace.AlertRaised:
		return fmt.Sprintf("alert %04X %s", r.Code, r.Text)
	case trace.MessageReceived:
		return fmt.Sprintf("from %s for the supplier: %s", han.EUI64(r.Peer), longHash.ReplaceAllString(r.Text, "$1…"))
	case trace.TransferFailed:
		return fmt.Sprintf("the transfer to %s failed: %s", han.EUI64(r.Peer), r.Text)
	case trace.PowerCut:
		return "lost its power"
	case trace.BatteryDrained:
		return "lost charge of its battery"
	case trace.BitFlipped:
		return "a bit of its memory turned over"
	case trace.FrameRefused:
		return fmt.Sprintf("refused a frame of %s: %s", han.EUI64(r.Peer), r.Text)
	default:
		return ""
	}
}
