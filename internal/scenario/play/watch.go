package play

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/trace"
)

// watch is what is seen of one meter.
type watch struct {
	device *homefile.Device
	set    battery.Set
	gas    bool
	seen   [trace.Kinds]uint32 // records by kind, in the whole run

	cuts       uint32
	heartbeats uint32

	// Of the image distributed last.
	target      bool
	image       *imagecache.Image
	before      uint32 // version when it was distributed
	at          time.Time
	verifiedAt  time.Time
	confirmedAt time.Time
	windows     uint32
	inWindow    bool // a block came in the window in hand
	blocks      uint32
	refetched   uint32
	retries     uint32
	reach       uint32 // behind the furthest block that was on its way
	reason      string // why the image was not taken
}

// distributed begins the figures of an image anew.
func (w *watch) distributed(s *virtual.Home, im *imagecache.Image) {
	status := s.MeterStatus(w.device.Address())
	fresh := watch{device: w.device, set: w.set, gas: w.gas, seen: w.seen, cuts: w.cuts, heartbeats: w.heartbeats}
	*w = fresh
	w.target, w.image, w.at, w.before = true, im, s.Now(), status.Version
	if w.before == 0 {
		w.before = uint32(w.device.Version) // it has not booted yet
	}
}

// take sees a record of the meter.
func (w *watch) take(r *trace.Record) {
	w.seen[r.Kind]++
	switch r.Kind {
	case trace.HeartbeatStarted:
		w.heartbeats++
		w.inWindow = false
	case trace.PowerCut:
		w.cuts++
	case trace.BlockReceived:
		w.block()
	case trace.DownloadStarted:
		w.reach = 0
	case trace.RequestRetried:
		w.retries++
	case trace.ImageVerified:
		if w.target && r.Version == w.image.Header.FileVersion {
			w.verifiedAt = r.At
		}
	case trace.FirmwareConfirmed:
		if w.target && r.Version == w.image.Header.FileVersion {
			w.confirmedAt = r.At
		}
	case trace.ImageRejected, trace.DownloadAborted, trace.FirmwareRolledBack:
		w.reason = r.Text
	default:
	}
}

func (w *watch) block() {
	w.blocks++
	if !w.inWindow && w.gas {
		w.windows++
	}
	w.inWindow = true
}

// served sees a block on its way to the meter. One that was on its way before came
// twice, because a power cut or a late answer made the meter ask again.
func (w *watch) served(offset uint32, size int) {
	if offset < w.reach {
		w.refetched++
	}
	w.reach = max(w.reach, offset+uint32(size))
}

// after returns the time from the distribution to an instant; 0 if it never came.
func (w *watch) after(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return t.Sub(w.at)
}
