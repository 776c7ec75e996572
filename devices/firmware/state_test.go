package firmware

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
)

func TestAStateComesBackAsItWas(t *testing.T) {
	hash := rapid.Custom(func(t *rapid.T) (h ota.ImageHash) {
		copy(h[:], rapid.SliceOfN(rapid.Byte(), len(h), len(h)).Draw(t, "hash"))
		return h
	})
	act := rapid.Custom(func(t *rapid.T) activation {
		return activation{Set: rapid.Bool().Draw(t, "set"), Dated: rapid.Bool().Draw(t, "dated"), Hash: hash.Draw(t, "hash"),
			Order: remote.Order{Code: gbcs.MessageCode(rapid.Uint16().Draw(t, "code")), Originator: han.EUI64(rapid.Uint64().Draw(t, "originator")),
				Counter: rapid.Uint64().Draw(t, "counter")},
			At: zcl.UTCTime(rapid.Uint32().Draw(t, "at"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		n32 := func(name string) uint32 { return rapid.Uint32().Draw(t, name) }
		n64 := func(name string) int64 { return rapid.Int64().Draw(t, name) }
		want := state{
			ReportedVersion: n32("version"),
			Verdict:         verdict{Set: rapid.Bool().Draw(t, "verified"), Good: rapid.Bool().Draw(t, "good"), Hash: hash.Draw(t, "hash")},
			Dated:           act.Draw(t, "dated"), Activating: act.Draw(t, "activating"),
			Update: UpdateReport{
				Version: n32("update"), Size: n32("size"), Offset: n32("offset"),
				StartedAt: n64("started"), CompletedAt: n64("completed"), ActivatedAt: n64("activated"),
				Windows: n32("windows"), Blocks: n32("blocks"), Retries: n32("retries"),
				RadioOn: time.Duration(n64("radio")), Charge: battery.Charge(n64("charge")),
			},
		}
		if diff := cmp.Diff(want, must(parseState(want.append(nil)))); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestAStateOfAnotherReleaseIsRefused(t *testing.T) {
	whole := (&state{}).append(nil)
	for name, b := range map[string][]byte{
		"empty": {}, "another layout": append([]byte{stateVersion + 1}, whole[1:]...), "cut short": whole[:len(whole)-1],
	} {
		if s, err := parseState(b); err == nil || !strings.Contains(err.Error(), "state of the firmware agent") {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// TestBlocksAreReckonedAfterAPowerCut: the report is kept per window, the marks
// per block; what came in between is reckoned from the mean size of a block.
func TestBlocksAreReckonedAfterAPowerCut(t *testing.T) {
	tests := []struct {
		name   string
		report UpdateReport
		offset uint32
		want   uint32
	}{
		{"nothing came since", UpdateReport{Offset: 480, Blocks: 10}, 480, 0},
		{"one block", UpdateReport{Offset: 480, Blocks: 10}, 528, 1},
		{"a block not marked as a whole", UpdateReport{Offset: 480, Blocks: 10}, 512, 1},
		{"a hundred", UpdateReport{Offset: 480, Blocks: 10}, 480 + 4800, 100},
		{"blocks of uneven size", UpdateReport{Offset: 481, Blocks: 10}, 481 + 98, 2},
		{"no block kept yet", UpdateReport{}, 480, 0},
		{"a download that started over", UpdateReport{Offset: 480, Blocks: 10}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.report.blocksSince(tt.offset); got != tt.want {
				t.Errorf("%d blocks, want %d", got, tt.want)
			}
		})
	}
}
