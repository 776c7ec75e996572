package filestreams

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

// device is a thing and what it is to fetch.
type device struct {
	config deviceConfig
	heard  time.Time
	offer  *download // nil if there is none
	// announced tells that the notice on the broker says how things stand.
	announced bool
	failed    *bridge.Report // the image on hand cannot be served; why
	dirty     bool           // there is something to tell the hub and to keep
}

// download is an image on its way to a device.
type download struct {
	image  bridge.Image
	stream string
	part   *io.SectionReader
	// signature is the one over the upgrade image in the OTA file; nil without one.
	signature []byte
	job       job
	state     bridge.State
	outcome   string
	served    served
	taken     bridge.Taken
	windows   uint32
	blocks    uint32
	// resumed tells that the bridge was restarted and the device did not ask since:
	// what was sent just before is not known.
	resumed bool
	urgent  bool // what changed is to be told and kept at once
}

// keptDownload is what outlives a restart of the bridge.
type keptDownload struct {
	Image   bridge.Hash  `json:"image"`
	State   bridge.State `json:"state"`
	Served  served       `json:"served"`
	Taken   bridge.Taken `json:"window"`
	Windows uint32       `json:"windows"`
	Blocks  uint32       `json:"blocks"`
	Job     job          `json:"job"`
	Outcome string       `json:"outcome,omitempty"`
}

func (o *download) keep() keptDownload {
	return keptDownload{Image: o.image.Hash, State: o.state, Served: o.served, Taken: o.taken, Windows: o.windows, Blocks: o.blocks, Job: o.job, Outcome: o.outcome}
}

// offers reports whether a stream is the one on offer.
func (d *device) offers(stream string) bool { return d.offer != nil && d.offer.stream == stream }

// take brings the offer in line with the hub's update of the device.
func (d *device) take(now time.Time, u *bridge.Update, kept keptDownload, out *bridge.Outbox) {
	switch {
	case u == nil || u.State.Ended():
		d.failed = nil
		if d.offer != nil {
			out.Note(fmt.Sprintf("%s: the offer of version %08X ended", d.label(), d.offer.image.FileVersion))
			d.offer, d.announced, d.dirty = nil, false, true
		}
	case d.offer == nil || d.offer.image.Hash != u.Image.Hash:
		d.begin(now, u.Image, kept, out)
	case int64(u.Offset) != d.offer.served.prefix():
		d.dirty = true // the hub was restarted, or does not know the last yet
	}
	if !d.announced {
		d.announce(out)
		d.notifyJob(now, out)
	}
}

// begin offers an image, if it is at hand, and goes on with what was kept of it.
func (d *device) begin(now time.Time, im bridge.Image, kept keptDownload, out *bridge.Outbox) {
	if d.offer != nil {
		d.offer, d.announced = nil, false
	}
	if im.File == nil {
		return // it comes with a later picture
	}
	part, err := im.Part(d.config.Content)
	if err != nil {
		if d.failed == nil || d.failed.Image != im.Hash {
			d.failed = &bridge.Report{Device: d.config.EUI64, Image: im.Hash, State: bridge.Failed, Outcome: err.Error()}
			d.dirty = true
			out.Warn(fmt.Sprintf("%s: version %08X cannot be served: %v", d.label(), im.FileVersion, err))
		}
		return
	}
	o := &download{image: im, stream: "fw-" + im.Hash.String()[:32], part: part, signature: im.Signature(), job: newJob(now), state: bridge.Pending}
	if kept.Image == im.Hash && kept.consistent() && kept.Served.valid(part.Size()) {
		o.state, o.served, o.taken, o.windows, o.blocks = kept.State, kept.Served, kept.Taken, kept.Windows, kept.Blocks
		o.job, o.outcome = kept.Job, kept.Outcome
		o.resumed = true
	}
	d.offer, d.failed, d.announced, d.dirty = o, nil, false, true
	out.Note(fmt.Sprintf("%s: version %08X of %d bytes is on offer as stream %s", d.label(), im.FileVersion, part.Size(), o.stream))
}

// notice is the topic that tells a device what to fetch.
func (d *device) notice() string { return "commshub/streams/" + d.config.Thing }

// noticeMessage is what stands there.
type noticeMessage struct {
	Stream  string      `json:"stream"`
	File    int64       `json:"file"`
	Size    int64       `json:"size"`
	Version string      `json:"version"`
	SHA256  bridge.Hash `json:"sha256"` // of the OTA file
}

func (d *device) announce(out *bridge.Outbox) {
	d.announced = true
	if d.offer == nil {
		out.Retain(d.notice(), nil)
		return
	}
	payload, err := json.Marshal(noticeMessage{
		Stream: d.offer.stream, File: d.config.File, Size: d.offer.part.Size(),
		Version: fmt.Sprintf("%08X", d.offer.image.FileVersion), SHA256: d.offer.image.Hash,
	})
	if err != nil {
		out.Warn(fmt.Sprintf("%s: %v", d.label(), err))
		return
	}
	out.Retain(d.notice(), payload)
}

// describe answers a request for what is in the stream.
func (d *device) describe(t topic, request fields, out *bridge.Outbox) error {
	im := d.offer.image
	payload, err := t.format.encode(descriptionMessage{
		Token: request.token, Version: streamVersion,
		Description: fmt.Sprintf("firmware %04X/%04X version %08X", im.Manufacturer, im.ImageType, im.FileVersion),
		Files:       []streamFile{{ID: d.config.File, Size: d.offer.part.Size()}},
	})
	if err == nil {
		out.Publish(t.with(opDescription), payload)
		d.dirty = true
	}
	return err
}

// get answers a request for blocks with as many of them as the window has room for.
func (d *device) get(now time.Time, t topic, request fields, out *bridge.Outbox) (*rejection, error) {
	o := d.offer
	g, refused := parseGet(request, d.config.File, o.part.Size())
	if refused != nil {
		return refused, nil
	}
	d.heard, d.dirty = now, true
	o.resume(g.blocks[0] * g.size)
	data := make([]byte, g.size)
	for i, block := range g.blocks {
		n, err := o.part.ReadAt(data, block*g.size)
		if n == 0 {
			out.Warn(fmt.Sprintf("%s: read image: %v", d.label(), err))
			return rejectf(internalError, "the image cannot be read"), nil
		}
		ok, until, opened := o.taken.Admit(now, d.config.Pacing)
		if !ok {
			if i > 0 {
				return nil, nil // the device asks for the rest, and is told then
			}
			return &rejection{code: tryLater, message: "the next window is not open yet", wait: until.Sub(now)}, nil
		}
		payload, err := t.format.encode(dataMessage{Token: request.token, File: d.config.File, Size: int64(n), Block: block, Data: data[:n]})
		if err != nil {
			return nil, err
		}
		out.Publish(t.with(opData), payload)
		o.sent(block*g.size, int64(n), opened)
	}
	return nil, nil
}

// complete reports whether every byte was sent.
func (o *download) complete() bool { return o.served.prefix() == o.part.Size() }

// resume takes the first request after a restart as the device's word that it has
// what is before.
func (o *download) resume(offset int64) {
	if before := o.served.prefix(); o.resumed && offset > before {
		o.served.add(before, offset)
	}
	o.resumed = false
}

// sent counts a block.
func (o *download) sent(offset, size int64, opened bool) {
	o.blocks++
	if opened {
		o.windows++
	}
	o.served.add(offset, offset+size)
	if o.state == bridge.Pending {
		o.becomeDownloading()
		o.urgent = true
	}
	if o.complete() && o.state == bridge.Downloading {
		o.becomeTransferred()
	}
}

// report says how the device stands.
func (d *device) report() bridge.Report {
	if d.failed != nil {
		return *d.failed
	}
	r := bridge.Report{Device: d.config.EUI64, Heard: d.heard}
	if o := d.offer; o != nil {
		r.Image, r.State = o.image.Hash, o.state
		r.Offset, r.Windows, r.Blocks = uint32(o.served.prefix()), o.windows, o.blocks
		r.Outcome = o.outcome
		if o.state == bridge.Transferred {
			r.Outcome = "every block was sent; the device did not tell how its job went"
		}
	}
	return r
}
