// Package otaserver is the server side of downloads over the OTA Upgrade cluster
// (ZCL §11): it offers each device the image meant for it and serves blocks.
//
// Serving is stateless per block. The client's offset is the truth, so that a
// restart of the hub in the middle of a download costs nothing; what the server
// remembers of a download are figures for people. An image is only ever offered
// to a device that its header fits, and after the download the device is told to
// wait: switching is the business of Activate Firmware.
package otaserver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
)

// Image is where a download's bytes come from. ReadAt must not keep p.
type Image interface {
	ReadAt(p []byte, off int64) (n int, err error)
}

// Ask is a block that a device asks for.
type Ask struct {
	Offset  uint32
	Size    int       // bytes, unless the pacer chooses another size
	Most    int       // most bytes that the pacer may choose
	Asked   int       // most bytes that the device takes
	Total   uint32    // bytes of the image
	Started time.Time // when its distribution began
	Page    bool      // one of a page, without a request of its own
}

// Pacer decides how many bytes of a block a device may have now. If none, until is
// when it shall ask again.
type Pacer interface {
	Admit(now time.Time, device han.EUI64, a Ask) (size int, until time.Time)
	// Spacing returns how long a block of so many bytes keeps the channel and the
	// device busy. The next one of a page is not sent before.
	Spacing(size int) time.Duration
}

// Offer is an image meant for a device.
type Offer struct {
	Header   ota.ImageHeader
	FileHash [32]byte
	Image    Image
	Started  time.Time // when the distribution began
}

// Event is what a frame meant for the download it belongs to.
type Event uint8

const (
	// EventNone: nothing worth telling.
	EventNone Event = iota
	// EventStarted: the device took the offer.
	EventStarted
	// EventUnfit: the image's header does not fit the device; nothing was offered.
	EventUnfit
	// EventRunning: the device already runs the image.
	EventRunning
	// EventDone: the device has the whole image and found it good.
	EventDone
	// EventFailed: the device gave the image up or found it bad.
	EventFailed
)

// Result is what the hub learns from a frame.
type Result struct {
	Event  Event
	Status zcl.Status // of EventFailed
	Reason string     // of EventUnfit
}

// Progress are the figures of one download since the server started.
type Progress struct {
	Offset  uint32 // behind the furthest block served
	Blocks  uint32 // served for the first time
	Repeats uint32 // served again
	Waits   uint32 // WAIT_FOR_DATA sent
	Pages   uint32 // page requests taken
}

// Server serves the devices of one hub.
type Server struct {
	station   *zcl.Station
	pacer     Pacer
	sizes     Sizes
	downloads map[han.EUI64]*download
	order     []han.EUI64 // of downloads, for a stable iteration
	scratch   [ota.MaxBlock]byte
}

// Sizes are the bytes of an image in one block, 1 to ota.MaxBlock. A device may
// always ask for less.
type Sizes struct {
	Usual int // unless the pacer chooses another size
	Most  int // that the pacer may choose; 0 = the usual one
}

type download struct {
	offer    Offer
	finished bool // nothing is offered any more
	progress Progress
	served   time.Time // when the last block was
	page     page
}

// activeFor is how long after a block a download counts as going on.
const activeFor = time.Minute

// DefaultBlockSize is the most data sent in a block by default: it fits one
// unfragmented radio frame with APS link-key security.
const DefaultBlockSize = 48

// New returns a server without offers.
func New(station *zcl.Station, pacer Pacer, sizes Sizes) *Server {
	if sizes.Most == 0 {
		sizes.Most = sizes.Usual
	}
	for _, n := range []int{sizes.Usual, sizes.Most} {
		if n < 1 || n > ota.MaxBlock {
			panic(fmt.Sprintf("otaserver: block size %d, want 1 to %d", n, ota.MaxBlock))
		}
	}
	return &Server{station: station, pacer: pacer, sizes: sizes, downloads: map[han.EUI64]*download{}}
}

// Offer makes an image the one meant for a device, in place of any before it. A
// download of another image in progress is answered with ABORT from now on.
func (s *Server) Offer(device han.EUI64, o Offer) {
	if _, ok := s.downloads[device]; !ok {
		s.order = append(s.order, device)
	}
	s.downloads[device] = &download{offer: o}
}

// Withdraw ends the offer to a device. A download in progress is answered with ABORT.
func (s *Server) Withdraw(device han.EUI64) {
	delete(s.downloads, device)
	s.order = slices.DeleteFunc(s.order, func(e han.EUI64) bool { return e == device })
}

// Finish keeps the figures of a download but offers nothing any more.
func (s *Server) Finish(device han.EUI64) {
	if d, ok := s.downloads[device]; ok {
		d.finished, d.page = true, page{}
	}
}

// Waiting reports whether there is an image that a device shall ask for.
func (s *Server) Waiting(device han.EUI64) bool {
	d, ok := s.downloads[device]
	return ok && !d.finished
}

// Progress returns the figures of a device's download.
func (s *Server) Progress(device han.EUI64) Progress {
	if d, ok := s.downloads[device]; ok {
		return d.progress
	}
	return Progress{}
}

// Notify tells a device that always listens that an image waits for it, unless
// its download is going on.
func (s *Server) Notify(now time.Time, out *han.Outbox, to zcl.Peer) {
	d, ok := s.downloads[to.Node]
	if !ok || d.finished || now.Sub(d.served) < activeFor {
		return
	}
	to.Cluster = ota.ClusterID
	h := zcl.Header{ClusterSpecific: true, ToClient: true, DisableDefaultResponse: true, Command: ota.CommandImageNotify}
	id := d.offer.Header.ImageID
	zcl.Send(s.station, out, to, h, ota.ImageNotify{
		Type: ota.NotifyFileVersion, QueryJitter: 100,
		Manufacturer: id.Manufacturer, ImageType: id.ImageType, FileVersion: id.FileVersion,
	})
}

// HandleFrame takes a frame of the cluster from a device of the device log.
func (s *Server) HandleFrame(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) (Result, error) {
	if !h.ClusterSpecific {
		if h.Command != zcl.CommandDefaultResponse {
			zcl.AnswerDefault(s.station, out, f, h, zcl.StatusUnsupCommand)
		}
		return Result{}, nil
	}
	var result Result
	var err error
	switch h.Command {
	case ota.CommandImageBlockRequest:
		err = s.handleBlock(now, out, f, h, payload)
	case ota.CommandImagePageRequest:
		err = s.handlePage(now, out, f, h, payload)
	case ota.CommandQueryNextImageRequest:
		result, err = s.handleQuery(out, f, h, payload)
	case ota.CommandUpgradeEndRequest:
		result, err = s.handleEnd(now, out, f, h, payload)
	case ota.CommandQueryDeviceSpecificFileRequest:
		err = s.handleDeviceSpecific(out, f, h, payload)
	default:
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusUnsupCommand)
	}
	if err != nil && !errors.As(err, new(readError)) {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusMalformedCommand)
	}
	return result, err
}

// readError is a failure on the hub's side: the device has been answered.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

func answer[C zcl.Command](s *Server, out *han.Outbox, to zcl.Peer, tsn uint8, command uint8, c C) {
	a := zcl.Header{ClusterSpecific: true, ToClient: true, DisableDefaultResponse: true, TSN: tsn, Command: command}
	zcl.Answer(s.station, out, to, a, c)
}

// handleQuery offers the device its image, if it fits.
func (s *Server) handleQuery(out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) (Result, error) {
	q, err := ota.ParseQueryNextImageRequest(payload)
	if err != nil {
		return Result{}, err
	}
	result := s.match(f.Src, q)
	r := ota.QueryNextImageResponse{Status: zcl.StatusNoImageAvailable}
	if result.Event == EventStarted {
		o := s.downloads[f.Src].offer
		r = ota.QueryNextImageResponse{Status: zcl.StatusSuccess, Image: o.Header.ImageID, Size: o.Header.TotalSize}
	}
	answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandQueryNextImageResponse, r)
	return result, nil
}

// match compares a device's query with the image meant for it.
func (s *Server) match(device han.EUI64, q ota.QueryNextImageRequest) Result {
	d, ok := s.downloads[device]
	if !ok || d.finished {
		return Result{}
	}
	h := d.offer.Header
	switch {
	case q.Current.Manufacturer != h.Manufacturer:
		return Result{Event: EventUnfit, Reason: fmt.Sprintf("the device's manufacturer code is %04X, the image's %04X", q.Current.Manufacturer, h.Manufacturer)}
	case q.Current.ImageType != h.ImageType:
		return Result{Event: EventUnfit, Reason: fmt.Sprintf("the device's image type is %04X, the image's %04X", q.Current.ImageType, h.ImageType)}
	case q.HasHardware && !h.FitsHardware(q.HardwareVersion):
		return Result{Event: EventUnfit, Reason: fmt.Sprintf("the device's hardware version is %04X, the image is for %04X to %04X", q.HardwareVersion, h.HardwareMin, h.HardwareMax)}
	case h.HasDestination && h.Destination != device:
		return Result{Event: EventUnfit, Reason: fmt.Sprintf("the image is for the device %s alone", h.Destination)}
	case q.Current.FileVersion == h.FileVersion:
		return Result{Event: EventRunning}
	default:
		return Result{Event: EventStarted}
	}
}

// requested returns the download that a request for blocks belongs to. If there is
// none, or it is of another image, the device is told to abort.
func (s *Server) requested(out *han.Outbox, f han.Frame, h zcl.Header, image ota.ImageID) *download {
	d, ok := s.downloads[f.Src]
	if !ok || d.finished || image != d.offer.Header.ImageID {
		answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandImageBlockResponse, ota.ImageBlockResponse{Status: zcl.StatusAbort})
		return nil
	}
	return d
}

// handleBlock serves a block, or says why not. This is the path that each block
// takes: it does not allocate. It ends a page that is being served.
func (s *Server) handleBlock(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	q, err := ota.ParseImageBlockRequest(payload)
	if err != nil {
		return err
	}
	d := s.requested(out, f, h, q.Image)
	if d == nil {
		return nil
	}
	if q.MaxDataSize == 0 || q.Offset >= d.offer.Header.TotalSize {
		return fmt.Errorf("image block request for %d bytes at %d of an image of %d", q.MaxDataSize, q.Offset, d.offer.Header.TotalSize)
	}
	d.page = page{}
	_, err = s.serve(now, out, zcl.PeerOf(f), h.TSN, d, s.ask(d, q.Offset, int(q.MaxDataSize)))
	return err
}

// ask returns what a device asks the pacer for.
func (s *Server) ask(d *download, offset uint32, size int) Ask {
	rest := int(d.offer.Header.TotalSize - offset)
	return Ask{
		Offset: offset, Asked: size, Size: min(size, s.sizes.Usual, rest), Most: min(size, s.sizes.Most, rest),
		Total: d.offer.Header.TotalSize, Started: d.offer.Started,
	}
}

// serve sends a block, or WAIT_FOR_DATA, and returns how many bytes of the image.
func (s *Server) serve(now time.Time, out *han.Outbox, to zcl.Peer, tsn uint8, d *download, a Ask) (sent int, err error) {
	size, until := s.pacer.Admit(now, to.Node, a)
	if size == 0 {
		d.progress.Waits++
		answer(s, out, to, tsn, ota.CommandImageBlockResponse, wait(now, until))
		return 0, nil
	}
	data := s.scratch[:size]
	if _, err := d.offer.Image.ReadAt(data, int64(a.Offset)); err != nil {
		// The device asks again; the reason goes to the log.
		answer(s, out, to, tsn, ota.CommandImageBlockResponse, wait(now, now.Add(time.Minute)))
		return 0, readError{fmt.Errorf("read image %s at %d: %w", d.offer.Header.ImageID, a.Offset, err)}
	}
	d.progress.count(a.Offset, uint32(size))
	d.served = now
	answer(s, out, to, tsn, ota.CommandImageBlockResponse, ota.ImageBlockResponse{
		Status: zcl.StatusSuccess, Image: d.offer.Header.ImageID, Offset: a.Offset, Data: data,
	})
	return size, nil
}

func (p *Progress) count(offset, size uint32) {
	if p.Blocks > 0 && offset < p.Offset {
		p.Repeats++
		return
	}
	p.Blocks++
	p.Offset = offset + size
}

// maxWait is the longest delay that real clients accept.
const maxWait = time.Hour

func wait(now, until time.Time) ota.ImageBlockResponse {
	delay := min(until.Sub(now), maxWait)
	return ota.ImageBlockResponse{
		Status:      zcl.StatusWaitForData,
		CurrentTime: zcl.UTCTimeOf(now), RequestTime: zcl.UTCTimeOf(now.Add(delay)),
		HasMinPeriod: true,
	}
}

// handleEnd takes the device's word on how the download ended and tells it to
// wait.
func (s *Server) handleEnd(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) (Result, error) {
	q, err := ota.ParseUpgradeEndRequest(payload)
	if err != nil {
		return Result{}, err
	}
	if q.Status == zcl.StatusSuccess {
		answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandUpgradeEndResponse, ota.UpgradeEndResponse{
			Image:       ota.ImageID{Manufacturer: ota.WildcardManufacturer, ImageType: ota.WildcardImageType, FileVersion: ota.WildcardFileVersion},
			CurrentTime: zcl.UTCTimeOf(now), UpgradeTime: zcl.UTCTimeInvalid,
		})
	} else {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusSuccess)
	}
	d, ok := s.downloads[f.Src]
	if !ok || d.finished || q.Image != d.offer.Header.ImageID {
		return Result{}, nil
	}
	d.finished, d.page = true, page{}
	if q.Status == zcl.StatusSuccess {
		return Result{Event: EventDone}, nil
	}
	return Result{Event: EventFailed, Status: q.Status}, nil
}

// handleDeviceSpecific: this hub holds no files made for one device.
func (s *Server) handleDeviceSpecific(out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	if _, err := ota.ParseQueryDeviceSpecificFileRequest(payload); err != nil {
		return err
	}
	answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandQueryDeviceSpecificFileResponse,
		ota.QueryDeviceSpecificFileResponse{Status: zcl.StatusNoImageAvailable})
	return nil
}
