package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
)

// pass lets the observer see some frames of a device.
func (s *server) pass(device han.EUI64, n int) {
	for range n {
		s.observer.Frame(start, &han.Frame{Src: device, Dst: hub.DefaultConfig().EUI64, Cluster: ota.ClusterID, Payload: []byte{1, 2, 3}}, han.Unharmed)
	}
}

const (
	gasMeter      han.EUI64 = 0x00DB1234567890A1
	electricMeter han.EUI64 = 0x00DB1234567890A0
)

func TestACaptureOfWhatIsKept(t *testing.T) {
	s := newServer(t)
	s.pass(gasMeter, 2)
	s.pass(electricMeter, 3)
	for query, want := range map[string]uint64{"": 5, "?device=" + gsme: 2, "?after=4": 1, "?follow=false&device=" + esme + "&after=0": 3} {
		resp, err := http.Get(s.http.URL + "/v1/capture" + query)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-pcapng" {
			t.Fatalf("%s: %s, %v, %v", query, resp.Status, resp.Header, err)
		}
		if got, want := resp.Header.Get("Content-Disposition"), `attachment; filename="han-00DB1234567890A3.pcapng"`; got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		r := capture.NewReader(bytes.NewReader(b))
		var last []byte
		for err == nil {
			var block []byte
			if block, err = r.Next(); err == nil {
				last = bytes.Clone(block)
			}
		}
		if got := r.Statistics(); !errors.Is(err, io.EOF) || got.Packets != want || got.Dropped != 0 || !capture.IsStatistics(last) {
			t.Errorf("%s: %+v, %v; want %d packets, and statistics at the end", query, got, err, want)
		}
	}
}

func TestWhatACaptureCannotBe(t *testing.T) {
	s := newServer(t)
	for query, want := range map[string]string{
		"device=x":   `parse EUI64 \"x\": want 16 hex digits`,
		"follow=yes": `follow \"yes\": want true or false`,
		"after=-1":   `after \"-1\": want the id of a frame`,
		"cluster=19": "unknown query parameter",
	} {
		resp, err := http.Get(s.http.URL + "/v1/capture?" + query)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s %s", query, resp.Status, b)
		}
	}
}

// capturing returns a capture that goes on, behind its header.
func (s *server) capturing(query string) *capture.Reader {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.http.URL+"/v1/capture?follow=true"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		s.t.Fatal(resp.Status)
	}
	r := capture.NewReader(resp.Body)
	for range 2 {
		if _, err := r.Next(); err != nil {
			s.t.Fatal(err)
		}
	}
	return r
}

func TestACaptureGoesOn(t *testing.T) {
	s := newServer(t)
	s.pass(gasMeter, 2)
	fromNow, recent := s.capturing(""), s.capturing("&after=0")
	for _, n := range []int{1, 2} {
		s.pass(gasMeter, n)
		for range n {
			if _, err := fromNow.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 5 {
		if _, err := recent.Next(); err != nil {
			t.Fatal(err)
		}
	}
	s.api.Close()
	if _, err := fromNow.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("when the hub stops: %v, want the end", err)
	}
	if got := fromNow.Statistics(); got.Packets != 3 || got.Dropped != 0 {
		t.Errorf("from now on: %+v", got)
	}
}

// Whoever asks for frames that are not kept any more is told how many are missing, as is
// a reader who is that slow.
func TestACaptureSaysWhatIsMissing(t *testing.T) {
	s := newServer(t)
	s.pass(gasMeter, 2010)
	for query, want := range map[string]uint64{"&after=3": 7, "&after=0": 0} {
		r := s.capturing(query)
		for range 2000 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.Statistics(); got.Packets != 2000 || got.Dropped != want {
			t.Errorf("%s: %v, want 2000 packets and %d frames dropped", query, got, want)
		}
	}
}

func TestCapturesAreBounded(t *testing.T) {
	s := newServer(t)
	for range 20 {
		s.capturing("")
	}
	resp, err := http.Get(s.http.URL + "/v1/capture")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Error(fmt.Sprint(resp.Status, resp.Header))
	}
}
