package headend_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
)

// TestAnImageInUseIsNotRemoved: the refusal says what it is needed for, and what ends that.
func TestAnImageInUseIsNotRemoved(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reach func(l *line)
		want  string
	}{
		{"it is downloaded", func(l *line) {
			l.must(l.headEnd.CancelUpdate(l.now, new(han.Outbox), gsme))
			l.must(l.headEnd.Distribute(l.now, new(han.Outbox), headend.Distribution{Image: first.FileHash, Devices: []han.EUI64{gsme}}))
			l.must(l.headEnd.TransferChanged(l.now, new(han.Outbox), gsme, otaserver.Result{News: otaserver.NewsStarted}))
		}, "is downloading; cancel it first (commshub firmware cancel 00DB1234567890A1)"},
		{"it is held", func(*line) {}, "is transferred; cancel it first"},
		{"it is ordered", func(l *line) { l.activate(first.ImageHash, 0) }, "the order to activate is on its way to 00DB1234567890A1; wait for its answer"},
		{"it is dated", func(l *line) {
			dated := l.activate(first.ImageHash, time.Hour)
			l.fetch(dated)
			l.answer(dated, accepted)
		}, "cancel that first (commshub firmware cancel 00DB1234567890A1 --activation), then the update"},
		{"a cancellation is on its way", func(l *line) {
			dated := l.activate(first.ImageHash, time.Hour)
			l.fetch(dated)
			l.answer(dated, accepted)
			l.cancel()
		}, "the order to cancel the dated activation is on its way"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t)
			tt.reach(l)
			err := l.headEnd.RemoveImage(l.now, new(han.Outbox), first.FileHash)
			if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v: want one line with %q", err, tt.want)
			}
			if len(l.removed) != 0 {
				t.Error("the hub was told to remove it")
			}
		})
	}
}

// TestARemovedImageStaysOnRecord only if an update speaks of it.
func TestARemovedImageStaysOnRecord(t *testing.T) {
	l := newLine(t)
	l.must(l.headEnd.CancelUpdate(l.now, new(han.Outbox), gsme))
	l.must(l.headEnd.RemoveImage(l.now, new(han.Outbox), first.FileHash))
	l.must(l.headEnd.RemoveImage(l.now, new(han.Outbox), second.FileHash))
	if len(l.removed) != 2 || l.removed[0] || !l.removed[1] {
		t.Errorf("nothing stays on record: %v, want false and true", l.removed)
	}
}
