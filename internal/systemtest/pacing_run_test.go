package systemtest

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// paced is a download of a gas meter under a pacing policy.
type paced struct {
	set       battery.Set
	policy    gasproxy.Policy
	image     *imagecache.Image
	blockSize int // 0 = the default, and whatever a planner chooses
	pageSize  uint16
	loss      fault.Share
	late      fault.Share // of frames, by up to half a second
	seed      uint64
	limit     time.Duration
	horizon   time.Duration // how long to go on, to compare what homes spent in the same time
	// each, if set, is called at the end of each window in which blocks came.
	each func(home *virtual.Home, r *trace.Record)
	// before, if set, is called when everything is ready.
	before func(home *virtual.Home)
}

// pacedResult is what it took.
type pacedResult struct {
	done       bool
	after      time.Duration // from the distribution to the last block
	windows    int           // in which blocks came
	blocks     int
	waits      int
	retries    uint32
	charge     battery.Charge // of the windows in which blocks came
	spent      battery.Charge // by the meter on all its work, within the horizon
	prediction gasproxy.Prediction
	progress   headend.Progress
}

// pacedAhead is how long a home runs before the image is distributed.
const pacedAhead = 40 * time.Minute

func (p paced) run(tb testing.TB) pacedResult {
	tb.Helper()
	var got pacedResult
	var home *virtual.Home
	var began time.Time
	cfg := hub.DefaultConfig()
	cfg.Battery, cfg.Policy = p.set, p.policy
	if p.blockSize > 0 {
		cfg.BlockSize, cfg.PlanBlockSize = p.blockSize, p.blockSize
	}
	take := func(r *trace.Record) {
		switch {
		case r.Node != uint64(theGSME):
		case r.Kind == trace.BlockReceived:
			got.blocks++
		case r.Kind == trace.WaitForData:
			got.waits++
		case r.Kind == trace.DownloadComplete:
			now, _ := home.Store().Update(theGSME, p.image.FileHash)
			got.progress = home.HeadEnd().Progress(now)
			got.after, got.done = r.At.Sub(began), true
		case r.Kind == trace.HeartbeatEnded && r.Count > 0:
			got.windows++
			if p.each != nil {
				p.each(home, r)
			}
		}
	}
	link := radio.Link{Params: p.set.Radio, Faults: fault.Link{Loss: p.loss, Reordering: p.late, ReorderBy: 500 * time.Millisecond}}
	home = virtual.New(sim.Config{Start: storyStart, Seed: p.seed, Link: link, Observer: han.Observer{Record: take}}, cfg)
	m := newMeter(theGSME, store.KindGSME, factoryOfTests)
	m.Battery, m.OTA.PageSize = p.set, p.pageSize
	m.SlotCapacity = max(8<<10, int(p.image.Header.TotalSize))
	m.OTA.MaxDataSize = max(m.OTA.MaxDataSize, uint8(p.blockSize))
	if err := home.AddMeter(m); err != nil {
		tb.Fatal(err)
	}
	home.Run(storyStart.Add(pacedAhead))
	began = home.Now()
	activeBefore := home.Ledger(theGSME).Active()
	if err := updateOf(inVirtualTime{Home: home}, p.image, theGSME).distribute(); err != nil {
		tb.Fatal(err)
	}
	if p.before != nil {
		p.before(home)
	}
	update, _ := home.Store().Update(theGSME, p.image.FileHash)
	got.prediction, _, _ = home.Hub().Expected(home.Now(), update)
	limit := p.limit
	if limit == 0 {
		limit = 60 * 24 * time.Hour
	}
	home.RunUntil(began.Add(limit), func() bool { return got.done })
	home.Run(home.Now().Add(time.Minute))
	if p.horizon > 0 {
		home.Run(began.Add(p.horizon))
		got.spent = home.Ledger(theGSME).Active() - activeBefore
	}
	status := home.MeterStatus(theGSME)
	got.charge, got.retries = status.Update.Charge, status.Update.Retries
	return got
}

var factoryOfTests = testimage.GB(testimage.Options{Version: 1, PayloadSize: 2000})

// share is a share of 1.
func share(of1 float64) fault.Share { return fault.Percent(100 * of1) }
