// Package otaserver is the server side of downloads over the OTA Upgrade cluster
// (ZCL §11): it offers each device the image meant for it and serves blocks.
//
// Serving is stateless per block. The client's offset is the truth, so that a
// restart of the hub in the middle of a download costs nothing. An image is only
// ever offered to a device that its header fits, and after the download the device
// is told to wait: switching is the business of Activate Firmware.
//
// What the server remembers of a download is what it served, and its owner's record
// tells what was served before. The device's word is held against both: a part of
// another file under the same name is aborted, an image that was not served whole is
// not taken for one, and a request that cannot be granted ends the download in the
// long run. Nothing is answered in the same way for ever.
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

// Pacer decides how many bytes of a block a device may have now. If none, until is
// when it shall ask again.
type Pacer interface {
	Admit(now time.Time, device han.EUI64, a ota.Ask) (size int, until time.Time)
	// Spacing returns how long a block of so many bytes keeps the channel and the
	// device busy. The next one of a page is not sent before.
	Spacing(size int) time.Duration
}

// Offer is an image meant for a device.
type Offer struct {
	Header   ota.ImageHeader
	FileHash [32]byte
	Image    Image
	Terms
}

// Terms are how an image is offered.
type Terms struct {
	Started   time.Time // when the distribution began
	NotBefore time.Time // when the device may have it; zero is at once
	Has       Has
	Downgrade bool // also if the device runs a newer version
}

// Downgrade is why a device is not offered an image: it runs a newer version. A meter
// would refuse the image, but only when it had all of it.
func Downgrade(runs, offered uint32) error {
	return fmt.Errorf("a downgrade from %08X to %08X, which a meter refuses when it has the whole image; firmware distribute --force offers it all the same", runs, offered)
}

// Has is what a device has of an image's file, by the records of who offers it.
type Has uint8

const (
	HasUnknown Has = iota // there is no record
	HasOther              // it was given another file last, perhaps under the same name
	HasPart               // it was given some of this very file
	HasWhole              // all of it
)

// News is what a frame meant for the download it belongs to.
type News uint8

const (
	// NewsNone: nothing worth telling.
	NewsNone News = iota
	// NewsStarted: the device took the offer.
	NewsStarted
	// NewsServing: the first block of the offer was served, with or without a query
	// before it.
	NewsServing
	// NewsUnfit: the image's header does not fit the device; nothing was offered.
	NewsUnfit
	// NewsRunning: the device already runs the image.
	NewsRunning
	// NewsDone: the device has the whole image and found it good.
	NewsDone
	// NewsFailed: the device gave the image up or found it bad.
	NewsFailed
	// NewsRefused: the device asked too often for what it cannot have, or says that it
	// has what it was not served. Nothing is offered any more.
	NewsRefused
	// NewsUnreadable: the hub could not read the image.
	NewsUnreadable
)

// Result is what the hub learns from a frame.
type Result struct {
	News   News
	Status zcl.Status // of NewsFailed
	Reason string     // of NewsUnfit, NewsRefused; of NewsStarted if the image is older than what the device runs
	// Hardware is set of NewsUnfit if the hardware version is what does not fit.
	Hardware bool
	// Query is what the device said of itself if it asked for an image, else nil.
	Query *ota.QueryNextImageRequest
}

// Served are the figures of one download since the server started.
type Served struct {
	// Bytes is how much of the image the device has, by what was served: where it goes
	// back to, it has not what comes behind.
	Bytes   uint32
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
	begun    bool // the device took the offer, or goes on with a part of the same file
	fetching bool // the device asked for a part of the image, and for nothing else since
	refused  int  // requests that could not be granted
	served   Served
	had      ota.Runs // bytes that were ever served
	has      ota.Runs // bytes that the device has by that; see Served.Bytes
	last     uint32   // offset of the block served last, and what is behind it
	end      uint32
	servedAt time.Time // the last block
	page     page
}

// maxRuns bounds the pieces of an image that are told apart.
const maxRuns = 1 << 14

// maxRefused is how many requests of a download may be impossible to grant.
const maxRefused = 3

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
		d.finish()
	}
}

// Waiting reports whether there is an image that a device shall ask for.
func (s *Server) Waiting(now time.Time, device han.EUI64) bool {
	d, ok := s.downloads[device]
	return ok && d.open(now)
}

// open reports whether the device may have the image now.
func (d *download) open(now time.Time) bool { return !d.finished && !now.Before(d.offer.NotBefore) }

// Served returns the figures of a device's download.
func (s *Server) Served(device han.EUI64) Served {
	if d, ok := s.downloads[device]; ok {
		return d.served
	}
	return Served{}
}

// Notify tells a device that always listens that an image waits for it, unless
// its download is going on.
func (s *Server) Notify(now time.Time, out *han.Outbox, to zcl.Peer) {
	d, ok := s.downloads[to.Node]
	if !ok || !d.open(now) || now.Sub(d.servedAt) < activeFor {
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
	if !h.ForServer() {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusUnsupCommand)
		return Result{}, nil
	}
	var result Result
	var err error
	switch h.Command {
	case ota.CommandImageBlockRequest:
		result, err = s.handleBlock(now, out, f, h, payload)
	case ota.CommandImagePageRequest:
		result, err = s.handlePage(now, out, f, h, payload)
	case ota.CommandQueryNextImageRequest:
		result, err = s.handleQuery(now, out, f, h, payload)
	case ota.CommandUpgradeEndRequest:
		result, err = s.handleEnd(now, out, f, h, payload)
	case ota.CommandQueryDeviceSpecificFileRequest:
		err = s.handleDeviceSpecific(out, f, h, payload)
	default:
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusUnsupCommand)
	}
	switch {
	case err == nil:
	case errors.As(err, new(readError)):
		result.News = NewsUnreadable
	default:
		result = s.refuse(now, out, f, h, err)
	}
	return result, err
}

// refuse answers a request that cannot be granted. The device is told so a few times,
// and then to drop the download: what it asks for will never be there.
func (s *Server) refuse(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, why error) Result {
	d, ok := s.downloads[f.Src]
	if !ok || !d.open(now) {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusMalformedCommand)
		return Result{}
	}
	if d.refused++; d.refused < maxRefused {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusMalformedCommand)
		return Result{}
	}
	d.finish()
	if h.Command == ota.CommandImageBlockRequest || h.Command == ota.CommandImagePageRequest {
		s.abort(out, f, h)
	} else {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusMalformedCommand)
	}
	return Result{News: NewsRefused, Reason: fmt.Sprintf("%d requests could not be granted, the last: %v", d.refused, why)}
}

// abort answers a request for blocks: the device drops what it has of the image.
func (s *Server) abort(out *han.Outbox, f han.Frame, h zcl.Header) {
	answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandImageBlockResponse, ota.ImageBlockResponse{Status: zcl.StatusAbort})
}

func (d *download) finish() { d.finished, d.page = true, page{} }

// readError is a failure on the hub's side: the device has been answered.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

func answer[C zcl.Command](s *Server, out *han.Outbox, to zcl.Peer, tsn uint8, command uint8, c C) {
	a := zcl.Header{ClusterSpecific: true, ToClient: true, DisableDefaultResponse: true, TSN: tsn, Command: command}
	zcl.Answer(s.station, out, to, a, c)
}

// handleQuery offers the device its image, if it fits. Nobody fetches what it runs, or what
// is not for it: a device that says so in between is heard if it says so again.
func (s *Server) handleQuery(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) (Result, error) {
	q, err := ota.ParseQueryNextImageRequest(payload)
	if err != nil {
		return Result{}, err
	}
	result := s.match(now, f.Src, q)
	result.Query = &q
	if d, ok := s.downloads[f.Src]; ok {
		if d.fetching && (result.News == NewsRunning || result.News == NewsUnfit) {
			result.News = NewsNone
		}
		d.fetching = false
	}
	r := ota.QueryNextImageResponse{Status: zcl.StatusNoImageAvailable}
	if result.News == NewsStarted {
		d := s.downloads[f.Src]
		d.begun = true
		o := d.offer
		r = ota.QueryNextImageResponse{Status: zcl.StatusSuccess, Image: o.Header.ImageID, Size: o.Header.TotalSize}
	}
	answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandQueryNextImageResponse, r)
	return result, nil
}

// match compares a device's query with the image meant for it.
func (s *Server) match(now time.Time, device han.EUI64, q ota.QueryNextImageRequest) Result {
	d, ok := s.downloads[device]
	if !ok || !d.open(now) {
		return Result{}
	}
	h := d.offer.Header
	switch {
	case q.Current.Manufacturer != h.Manufacturer:
		return Result{News: NewsUnfit, Reason: fmt.Sprintf("the device's manufacturer code is %04X, the image's %04X", q.Current.Manufacturer, h.Manufacturer)}
	case q.Current.ImageType != h.ImageType:
		return Result{News: NewsUnfit, Reason: fmt.Sprintf("the device's image type is %04X, the image's %04X", q.Current.ImageType, h.ImageType)}
	case q.HasHardware && !h.FitsHardware(q.HardwareVersion):
		return Result{News: NewsUnfit, Hardware: true,
			Reason: fmt.Sprintf("the device's hardware version is %04X, the image is for %04X to %04X", q.HardwareVersion, h.HardwareMin, h.HardwareMax)}
	case h.HasDestination && h.Destination != device:
		return Result{News: NewsUnfit, Reason: fmt.Sprintf("the image is for the device %s alone", h.Destination)}
	case q.Current.FileVersion == h.FileVersion:
		return Result{News: NewsRunning}
	case q.Current.FileVersion > h.FileVersion && !d.offer.Downgrade:
		return Result{News: NewsUnfit, Reason: Downgrade(q.Current.FileVersion, h.FileVersion).Error()}
	case q.Current.FileVersion > h.FileVersion:
		return Result{News: NewsStarted, Reason: fmt.Sprintf("a downgrade: the device runs version %08X", q.Current.FileVersion)}
	default:
		return Result{News: NewsStarted}
	}
}

// requested returns the download that a request for blocks belongs to. If there is
// none, or it is of another image, the device is told to abort. Divergence: so it is if
// the device would go on with what it has of another file under the same name, which
// nothing on the wire tells.
func (s *Server) requested(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, image ota.ImageID, offset uint32) *download {
	d, ok := s.downloads[f.Src]
	if !ok || !d.open(now) || image != d.offer.Header.ImageID {
		s.abort(out, f, h)
		return nil
	}
	d.fetching = true
	if d.begun {
		return d
	}
	if d.offer.Has == HasOther && offset > 0 {
		s.abort(out, f, h)
		return nil
	}
	d.begun = true
	if offset < d.offer.Header.TotalSize { // what came before was served before
		d.had.Add(0, offset, maxRuns)
		d.served.Bytes += d.has.Add(0, offset, maxRuns)
	}
	return d
}

// handleBlock serves a block, or says why not. This is the path that each block
// takes: it does not allocate. It ends a page that is being served.
func (s *Server) handleBlock(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) (Result, error) {
	q, err := ota.ParseImageBlockRequest(payload)
	if err != nil {
		return Result{}, err
	}
	d := s.requested(now, out, f, h, q.Image, q.Offset)
	if d == nil {
		return Result{}, nil
	}
	if q.MaxDataSize == 0 || q.Offset >= d.offer.Header.TotalSize {
		return Result{}, fmt.Errorf("image block request for %d bytes at %d of an image of %d", q.MaxDataSize, q.Offset, d.offer.Header.TotalSize)
	}
	d.page = page{}
	sent, err := s.serve(now, out, zcl.PeerOf(f), h.TSN, d, s.ask(d, q.Offset, int(q.MaxDataSize)))
	return d.serving(sent), err
}

// serving tells of the first block of an offer.
func (d *download) serving(sent int) Result {
	if sent > 0 && d.served.Blocks+d.served.Repeats == 1 {
		return Result{News: NewsServing}
	}
	return Result{}
}

// ask returns what a device asks the pacer for.
func (s *Server) ask(d *download, offset uint32, size int) ota.Ask {
	d.reach(offset)
	rest := int(d.offer.Header.TotalSize - offset)
	return ota.Ask{
		Offset: offset, Asked: size, Size: min(size, s.sizes.Usual, rest), Most: min(size, s.sizes.Most, rest),
		Total: d.offer.Header.TotalSize, Left: d.offer.Header.TotalSize - d.served.Bytes + d.has.Behind(offset),
		Started: d.offer.Started,
	}
}

// serve sends a block, or WAIT_FOR_DATA, and returns how many bytes of the image.
func (s *Server) serve(now time.Time, out *han.Outbox, to zcl.Peer, tsn uint8, d *download, a ota.Ask) (sent int, err error) {
	size, until := s.pacer.Admit(now, to.Node, a)
	if size == 0 {
		d.served.Waits++
		answer(s, out, to, tsn, ota.CommandImageBlockResponse, wait(now, until))
		return 0, nil
	}
	data := s.scratch[:size]
	if _, err := d.offer.Image.ReadAt(data, int64(a.Offset)); err != nil {
		// The device asks again; the reason goes to the log.
		answer(s, out, to, tsn, ota.CommandImageBlockResponse, wait(now, now.Add(time.Minute)))
		return 0, readError{fmt.Errorf("read image %s at %d: %w", d.offer.Header.ImageID, a.Offset, err)}
	}
	d.count(a.Offset, uint32(size))
	d.servedAt = now
	answer(s, out, to, tsn, ota.CommandImageBlockResponse, ota.ImageBlockResponse{
		Status: zcl.StatusSuccess, Image: d.offer.Header.ImageID, Offset: a.Offset, Data: data,
	})
	return size, nil
}

// reach takes note of where a device goes on. A block that is asked for twice in a row
// got lost; a device that goes back further reads again from there, until it leaves out
// what it has.
func (d *download) reach(offset uint32) {
	if offset == d.last && d.end > 0 {
		return
	}
	if offset > d.end && d.had.Behind(d.end) >= offset-d.end {
		d.served.Bytes += d.has.Add(d.end, offset, maxRuns)
	}
	d.served.Bytes -= d.has.Behind(offset)
	d.has.Cut(offset)
}

// count takes note of a block that is served.
func (d *download) count(offset, size uint32) {
	p := &d.served
	p.Bytes += d.has.Add(offset, offset+size, maxRuns)
	d.last, d.end = offset, offset+size
	if d.had.Add(offset, offset+size, maxRuns) == 0 {
		p.Repeats++
		return
	}
	p.Blocks++
}

// whole reports whether a device can have the whole image, by what it was served and
// by what is known of the time before. One that was given a part by a server before this
// and asked for nothing since knows better than the records, which lack the last window.
func (d *download) whole() bool {
	switch {
	case d.had.Whole(d.offer.Header.TotalSize):
		return true
	case len(d.had) > 0:
		return false
	default:
		return d.offer.Has == HasWhole || d.offer.Has == HasPart && !d.begun
	}
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
	d, ok := s.downloads[f.Src]
	ours := ok && !d.finished && q.Image == d.offer.Header.ImageID
	if q.Status != zcl.StatusSuccess {
		zcl.AnswerDefault(s.station, out, f, h, zcl.StatusSuccess)
		if !ours || !d.open(now) {
			return Result{}, nil
		}
		d.finish()
		return Result{News: NewsFailed, Status: q.Status}, nil
	}
	if ours && !d.whole() {
		return s.disbelieve(now, out, f, h, d), nil
	}
	answer(s, out, zcl.PeerOf(f), h.TSN, ota.CommandUpgradeEndResponse, ota.UpgradeEndResponse{
		Image:       ota.ImageID{Manufacturer: ota.WildcardManufacturer, ImageType: ota.WildcardImageType, FileVersion: ota.WildcardFileVersion},
		CurrentTime: zcl.UTCTimeOf(now), UpgradeTime: zcl.UTCTimeInvalid,
	})
	if !ours {
		return Result{}, nil
	}
	d.finish()
	return Result{News: NewsDone}, nil
}

// disbelieve answers a device that says it has an image of which it was not served all.
// Divergence: with ABORT in a Default Response, upon which it drops what it has. If it
// was given another file under the same name that is no fault of its own.
func (s *Server) disbelieve(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, d *download) Result {
	zcl.AnswerDefault(s.station, out, f, h, zcl.StatusAbort)
	if !d.open(now) {
		return Result{}
	}
	if d.offer.Has == HasOther && len(d.had) == 0 {
		d.offer.Has, d.begun = HasUnknown, false
		return Result{}
	}
	d.finish()
	return Result{News: NewsRefused, Reason: fmt.Sprintf("the device says that it has the image, and was served %d of %d bytes", d.had.Sum(), d.offer.Header.TotalSize)}
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
