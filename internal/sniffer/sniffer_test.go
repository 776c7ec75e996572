package sniffer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/client"
)

var (
	config = hub.DefaultConfig()
	noon   = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	frame  = han.Frame{Src: 0x00DB1234567890A1, Dst: config.EUI64, Profile: han.ProfileSmartEnergy, Cluster: 0x0702, Payload: []byte{0x18, 1, 0x0A}}
)

// read returns the statistics of a capture that is whole.
func read(t *testing.T, b []byte) capture.Statistics {
	t.Helper()
	r := capture.NewReader(bytes.NewReader(b))
	ended := false
	for {
		block, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && ended:
			return r.Statistics()
		case err != nil:
			t.Fatalf("%v; statistics at the end: %v", err, ended)
		}
		ended = capture.IsStatistics(block)
	}
}

func TestARecordingIsAWholeCapture(t *testing.T) {
	path := filepath.Join(t.TempDir(), "han.pcapng")
	r, err := Record(t.Context(), nil, path, config, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	observer := r.Watch()
	for i := range 1000 {
		observer.Frame(noon.Add(time.Duration(i)*time.Millisecond), &frame, han.Unharmed)
	}
	var told strings.Builder
	if err := r.Close(&told); err != nil {
		t.Fatal(err)
	}
	observer.Frame(noon, &frame, han.Unharmed) // one that comes late
	if want := path + ": 1000 radio frames from 2026-01-05 12:00:00Z to 2026-01-05 12:00:00Z\n"; told.String() != want {
		t.Errorf("told %q, want %q", told.String(), want)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); got.Packets != 1000 || got.Dropped != 0 {
		t.Errorf("%+v", got)
	}
}

func TestWithoutAFileNothingIsRecorded(t *testing.T) {
	r, err := Record(t.Context(), nil, "", config, nil)
	if err != nil || r.Watch().Frame != nil || r.Close(nil) != nil {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := Record(t.Context(), nil, t.TempDir(), config, nil); err == nil || err.Error() != "is a directory" {
		t.Errorf("a folder: %v", err)
	}
}

// pipe takes bytes when it is let.
type pipe struct {
	let chan struct{}
	mu  sync.Mutex
	got []byte
	err error
}

func (p *pipe) Write(b []byte) (int, error) {
	<-p.let
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	p.got = append(p.got, b...)
	return len(b), nil
}

// The hub never waits for whoever takes the capture; what does not fit is counted.
func TestWhoTakesNothingLosesFramesAndIsToldHowMany(t *testing.T) {
	out := &pipe{let: make(chan struct{})}
	r, err := Record(t.Context(), out, "-", config, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	long := frame
	long.Payload = make([]byte, 70)
	const sent = 100_000
	for range sent {
		r.Watch().Frame(noon, &long, han.Unharmed)
	}
	close(out.let)
	var told strings.Builder
	if err := r.Close(&told); err != nil {
		t.Fatal(err)
	}
	got := read(t, out.got)
	if got.Dropped == 0 || got.Packets+got.Dropped > sent || len(out.got) > 2*maxWaiting+1<<10 {
		t.Errorf("%s of %d frames, %d bytes", got, sent, len(out.got))
	}
	if !strings.Contains(told.String(), " frames of the HAN are missing") {
		t.Errorf("told %q", told.String())
	}
}

func TestAFullDiskEndsTheRecordingAlone(t *testing.T) {
	out := &pipe{let: make(chan struct{}), err: errors.New("no space left on device")}
	close(out.let)
	failed := make(chan error, 2)
	r, err := Record(t.Context(), out, "-", config, func(err error) { failed <- err })
	if err != nil {
		t.Fatal(err)
	}
	const want = "write the capture -: no space left on device"
	if err := <-failed; err.Error() != want {
		t.Errorf("told %v, want %s", err, want)
	}
	r.Watch().Frame(noon, &frame, han.Unharmed)
	var told strings.Builder
	if err := r.Close(&told); err == nil || err.Error() != want || told.Len() > 0 {
		t.Errorf("%v, told %q", err, told.String())
	}
}

// stream is a hub that serves a capture of two frames, of which one is missing, and then
// does what a test says.
func stream(t *testing.T, then func(w http.ResponseWriter, r *http.Request, e *capture.Encoder)) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "test")
		e := capture.New(config.EUI64, &config.Battery.Radio)
		b := e.AppendFrame(e.AppendHeader(nil), noon, &frame, han.Unharmed)
		e.Drop(1)
		b = e.AppendFrame(b, noon.Add(time.Second), &frame, han.Unharmed)
		_, _ = w.Write(e.Statistics().Append(b)) // a sign of life
		then(w, r, e)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// file is what a capture is written to.
type file struct {
	bytes.Buffer
	wrote  func()
	closed bool
	full   bool
}

func (f *file) Write(b []byte) (int, error) {
	if f.full {
		return 0, errors.New("no space left on device")
	}
	defer f.wrote()
	return f.Buffer.Write(b)
}

func (f *file) Close() error {
	f.closed = true
	return nil
}

func TestFollowing(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(w http.ResponseWriter, r *http.Request, e *capture.Encoder)
		want string // the error
	}{
		{"until it is interrupted", func(w http.ResponseWriter, r *http.Request, _ *capture.Encoder) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, ""},
		{"until the hub ends", func(http.ResponseWriter, *http.Request, *capture.Encoder) {}, "the hub ended the connection"},
		{"until a packet breaks off", func(w http.ResponseWriter, _ *http.Request, e *capture.Encoder) {
			b := e.AppendFrame(nil, noon, &frame, han.Unharmed)
			_, _ = w.Write(b[:len(b)-1])
		}, "the hub ended the connection in the middle of a packet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out := &file{}
			out.wrote = func() {
				if tt.want == "" && bytes.Count(out.Bytes(), frame.Payload) >= 2 {
					cancel()
				}
			}
			kept, err := Follow(ctx, stream(t, tt.then), "", false, func() (io.WriteCloser, error) { return out, nil })
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if got := read(t, out.Bytes()); got != kept || got.Packets != 2 || got.Dropped != 1 || !out.closed {
				t.Errorf("in the file %+v, told %+v, closed %v", got, kept, out.closed)
			}
		})
	}
}

func TestACaptureThatCannotBeWritten(t *testing.T) {
	ends := func(http.ResponseWriter, *http.Request, *capture.Encoder) {}
	out := &file{full: true}
	kept, err := Follow(t.Context(), stream(t, ends), "", false, func() (io.WriteCloser, error) { return out, nil })
	if err == nil || err.Error() != "write the capture: no space left on device" || kept.Packets != 0 || !out.closed {
		t.Errorf("%v, %+v", err, kept)
	}
	refused := errors.New("is a folder")
	if _, err := Follow(t.Context(), stream(t, ends), "", false, func() (io.WriteCloser, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("%v, want %v", err, refused)
	}
}

func TestWhatIsNoCaptureIsNotWritten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "test")
		_, _ = io.WriteString(w, "<!doctype html>")
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	out := &file{wrote: func() {}}
	_, err = Follow(t.Context(), c, "", false, func() (io.WriteCloser, error) { return out, nil })
	if err == nil || !strings.HasPrefix(err.Error(), "parse capture: offset 0: a block of ") || out.Len() > 0 {
		t.Errorf("%v, wrote % X", err, out.Bytes())
	}
}

func TestWhatTheHubIsAskedFor(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "test")
		asked = append(asked, r.URL.String())
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, recent := range []bool{false, true} {
		out := &file{wrote: func() {}}
		_, _ = Follow(t.Context(), c, "00DB1234567890A1", recent, func() (io.WriteCloser, error) { return out, nil })
	}
	want := "/v1/capture?device=00DB1234567890A1&follow=true /v1/capture?after=0&device=00DB1234567890A1&follow=true"
	if got := strings.Join(asked, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
