package hub_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
)

// longAlert returns a receipt of size bytes: what makes it long is in its other information.
func (h *home) longAlert(eui han.EUI64, size int) []byte {
	m := must(gbcs.ParseMessage(h.alertOf(eui, gbcs.AlertFirmwareVerificationSuccessful)))
	m.Signature, m.HasMAC = nil, false
	for len(devicetest.Protected(m)) != size {
		m.OtherInfo = make([]byte, len(m.OtherInfo)+size-len(devicetest.Protected(m)))
	}
	return devicetest.Protected(m)
}

// status returns what a Default Response says.
func (h *home) status(frames []han.Frame) zcl.Status {
	h.t.Helper()
	if len(frames) != 1 {
		h.t.Fatalf("%d answers, want one", len(frames))
	}
	_, payload, err := zcl.ParseHeader(frames[0].Payload)
	h.must(err)
	return must(zcl.ParseDefaultResponse(payload)).Status
}

// TestALongMessageOfAMeterComesInBlocks, each of which may come twice; a hub that was
// restarted in between has it begin anew, and the supplier gets it once.
func TestALongMessageOfAMeterComesInBlocks(t *testing.T) {
	for _, eui := range []han.EUI64{gsme, esme} {
		h := newHome(t)
		h.joined()
		h.opened(7)
		h.report(esme)
		since := h.alerts()
		message := h.longAlert(eui, gbcs.MaxMessage)
		var s block.Sender
		refused := 0
		for n := 0; ; n++ {
			if n > 30 {
				t.Fatal("it does not end")
			}
			if n == 3 {
				h.restart()
			}
			status := h.status(h.put(eui, s.Next(message)))
			if again := h.status(h.put(eui, s.Next(message))); again != status {
				t.Errorf("%s: block %d is answered %s, and then %s", eui, n, status, again)
			}
			if status != zcl.StatusSuccess {
				refused++
				s.Refused()
			} else if s.Confirmed(message) {
				break
			}
		}
		if refused != 1 {
			t.Errorf("%s: %d blocks were refused, want the one after the restart", eui, refused)
		}
		h.expectAlerts(since, gbcs.AlertFirmwareVerificationSuccessful)
		all := h.store.Inbox(since, 10)
		if last := all[len(all)-1]; !bytes.Equal(last.Bytes, message) {
			t.Errorf("%s: %d bytes are kept, want %d", eui, len(last.Bytes), len(message))
		}
		if status := h.status(h.put(eui, bytes.Clone(s.Next(message))[:60])); status != zcl.StatusFailure {
			t.Errorf("%s: a block that is cut short: %s", eui, status)
		}
	}
}

// TestALongMessageIsPushedInBlocks to an electricity meter, and begins anew when it refuses one.
func TestALongMessageIsPushedInBlocks(t *testing.T) {
	h := newHome(t)
	h.opened(7)
	m := gbcs.Message{CRA: gbcs.Command, OriginatorCounter: 5, Originator: 1, Recipient: esme, Code: gbcs.CodeActivateFirmware, Payload: make([]byte, 3000)}
	message := m.Append(nil)
	h.forget()
	h.must(h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.Send(now, out, esme, gasproxy.Message{Sequence: 5, Code: 0x12, Data: message})
	}))
	frames := h.sent
	var r block.Receiver
	var got []byte
	for n := 0; got == nil; n++ {
		if n > 10 || len(frames) != 1 {
			t.Fatalf("%d frames at block %d", len(frames), n)
		}
		data := frames[0].Payload[zclHeaderSize+2:]
		if n == 1 {
			r = block.Receiver{} // the meter lost its power
		}
		whole, err := r.Take(data)
		if err != nil {
			h.answerDefault(frames[0], zcl.StatusFailure)
			h.forget()
			h.Advance(h.Now.Add(10 * time.Second))
			frames = h.sent
			continue
		}
		got = bytes.Clone(whole)
		if len(whole) == 0 {
			got = nil
		}
		frames = h.confirm(frames[0])
	}
	if !bytes.Equal(got, message) || h.queued(esme) != 0 {
		t.Errorf("%d bytes of %d came, %d messages wait", len(got), len(message), h.queued(esme))
	}
}

const zclHeaderSize = 3
