package gsme_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/internal/devicetest"
)

// long is a payload of 3,000 bytes.
type long struct{}

func (long) Append(b []byte) []byte { return append(b, bytes.Repeat([]byte{7}, 3000)...) }
func (long) Fields() []gbcs.Field   { return nil }

// tellAtLength has the meter alert its supplier at length.
func (h *home) tellAtLength() {
	var out han.Outbox
	h.meter.Remote.AlertWith(h.Now, &out, gbcs.CodeActivateFirmwareAlert, gbcs.AlertFutureDatedCommandActioned,
		func(gbcs.AlertHead) gbcs.Payload { return long{} })
	h.meter.Remote.Commit()
}

// TestALongMessageIsPutInBlocks, and begins anew if the hub lost those that it had, or the
// meter its power.
func TestALongMessageIsPutInBlocks(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		h := newHome(t, nil)
		h.window()
		h.tellAtLength()
		h.demand("window", h.window(), "report, put, put, put")
		h.expectLong()
		h.demand("next window", h.window(), "report")
	})
	t.Run("in smaller ones if nobody answers", func(t *testing.T) {
		h := newHome(t, nil)
		h.window()
		h.tellAtLength()
		h.mute = "put"
		h.demand("window", h.window(), "report, put, put, put")
		h.mute = ""
		if said := h.window(); strings.Count(said, "put") < 10 {
			t.Errorf("said %q, want it in blocks of 150 bytes", said)
		}
		h.expectLong()
	})
	t.Run("to a hub that was restarted", func(t *testing.T) {
		h := newHome(t, nil)
		h.window()
		h.tellAtLength()
		h.onPut = func(n int) {
			if n == 2 {
				h.blocks = block.Receiver{}
			}
		}
		h.demand("window", h.window(), "report, put, put, put, put, put")
		h.expectLong()
	})
	t.Run("by a meter that was restarted", func(t *testing.T) {
		chip := devicetest.Chip()
		h := newHomeOn(t, chip)
		h.window()
		h.tellAtLength()
		h.onPut = func(n int) {
			if n == 2 {
				h.mute = "put"
			}
		}
		h.window()
		h.mute, h.onPut = "", nil
		h.meter = gsme.New(devicetest.GSMEConfig(), chip, h.Now)
		h.Node = h.meter
		h.window()
		h.expectLong()
	})
}

func (h *home) expectLong() {
	h.TB.Helper()
	if len(h.put) != 1 || !bytes.Equal(h.put[0].Payload, long{}.Append(nil)) {
		h.TB.Errorf("%d messages were put, want one of 3,000 bytes", len(h.put))
	}
	if _, waits := h.meter.Remote.Outgoing(); waits {
		h.TB.Error("it waits in the outbox still")
	}
}
