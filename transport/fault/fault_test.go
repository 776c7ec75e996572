package fault_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
)

func TestEachKindHasANameAndARecordOfItsOwn(t *testing.T) {
	names, records := map[string]bool{}, map[trace.Kind]bool{}
	for k := fault.PowerCut; int(k) < fault.Kinds; k++ {
		names[k.String()], records[k.Record()] = true, true
	}
	if len(names) != fault.Kinds-1 || len(records) != fault.Kinds-1 || records[0] {
		t.Errorf("names %v, records %v, of %d kinds", names, records, fault.Kinds-1)
	}
	if got := fault.Kind(0).String(); got != "kind(0)" {
		t.Error(got)
	}
}

func TestSharesArePartsPerMillionAndPercent(t *testing.T) {
	for percent, want := range map[float64]fault.Share{0: 0, 0.0001: 1, 12.5: 125_000, 100: fault.Million} {
		if got := fault.Percent(percent); got != want || got.Percent() != percent {
			t.Errorf("%v %%: %d, and back %v %%", percent, got, got.Percent())
		}
	}
}

// TestWhatStruckIsWhatHappened, of each kind alone.
func TestWhatStruckIsWhatHappened(t *testing.T) {
	const transit = 10 * time.Millisecond
	for kind, link := range map[fault.Kind]fault.Link{
		fault.Loss:        {Loss: fault.Million},
		fault.Duplication: {Duplication: fault.Million},
		fault.Reordering:  {Reordering: fault.Million, ReorderBy: time.Hour},
		fault.Corruption:  {Corruption: fault.Million},
		fault.Delay:       {Delay: time.Second},
	} {
		fate, struck := link.Strike(20, 1, transit, rand.New(rand.NewPCG(1, 2)))
		happened := map[fault.Kind]bool{
			fault.Loss: fate.Copies == 0, fault.Duplication: fate.Copies == 2, fault.Corruption: fate.Corrupt,
			fault.Reordering: fate.Delay[0] > transit+time.Second, fault.Delay: fate.Delay[0] == transit+time.Second,
		}
		for k, did := range happened {
			if did != (k == kind) || struck.Has(k) != did {
				t.Errorf("%s: %s happened %v, struck %v: %+v", kind, k, did, struck.Has(k), fate)
			}
		}
		if all := slices.Collect(struck.Each); !slices.Equal(all, []fault.Kind{kind}) {
			t.Errorf("%s: struck by %v", kind, all)
		}
	}
}

func TestARecordNamesSenderReceiverAndSize(t *testing.T) {
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	r := fault.Loss.FrameRecord(at, &han.Frame{Src: 1, Dst: 2, Payload: make([]byte, 17)})
	if got, want := r.String(), "2026-01-05T00:00:00.000Z 0000000000000001 frame-lost peer=0000000000000002 size=17"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !fault.OfFrames(r.Kind) || fault.OfFrames(trace.PowerCut) || fault.OfFrames(trace.BlockReceived) {
		t.Error("which records tell of frames is not known")
	}
}

func TestOneBitIsTurned(t *testing.T) {
	b := make([]byte, 3)
	fault.Turn(b, han.Fate{Copies: 1, Bit: 10})
	fault.Turn(b, han.Fate{Copies: 1, Corrupt: true, Bit: 9})
	if !slices.Equal(b, []byte{0, 2, 0}) {
		t.Errorf("% x", b)
	}
}

func TestTwoLinksTreatAFrameOneAfterTheOther(t *testing.T) {
	ms := time.Millisecond
	once := func(d time.Duration) han.Fate { return han.Fate{Copies: 1, Delay: [2]time.Duration{d, d}} }
	twice := func(a, b time.Duration) han.Fate {
		return han.Fate{Copies: 2, Delay: [2]time.Duration{a, b}}
	}
	for _, tt := range []struct {
		name                string
		first, second, want han.Fate
	}{
		{"lost on the first", han.Fate{}, once(ms), han.Fate{}},
		{"lost on the second", once(ms), han.Fate{}, han.Fate{}},
		{"late on both", once(ms), once(2 * ms), han.Fate{Copies: 1, Delay: [2]time.Duration{3 * ms, ms}}},
		{"doubled by the second", once(ms), twice(0, 5*ms), twice(ms, 6*ms)},
		{"doubled by the first", twice(ms, 2*ms), once(3 * ms), twice(4*ms, 5*ms)},
		{"turned by the second", once(ms), han.Fate{Copies: 1, Corrupt: true, Bit: 3}, han.Fate{Copies: 1, Delay: [2]time.Duration{ms, ms}, Corrupt: true, Bit: 3}},
	} {
		if got := fault.Then(tt.first, tt.second); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
