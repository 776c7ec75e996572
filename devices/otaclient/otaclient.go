// Package otaclient is the client side of one download over the OTA Upgrade
// cluster (ZCL §11): it asks for the next image, fetches it block by block into
// the bootloader's candidate slot, and reports the end. Verifying the image is
// its owner's business, switching to it the bootloader's.
//
//	          Offer            response SUCCESS
//	┌─ idle ────────► querying ─────────────────► downloading ◄───┐ Resume
//	│   ▲                │ no image, no answer      │  │  └──► paused
//	│   └────────────────┘                          │  │ WAIT_FOR_DATA, budget,
//	│   ▲────────────────── ABORT ──────────────────┘  │ no answer, window closed
//	│                                                  ▼ all bytes are there
//	└──────◄── rejected ── ending ◄── Finish ── complete
//	                         │ UpgradeEndResponse
//	                         ▼
//	                      waiting (for Activate Firmware)
//
// An image on offer that the slot holds already is not fetched again: querying leads
// straight to ending, which tells the server. The stored offset in the slot is the truth: a client that starts with a
// partial image goes straight on at its offset, without a new query. A sleeping
// device opens and closes windows with Resume and Pause; a mains-powered one is
// resumed once and then paused only by WAIT_FOR_DATA and lost answers.
package otaclient

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is a client's character.
type Config struct {
	Hardware uint16
	// MaxDataSize is the block size asked for in bytes; the server may send less.
	MaxDataSize uint8
	// PageSize is how many bytes are asked for with one Image Page Request; 0 asks
	// for each block.
	PageSize uint16
	// PageSpacing is the least time between the blocks of a page, in milliseconds.
	PageSpacing uint16
	// AnswerTimeout is how long the client waits for an answer.
	AnswerTimeout time.Duration
	// MaxRetries is how often it asks again before it pauses.
	MaxRetries uint32
	// RetryPause is how long a mains-powered client pauses then; 0 for a sleeping
	// one, which waits for its next window.
	RetryPause time.Duration
	// HeartbeatPeriod is a sleeping device's; 0 for a mains-powered one. Told to
	// wait, a sleeping client goes on in the window nearest to the time named. It
	// counts windows, so that a late answer does not cost another period.
	HeartbeatPeriod time.Duration
}

// DefaultConfig returns the figures of a widespread client stack: 63 bytes asked
// for, block by block, and 3 s for an answer.
func DefaultConfig() Config {
	return Config{MaxDataSize: 63, PageSpacing: 50, AnswerTimeout: 3 * time.Second, MaxRetries: 5, RetryPause: time.Minute}
}

// Owner is the device around a client. Its methods are called from within the
// client's, with the same now and outbox.
type Owner interface {
	// ImageBegun tells that the candidate slot was made ready for a new image.
	ImageBegun(now time.Time, out *han.Outbox)
	// ImageComplete tells that all bytes are in the candidate slot. The owner
	// verifies them and calls Finish, at once or later.
	ImageComplete(now time.Time, out *han.Outbox)
	// ImageHeld tells that the image on offer is in the candidate slot, found good
	// before. The owner says so once more to whoever it told then.
	ImageHeld(now time.Time, out *han.Outbox)
}

// Link is how a client reaches its server, and what that may cost.
type Link struct {
	Station *zcl.Station // the device's
	Server  zcl.Peer
	Limit   Limit
}

// Limit is what a device allows itself to fetch.
type Limit interface {
	// MayRequestBlock asks whether the device can afford another block; if not,
	// reason says why.
	MayRequestBlock(now time.Time) (ok bool, reason string)
	// MayAsk asks the same of another request.
	MayAsk(now time.Time) bool
}

// Stats count what one download took. They start at 0 with each image.
type Stats struct {
	Blocks  uint32 // stored
	Retries uint32 // requests repeated for want of an answer
}

type timer uint8

const (
	timerAnswer timer = iota // an answer is overdue
	timerResume              // WAIT_FOR_DATA or a retry pause is over
	timerPeriod              // MinimumBlockPeriod is over
)

// Client is one device's OTA client.
type Client struct {
	cfg       Config
	link      Link
	owner     Owner
	boot      *bootloader.Bootloader
	running   ota.ImageID
	state     State
	deadlines han.Deadlines[timer]
	retries   uint32        // of the request in hand
	refusals  int           // pauses in a row that a refusal began, on either side
	invalid   bool          // the answer to the request in hand cannot be used
	skip      int           // windows to let pass before the next block request
	minPeriod time.Duration // MinimumBlockPeriod
	page      page
	conflict  place      // where flash held other bytes the last time
	endStatus zcl.Status // what is reported while ending
	endImage  ota.ImageID
	stats     Stats

	blocksEver uint32
}

// place is an offset in an image.
type place struct {
	image  ota.ImageID
	offset uint32
}

// New returns a client of a device that runs the given image. What it does first
// depends on the candidate slot: go on with a partial image, have a complete one
// verified, or wait.
func New(cfg Config, link Link, boot *bootloader.Bootloader, running ota.ImageID, owner Owner) *Client {
	return &Client{cfg: cfg, link: link, owner: owner, boot: boot, running: running, state: initialState(boot)}
}

func initialState(boot *bootloader.Bootloader) State {
	switch slot := boot.Candidate(); {
	case slot.State() == bootloader.SlotPartial:
		return StatePaused
	case slot.State() == bootloader.SlotComplete:
		return StateComplete
	case boot.HoldsImage():
		return StateWaiting
	default:
		return StateIdle
	}
}

// State returns what the client is doing.
func (c *Client) State() State { return c.state }

// Stats returns the counts of the download in hand or just ended.
func (c *Client) Stats() Stats { return c.stats }

// BlocksEver returns how many blocks the client stored since it was made, of any
// image.
func (c *Client) BlocksEver() uint32 { return c.blocksEver }

// SetStats takes over counts kept from before a restart.
func (c *Client) SetStats(s Stats) { c.stats = s }

// Awaiting reports whether the client waits for an answer, so that a sleeping
// device must stay awake.
func (c *Client) Awaiting() bool {
	return c.deadlines.IsSet(timerAnswer) || c.deadlines.IsSet(timerPeriod)
}

// Left returns how many bytes of the image are not stored yet.
func (c *Client) Left() uint32 {
	slot := c.boot.Candidate()
	return slot.Size() - slot.Offset()
}

// Overdue reports whether an answer should have come by now.
func (c *Client) Overdue(now time.Time) bool {
	return c.deadlines.IsSet(timerAnswer) && !c.deadlines.At(timerAnswer).After(now)
}

// NextTimer returns the client's earliest deadline.
func (c *Client) NextTimer() (han.Deadline, bool) { return c.deadlines.Next() }

// Offer tells the client that the hub has an image for it: an Image Notify, or
// bit 0 of a mirror's notification flags. It asks for the image unless a
// download is in hand.
func (c *Client) Offer(now time.Time, out *han.Outbox) {
	if c.state == StateIdle || c.state == StateWaiting {
		c.becomeQuerying(now, out)
	}
}

// Resume opens a window: a paused download goes on at its stored offset, and an
// unanswered Upgrade End Request is repeated.
func (c *Client) Resume(now time.Time, out *han.Outbox) {
	switch c.state {
	case StatePaused:
		if c.skip > 0 {
			c.skip--
			return // told to wait past this window
		}
		c.becomeDownloading(now, out)
	case StateComplete:
		c.owner.ImageComplete(now, out)
	case StateEnding:
		c.sendEnd(now, out)
	case StateIdle, StateQuerying, StateDownloading, StateWaiting:
	}
}

// Pause closes a window: the client stops asking until the next Resume.
func (c *Client) Pause() {
	c.stopAsking()
	switch c.state {
	case StateQuerying:
		c.becomeResting()
	case StateDownloading:
		c.becomePaused()
	case StateIdle, StatePaused, StateComplete, StateEnding, StateWaiting:
	}
}

// stopAsking drops the request in hand.
func (c *Client) stopAsking() {
	c.deadlines.Clear(timerAnswer)
	c.deadlines.Clear(timerPeriod)
	c.retries = 0
	c.invalid = false
	c.page.end = 0
}

// maxRefusals is how many pauses in a row may begin with a refusal.
const maxRefusals = 3

// refuse pauses a download because the server does not grant a block, or sends what
// cannot be one. When that goes on the image is given up, and the server told: it would
// cost battery for ever.
func (c *Client) refuse(now time.Time, out *han.Outbox) {
	if c.refusals++; c.refusals < maxRefusals {
		c.Pause()
		if c.cfg.RetryPause > 0 {
			c.deadlines.Schedule(timerResume, now.Add(c.cfg.RetryPause))
		}
		return
	}
	c.refusals = 0
	c.giveUp(now, out, "blocks of it were refused again and again")
}

// giveUp drops the image and tells the server.
func (c *Client) giveUp(now time.Time, out *han.Outbox, why string) {
	image := c.boot.Candidate().ID()
	c.drop(now, out, zcl.StatusAbort, why)
	c.stopAsking()
	c.becomeEnding(now, out, zcl.StatusAbort, image)
}

// Finish ends a complete download: with StatusSuccess the image was verified and
// is kept, with any other status it was rejected and the slot is emptied.
func (c *Client) Finish(now time.Time, out *han.Outbox, status zcl.Status) {
	if c.state != StateComplete {
		panic(fmt.Sprintf("otaclient: finish in state %s", c.state))
	}
	slot := c.boot.Candidate()
	image := slot.ID()
	if status != zcl.StatusSuccess {
		slot.Discard()
	}
	c.becomeEnding(now, out, status, image)
}

// HandleTimer fires what is due.
func (c *Client) HandleTimer(now time.Time, out *han.Outbox) {
	for {
		t, ok := c.deadlines.Expired(now)
		if !ok {
			return
		}
		switch t {
		case timerAnswer:
			c.retry(now, out)
		case timerResume:
			c.Resume(now, out)
		case timerPeriod:
			c.requestBlock(now, out)
		}
	}
}

// retry repeats the request in hand, or pauses after too many. Divergence: it never
// gives up, as a widespread client does after ten errors in a row.
func (c *Client) retry(now time.Time, out *han.Outbox) {
	if c.retries >= c.cfg.MaxRetries {
		if c.invalid {
			c.refuse(now, out)
			return
		}
		c.Pause()
		if c.cfg.RetryPause > 0 {
			c.deadlines.Schedule(timerResume, now.Add(c.cfg.RetryPause))
		}
		return
	}
	c.retries++
	c.stats.Retries++
	c.record(out, trace.Record{At: now, Kind: trace.RequestRetried, Offset: c.boot.Candidate().Offset(), Count: c.retries})
	switch c.state {
	case StateQuerying:
		c.sendQuery(now, out)
	case StateDownloading:
		c.requestBlock(now, out)
	case StateEnding:
		c.sendEnd(now, out)
	case StateIdle, StatePaused, StateComplete, StateWaiting:
		panic(fmt.Sprintf("otaclient: retry in state %s", c.state))
	}
}

// requestBlock asks for the block at the stored offset, or for a page from there,
// if the device can afford it.
func (c *Client) requestBlock(now time.Time, out *han.Outbox) {
	slot := c.boot.Candidate()
	if ok, reason := c.link.Limit.MayRequestBlock(now); !ok {
		c.record(out, trace.Record{At: now, Kind: trace.BudgetSpent, Offset: slot.Offset(), Text: reason})
		c.Pause()
		if c.cfg.RetryPause > 0 {
			c.deadlines.Schedule(timerResume, now.Add(c.cfg.RetryPause))
		}
		return
	}
	c.deadlines.Await(timerAnswer, now.Add(c.cfg.AnswerTimeout))
	if c.cfg.PageSize > 0 && !c.page.unsupported {
		c.requestPage(out, slot)
		return
	}
	send(c, out, ota.CommandImageBlockRequest, ota.ImageBlockRequest{Image: slot.ID(), Offset: slot.Offset(), MaxDataSize: c.cfg.MaxDataSize})
}

func (c *Client) sendQuery(now time.Time, out *han.Outbox) {
	if !c.link.Limit.MayAsk(now) {
		c.Pause()
		return
	}
	c.deadlines.Await(timerAnswer, now.Add(c.cfg.AnswerTimeout))
	send(c, out, ota.CommandQueryNextImageRequest, ota.QueryNextImageRequest{Current: c.running, HasHardware: true, HardwareVersion: c.cfg.Hardware})
}

func (c *Client) sendEnd(now time.Time, out *han.Outbox) {
	if !c.link.Limit.MayAsk(now) {
		c.Pause()
		return
	}
	c.deadlines.Await(timerAnswer, now.Add(c.cfg.AnswerTimeout))
	h := zcl.Header{ClusterSpecific: true, Command: ota.CommandUpgradeEndRequest}
	zcl.Send(c.link.Station, out, c.link.Server, h, ota.UpgradeEndRequest{Status: c.endStatus, Image: c.endImage})
}

// send sends a request that has an answer of its own.
func send[C zcl.Command](c *Client, out *han.Outbox, command uint8, request C) {
	h := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: command}
	zcl.Send(c.link.Station, out, c.link.Server, h, request)
}

func (c *Client) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(c.link.Station.Node)
	out.Record(r)
}
