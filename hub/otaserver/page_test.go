package otaserver_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/otaserver"
)

// pageBlock is a block of a page and when it was sent.
type pageBlock struct {
	after  time.Duration
	status zcl.Status
	offset uint32
	data   string
}

// page asks for a page and runs the server's timers until it is served.
func (s *server) page(q ota.ImagePageRequest) (blocks []pageBlock) {
	s.t.Helper()
	headers, payloads := s.ask(device, command(ota.CommandImagePageRequest), q)
	r := one(s, ota.CommandImageBlockResponse, headers, payloads, ota.ParseImageBlockResponse)
	blocks = append(blocks, pageBlock{0, r.Status, r.Offset, string(r.Data)})
	for {
		next, more := s.NextTimer()
		if !more {
			return blocks
		}
		var out han.Outbox
		s.err = s.HandleTimer(next.At, &out)
		for _, f := range out.Frames {
			h, payload, err := zcl.ParseHeader(f.Payload)
			if err != nil || h.TSN != 77 || h.Command != ota.CommandImageBlockResponse || f.Dst != device || f.DstEndpoint != 5 {
				s.t.Fatalf("sent %s (%v), want a block in answer to the request", f, err)
			}
			r, err := ota.ParseImageBlockResponse(payload)
			if err != nil {
				s.t.Fatal(err)
			}
			blocks = append(blocks, pageBlock{next.At.Sub(now), r.Status, r.Offset, string(r.Data)})
		}
	}
}

func TestAPageIsARunOfBlocks(t *testing.T) {
	const ms = time.Millisecond
	digits := "0123456789"
	tests := []struct {
		name string
		q    ota.ImagePageRequest
		want []pageBlock
	}{
		{"two and a bit", ota.ImagePageRequest{Offset: 10, MaxDataSize: 20, PageSize: 50, ResponseSpacing: 100}, []pageBlock{
			{0, 0, 10, digits + digits}, {100 * ms, 0, 30, digits + digits}, {200 * ms, 0, 50, digits}}},
		{"to the end of the image", ota.ImagePageRequest{Offset: 60, MaxDataSize: 40, PageSize: 65535}, []pageBlock{
			{0, 0, 60, digits + digits + digits + digits}}},
		{"in blocks as large as the server makes them, no faster than a child can poll",
			ota.ImagePageRequest{Offset: 20, MaxDataSize: 255, PageSize: 60}, []pageBlock{
				{0, 0, 20, digits + digits + digits + digits}, {20 * ms, 0, 60, digits + digits}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, nil)
			tt.q.Image = s.offer.Header.ImageID
			if got := s.page(tt.q); !slices.Equal(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if p := s.Served(device); int(p.Blocks) != len(tt.want) || p.Pages != 1 || s.pacer.pages != len(tt.want)-1 {
				t.Errorf("%+v, the pacer was told of %d blocks without a request", p, s.pacer.pages)
			}
		})
	}
}

func TestWhatEndsAPage(t *testing.T) {
	begin := func(t *testing.T) *server {
		s := newServer(t, nil)
		s.ask(device, command(ota.CommandImagePageRequest), ota.ImagePageRequest{
			Image: s.offer.Header.ImageID, MaxDataSize: 10, PageSize: 100, ResponseSpacing: 50})
		if _, more := s.NextTimer(); !more {
			t.Fatal("no page is being served")
		}
		return s
	}
	for name, end := range map[string]func(s *server){
		"a block request": func(s *server) { s.block(device, s.request(0, 10)) },
		"withdrawing":     func(s *server) { s.Withdraw(device) },
		"the end":         func(s *server) { s.Finish(device) },
		"another image":   func(s *server) { s.supersede() },
		"the pacing":      func(s *server) { s.pacer.limited = true; s.fire(zcl.StatusWaitForData) },
		"a fault on disk": func(s *server) { s.image.err = errors.New("broken"); s.fire(zcl.StatusWaitForData) },
		"Upgrade End": func(s *server) {
			s.ask(device, command(ota.CommandUpgradeEndRequest), ota.UpgradeEndRequest{Image: s.offer.Header.ImageID})
		},
		"a page elsewhere": func(s *server) {
			s.page(ota.ImagePageRequest{Image: s.offer.Header.ImageID, Offset: 90, MaxDataSize: 10, PageSize: 10})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t)
			end(s)
			if next, more := s.NextTimer(); more {
				t.Errorf("a block is due at %v", next.At)
			}
		})
	}
}

// fire runs the next timer and expects one answer with the given status.
func (s *server) fire(want zcl.Status) {
	s.t.Helper()
	next, _ := s.NextTimer()
	var out han.Outbox
	s.err = s.HandleTimer(next.At, &out)
	if len(out.Frames) != 1 {
		s.t.Fatalf("%d frames", len(out.Frames))
	}
	_, payload, err := zcl.ParseHeader(out.Frames[0].Payload)
	if err != nil {
		s.t.Fatal(err)
	}
	if r, err := ota.ParseImageBlockResponse(payload); err != nil || r.Status != want {
		s.t.Errorf("%s (%v), want %s", r.Status, err, want)
	}
}

func TestPageRequestsThatCannotBeServed(t *testing.T) {
	good := ota.ImagePageRequest{Image: newServer(t, nil).offer.Header.ImageID, MaxDataSize: 10, PageSize: 20}
	for name, change := range map[string]func(q *ota.ImagePageRequest){
		"no block size": func(q *ota.ImagePageRequest) { q.MaxDataSize = 0 },
		"no page size":  func(q *ota.ImagePageRequest) { q.PageSize = 0 },
		"past the end":  func(q *ota.ImagePageRequest) { q.Offset = 100 },
	} {
		s, q := newServer(t, nil), good
		change(&q)
		headers, payloads := s.ask(device, command(ota.CommandImagePageRequest), q)
		s.expectDefault(zcl.StatusMalformedCommand, headers, payloads)
		if s.err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, other := newServer(t, nil), good
	other.Image.FileVersion++
	headers, payloads := s.ask(device, command(ota.CommandImagePageRequest), other)
	if r := one(s, ota.CommandImageBlockResponse, headers, payloads, ota.ParseImageBlockResponse); r.Status != zcl.StatusAbort {
		t.Errorf("an image that is not offered: %s, want ABORT", r.Status)
	}
	if _, more := s.NextTimer(); more {
		t.Error("a page is being served")
	}
}

// TestALateTimerSendsNoFlood: after a pause of the process the blocks of a long page
// come in bursts of a bounded size, and none is left out.
func TestALateTimerSendsNoFlood(t *testing.T) {
	s := newServer(t, func(o *otaserver.Offer) { o.Header.TotalSize = 1000 })
	s.image.data = bytes.Repeat([]byte("x"), 1000)
	s.ask(device, command(ota.CommandImagePageRequest), ota.ImagePageRequest{Image: s.offer.Header.ImageID, MaxDataSize: 1, PageSize: 1000})
	sent := 1
	for {
		if _, more := s.NextTimer(); !more {
			break
		}
		var out han.Outbox
		if err := s.HandleTimer(now.Add(time.Hour), &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Frames) == 0 || len(out.Frames) > 64 {
			t.Fatalf("%d blocks at once", len(out.Frames))
		}
		sent += len(out.Frames)
	}
	if sent != 1000 {
		t.Errorf("%d blocks of 1 byte of 1000 bytes", sent)
	}
}

// TestThePacerChoosesTheSize within what the device takes and the server may.
func TestThePacerChoosesTheSize(t *testing.T) {
	s := newServer(t, nil)
	s.pacer.size = 70
	for asked, want := range map[uint8]int{255: 70, 63: 63, 20: 20} {
		if r := s.block(device, s.request(0, asked)); len(r.Data) != want {
			t.Errorf("%d bytes asked for, %d sent, want %d", asked, len(r.Data), want)
		}
	}
	s.pacer.size = 200
	if r := s.block(device, s.request(0, 255)); len(r.Data) != 90 {
		t.Errorf("%d bytes sent, the server makes blocks of 90 at most", len(r.Data))
	}
	if r := s.block(device, s.request(95, 255)); len(r.Data) != 5 {
		t.Errorf("%d bytes sent of the last 5", len(r.Data))
	}
}
