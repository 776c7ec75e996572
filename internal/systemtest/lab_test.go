package systemtest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
)

// TestFaultsOfALaboratoryAreRecorded: those of the link both ways, by the hub, and
// those of a meter, by its own process.
func TestFaultsOfALaboratoryAreRecorded(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, gasproxy.DefaultPolicy)
	defer h.close()
	var mu sync.Mutex
	seen := map[trace.Record]bool{} // kind and nodes alone
	look := han.Observer{Record: func(r *trace.Record) {
		mu.Lock()
		defer mu.Unlock()
		seen[trace.Record{Kind: r.Kind, Node: r.Node, Peer: r.Peer}] = true
	}}
	recorded := func(kind trace.Kind, node, peer han.EUI64) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return seen[trace.Record{Kind: kind, Node: uint64(node), Peer: uint64(peer)}]
		}
	}
	faults := live.NewFaults(1)
	h.start(live.HubOptions{Speed: 600, Faults: faults, Observe: func(*live.Hub) han.Observer { return look }})
	h.addDevice(theGSME, store.KindGSME)
	o := h.deviceOptions(theGSME)
	o.Observer = look
	m := newMeter(theGSME, store.KindGSME, testimage.GB(testimage.Options{Version: 1}))
	d, err := live.StartMeter(ctx, m, filepath.Join(h.dir, "meters"), o)
	if err != nil {
		t.Fatal(err)
	}
	h.devices = append(h.devices, d)
	h.until(func() bool { _, joined := h.Store().Mirror(theGSME); return joined })
	faults.Set(theGSME, live.LinkFault{Link: fault.Link{Duplication: fault.Million, Delay: time.Millisecond}})
	for _, kind := range []trace.Kind{trace.FrameDuplicated, trace.FrameDelayed} {
		h.until(recorded(kind, theGSME, h.config.EUI64))
		h.until(recorded(kind, h.config.EUI64, theGSME))
	}
	faults.Set(theGSME, live.LinkFault{Link: fault.Link{Loss: fault.Million}})
	h.until(recorded(trace.FrameLost, theGSME, h.config.EUI64))
	faults.Heal(theGSME)
	h.until(func() bool { return d.Drain(50) })
	h.until(recorded(trace.BatteryDrained, theGSME, 0))
	d.CutPower()
	h.until(recorded(trace.PowerCut, theGSME, 0))
}
