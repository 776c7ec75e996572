package otaclient

import (
	"bytes"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// page is the run of blocks asked for with one Image Page Request.
type page struct {
	end         uint32  // offset behind it; 0 = none is under way
	early       []block // came before their turn, ascending; in memory only
	unsupported bool    // the server takes no page requests
	short       int     // so many more pages are short: one before them lost something
}

// block is one that waits for what comes before it.
type block struct {
	offset uint32
	data   []byte
}

// maxEarly is how many blocks wait for one that is late, 1 kB of them.
const maxEarly = 16

// shortPages is how many pages have to come whole, after one that did not, until they are
// of full length again. A short one has the blocks that can wait for one that is late: of
// what is longer more is served twice than requests are saved.
const shortPages = 4

// lateness is how long a block may come after all others of its page before it counts
// as lost.
const lateness = time.Second

// requestPage asks for a page from the stored offset, or for what is missing before the
// blocks that are there already.
func (c *Client) requestPage(out *han.Outbox, slot *bootloader.Slot) {
	offset, size := slot.Offset(), uint32(c.cfg.PageSize)
	if offset < c.page.end {
		c.page.short = shortPages
	} else {
		c.page.short = max(0, c.page.short-1)
	}
	if c.page.short > 0 {
		size = min(size, maxEarly*uint32(c.cfg.MaxDataSize))
	}
	c.page.end = min(offset+size, slot.Size())
	if len(c.page.early) > 0 {
		c.page.end = min(c.page.end, c.page.early[0].offset)
	}
	send(c, out, ota.CommandImagePageRequest, ota.ImagePageRequest{
		Image: slot.ID(), Offset: offset, MaxDataSize: c.cfg.MaxDataSize,
		PageSize: uint16(c.page.end - offset), ResponseSpacing: c.cfg.PageSpacing,
	})
}

// nextOfPage goes on after a block was stored: the next one of the page comes by
// itself. It reports false if there is none.
func (c *Client) nextOfPage(now time.Time, slot *bootloader.Slot) bool {
	if slot.Offset() >= c.page.end {
		return false
	}
	if ok, _ := c.link.Limit.MayRequestBlock(now); !ok {
		return false // requestBlock says so
	}
	wait := c.cfg.AnswerTimeout + time.Duration(c.cfg.PageSpacing)*time.Millisecond
	if n := len(c.page.early); n > 0 && c.page.early[n-1].end() >= c.page.end {
		wait = lateness
	}
	c.deadlines.Await(timerAnswer, now.Add(wait))
	return true
}

func (b *block) end() uint32 { return b.offset + uint32(len(b.data)) }

// takeEarly keeps a block of the page that came before its turn: the one before it may
// only be late. It is asked for again when no room is left, or when no more can come.
func (c *Client) takeEarly(now time.Time, out *han.Outbox, r ota.ImageBlockResponse) zcl.Status {
	if n := len(r.Data); n == 0 || n > int(c.cfg.MaxDataSize) || uint32(n) > c.page.end-r.Offset {
		return zcl.StatusInvalidValue
	}
	at, there := slices.BinarySearchFunc(c.page.early, r.Offset, func(b block, offset uint32) int { return int(b.offset) - int(offset) })
	switch {
	case there:
		return zcl.StatusSuccess
	case len(c.page.early) == maxEarly:
		c.stats.Retries++
		c.requestBlock(now, out)
		return zcl.StatusSuccess
	}
	c.page.early = slices.Insert(c.page.early, at, block{r.Offset, bytes.Clone(r.Data)})
	if !c.nextOfPage(now, c.boot.Candidate()) {
		c.requestBlock(now, out)
	}
	return zcl.StatusSuccess
}

// storeEarly stores the blocks whose turn it is now. It reports false if the download
// began anew instead.
func (c *Client) storeEarly(now time.Time, out *han.Outbox, slot *bootloader.Slot) bool {
	for len(c.page.early) > 0 && c.page.early[0].offset <= slot.Offset() {
		b := c.page.early[0]
		c.page.early = slices.Delete(c.page.early, 0, 1)
		if b.offset == slot.Offset() && !c.store(now, out, b.offset, b.data) {
			return false
		}
	}
	return true
}
