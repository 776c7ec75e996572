package hub_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/trace"
)

// Whatever comes over the HAN in a bridged device's name is refused: only its
// bridge speaks for it.
func TestFramesInABridgedDevicesNameAreRefused(t *testing.T) {
	now := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	config := nodetest.WithKeys(hub.DefaultConfig())
	var out han.Outbox
	h := hub.New(config, store.NewMemory(), imagecache.NewMemory(), headend.New(headend.Config{Supplier: config.Supplier}, store.NewMemory()), now, &out)
	const outside = han.EUI64(0x00DB12345678B001)
	if err := h.AddDevice(now, &out, store.Device{EUI64: outside, Kind: store.KindBridged}); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	frame := han.Frame{Src: outside, Dst: config.EUI64, SrcEndpoint: 1, DstEndpoint: config.Endpoint, Cluster: zcl.ClusterTime,
		Payload: []byte{0x00, 0x01, 0x00, 0x00, 0x00}} // read the time
	h.HandleFrame(now, frame, &out)
	if len(out.Frames) != 0 || len(out.Records) != 1 || out.Records[0].Kind != trace.FrameRefused {
		t.Errorf("%d frames, records %+v; want one refusal", len(out.Frames), out.Records)
	}
	frame.Src = 0x00DB1234567890A4
	if err := h.AddDevice(now, &out, store.Device{EUI64: frame.Src, Kind: store.KindIHD}); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if h.HandleFrame(now, frame, &out); len(out.Frames) != 1 {
		t.Errorf("the same frame of a display: %d frames, want an answer", len(out.Frames))
	}
}
