package systemtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// longOrder returns an order to activate for a device, signed and MACed, of size bytes: what
// makes it long stands in its other information, which a meter does not look at.
func longOrder(seed uint64, device han.EUI64, counter uint64, size int) []byte {
	keys, supplier := home.SimulatedKeys(seed), hub.DefaultConfig().Supplier
	own := func(eui han.EUI64) seal.Keys { return must(keys.Own(eui)) }
	m := gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: counter, Originator: supplier, Recipient: device, Code: gbcs.CodeActivateFirmware,
		Payload: gbcs.ActivateFirmwareCommand{ImageHash: ota.ImageHash{1}, OriginatorCounter: counter}.Append(nil),
	}
	protected := func() []byte {
		return must(seal.Protect(m, own(supplier).DS, func() (seal.Secret, error) {
			return seal.Agree(own(home.Broker).KA, own(device).KA.PublicKey())
		})).Append(nil)
	}
	for len(protected()) != size {
		m.OtherInfo = make([]byte, len(m.OtherInfo)+size-len(protected()))
	}
	return protected()
}

// longHome is a home whose line loses frames, with what happened to messages in it.
type longHome struct {
	*virtual.Home
	delivered int
	blocks    int // on the air
	told      []string
}

func newLongHome(t *testing.T, seed uint64, loss fault.Share) *longHome {
	t.Helper()
	h := &longHome{}
	h.Home = virtual.New(sim.Config{
		Start: storyStart, Seed: seed, Link: radio.Link{Params: phy.Band2G4(), Faults: fault.Link{Loss: loss}},
		Observer: han.Observer{Record: func(r *trace.Record) {
			if r.Kind == trace.MessageDelivered {
				h.delivered++
			}
			if r.Kind == trace.MessageReceived {
				h.told = append(h.told, r.Text)
			}
		}, Frame: func(_ time.Time, f *han.Frame, _ han.Fate) {
			// Behind the ZCL header, the tunnel's identifier and, to a gas meter, GET-RESPONSE.
			if f.Cluster == tunnel.ClusterID && len(f.Payload) > 7 && (block.Is(f.Payload[5:]) || block.Is(f.Payload[7:])) {
				h.blocks++
			}
		}},
	}, hub.DefaultConfig())
	file := testimage.GB(testimage.Options{Version: 1, Sequence: 1, PayloadSize: 2000})
	for _, name := range []string{"esme", "gsme"} {
		m := home.NewMeter(storyNodes[name], must(store.ParseKind(name)), testimage.Policy(bootloader.TrustSigned), file)
		m.SlotCapacity = 64 << 10
		if err := h.AddMeter(m); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// TestALongMessageComesThrough: 8,192 bytes, in blocks, at a loss of 20 %, with power cuts of
// the meter and of the hub in the middle. The meter's answer tells that it had all of it.
func TestALongMessageComesThrough(t *testing.T) {
	for _, device := range []han.EUI64{theESME, theGSME} {
		for seed := range uint64(6) {
			t.Run(fmt.Sprintf("%s, seed %d", device, seed), func(t *testing.T) {
				h := newLongHome(t, seed, 200_000)
				h.Run(storyStart.Add(40 * time.Minute))
				message := longOrder(seed, device, uint64(h.Now().UnixMilli()), gbcs.MaxMessage)
				if err := h.give(device, message); err != nil {
					t.Fatal(err)
				}
				for cut := range 2 { // each after some more blocks
					before := h.blocks
					h.RunUntil(h.Now().Add(5*time.Hour), func() bool { return h.blocks > before+12 })
					if h.delivered > 0 {
						t.Fatalf("delivered before cut %d", cut)
					}
					if cut%2 == 0 {
						h.Cut(device, sim.DefaultOff)
					} else {
						h.Cut(storyNodes["hub"], time.Second)
					}
				}
				h.RunUntil(h.Now().Add(20*time.Hour), func() bool { return len(h.told) > 0 })
				t.Logf("%d blocks, over at %s", h.blocks, elapsed(h.Now()))
				if want := "activation: no image held"; len(h.told) == 0 || !strings.Contains(h.told[0], want) {
					t.Errorf("%d delivered, told %q, want %q", h.delivered, h.told, want)
				}
			})
		}
	}
}

// TestAMessageThatIsTooLongIsRefused at once, in one line.
func TestAMessageThatIsTooLongIsRefused(t *testing.T) {
	h := newLongHome(t, 1, 0)
	for _, device := range []han.EUI64{theESME, theGSME} {
		err := h.give(device, longOrder(1, device, 1<<40, gbcs.MaxMessage+1))
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "8193 bytes, want at most 8192") {
			t.Errorf("%v: want it refused in one line", err)
		}
	}
}

func (h *longHome) give(device han.EUI64, message []byte) error {
	return h.Operate(func(b *hub.Hub, now time.Time, out *han.Outbox) error {
		return b.Send(now, out, device, gasproxy.Message{Sequence: uint64(now.UnixMilli()), Code: uint16(gbcs.CodeActivateFirmware), Data: message})
	})
}
