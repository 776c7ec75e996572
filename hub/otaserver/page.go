package otaserver

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// page is a run of blocks that a device asked for with one request.
type page struct {
	to          zcl.Peer // Node 0 = no page is being served
	tsn         uint8    // of the request; every block has it
	offset, end uint32
	size        int // most bytes per block
	spacing     time.Duration
	next        time.Time // when the next block is sent
}

// maxBurst is how many blocks of a page one call sends at most, if timers fire late.
const maxBurst = 64

// handlePage serves the first block of a page and plans the others. A page in
// progress is replaced: the client found a block missing.
func (s *Server) handlePage(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) (Result, error) {
	q, err := ota.ParseImagePageRequest(payload)
	if err != nil {
		return Result{}, err
	}
	d := s.requested(now, out, f, h, q.Image, q.Offset)
	if d == nil {
		return Result{}, nil
	}
	total := d.offer.Header.TotalSize
	if q.MaxDataSize == 0 || q.PageSize == 0 || q.Offset >= total {
		return Result{}, fmt.Errorf("image page request for %d bytes in blocks of %d at %d of an image of %d", q.PageSize, q.MaxDataSize, q.Offset, total)
	}
	d.served.Pages++
	d.page = page{
		to: zcl.PeerOf(f), tsn: h.TSN, offset: q.Offset, end: min(q.Offset+uint32(q.PageSize), total),
		size: int(q.MaxDataSize), spacing: q.Spacing(), next: now,
	}
	sent, err := s.pageBlock(now, out, d, false)
	return d.serving(sent), err
}

// pageBlock sends the next block of a page. WAIT_FOR_DATA, and a fault, end it.
func (s *Server) pageBlock(now time.Time, out *han.Outbox, d *download, inPage bool) (sent int, err error) {
	p := &d.page
	a := s.ask(d, p.offset, min(p.size, int(p.end-p.offset)))
	a.Page = inPage
	sent, err = s.serve(now, out, p.to, p.tsn, d, a)
	p.offset += uint32(sent)
	if sent == 0 || p.offset >= p.end {
		d.page = page{}
		return sent, err
	}
	p.next = now.Add(max(p.spacing, s.pacer.Spacing(sent)))
	return sent, err
}

// NextTimer returns when the next block of a page is due.
func (s *Server) NextTimer() (next han.Deadline, set bool) {
	for _, device := range s.order {
		if p := &s.downloads[device].page; p.to.Node != 0 {
			next, set = han.Earlier(next, set, han.Deadline{At: p.next}, true)
		}
	}
	return next, set
}

// HandleTimer sends the blocks that are due.
func (s *Server) HandleTimer(now time.Time, out *han.Outbox) error {
	var failed error
	for _, device := range s.order {
		d := s.downloads[device]
		for n := 0; n < maxBurst && d.page.to.Node != 0 && !d.page.next.After(now); n++ {
			// At the instant named, however late the timer fires.
			if _, err := s.pageBlock(d.page.next, out, d, true); err != nil {
				failed = err
			}
		}
	}
	return failed
}
