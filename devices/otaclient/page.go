package otaclient

import (
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
)

// page is the run of blocks asked for with one Image Page Request.
type page struct {
	end         uint32 // offset behind it; 0 = none is under way
	ahead       int    // blocks that came behind one that is missing
	unsupported bool   // the server takes no page requests
}

func (c *Client) requestPage(out *han.Outbox, slot *bootloader.Slot) {
	offset := slot.Offset()
	c.page.end = min(offset+uint32(c.cfg.PageSize), slot.Size())
	c.owner.SendPageRequest(out, ota.ImagePageRequest{
		Image: slot.ID(), Offset: offset, MaxDataSize: c.cfg.MaxDataSize,
		PageSize: uint16(c.page.end - offset), ResponseSpacing: c.cfg.PageSpacing,
	})
}

// nextOfPage goes on after a block was stored: the next one of the page comes by
// itself. It reports false if there is none.
func (c *Client) nextOfPage(now time.Time, slot *bootloader.Slot) bool {
	c.page.ahead = 0
	if slot.Offset() >= c.page.end {
		return false
	}
	if ok, _ := c.owner.MayRequestBlock(now); !ok {
		return false // requestBlock says so
	}
	c.deadlines.Await(timerAnswer, now.Add(c.cfg.AnswerTimeout+time.Duration(c.cfg.PageSpacing)*time.Millisecond))
	return true
}

// patientBlocks is how many blocks may still come behind a missing one before the
// page is asked for again: those under way, then the request must have been lost.
const patientBlocks = 3

// missing asks for the page again from the stored offset, because a later block
// came. What comes out of order is not kept.
func (c *Client) missing(now time.Time, out *han.Outbox) {
	c.page.ahead++
	if c.page.ahead%patientBlocks != 1 {
		return
	}
	c.stats.Retries++
	c.requestBlock(now, out)
}
