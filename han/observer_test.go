package han

import (
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/trace"
)

func TestSeveralObserversSeeTheSameInTheirOrder(t *testing.T) {
	var seen []string
	one := Observer{
		Record:  func(r *trace.Record) { seen = append(seen, "1 "+r.Kind.String()) },
		Frame:   func(_ time.Time, f *Frame, _ Fate) { seen = append(seen, "1 "+f.Src.String()) },
		Session: func(peer EUI64, _ bool) { seen = append(seen, "1 "+peer.String()) },
	}
	two := Observer{Record: func(r *trace.Record) { seen = append(seen, "2 "+r.Kind.String()) }}
	both := Observers(one, Observer{}, two)
	both.Record(&trace.Record{Kind: trace.Rebooted})
	both.Frame(time.Time{}, &Frame{Src: 1}, Unharmed)
	both.Session(2, true)
	want := []string{"1 rebooted", "2 rebooted", "1 0000000000000001", "1 0000000000000002"}
	if !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

// A driver spares itself what nobody looks at.
func TestObserversLookWhereOneOfThemDoes(t *testing.T) {
	both := Observers(Observer{}, Observer{Record: func(*trace.Record) {}})
	if both.Record == nil || both.Frame != nil || both.Session != nil {
		t.Errorf("%+v", both)
	}
}

func TestAFrameThatSeveralObserversSeeDoesNotAllocate(t *testing.T) {
	count := 0
	look := Observer{Frame: func(_ time.Time, f *Frame, fate Fate) { count += len(f.Payload) + fate.Copies }}
	all := Observers(look, look, look)
	f := Frame{Payload: make([]byte, 48)}
	now := time.Unix(0, 0)
	if n := testing.AllocsPerRun(100, func() { all.Frame(now, &f, Unharmed) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
