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
	asked       bool   // a block was missing, and the page was asked for again from there
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
	c.page.asked = false
	if slot.Offset() >= c.page.end {
		return false
	}
	if ok, _ := c.owner.MayRequestBlock(now); !ok {
		return false // requestBlock says so
	}
	c.deadlines.Await(timerAnswer, now.Add(c.cfg.AnswerTimeout+time.Duration(c.cfg.PageSpacing)*time.Millisecond))
	return true
}

// missing asks for the page again from the stored offset, once, because a later
// block came.
func (c *Client) missing(now time.Time, out *han.Outbox) {
	if c.page.asked {
		return
	}
	c.page.asked = true
	c.stats.Retries++
	c.requestBlock(now, out)
}
