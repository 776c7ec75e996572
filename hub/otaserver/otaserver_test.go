package otaserver_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/otaserver"
)

const (
	hubEUI  han.EUI64 = 0x00DB1234567890A3
	device  han.EUI64 = 0x00DB1234567890A1
	another han.EUI64 = 0x00DB1234567890A0
)

var now = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

// file is an image that can fail to be read.
type file struct {
	data []byte
	err  error
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return copy(p, f.data[off:]), nil
}

// pacer admits a number of blocks and then makes the device wait.
type pacer struct {
	limited bool
	left    int
	wait    time.Duration
	size    int   // that it chooses; 0 = the usual one
	asked   []int // sizes
	pages   int   // how often it was told of a page
}

func (p *pacer) Spacing(int) time.Duration { return 20 * time.Millisecond }

func (p *pacer) Admit(now time.Time, _ han.EUI64, a ota.Ask) (int, time.Time) {
	if a.Page {
		p.pages++
	}
	size := a.Size
	if p.size > 0 {
		size = min(p.size, a.Most)
	}
	if !p.limited {
		return size, time.Time{}
	}
	p.asked = append(p.asked, a.Size)
	if p.left--; p.left < 0 {
		return 0, now.Add(p.wait)
	}
	return size, time.Time{}
}

// server is a server and one device that talks to it.
type server struct {
	*otaserver.Server
	t      *testing.T
	image  *file
	pacer  *pacer
	offer  otaserver.Offer
	client zcl.Station
	result otaserver.Result
	err    error
}

func newServer(t *testing.T, change func(*otaserver.Offer)) *server {
	t.Helper()
	s := &server{t: t, pacer: &pacer{}, image: &file{data: bytes.Repeat([]byte("0123456789"), 10)}}
	s.offer = otaserver.Offer{Image: s.image, Header: ota.ImageHeader{
		ImageID:   ota.ImageID{Manufacturer: 0x109A, ImageType: 1, FileVersion: 2},
		TotalSize: 100, HasHardware: true, HardwareMin: 0x0100, HardwareMax: 0x01FF,
	}}
	if change != nil {
		change(&s.offer)
	}
	s.Server = otaserver.New(&zcl.Station{Node: hubEUI, Endpoint: 1}, s.pacer, otaserver.Sizes{Usual: 40, Most: 90})
	s.Offer(device, s.offer)
	s.client = zcl.Station{Node: device, Endpoint: 5}
	return s
}

// ask hands the server a command and returns the answers' headers and payloads.
func (s *server) ask(from han.EUI64, header zcl.Header, c zcl.Command) (headers []zcl.Header, payloads [][]byte) {
	s.t.Helper()
	var request, out han.Outbox
	s.client.Node = from
	zcl.Answer(&s.client, &request, zcl.Peer{Node: hubEUI, Endpoint: 1, Cluster: ota.ClusterID}, header, c)
	f := request.Frames[0]
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		s.t.Fatal(err)
	}
	s.result, s.err = s.HandleFrame(now, &out, f, h, payload)
	for _, a := range out.Frames {
		if a.Dst != from || a.DstEndpoint != 5 || a.Src != hubEUI || a.Cluster != ota.ClusterID {
			s.t.Errorf("answered %s", a)
		}
		h, payload, err := zcl.ParseHeader(a.Payload)
		if err != nil || h.TSN != header.TSN || !h.ToClient || !h.DisableDefaultResponse {
			s.t.Errorf("answer with header %+v (%v)", h, err)
		}
		headers, payloads = append(headers, h), append(payloads, bytes.Clone(payload))
	}
	return headers, payloads
}

func command(c uint8) zcl.Header { return zcl.Header{ClusterSpecific: true, TSN: 77, Command: c} }

func one[T any](s *server, want uint8, headers []zcl.Header, payloads [][]byte, parse func([]byte) (T, error)) T {
	s.t.Helper()
	var zero T
	if len(headers) != 1 || !headers[0].ClusterSpecific || headers[0].Command != want {
		s.t.Fatalf("answers %+v, want one of command %02X", headers, want)
		return zero
	}
	v, err := parse(payloads[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *server) block(from han.EUI64, q ota.ImageBlockRequest) ota.ImageBlockResponse {
	s.t.Helper()
	headers, payloads := s.ask(from, command(ota.CommandImageBlockRequest), q)
	return one(s, ota.CommandImageBlockResponse, headers, payloads, ota.ParseImageBlockResponse)
}

func (s *server) query(from han.EUI64, q ota.QueryNextImageRequest) ota.QueryNextImageResponse {
	s.t.Helper()
	headers, payloads := s.ask(from, command(ota.CommandQueryNextImageRequest), q)
	return one(s, ota.CommandQueryNextImageResponse, headers, payloads, ota.ParseQueryNextImageResponse)
}

// expectDefault expects nothing but a Default Response.
func (s *server) expectDefault(want zcl.Status, headers []zcl.Header, payloads [][]byte) {
	s.t.Helper()
	if len(headers) != 1 || headers[0].ClusterSpecific || headers[0].Command != zcl.CommandDefaultResponse {
		s.t.Fatalf("answers %+v, want a Default Response", headers)
	}
	if r, err := zcl.ParseDefaultResponse(payloads[0]); err != nil || r.Status != want {
		s.t.Errorf("Default Response %+v (%v), want %s", r, err, want)
	}
}

func runs(version uint32) ota.QueryNextImageRequest {
	return ota.QueryNextImageRequest{
		Current:     ota.ImageID{Manufacturer: 0x109A, ImageType: 1, FileVersion: version},
		HasHardware: true, HardwareVersion: 0x0180,
	}
}

func (s *server) request(offset uint32, size uint8) ota.ImageBlockRequest {
	return ota.ImageBlockRequest{Image: s.offer.Header.ImageID, Offset: offset, MaxDataSize: size}
}

func TestOnlyADeviceThatTheImageFitsIsOfferedIt(t *testing.T) {
	const yes, no = zcl.StatusSuccess, zcl.StatusNoImageAvailable
	tests := []struct {
		name   string
		change func(o *otaserver.Offer, q *ota.QueryNextImageRequest)
		status zcl.Status
		news   otaserver.News
		reason string
	}{
		{"all fits", nil, yes, otaserver.NewsStarted, ""},
		{"another manufacturer", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.Current.Manufacturer = 1 }, no, otaserver.NewsUnfit, "manufacturer code is 0001, the image's 109A"},
		{"another image type", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.Current.ImageType = 2 }, no, otaserver.NewsUnfit, "image type is 0002, the image's 0001"},
		{"older hardware", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.HardwareVersion = 0x00FF }, no, otaserver.NewsUnfit, "hardware version is 00FF, the image is for 0100 to 01FF"},
		{"newer hardware", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.HardwareVersion = 0x0200 }, no, otaserver.NewsUnfit, "hardware version is 0200"},
		{"first hardware", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.HardwareVersion = 0x0100 }, yes, otaserver.NewsStarted, ""},
		{"last hardware", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.HardwareVersion = 0x01FF }, yes, otaserver.NewsStarted, ""},
		{"a device that does not tell its hardware", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.HasHardware = false }, yes, otaserver.NewsStarted, ""},
		{"an image for any hardware", func(o *otaserver.Offer, q *ota.QueryNextImageRequest) {
			o.Header.HasHardware = false
			q.HardwareVersion = 0xFFFF
		}, yes, otaserver.NewsStarted, ""},
		{"an image for this device", func(o *otaserver.Offer, _ *ota.QueryNextImageRequest) {
			o.Header.HasDestination, o.Header.Destination = true, device
		}, yes, otaserver.NewsStarted, ""},
		{"an image for another device", func(o *otaserver.Offer, _ *ota.QueryNextImageRequest) {
			o.Header.HasDestination, o.Header.Destination = true, another
		}, no, otaserver.NewsUnfit, "for the device 00DB1234567890A0 alone"},
		{"it runs already", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.Current.FileVersion = 2 }, no, otaserver.NewsRunning, ""},
		{"an older version", func(_ *otaserver.Offer, q *ota.QueryNextImageRequest) { q.Current.FileVersion = 9 }, no, otaserver.NewsUnfit, "a downgrade from 00000009 to 00000002, which a meter refuses"},
		{"an older version, on purpose", func(o *otaserver.Offer, q *ota.QueryNextImageRequest) {
			q.Current.FileVersion, o.Downgrade = 9, true
		}, yes, otaserver.NewsStarted, "a downgrade: the device runs version 00000009"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := runs(1)
			s := newServer(t, func(o *otaserver.Offer) {
				if tt.change != nil {
					tt.change(o, &q)
				}
			})
			r := s.query(device, q)
			if r.Status != tt.status || s.result.News != tt.news || !strings.Contains(s.result.Reason, tt.reason) {
				t.Errorf("%s, %+v", r.Status, s.result)
			}
			if r.Status == yes && (r.Image != s.offer.Header.ImageID || r.Size != 100) {
				t.Errorf("offered %+v", r)
			}
		})
	}
}

func TestADeviceWithoutAnOfferGetsNothing(t *testing.T) {
	s := newServer(t, nil)
	if r := s.query(another, runs(1)); r.Status != zcl.StatusNoImageAvailable || s.result.News != otaserver.NewsNone {
		t.Errorf("query: %s, %+v", r.Status, s.result)
	}
	if r := s.block(another, s.request(0, 40)); r.Status != zcl.StatusAbort {
		t.Errorf("block: %s", r.Status)
	}
	if s.Waiting(now, another) || s.Served(another) != (otaserver.Served{}) {
		t.Error("it counts as a download")
	}
}

// TestServingIsStatelessPerBlock: the offset is the client's word alone.
func TestServingIsStatelessPerBlock(t *testing.T) {
	s := newServer(t, nil)
	for _, tt := range []struct {
		offset uint32
		asked  uint8
		want   int
	}{
		{60, 40, 40},                           // no query before it, not from the start
		{0, 40, 40}, {0, 40, 40}, {20, 40, 40}, // from the start, again, overlapping
		{0, 7, 7}, {0, 255, 40}, // what is asked for, and what the server sends at most
		{90, 40, 10}, {99, 1, 1}, // to the last byte
	} {
		r := s.block(device, s.request(tt.offset, tt.asked))
		if r.Status != zcl.StatusSuccess || r.Offset != tt.offset || r.Image != s.offer.Header.ImageID ||
			!bytes.Equal(r.Data, s.image.data[tt.offset:int(tt.offset)+tt.want]) {
			t.Errorf("%d bytes at %d: %s, %d bytes %q", tt.asked, tt.offset, r.Status, len(r.Data), r.Data)
		}
	}
}

func TestFiguresOfADownload(t *testing.T) {
	s := newServer(t, nil)
	s.pacer.limited, s.pacer.left = true, 4
	for _, offset := range []uint32{40, 80, 40, 80, 0} {
		s.block(device, s.request(offset, 40))
	}
	want := otaserver.Served{Blocks: 2, Repeats: 2, Waits: 1} // it went back to the beginning
	if got := s.Served(device); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	s.Finish(device)
	if got := s.Served(device); got != want {
		t.Errorf("%+v after the end, want %+v", got, want)
	}
	s.Offer(device, s.offer)
	if got := s.Served(device); got != (otaserver.Served{}) {
		t.Errorf("%+v of a new offer", got)
	}
}

func TestAPacedDeviceWaits(t *testing.T) {
	for _, tt := range []struct{ wait, want time.Duration }{
		{29 * time.Minute, 29 * time.Minute}, {time.Second, time.Second},
		{26 * time.Hour, time.Hour}, // real clients take no more
	} {
		s := newServer(t, nil)
		s.pacer.limited, s.pacer.left, s.pacer.wait = true, 1, tt.wait
		if r := s.block(device, s.request(80, 40)); r.Status != zcl.StatusSuccess {
			t.Fatalf("the first block: %s", r.Status)
		}
		r := s.block(device, s.request(0, 40))
		if r.Status != zcl.StatusWaitForData || r.CurrentTime != zcl.UTCTimeOf(now) || r.RequestTime != zcl.UTCTimeOf(now.Add(tt.want)) {
			t.Errorf("%s from %v to %v, want to wait %v", r.Status, r.CurrentTime.Time(), r.RequestTime.Time(), tt.want)
		}
		if s.pacer.asked[0] != 20 || s.pacer.asked[1] != 40 {
			t.Errorf("the pacer was asked for %v bytes, want what would be sent", s.pacer.asked)
		}
	}
}

func TestWhatIsNotOfferedIsAborted(t *testing.T) {
	for name, change := range map[string]func(s *server, q *ota.ImageBlockRequest){
		"another version":    func(_ *server, q *ota.ImageBlockRequest) { q.Image.FileVersion = 3 },
		"another type":       func(_ *server, q *ota.ImageBlockRequest) { q.Image.ImageType = 3 },
		"a withdrawn image":  func(s *server, _ *ota.ImageBlockRequest) { s.Withdraw(device) },
		"a finished one":     func(s *server, _ *ota.ImageBlockRequest) { s.Finish(device) },
		"a superseded image": func(s *server, _ *ota.ImageBlockRequest) { s.supersede() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			q := s.request(0, 40)
			change(s, &q)
			if r := s.block(device, q); r.Status != zcl.StatusAbort || s.err != nil {
				t.Errorf("%s (%v), want ABORT", r.Status, s.err)
			}
		})
	}
}

func (s *server) supersede() {
	next := s.offer
	next.Header.FileVersion = 3
	s.Offer(device, next)
}

// TestAnImageThatCannotBeReadMakesTheDeviceWait: it asks again a minute later. A
// second answer would end its download.
func TestAnImageThatCannotBeReadMakesTheDeviceWait(t *testing.T) {
	s := newServer(t, nil)
	s.image.err = errors.New("the disk is on fire")
	r := s.block(device, s.request(0, 40))
	if r.Status != zcl.StatusWaitForData || r.RequestTime != zcl.UTCTimeOf(now.Add(time.Minute)) {
		t.Errorf("%s to %v", r.Status, r.RequestTime.Time())
	}
	if !errors.Is(s.err, s.image.err) || !strings.Contains(s.err.Error(), "109A/0001/00000002 at 0") {
		t.Errorf("error %v", s.err)
	}
	if got := s.Served(device); got.Blocks != 0 {
		t.Errorf("%+v", got)
	}
	s.image.err = nil
	if r := s.block(device, s.request(0, 40)); r.Status != zcl.StatusSuccess {
		t.Errorf("a minute later: %s", r.Status)
	}
}

func TestTheEndOfADownload(t *testing.T) {
	end := func(s *server, status zcl.Status, id ota.ImageID) ([]zcl.Header, [][]byte) {
		return s.ask(device, command(ota.CommandUpgradeEndRequest), ota.UpgradeEndRequest{Status: status, Image: id})
	}
	t.Run("good", func(t *testing.T) {
		s := newServer(t, nil)
		s.serve(0, 40, 80)
		for i, want := range []otaserver.News{otaserver.NewsDone, otaserver.NewsNone} { // repeated: answered again
			headers, payloads := end(s, zcl.StatusSuccess, s.offer.Header.ImageID)
			r := one(s, ota.CommandUpgradeEndResponse, headers, payloads, ota.ParseUpgradeEndResponse)
			if r.UpgradeTime != zcl.UTCTimeInvalid || r.CurrentTime != zcl.UTCTimeOf(now) || r.Image.FileVersion != ota.WildcardFileVersion {
				t.Errorf("answer %+v: only Activate Firmware may make a meter switch", r)
			}
			if s.result.News != want {
				t.Errorf("news %d is %v, want %v", i, s.result.News, want)
			}
		}
		if s.Waiting(now, device) {
			t.Error("the image still waits")
		}
		if r := s.query(device, runs(1)); r.Status != zcl.StatusNoImageAvailable {
			t.Errorf("it is offered again: %s", r.Status)
		}
	})
	for _, status := range []zcl.Status{zcl.StatusInvalidImage, zcl.StatusAbort, zcl.StatusRequireMoreImage} {
		t.Run(status.String(), func(t *testing.T) {
			s := newServer(t, nil)
			headers, payloads := end(s, status, s.offer.Header.ImageID)
			s.expectDefault(zcl.StatusSuccess, headers, payloads)
			if s.result.News != otaserver.NewsFailed || s.result.Status != status || s.Waiting(now, device) {
				t.Errorf("result %+v, waiting %v", s.result, s.Waiting(now, device))
			}
		})
	}
	t.Run("of another image", func(t *testing.T) {
		s := newServer(t, nil)
		end(s, zcl.StatusSuccess, ota.ImageID{Manufacturer: 0x109A, ImageType: 1, FileVersion: 7})
		if s.result != (otaserver.Result{}) || !s.Waiting(now, device) {
			t.Errorf("result %+v, waiting %v", s.result, s.Waiting(now, device))
		}
	})
}

func TestCommandsThatTheHubDoesNotSpeak(t *testing.T) {
	s := newServer(t, nil)
	var headers []zcl.Header
	var payloads [][]byte
	for _, c := range []uint8{ota.CommandImageNotify, ota.CommandQueryNextImageResponse, ota.CommandImageBlockResponse, ota.CommandUpgradeEndResponse, 0x42} {
		headers, payloads = s.ask(device, command(c), zcl.Empty{})
		s.expectDefault(zcl.StatusUnsupCommand, headers, payloads)
	}
	headers, payloads = s.ask(device, zcl.Header{TSN: 77, Command: zcl.CommandReadAttributes}, zcl.ReadAttributes{IDs: []uint16{0}})
	s.expectDefault(zcl.StatusUnsupCommand, headers, payloads)

	headers, payloads = s.ask(device, command(ota.CommandQueryDeviceSpecificFileRequest), ota.QueryDeviceSpecificFileRequest{Node: device})
	r := one(s, ota.CommandQueryDeviceSpecificFileResponse, headers, payloads, ota.ParseQueryDeviceSpecificFileResponse)
	if r.Status != zcl.StatusNoImageAvailable {
		t.Errorf("a file for one device: %s", r.Status)
	}
	if headers, _ := s.ask(device, zcl.Header{TSN: 77, Command: zcl.CommandDefaultResponse}, zcl.DefaultResponse{}); len(headers) > 0 {
		t.Errorf("a Default Response was answered: %+v", headers)
	}
}

// raw is a payload as it is.
type raw []byte

func (r raw) Append(b []byte) []byte { return append(b, r...) }

// TestMalformedCommandsChangeNothing: every one that is cut short, and blocks that
// cannot be.
func TestMalformedCommandsChangeNothing(t *testing.T) {
	refused := func(c uint8, payload []byte) {
		t.Helper()
		s := newServer(t, nil)
		headers, payloads := s.ask(device, command(c), raw(payload))
		s.expectDefault(zcl.StatusMalformedCommand, headers, payloads)
		if s.err == nil || s.result != (otaserver.Result{}) || !s.Waiting(now, device) || s.Served(device) != (otaserver.Served{}) {
			t.Errorf("command %02X with %d bytes: %v, %+v, %+v", c, len(payload), s.err, s.result, s.Served(device))
		}
	}
	for c, whole := range map[uint8][]byte{
		ota.CommandQueryNextImageRequest:          runs(1).Append(nil),
		ota.CommandImageBlockRequest:              newServer(t, nil).request(0, 40).Append(nil),
		ota.CommandUpgradeEndRequest:              ota.UpgradeEndRequest{Image: newServer(t, nil).offer.Header.ImageID}.Append(nil),
		ota.CommandQueryDeviceSpecificFileRequest: ota.QueryDeviceSpecificFileRequest{}.Append(nil),
	} {
		for n := range whole {
			refused(c, whole[:n])
		}
	}
	s := newServer(t, nil)
	refused(ota.CommandImageBlockRequest, s.request(100, 40).Append(nil)) // behind the end
	refused(ota.CommandImageBlockRequest, s.request(0xFFFFFFFF, 40).Append(nil))
	refused(ota.CommandImageBlockRequest, s.request(0, 0).Append(nil)) // nothing asked for
}

func TestADeviceThatListensIsNotified(t *testing.T) {
	notified := func(s *server, at time.Time) bool {
		var out han.Outbox
		s.Notify(at, &out, zcl.Peer{Node: device, Endpoint: 5})
		if len(out.Frames) == 0 {
			return false
		}
		h, payload, err := zcl.ParseHeader(out.Frames[0].Payload)
		n, parseErr := ota.ParseImageNotify(payload)
		if err != nil || parseErr != nil || h.Command != ota.CommandImageNotify || n.FileVersion != 2 || n.QueryJitter != 100 {
			t.Errorf("notified with %+v, %+v (%v, %v)", h, n, err, parseErr)
		}
		return true
	}
	s := newServer(t, nil)
	if !notified(s, now) {
		t.Error("not notified of an offer")
	}
	s.block(device, s.request(0, 40))
	if notified(s, now.Add(59*time.Second)) {
		t.Error("notified while its download goes on")
	}
	if !notified(s, now.Add(time.Minute)) {
		t.Error("not notified although its download stands still")
	}
	s.Finish(device)
	if notified(s, now.Add(time.Hour)) {
		t.Error("notified after the end")
	}
	s.Withdraw(device)
	if notified(s, now.Add(time.Hour)) {
		t.Error("notified of nothing")
	}
}

// TestABlockAllocatesNothing: it is the path that each block takes.
func TestABlockAllocatesNothing(t *testing.T) {
	s := newServer(t, nil)
	var request, out han.Outbox
	zcl.Answer(&s.client, &request, zcl.Peer{Node: hubEUI, Endpoint: 1, Cluster: ota.ClusterID}, command(ota.CommandImageBlockRequest), s.request(0, 40))
	f := request.Frames[0]
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		out.Reset()
		if _, err := s.HandleFrame(now, &out, f, h, payload); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzHandleFrame: whatever a device sends, a download of another one goes on, no
// answer is longer than a block, and what was offered cannot be read past its end.
func FuzzHandleFrame(f *testing.F) {
	id := ota.ImageID{Manufacturer: 0x109A, ImageType: 1, FileVersion: 2}
	for c, p := range map[uint8]zcl.Command{
		ota.CommandQueryNextImageRequest: runs(1), ota.CommandUpgradeEndRequest: ota.UpgradeEndRequest{Image: id},
		ota.CommandImageBlockRequest: ota.ImageBlockRequest{Image: id, Offset: 80, MaxDataSize: 40},
		ota.CommandImagePageRequest:  ota.ImagePageRequest{Image: id, MaxDataSize: 40, PageSize: 80},
	} {
		f.Add(zcl.AppendFrame(nil, command(c), p), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, paced bool) {
		s := newServer(t, nil)
		s.pacer.limited, s.pacer.left = paced, 1
		s.Offer(another, s.offer)
		h, rest, err := zcl.ParseHeader(payload)
		if err != nil {
			return
		}
		var out han.Outbox
		frame := han.Frame{Src: device, Dst: hubEUI, SrcEndpoint: 5, DstEndpoint: 1, Cluster: ota.ClusterID, Payload: payload}
		_, err = s.HandleFrame(now, &out, frame, h, rest)
		if len(out.Frames) > 1 {
			t.Fatalf("%d answers", len(out.Frames))
		}
		if err != nil && len(out.Frames) != 1 {
			t.Fatalf("no answer to what was refused: %v", err)
		}
		for rounds := 0; ; rounds++ {
			for _, a := range out.Frames {
				if a.Dst != device || len(a.Payload) > 3+14+40 {
					t.Fatalf("answered %s", a)
				}
			}
			next, more := s.NextTimer()
			if !more {
				break
			}
			if rounds > int(s.offer.Header.TotalSize) {
				t.Fatal("a page has no end")
			}
			out.Reset()
			if err := s.HandleTimer(next.At, &out); err != nil || len(out.Frames) != 1 {
				t.Fatalf("the next block of a page: %d frames (%v)", len(out.Frames), err)
			}
		}
		if r := s.block(another, s.request(0, 40)); r.Status == zcl.StatusAbort {
			t.Fatal("another device's download was aborted")
		}
	})
}
