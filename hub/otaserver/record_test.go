package otaserver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/otaserver"
)

// serve has the device asked for blocks of 40 bytes at offsets.
func (s *server) serve(offsets ...uint32) {
	s.t.Helper()
	for _, offset := range offsets {
		if r := s.block(device, s.request(offset, 40)); r.Status != zcl.StatusSuccess {
			s.t.Fatalf("block at %d: %s", offset, r.Status)
		}
	}
}

// end has the device say that it has the image, and returns whether it was believed.
func (s *server) end() (believed bool) {
	s.t.Helper()
	headers, payloads := s.ask(device, command(ota.CommandUpgradeEndRequest), ota.UpgradeEndRequest{Image: s.offer.Header.ImageID})
	if headers[0].ClusterSpecific {
		return true
	}
	s.expectDefault(zcl.StatusAbort, headers, payloads)
	return false
}

func TestADevicesWordIsHeldAgainstWhatItWasServed(t *testing.T) {
	tests := []struct {
		name     string
		has      otaserver.Has
		query    bool
		served   []uint32
		believed bool
	}{
		{"front to back", 0, true, []uint32{0, 40, 80}, true},
		{"back to front", 0, true, []uint32{80, 40, 0}, true},
		{"twice", 0, true, []uint32{0, 40, 80, 0, 40, 80}, true},
		{"back to front, twice", 0, true, []uint32{80, 40, 0, 80, 40, 0}, true},
		{"from a part of before, without a query", otaserver.HasPart, false, []uint32{40, 80}, true},
		{"nothing", 0, true, nil, false},
		{"nothing, unasked", 0, false, nil, false},
		{"a fraction", 0, true, []uint32{0}, false},
		{"all but the middle", 0, true, []uint32{0, 80}, false},
		{"all but the beginning, begun anew", otaserver.HasPart, true, []uint32{40, 80}, false},
		{"held from before", otaserver.HasWhole, true, nil, true},
		{"held from before, begun anew", otaserver.HasWhole, true, []uint32{0}, false},
		{"a part that the hub's restart cut off from its end", otaserver.HasPart, false, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, func(o *otaserver.Offer) { o.Has = tt.has })
			if tt.query {
				s.query(device, runs(1))
			}
			s.serve(tt.served...)
			if got := s.end(); got != tt.believed {
				t.Errorf("believed: %v", got)
			}
			want := otaserver.NewsDone
			if !tt.believed {
				want = otaserver.NewsRefused
			}
			if s.result.News != want || s.Waiting(now, device) {
				t.Errorf("%+v", s.result)
			}
			if !tt.believed && !strings.Contains(s.result.Reason, "of 100 bytes") {
				t.Errorf("reason %q", s.result.Reason)
			}
		})
	}
}

// TestAPartOfAnotherFileIsDropped: the name is the same, so that only the record tells.
// What the device has is aborted once, and it begins anew.
func TestAPartOfAnotherFileIsDropped(t *testing.T) {
	other := func(o *otaserver.Offer) { o.Has = otaserver.HasOther }
	t.Run("a part", func(t *testing.T) {
		s := newServer(t, other)
		for range 2 {
			if r := s.block(device, s.request(40, 40)); r.Status != zcl.StatusAbort {
				t.Fatalf("bytes were put behind those of another file: %s", r.Status)
			}
		}
		if s.query(device, runs(1)); s.result.News != otaserver.NewsStarted {
			t.Fatalf("asked anew: %+v", s.result)
		}
		s.serve(0, 40, 80)
		if !s.end() {
			t.Error("the new file is not believed")
		}
	})
	t.Run("nothing stored of it yet", func(t *testing.T) {
		s := newServer(t, other)
		s.serve(0, 40, 80)
	})
	t.Run("the whole", func(t *testing.T) {
		s := newServer(t, other)
		s.query(device, runs(1))
		if s.end() || s.result.News != otaserver.NewsNone || !s.Waiting(now, device) {
			t.Fatalf("another file counts as this one: %+v", s.result)
		}
		s.query(device, runs(1))
		s.serve(0)
		if s.end() || s.result.News != otaserver.NewsRefused {
			t.Errorf("the second time it is a lie: %+v", s.result)
		}
	})
}

// TestWhatCannotBeGrantedHasAnEnd: nobody asks for it for ever.
func TestWhatCannotBeGrantedHasAnEnd(t *testing.T) {
	s := newServer(t, nil)
	s.serve(0)
	for range 2 {
		headers, payloads := s.ask(device, command(ota.CommandImageBlockRequest), s.request(100, 40))
		s.expectDefault(zcl.StatusMalformedCommand, headers, payloads)
		if s.result != (otaserver.Result{}) {
			t.Fatalf("too early: %+v", s.result)
		}
	}
	if r := s.block(device, s.request(100, 40)); r.Status != zcl.StatusAbort {
		t.Errorf("the third time: %s", r.Status)
	}
	if s.result.News != otaserver.NewsRefused || !strings.Contains(s.result.Reason, "40 bytes at 100 of an image of 100") || s.Waiting(now, device) {
		t.Errorf("%+v", s.result)
	}
	if r := s.block(device, s.request(100, 40)); r.Status != zcl.StatusAbort || s.result.News != otaserver.NewsNone {
		t.Errorf("after the end: %s, %+v", r.Status, s.result)
	}
}

func TestAnImageThatIsOfferedLater(t *testing.T) {
	s := newServer(t, func(o *otaserver.Offer) { o.NotBefore = now.Add(time.Hour) })
	if r := s.query(device, runs(1)); r.Status != zcl.StatusNoImageAvailable || s.Waiting(now, device) {
		t.Errorf("offered at once: %s", r.Status)
	}
	if r := s.block(device, s.request(0, 40)); r.Status != zcl.StatusAbort {
		t.Errorf("served at once: %s", r.Status)
	}
	if s.end() || s.result != (otaserver.Result{}) {
		t.Errorf("an attempt counts that there was none of: %+v", s.result)
	}
	if !s.Waiting(now.Add(time.Hour), device) {
		t.Error("it does not wait an hour later")
	}
}

func TestTheFirstBlockOfAnOfferIsNews(t *testing.T) {
	s := newServer(t, func(o *otaserver.Offer) { o.Has = otaserver.HasPart })
	s.serve(40)
	if s.result.News != otaserver.NewsServing {
		t.Errorf("%+v", s.result)
	}
	s.serve(80)
	if s.result.News != otaserver.NewsNone {
		t.Errorf("the second one: %+v", s.result)
	}
	s.Offer(device, s.offer)
	s.ask(device, command(ota.CommandImagePageRequest), ota.ImagePageRequest{Image: s.offer.Header.ImageID, MaxDataSize: 10, PageSize: 20})
	if s.result.News != otaserver.NewsServing {
		t.Errorf("of a page: %+v", s.result)
	}
}

// TestProgressIsWhatTheDeviceHas by what was served, whichever way it reads.
func TestProgressIsWhatTheDeviceHas(t *testing.T) {
	tests := []struct {
		name   string
		served []uint32
		want   otaserver.Served
	}{
		{"front to back", []uint32{0, 40}, otaserver.Served{Bytes: 80, Blocks: 2}},
		{"back to front", []uint32{80, 40}, otaserver.Served{Bytes: 60, Blocks: 2}},
		{"a block lost", []uint32{0, 40, 40, 80}, otaserver.Served{Bytes: 100, Blocks: 3, Repeats: 1}},
		{"begun anew", []uint32{0, 40, 80, 0}, otaserver.Served{Bytes: 40, Blocks: 3, Repeats: 1}},
		{"gone back a little", []uint32{0, 40, 80, 40}, otaserver.Served{Bytes: 80, Blocks: 3, Repeats: 1}},
		{"gone back for a block that was lost", []uint32{0, 40, 80, 0, 80}, otaserver.Served{Bytes: 100, Blocks: 3, Repeats: 2}},
		{"in pieces", []uint32{80, 0}, otaserver.Served{Bytes: 60, Blocks: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, nil)
			s.query(device, runs(1))
			s.serve(tt.served...)
			if got := s.Served(device); got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}
