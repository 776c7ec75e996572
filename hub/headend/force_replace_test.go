package headend_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
)

// TestWhatAnImageTakesThePlaceOf: without the flag of nothing that an order to activate is
// out for, with it of anything.
func TestWhatAnImageTakesThePlaceOf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reach func(l *line)
		want  string // of the refusal without the flag; "" for none
	}{
		{"an image that is held", func(*line) {}, ""},
		{"one whose activation is ordered", func(l *line) { l.activate(first.ImageHash, 0) }, "the order to activate is on its way; image 00000002 has no force-replace flag to take the place of 00000001 before"},
		{"one whose activation is dated", func(l *line) {
			dated := l.activate(first.ImageHash, time.Hour)
			l.fetch(dated)
			l.answer(dated, accepted)
		}, "cancel that first; image 00000002 has no force-replace flag"},
		{"one whose activation is being cancelled", func(l *line) {
			dated := l.activate(first.ImageHash, time.Hour)
			l.fetch(dated)
			l.answer(dated, accepted)
			l.cancel()
		}, "the order to cancel the dated activation is on its way"},
		{"one whose activation was cancelled", func(l *line) {
			dated := l.activate(first.ImageHash, time.Hour)
			l.fetch(dated)
			l.answer(dated, accepted)
			l.answer(l.cancel(), accepted)
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, im := range []store.Image{second, forced} {
				l := newLine(t)
				tt.reach(l)
				before, _ := l.store.Update(gsme, first.FileHash)
				err := l.headEnd.Distribute(l.now, new(han.Outbox), headend.Distribution{Image: im.FileHash, Devices: []han.EUI64{gsme}})
				if tt.want != "" && !im.ForceReplace {
					if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%v: want one line with %q", err, tt.want)
					}
					if after, _ := l.store.Update(gsme, first.FileHash); after != before {
						t.Errorf("a refusal left the update %s (%s)", after.State, after.Outcome)
					}
					continue
				}
				l.must(err)
				u, _ := l.store.Update(gsme, first.FileHash)
				if u.State != store.UpdateSuperseded {
					t.Errorf("with flag %v the update before is %s", im.ForceReplace, u.State)
				}
				l.expectUpdate(im, store.UpdatePending, "")
			}
		})
	}
}
