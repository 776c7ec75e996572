package live

import (
	"context"
	"log/slog"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// RecordLog turns what happens in a node into log lines. What happens again and
// again while nothing is going on is for --log-level debug, and so is a refusal that
// was told not long ago.
func RecordLog(log *slog.Logger) han.Observer {
	var refusals Repeats
	return han.Observer{Record: func(r *trace.Record) {
		level := recordLevel(r)
		if r.Kind == trace.FrameRefused && refusals.Told([2]uint64{r.Node, r.Peer}, r.Text, time.Now()) {
			level = slog.LevelDebug
		}
		if !log.Enabled(context.Background(), level) {
			return
		}
		attrs := []slog.Attr{slog.Time("emulated", r.At.UTC()), slog.String("node", han.EUI64(r.Node).String())}
		for name, value := range r.Fields {
			attrs = append(attrs, slog.String(name, value))
		}
		log.LogAttrs(context.Background(), level, r.Kind.String(), attrs...)
	}}
}

func recordLevel(r *trace.Record) slog.Level {
	switch r.Kind {
	case trace.BlockReceived, trace.MirrorUpdated, trace.MirrorRead, trace.HeartbeatStarted, trace.TimeSet,
		trace.FrameLost, trace.FrameDuplicated, trace.FrameReordered, trace.FrameCorrupted, trace.FrameDelayed:
		return slog.LevelDebug
	case trace.HeartbeatEnded:
		if r.Count == 0 { // nothing was fetched
			return slog.LevelDebug
		}
		return slog.LevelInfo
	case trace.FrameRefused, trace.CommandRefused, trace.PowerCut, trace.PartitionStarted, trace.BatteryDrained, trace.BitFlipped, trace.ImageRejected, trace.TransferFailed,
		trace.FirmwareRolledBack, trace.BatteryLow, trace.MessageExpired:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
