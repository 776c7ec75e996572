package gasproxy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

func message(n uint64, expires time.Time) gasproxy.Message {
	return gasproxy.Message{Sequence: n, Code: 0x0012, Data: fmt.Appendf(nil, "message %d", n), Expires: expires}
}

// get has the meter fetch the next message; the header is what it confirms.
func (h *home) get(from han.EUI64, id uint16) (tunnel.GetResponse, zcl.Header) {
	h.t.Helper()
	frames := h.transfer(from, id, tunnel.Get{}.Append(nil))
	data := answer(h, frames, tunnel.CommandTransferDataToClient, tunnel.ParseTransferData)
	r, err := tunnel.ParseGetResponse(data.Data)
	if err != nil || data.TunnelID != id {
		h.t.Fatalf("GET-RESPONSE in tunnel %d: %v", data.TunnelID, err)
	}
	header, _, err := zcl.ParseHeader(frames[0].Payload)
	if err != nil || header.DisableDefaultResponse {
		h.t.Fatalf("GET-RESPONSE with header %+v (%v): it wants no confirmation", header, err)
	}
	return r, header
}

func (h *home) confirm(from han.EUI64, to zcl.Header) {
	h.t.Helper()
	h.answerDefault(from, to, zcl.StatusSuccess)
}

func (h *home) answerDefault(from han.EUI64, to zcl.Header, status zcl.Status) {
	h.t.Helper()
	h.say(from, tunnel.ClusterID, 1, zcl.Header{TSN: to.TSN, Command: zcl.CommandDefaultResponse},
		zcl.DefaultResponse{Command: to.Command, Status: status})
}

func TestMessagesComeInTheirOrderAndLeaveWhenConfirmed(t *testing.T) {
	h := newHome(t, nil)
	id, endpoint := h.tunnelled(gsme), h.mirrored(gsme)
	for n := range uint64(3) {
		if err := h.Post(gsme, message(n, start.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(3) {
		if f := h.heartbeat(gsme, endpoint); f&metering.FlagTunnelMessagePending == 0 {
			t.Errorf("flags %v with %d messages", f, h.Waiting(gsme))
		}
		r, header := h.get(gsme, id)
		if want := string(message(n, start).Data); string(r.Message) != want || int(r.Remaining) != 2-int(n) {
			t.Errorf("got %q and %d more, want %q", r.Message, r.Remaining, want)
		}
		h.confirm(gsme, header)
		h.confirm(gsme, header) // repeated on the air
	}
	if !slices.Equal(h.hub.delivered, []uint64{0, 1, 2}) || h.Waiting(gsme) != 0 {
		t.Errorf("delivered %v, %d wait", h.hub.delivered, h.Waiting(gsme))
	}
	if f := h.heartbeat(gsme, endpoint); f&metering.FlagTunnelMessagePending != 0 {
		t.Errorf("flags %v with an empty mailbox", f)
	}
	if r, header := h.get(gsme, id); len(r.Message) > 0 || r.Remaining > 0 {
		t.Errorf("an empty mailbox has %q", r.Message)
	} else {
		h.confirm(gsme, header)
	}
}

// TestOnlyTheConfirmationOfTheMessageDropsIt: not one of another transaction or
// command, no refusal, and nothing that is no confirmation.
func TestOnlyTheConfirmationOfTheMessageDropsIt(t *testing.T) {
	h := newHome(t, nil)
	id := h.tunnelled(gsme)
	if err := h.Post(gsme, message(1, start.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	h.confirm(gsme, zcl.Header{TSN: 200, Command: tunnel.CommandTransferDataToClient}) // nothing is in flight
	_, first := h.get(gsme, id)
	_, second := h.get(gsme, id) // the answer was lost, so it asks again
	h.confirm(gsme, first)
	h.confirm(gsme, zcl.Header{TSN: second.TSN, Command: 0x42})
	h.answerDefault(gsme, second, zcl.StatusUnsupCommand)
	h.say(gsme, tunnel.ClusterID, 1, zcl.Header{TSN: second.TSN, Command: zcl.CommandDefaultResponse}, zcl.Empty{})
	if h.err == nil {
		t.Error("a Default Response without content was taken")
	}
	h.say(gsme, tunnel.ClusterID, 1, zcl.Header{TSN: second.TSN, Command: zcl.CommandReadAttributes}, zcl.Empty{})
	if h.Waiting(gsme) != 1 || len(h.hub.delivered) > 0 {
		t.Errorf("%d wait, delivered %v", h.Waiting(gsme), h.hub.delivered)
	}
	h.confirm(gsme, second)
	if h.Waiting(gsme) != 0 || len(h.hub.delivered) != 1 {
		t.Errorf("%d wait, delivered %v after the confirmation", h.Waiting(gsme), h.hub.delivered)
	}
}

// TestAConfirmationDoesNotDropAnotherMessage: the one that was in flight expired
// before its confirmation came.
func TestAConfirmationDoesNotDropAnotherMessage(t *testing.T) {
	h := newHome(t, nil)
	id := h.tunnelled(gsme)
	for n, d := range []time.Duration{time.Minute, time.Hour} {
		if err := h.Post(gsme, message(uint64(n), start.Add(d))); err != nil {
			t.Fatal(err)
		}
	}
	_, header := h.get(gsme, id)
	h.now = start.Add(time.Minute)
	var out han.Outbox
	if err := h.HandleTimer(h.now, &out); err != nil {
		t.Fatal(err)
	}
	h.confirm(gsme, header)
	if h.Waiting(gsme) != 1 || len(h.hub.delivered) > 0 || !slices.Equal(h.hub.expired, []uint64{0}) {
		t.Errorf("%d wait, delivered %v, expired %v", h.Waiting(gsme), h.hub.delivered, h.hub.expired)
	}
}

func TestAMailboxHasAnEnd(t *testing.T) {
	h := newHome(t, nil)
	n := uint64(0)
	for ; n < 1000; n++ {
		if err := h.Post(gsme, message(n, start.Add(time.Hour))); err != nil {
			if !errors.Is(err, gasproxy.ErrMailboxFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if n != 32 || h.Waiting(gsme) != 32 {
		t.Errorf("%d messages were taken, %d wait", n, h.Waiting(gsme))
	}
	if err := h.Post(second, message(n, start.Add(time.Hour))); err != nil {
		t.Errorf("another meter's mailbox is full too: %v", err)
	}
}

// A meter gets what waits for it, and nothing of what waits for another.
func TestAMailboxAnswersItsOwnMeter(t *testing.T) {
	h := newHome(t, nil)
	id, other := h.tunnelled(gsme), h.tunnelled(second)
	for n, meter := range []han.EUI64{gsme, second} {
		if err := h.Post(meter, message(uint64(n), start.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	r, header := h.get(second, other)
	if string(r.Message) != "message 1" || r.Remaining != 0 {
		t.Errorf("the second meter got %q and %d more, want message 1 alone", r.Message, r.Remaining)
	}
	h.confirm(second, header)
	if r, _ := h.get(second, other); len(r.Message) != 0 {
		t.Errorf("the second meter got %q, want nothing more", r.Message)
	}
	if r, _ := h.get(gsme, id); string(r.Message) != "message 0" {
		t.Errorf("the first meter got %q, want message 0", r.Message)
	}
}

func TestWhatAMeterPutsIsConfirmedOnceItIsTaken(t *testing.T) {
	h := newHome(t, nil)
	id := h.tunnelled(gsme)
	frames := h.transfer(gsme, id, tunnel.Put{Message: []byte("alert")}.Append(nil))
	if r := answer(h, frames, zcl.CommandDefaultResponse, zcl.ParseDefaultResponse); r.Status != zcl.StatusSuccess {
		t.Errorf("answered %s", r.Status)
	}
	if !slices.Equal(h.hub.messages, []string{"alert"}) {
		t.Errorf("messages %q", h.hub.messages)
	}
}

func TestDataOutsideATunnelIsRefused(t *testing.T) {
	h := newHome(t, nil)
	other := h.tunnelled(second)
	for name, id := range map[string]uint16{"no tunnel at all": 1, "another meter's": other, "zero": 0} {
		frames := h.transfer(gsme, id, tunnel.Put{Message: []byte("alert")}.Append(nil))
		r := answer(h, frames, tunnel.CommandTransferDataErrorToClient, tunnel.ParseTransferDataError)
		if r.Status != tunnel.TransferNoSuchTunnel || r.TunnelID != id || len(h.hub.messages) > 0 {
			t.Errorf("%s: %+v, messages %q", name, r, h.hub.messages)
		}
	}
	own := h.tunnelled(gsme)
	answer(h, h.transfer(gsme, other, tunnel.Put{Message: []byte("alert")}.Append(nil)), tunnel.CommandTransferDataErrorToClient, tunnel.ParseTransferDataError)
	if len(h.hub.messages) > 0 {
		t.Errorf("a meter put %q into the tunnel of another", h.hub.messages)
	}
	for name, tt := range map[string]struct {
		data []byte
		says string
	}{
		"nothing": {nil, "no data"}, "another prefix": {[]byte{9}, "09, want 01 to 03"},
		"a GET-RESPONSE": {[]byte{2, 0}, "a meter sent a GET-RESPONSE"}, "a PUT of nothing": {[]byte{3}, "too short"},
	} {
		if frames := h.transfer(gsme, own, tt.data); len(frames) > 0 || h.err == nil || !strings.Contains(h.err.Error(), tt.says) {
			t.Errorf("%s: %d answers, %v, want %q", name, len(frames), h.err, tt.says)
		}
	}
	h.say(gsme, tunnel.ClusterID, 1, fromClient(tunnel.CommandCloseTunnel), tunnel.CloseTunnel{TunnelID: own})
	frames := h.transfer(gsme, own, tunnel.Get{}.Append(nil))
	answer(h, frames, tunnel.CommandTransferDataErrorToClient, tunnel.ParseTransferDataError)
}

// TestAMailboxBehavesLikeAList compares it with the simplest thing that could work:
// whatever is posted, fetched, confirmed or not, and expires.
func TestAMailboxBehavesLikeAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHome(t, nil)
		id := h.tunnelled(gsme)
		var list []gasproxy.Message
		var delivered, expired []uint64
		var flying *zcl.Header
		sequence := uint64(0)
		fire := func() {
			var out han.Outbox
			if err := h.HandleTimer(h.now, &out); err != nil {
				t.Fatal(err)
			}
			for i, m := range list {
				if !m.Expires.After(h.now) {
					expired = append(expired, m.Sequence)
					if i == 0 {
						flying = nil
					}
				}
			}
			list = slices.DeleteFunc(list, func(m gasproxy.Message) bool { return !m.Expires.After(h.now) })
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				h.expectList(t, list, delivered, expired)
			},
			"post": func(t *rapid.T) {
				sequence++
				m := message(sequence, h.now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "minutes"))*time.Minute))
				if err := h.Post(gsme, m); (err == nil) != (len(list) < 32) {
					t.Fatal(err)
				} else if err == nil {
					list = append(list, m)
				}
			},
			"get": func(t *rapid.T) {
				r, header := h.get(gsme, id)
				flying = nil
				if len(list) > 0 {
					flying = &header
					if string(r.Message) != string(list[0].Data) || int(r.Remaining) != len(list)-1 {
						t.Fatalf("got %q and %d more", r.Message, r.Remaining)
					}
				}
			},
			"confirm": func(*rapid.T) {
				if flying == nil {
					return
				}
				h.confirm(gsme, *flying)
				delivered = append(delivered, list[0].Sequence)
				list, flying = list[1:], nil
			},
			"let time pass": func(t *rapid.T) {
				h.now = h.now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "minutes")) * time.Minute)
				fire()
			},
		})
	})
}

// expectList compares the mailbox with a list of what waits.
func (h *home) expectList(t *rapid.T, list []gasproxy.Message, delivered, expired []uint64) {
	t.Helper()
	if h.Waiting(gsme) != len(list) || !slices.Equal(h.hub.delivered, delivered) || !slices.Equal(h.hub.expired, expired) {
		t.Fatalf("%d wait, delivered %v, expired %v; want %d, %v, %v",
			h.Waiting(gsme), h.hub.delivered, h.hub.expired, len(list), delivered, expired)
	}
	next, ok := h.NextTimer()
	if ok != (len(list) > 0) {
		t.Fatalf("a deadline %v with %d messages", ok, len(list))
	}
	for _, m := range list {
		if m.Expires.Before(next.At) {
			t.Fatalf("message %d expires before the deadline", m.Sequence)
		}
	}
}
