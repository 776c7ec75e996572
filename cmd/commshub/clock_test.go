package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home"
)

// TestATestWaitsForAStateInsteadOfSleeping: with the commands of docs/cli.md, in a demo.
func TestATestWaitsForAStateInsteadOfSleeping(t *testing.T) {
	t.Parallel()
	p := newProcesses(t)
	gsme := home.DefaultGSME.String()
	p.run("hub", "demo", "--speed", "36000", "--listen", strings.TrimPrefix(p.apiURL, "http://"), "--state", filepath.Join(p.dir, "state"))
	p.until("the demo has begun", func() bool { return p.update(gsme).State != "" })
	p.command("clock", "run", "--until", gsme+" window 3", "--timeout", "1m")
	if u := p.update(gsme); u.Windows != 3 || u.State != "downloading" {
		t.Errorf("%d windows, %s", u.Windows, u.State)
	}
	var before, after api.Clock
	p.get("/v1/clock", &before)
	time.Sleep(100 * time.Millisecond)
	p.get("/v1/clock", &after)
	if !before.Paused || !after.Now.Equal(before.Now) || before.Next == nil || !before.Next.After(before.Now) {
		t.Errorf("the clock does not stand: %+v, then %+v", before, after)
	}
	p.command("clock", "step")
	p.get("/v1/clock", &after)
	if !after.Now.Equal(*before.Next) {
		t.Errorf("after a step it is %v, want %v", after.Now, before.Next)
	}
	p.command("clock", "run", "--until", "90m")
	p.get("/v1/clock", &before)
	if d := before.Now.Sub(after.Now); d != 90*time.Minute {
		t.Errorf("90 minutes later it is %v later", d)
	}
	p.command("clock", "run", "--until", gsme+" activated", "--timeout", "1m")
	if u := p.update(gsme); u.State != "activated" {
		t.Errorf("the update is %s", u.State)
	}
	p.command("clock", "speed", "60")
	p.command("clock", "resume")
	p.get("/v1/clock", &after)
	if after.Paused || after.Speed != 60 {
		t.Errorf("%+v", after)
	}
}
