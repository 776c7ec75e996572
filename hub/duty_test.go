package hub_test

import (
	"testing"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
)

// TestAnOrderThatIsPushedCountsInTheDutyCycle, as what answers a frame does.
func TestAnOrderThatIsPushedCountsInTheDutyCycle(t *testing.T) {
	cfg := nodetest.WithKeys(hub.DefaultConfig())
	cfg.Battery = must(battery.Named("868-gb"))
	now, records := devicetest.Start, store.NewMemory()
	var out han.Outbox
	supplier := headend.New(headend.Config{Supplier: cfg.Supplier, Security: nodetest.SupplierSecurity()}, records)
	h := hub.New(cfg, records, imagecache.NewMemory(), supplier, now, &out)
	supplier.Connect(now, &out, h)
	if err := h.AddDevice(now, &out, store.Device{EUI64: esme, Kind: store.KindESME}); err != nil {
		t.Fatal(err)
	}
	meter := zcl.Station{Node: esme, Endpoint: 1}
	var from han.Outbox
	zcl.Send(&meter, &from, zcl.Peer{Node: cfg.EUI64, Endpoint: cfg.Endpoint, Cluster: tunnel.ClusterID}, asServer(tunnel.CommandRequestTunnelResponse),
		tunnel.RequestTunnelResponse{TunnelID: 7, Status: tunnel.StatusSuccess, MaxTransferSize: tunnel.MaxTransfer})
	h.HandleFrame(now, from.Frames[0], &out)
	before := h.Duty(now).Spent
	out.Reset()
	if err := supplier.ReadVersion(now, &out, esme); err != nil {
		t.Fatal(err)
	}
	if len(out.Frames) != 1 {
		t.Fatalf("%d frames, want the order", len(out.Frames))
	}
	if spent, want := h.Duty(now).Spent-before, cfg.Battery.Radio.ParentSend(len(out.Frames[0].Payload)); spent != want {
		t.Errorf("counted %v, want %v", spent, want)
	}
}
