package han

import (
	"bytes"
	"testing"
	"time"
)

func TestParseEUI64(t *testing.T) {
	tests := []struct {
		name, give string
		want       EUI64
		ok         bool
	}{
		{"print order", "00DB1234567890A1", 0x00DB1234567890A1, true},
		{"lower case", "00db1234567890a1", 0x00DB1234567890A1, true},
		{"colons", "00:DB:12:34:56:78:90:A1", 0x00DB1234567890A1, true},
		{"hyphens as DUIS writes it", "00-DB-12-34-56-78-90-A1", 0x00DB1234567890A1, true},
		{"mixed separators", "00-DB:12-34-56-78-90-A1", 0, false},
		{"separators in the wrong place", "0:0DB:12:34:56:78:90:A1", 0, false},
		{"too short", "00DB1234567890A", 0, false},
		{"too long", "00DB1234567890A1F", 0, false},
		{"not hex", "00DB1234567890AG", 0, false},
		{"a sign", "+0DB1234567890A1", 0, false},
		{"empty", "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseEUI64(tt.give)
			if (err == nil) != tt.ok || got != tt.want {
				t.Errorf("ParseEUI64(%q) = %v, %v; want %v, ok %v", tt.give, got, err, tt.want, tt.ok)
			}
		})
	}
}

func TestEUI64ByteOrders(t *testing.T) {
	e := EUI64(0x00DB1234567890A1)
	if got, want := e.AppendAir(nil), []byte{0xA1, 0x90, 0x78, 0x56, 0x34, 0x12, 0xDB, 0x00}; !bytes.Equal(got, want) {
		t.Errorf("on the air % X, want % X", got, want)
	}
	if got, want := e.AppendPrint(nil), []byte{0x00, 0xDB, 0x12, 0x34, 0x56, 0x78, 0x90, 0xA1}; !bytes.Equal(got, want) {
		t.Errorf("in print % X, want % X", got, want)
	}
}

func TestOutboxKeepsEveryPayloadUntilReset(t *testing.T) {
	var out Outbox
	for round := range 3 {
		for i := range 40 {
			p := out.Payload()
			for range i * 7 {
				p = append(p, byte(i))
			}
			out.Send(Frame{Counter: uint8(i), Payload: p})
		}
		for i, f := range out.Frames {
			if want := bytes.Repeat([]byte{byte(i)}, i*7); !bytes.Equal(f.Payload, want) {
				t.Fatalf("round %d: frame %d holds % X, want % X", round, i, f.Payload, want)
			}
		}
		out.Reset()
	}
}

func TestOutboxSendsWithoutAllocatingOnceWarm(t *testing.T) {
	var out Outbox
	send := func() {
		for range 4 {
			out.Send(Frame{Payload: append(out.Payload(), "a payload of some length"...)})
		}
		out.Reset()
	}
	send()
	send()
	if n := testing.AllocsPerRun(100, send); n != 0 {
		t.Errorf("%v allocations per drained outbox, want 0", n)
	}
}

type testTimer uint8

const (
	timerA testTimer = iota
	timerB
	timerC
)

func TestDeadlinesFireInOrderOfTheirInstants(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var d Deadlines[testTimer]
	if _, ok := d.Next(); ok {
		t.Fatal("an empty table has a deadline")
	}
	d.Await(timerA, start.Add(3*time.Second))
	d.Schedule(timerB, start.Add(2*time.Second))
	d.Schedule(timerC, start.Add(3*time.Second))

	next, ok := d.Next()
	if !ok || !next.At.Equal(start.Add(2*time.Second)) || next.Patience {
		t.Fatalf("Next() = %+v, %v; want timer B's", next, ok)
	}
	if _, ok := d.Expired(start.Add(time.Second)); ok {
		t.Fatal("a timer fired before its instant")
	}
	var fired []testTimer
	for {
		timer, ok := d.Expired(start.Add(5 * time.Second))
		if !ok {
			break
		}
		fired = append(fired, timer)
	}
	// C before A: at the same instant what is scheduled comes before patience.
	if want := []testTimer{timerB, timerC, timerA}; len(fired) != 3 || fired[0] != want[0] || fired[1] != want[1] || fired[2] != want[2] {
		t.Errorf("fired %v, want %v", fired, want)
	}
}

func TestDeadlinesClear(t *testing.T) {
	var d Deadlines[testTimer]
	d.Schedule(timerB, time.Unix(1, 0))
	d.Clear(timerB)
	if d.IsSet(timerB) {
		t.Error("cleared timer is set")
	}
	if _, ok := d.Expired(time.Unix(2, 0)); ok {
		t.Error("cleared timer fired")
	}
}

func TestEarlier(t *testing.T) {
	a, b := Deadline{At: time.Unix(1, 0)}, Deadline{At: time.Unix(2, 0)}
	if got, ok := Earlier(a, true, b, true); !ok || got != a {
		t.Errorf("both set: %v, %v", got, ok)
	}
	if got, ok := Earlier(a, false, b, true); !ok || got != b {
		t.Errorf("only b set: %v, %v", got, ok)
	}
	if _, ok := Earlier(a, false, b, false); ok {
		t.Error("none set, yet one returned")
	}
}
