package api

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
)

func TestWhatWaitsForTheBand(t *testing.T) {
	if w := waitingForBand(hub.Duty{Spent: time.Minute}); w != nil {
		t.Errorf("%+v in the normal state", w)
	}
	until := time.Date(2026, 1, 5, 12, 30, 0, 0, time.UTC)
	w := waitingForBand(hub.Duty{State: phy.DutyCritical, Spent: 75_230 * time.Millisecond, Until: until,
		Limits: phy.DutyLimits{Critical: 75 * time.Second, Regulated: 100 * time.Second}})
	if w == nil || w.Code != "band" || w.Until == nil || !w.Until.Equal(until) || !strings.Contains(w.Text, "critical: the hub sent for 1m15.2s") {
		t.Errorf("%+v", w)
	}
}
