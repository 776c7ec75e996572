package systemtest

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
)

// BenchmarkBlockExchange exchanges one block between the machines of hub and gas
// meter, without a driver: the meter's Image Block Request, the hub's answer, and
// the meter's writing it to flash and asking for the next.
func BenchmarkBlockExchange(b *testing.B) {
	x := newExchange(b)
	b.ReportAllocs()
	for b.Loop() {
		if x.left == 0 {
			b.StopTimer()
			x = newExchange(b)
			b.StartTimer()
		}
		x.block()
	}
}

// TestABlockExchangeDoesNotAllocate: the path that each block takes is free of
// allocations (package han, design §3).
func TestABlockExchangeDoesNotAllocate(t *testing.T) {
	x := newExchange(t)
	for range 100 {
		x.block()
	}
	if n := testing.AllocsPerRun(1000, x.block); n != 0 {
		t.Errorf("a block exchange allocates %v times", n)
	}
}

// exchange is a hub and a gas meter in the middle of a download.
type exchange struct {
	hub              *hub.Hub
	meter            *gsme.Meter
	now              time.Time
	fromHub, fromGas han.Outbox
	left             int // blocks until the image is complete
}

const exchangeImage = 512 << 10

var (
	exchangeFactory = testimage.GB(testimage.Options{Version: 1, Sequence: 1})
	exchangeUpdate  = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: exchangeImage})))
)

func newExchange(tb testing.TB) *exchange {
	tb.Helper()
	x := &exchange{now: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}
	cfg := nodetest.WithKeys(hub.DefaultConfig())
	cfg.Policy = gasproxy.Blocks(1 << 30)
	cache := imagecache.NewMemory()
	if err := cache.Add(exchangeUpdate); err != nil {
		tb.Fatal(err)
	}
	records := store.NewMemory()
	supplier := headend.New(headend.Config{Supplier: cfg.Supplier, Security: nodetest.SupplierSecurity()}, records)
	x.hub = hub.New(cfg, records, cache, supplier, x.now, &x.fromHub)
	supplier.Connect(x.now, &x.fromHub, x.hub)
	m := newMeter(theGSME, store.KindGSME, exchangeFactory)
	for _, err := range []error{
		x.hub.AddDevice(x.now, &x.fromHub, store.Device{EUI64: m.EUI64, Kind: store.KindGSME}),
		x.hub.RegisterImage(x.now, &x.fromHub, exchangeUpdate.Entry, true),
		supplier.Distribute(x.now, &x.fromHub, headend.Distribution{Image: exchangeUpdate.FileHash, Devices: []han.EUI64{m.EUI64}}),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	m.Security = devicetest.Security(m.EUI64)
	x.meter = gsme.New(m.GSME(cfg), flash.New(meter.Geometry(m.SlotCapacity)), x.now)
	x.meter.HandleTimer(x.now, &x.fromGas)
	for !x.asksForBlock() {
		if len(x.fromGas.Frames) == 0 {
			tb.Fatal("the meter asks for no block")
		}
		x.block()
	}
	x.left = exchangeImage / cfg.BlockSize
	return x
}

// asksForBlock reports whether the meter's last word is an Image Block Request.
func (x *exchange) asksForBlock() bool {
	f := x.fromGas.Frames[len(x.fromGas.Frames)-1]
	h, _, err := zcl.ParseHeader(f.Payload)
	return err == nil && f.Cluster == ota.ClusterID && h.Command == ota.CommandImageBlockRequest
}

// block carries what the meter said to the hub, and the answers back.
func (x *exchange) block() {
	x.now = x.now.Add(5 * time.Millisecond)
	x.fromHub.Reset()
	for i := range x.fromGas.Frames {
		x.hub.HandleFrame(x.now, x.fromGas.Frames[i], &x.fromHub)
	}
	x.fromGas.Reset()
	for i := range x.fromHub.Frames {
		x.meter.HandleFrame(x.now, x.fromHub.Frames[i], &x.fromGas)
	}
	x.left--
}
