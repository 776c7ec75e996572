package otaclient

import (
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// maxWait caps a server's WAIT_FOR_DATA, and badWait is used if its times are
// the wrong way round; both as real clients do it.
const (
	maxWait = time.Hour
	badWait = 5 * time.Minute
)

// handleQueryNextImageResponse takes the answer to a query. A status other than
// SUCCESS is owed to the sender as a Default Response; so it is with the other
// answers.
func (c *Client) handleQueryNextImageResponse(now time.Time, out *han.Outbox, r ota.QueryNextImageResponse) zcl.Status {
	if c.state != StateQuerying {
		return zcl.StatusSuccess // late
	}
	c.deadlines.Clear(timerAnswer)
	switch {
	case r.Status != zcl.StatusSuccess:
		c.becomeResting()
	case r.Image.Manufacturer != c.running.Manufacturer || r.Image.ImageType != c.running.ImageType:
		c.becomeResting()
		return zcl.StatusInvalidValue
	case r.Image == c.running:
		c.becomeResting()
	case c.boot.HoldsImage() && c.boot.Candidate().ID() == r.Image && c.boot.Candidate().Size() == r.Size:
		// Divergence: the widespread client starts over; here what is held is not fetched
		// again, and the server hears at once that it is there.
		c.owner.ImageHeld(now, out)
		c.becomeEnding(now, out, zcl.StatusSuccess, r.Image)
	default:
		c.begin(now, out, r.Image, r.Size)
	}
	return zcl.StatusSuccess
}

// begin starts an image at offset 0.
func (c *Client) begin(now time.Time, out *han.Outbox, image ota.ImageID, size uint32) {
	c.stats = Stats{}
	c.page.early = nil
	if err := c.boot.BeginDownload(image, size); err != nil {
		c.record(out, trace.Record{At: now, Kind: trace.DownloadAborted, Version: image.FileVersion,
			Code: uint32(zcl.StatusInsufficientSpace), Text: err.Error()})
		c.becomeEnding(now, out, zcl.StatusAbort, image)
		return
	}
	c.record(out, trace.Record{At: now, Kind: trace.DownloadStarted, Version: image.FileVersion, Size: size})
	c.owner.ImageBegun(now, out)
	c.becomeDownloading(now, out)
}

// handleImageBlockResponse takes a block, or the reason why there is none.
func (c *Client) handleImageBlockResponse(now time.Time, out *han.Outbox, r ota.ImageBlockResponse) zcl.Status {
	if c.state != StateDownloading {
		return zcl.StatusSuccess // late
	}
	switch r.Status {
	case zcl.StatusSuccess:
		return c.takeBlock(now, out, r)
	case zcl.StatusWaitForData:
		c.wait(now, out, r)
	case zcl.StatusAbort, zcl.StatusNoImageAvailable:
		c.abort(now, out, r.Status)
	default:
		// Nothing of use; the answer timer will ask again.
	}
	return zcl.StatusSuccess
}

func (c *Client) takeBlock(now time.Time, out *han.Outbox, r ota.ImageBlockResponse) zcl.Status {
	slot := c.boot.Candidate()
	if r.Image != slot.ID() {
		c.invalid = true
		return zcl.StatusInvalidValue
	}
	if r.Offset != slot.Offset() {
		if r.Offset > slot.Offset() && r.Offset < c.page.end {
			return c.takeEarly(now, out, r)
		}
		return zcl.StatusSuccess // stored already
	}
	if n := len(r.Data); n == 0 || n > int(c.cfg.MaxDataSize) || uint32(n) > slot.Size()-r.Offset {
		c.invalid = true
		return zcl.StatusInvalidValue
	}
	c.deadlines.Clear(timerAnswer)
	c.retries, c.refusals, c.invalid = 0, 0, false
	if !c.store(now, out, r.Offset, r.Data) || !c.storeEarly(now, out, slot) {
		return zcl.StatusSuccess
	}
	if slot.State() == bootloader.SlotComplete {
		c.becomeComplete(now, out)
		return zcl.StatusSuccess
	}
	if c.nextOfPage(now, slot) {
		return zcl.StatusSuccess
	}
	if c.minPeriod > 0 {
		c.deadlines.Schedule(timerPeriod, now.Add(c.minPeriod))
	} else {
		c.requestBlock(now, out)
	}
	return zcl.StatusSuccess
}

// store writes a block into the slot. It reports false if the download began anew
// instead.
func (c *Client) store(now time.Time, out *han.Outbox, offset uint32, data []byte) bool {
	if err := c.boot.Candidate().Write(offset, data); err != nil {
		c.startOver(now, out, err)
		return false
	}
	c.stats.Blocks++
	c.blocksEver++
	c.record(out, trace.Record{At: now, Kind: trace.BlockReceived, Offset: offset, Size: uint32(len(data))})
	return true
}

// startOver drops what is stored because it is not the beginning of the image
// that is being served. If the same place does not take its bytes again, erased as it is by
// then, it is a worn cell of the slot: the image is given up, and the server told.
func (c *Client) startOver(now time.Time, out *han.Outbox, cause error) {
	if !errors.Is(cause, bootloader.ErrConflict) {
		panic(fmt.Sprintf("otaclient: write block: %v", cause))
	}
	slot := c.boot.Candidate()
	image, size := slot.ID(), slot.Size()
	if here := (place{image, slot.Offset()}); here != c.conflict {
		c.conflict = here
	} else {
		c.giveUp(now, out, "the flash of the slot is worn")
		return
	}
	c.record(out, trace.Record{At: now, Kind: trace.DownloadAborted, Version: image.FileVersion, Offset: slot.Offset(),
		Code: uint32(zcl.StatusInvalidImage), Text: cause.Error()})
	c.begin(now, out, image, size)
}

// wait obeys WAIT_FOR_DATA.
func (c *Client) wait(now time.Time, out *han.Outbox, r ota.ImageBlockResponse) {
	delay := time.Duration(r.RequestTime) * time.Second // an offset if the server has no clock
	if r.CurrentTime != 0 {
		delay = r.RequestTime.Time().Sub(r.CurrentTime.Time())
	}
	if delay < 0 {
		delay = badWait
	}
	if r.HasMinPeriod {
		c.minPeriod = time.Duration(r.MinPeriod) * time.Millisecond
	}
	delay = min(delay+c.minPeriod, maxWait)
	c.record(out, trace.Record{At: now, Kind: trace.WaitForData, Offset: c.boot.Candidate().Offset(), Took: delay})
	c.Pause()
	if period := c.cfg.HeartbeatPeriod; period > 0 {
		c.skip = int((delay+period/2)/period) - 1
	} else {
		c.deadlines.Schedule(timerResume, now.Add(delay))
	}
}

// abort gives the image up on the server's word. No Upgrade End Request is owed.
func (c *Client) abort(now time.Time, out *han.Outbox, status zcl.Status) {
	c.drop(now, out, status, "the server has this image no more")
	c.stopAsking()
	c.enter(StateIdle)
}

// drop empties the slot.
func (c *Client) drop(now time.Time, out *han.Outbox, status zcl.Status, why string) {
	slot := c.boot.Candidate()
	c.record(out, trace.Record{At: now, Kind: trace.DownloadAborted, Version: slot.ID().FileVersion,
		Offset: slot.Offset(), Code: uint32(status), Text: why})
	slot.Discard()
	c.page.early = nil
}

// handleUpgradeEndResponse takes the answer to an Upgrade End Request. In a GB
// home it says "wait". A server that names a time to switch is answered with
// NOT_AUTHORIZED: activation is out of band (Smart Energy 1.2b §11.10.12).
func (c *Client) handleUpgradeEndResponse(r ota.UpgradeEndResponse) zcl.Status {
	if c.state != StateEnding || !matches(r.Image, c.endImage) {
		return zcl.StatusSuccess
	}
	c.deadlines.Clear(timerAnswer)
	c.becomeResting()
	if c.endStatus == zcl.StatusSuccess && r.UpgradeTime != zcl.UTCTimeInvalid {
		return zcl.StatusNotAuthorized
	}
	return zcl.StatusSuccess
}

// matches reports whether a response, possibly with wildcards, is for an image.
func matches(r, image ota.ImageID) bool {
	return (r.Manufacturer == ota.WildcardManufacturer || r.Manufacturer == image.Manufacturer) &&
		(r.ImageType == ota.WildcardImageType || r.ImageType == image.ImageType) &&
		(r.FileVersion == ota.WildcardFileVersion || r.FileVersion == image.FileVersion)
}

// handleDefaultResponse takes the server's word on a request that has no answer of
// its own. For an image that was rejected that is how an Upgrade End Request is
// answered (ZCL §11.13.9.5); for other requests it says that the server could not
// carry them out, and the client pauses as if no answer had come.
func (c *Client) handleDefaultResponse(now time.Time, out *han.Outbox, r zcl.DefaultResponse) {
	if !c.deadlines.IsSet(timerAnswer) {
		return
	}
	switch {
	case c.state == StateEnding && r.Command == ota.CommandUpgradeEndRequest:
		c.deadlines.Clear(timerAnswer)
		if c.endStatus == zcl.StatusSuccess && r.Status == zcl.StatusAbort {
			// Divergence: the server knows that this is not the image it offers.
			c.drop(now, out, r.Status, "the server offers another image under this name")
		}
		c.becomeResting()
	case r.Status == zcl.StatusSuccess:
	case c.state == StateDownloading && r.Command == ota.CommandImagePageRequest && r.Status != zcl.StatusMalformedCommand:
		c.page = page{unsupported: true} // from now on block by block
		c.requestBlock(now, out)
	case c.state == StateDownloading && (r.Command == ota.CommandImageBlockRequest || r.Command == ota.CommandImagePageRequest):
		c.refuse(now, out)
	case c.state == StateQuerying && r.Command == ota.CommandQueryNextImageRequest:
		c.Pause()
		if c.cfg.RetryPause > 0 {
			c.deadlines.Schedule(timerResume, now.Add(c.cfg.RetryPause))
		}
	}
}
