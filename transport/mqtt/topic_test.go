package mqtt

import (
	"testing"

	"github.com/commshub/commshub/han"
)

const (
	hub      han.EUI64 = 0x00DB1234567890A3
	gasMeter han.EUI64 = 0x00DB1234567890A1
)

func TestTopicsOfBothSides(t *testing.T) {
	h, d := newTopics(hub, 0), newTopics(hub, gasMeter)
	const (
		up   = "han/00DB1234567890A3/00DB1234567890A1/up"
		down = "han/00DB1234567890A3/00DB1234567890A1/down"
	)
	if got := h.filter(); got != "han/00DB1234567890A3/+/up" {
		t.Errorf("hub listens to %q", got)
	}
	if got := d.filter(); got != down {
		t.Errorf("device listens to %q", got)
	}
	if got, ok := h.to(gasMeter); !ok || got != down {
		t.Errorf("hub sends to %q, %v", got, ok)
	}
	if got, ok := d.to(hub); !ok || got != up {
		t.Errorf("device sends to %q, %v", got, ok)
	}
	if _, ok := d.to(0x00DB1234567890A0); ok {
		t.Error("a device may send to another device")
	}
	if got, ok := h.from(up); !ok || got != gasMeter {
		t.Errorf("%s is from %v, %v", up, got, ok)
	}
	if got, ok := d.from(down); !ok || got != hub {
		t.Errorf("%s is from %v, %v", down, got, ok)
	}
}

func TestForeignTopicsAreRefused(t *testing.T) {
	h := newTopics(hub, 0)
	for _, topic := range []string{
		"",
		"han/00DB1234567890A3/clock",
		"han/00DB1234567890A3/00DB1234567890A1/down",
		"han/00DB1234567890B3/00DB1234567890A1/up",
		"han/00DB1234567890A3/00db1234567890a1/up",
		"han/00DB1234567890A3/0DB1234567890A1/up",
		"han/00DB1234567890A3/00DB1234567890A11/up",
		"han/00DB1234567890A3/00DB1234567890A1/up/up",
		"han/00DB1234567890A3/00DB12345678-0A1/up",
		"han/00DB1234567890A3/0000000000000000/up",
	} {
		if id, ok := h.from(topic); ok {
			t.Errorf("%q was taken as from %v", topic, id)
		}
	}
}

func FuzzTopic(f *testing.F) {
	f.Add("han/00DB1234567890A3/00DB1234567890A1/up")
	f.Add("han/00DB1234567890A3/00DB1234567890A1/down")
	h := newTopics(hub, 0)
	f.Fuzz(func(t *testing.T, topic string) {
		id, ok := h.from(topic)
		if !ok {
			return
		}
		if again := newTopics(hub, id); again.up != topic {
			t.Errorf("%q is taken as from %v, who sends on %q", topic, id, again.up)
		}
	})
}
