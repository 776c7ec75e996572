package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/store"
)

// event is one event as a client sees it.
type event struct{ id, kind, data string }

// follower is a client of the stream.
type follower struct {
	t       *testing.T
	body    io.ReadCloser
	lines   *bufio.Scanner
	lastID  string
	comment int
}

func (s *server) follow(path string, headers ...string) *follower {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.http.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%s: %s %v", path, resp.Status, resp.Header)
	}
	f := &follower{t: s.t, body: resp.Body, lines: bufio.NewScanner(resp.Body)}
	f.lines.Buffer(nil, 1<<20)
	s.t.Cleanup(func() { _ = f.body.Close() })
	return f
}

// next returns the next event with data, as the standard says to read them.
func (f *follower) next() event {
	f.t.Helper()
	e, ok := f.read()
	if !ok {
		f.t.Fatal("the stream ended")
	}
	return e
}

func (f *follower) read() (e event, ok bool) {
	for f.lines.Scan() {
		line := f.lines.Text()
		switch {
		case strings.HasPrefix(line, ":"):
			f.comment++
		case strings.HasPrefix(line, "id: "):
			f.lastID = line[4:]
		case strings.HasPrefix(line, "event: "):
			e.kind = line[7:]
		case strings.HasPrefix(line, "data: "):
			e.data = line[6:]
		case line == "" && e.data != "":
			e.id = f.lastID
			return e, true
		}
	}
	return event{}, false
}

// until skips to an event of a kind.
func (f *follower) until(kind string) event {
	f.t.Helper()
	for {
		if e := f.next(); e.kind == kind {
			return e
		}
	}
}

func TestTheStreamTellsWhatHappens(t *testing.T) {
	s := newServer(t)
	f := s.follow("/events")
	if e := f.next(); e.kind != "hello" || !strings.Contains(e.data, `"version":"test"`) {
		t.Fatalf("first %v", e)
	}
	s.json("POST", "/v1/devices", addGSME)
	if e := f.until("device"); !strings.Contains(e.data, gsme) {
		t.Errorf("%v", e)
	}
	if f.comment == 0 {
		t.Error("no sign of life")
	}
	again := s.follow("/events", "Last-Event-ID", "none")
	again.until("hello")
	if e := again.next(); e.kind != "lost" {
		t.Errorf("an id of another hub: %v, want lost", e)
	}
}

func TestAReaderThatComesBackMissesNothing(t *testing.T) {
	s := newServer(t)
	f := s.follow("/events?types=alert")
	f.next()
	for i := range 3 {
		s.api.Publish("alert", i)
		s.api.Publish("record", "not asked for")
	}
	for i := range 3 {
		if e := f.next(); e.data != fmt.Sprint(i) {
			t.Fatalf("event %d: %v", i, e)
		}
	}
	id := f.lastID
	_ = f.body.Close()
	for i := 3; i < 6; i++ {
		s.api.Publish("alert", i)
	}
	f = s.follow("/events?types=alert", "Last-Event-ID", id)
	f.next()
	for i := 3; i < 6; i++ {
		if e := f.next(); e.data != fmt.Sprint(i) {
			t.Fatalf("event %d after coming back: %v", i, e)
		}
	}
	// As a query, for who cannot set the header.
	f = s.follow("/events?types=alert&last_event_id=" + id)
	f.next()
	if e := f.next(); e.data != "3" {
		t.Errorf("%v", e)
	}
}

func TestAReaderThatWasAwayTooLongIsTold(t *testing.T) {
	s := newServer(t)
	f := s.follow("/events?types=alert")
	f.next()
	s.api.Publish("alert", "first")
	f.next()
	id := f.lastID
	_ = f.body.Close()
	for i := range 5000 {
		s.api.Publish("alert", i)
	}
	if n, bytes := s.api.Kept(); n != 4096 || bytes > 8<<20 {
		t.Errorf("%d events of %d bytes are kept", n, bytes)
	}
	f = s.follow("/events?types=alert", "Last-Event-ID", id)
	f.next()
	if e := f.next(); e.kind != "lost" {
		t.Errorf("%v, want lost", e)
	}
	s.api.Publish("alert", "after")
	if e := f.next(); e.data != `"after"` {
		t.Errorf("%v, want to go on with the newest", e)
	}
	big := strings.Repeat("x", 1<<20)
	for range 20 {
		s.api.Publish("alert", big)
	}
	if _, bytes := s.api.Kept(); bytes > 8<<20 {
		t.Errorf("%d bytes are kept", bytes)
	}
}

func TestStreamRefusals(t *testing.T) {
	s := newServer(t)
	for _, query := range []string{"?types=nonsense", "?colour=blue", "?types=,"} {
		if resp, _ := s.send("GET", "/events"+query, ""); resp.StatusCode != 422 {
			t.Errorf("%s: %d", query, resp.StatusCode)
		}
	}
	f := s.follow("/events")
	f.next()
	s.api.Close()
	for {
		if _, ok := f.read(); !ok {
			break
		}
	}
}

// readAll follows the stream and demands the events 0 to n-1 in order.
func readAll(url string, n int, ready, done *sync.WaitGroup) error {
	defer done.Done()
	resp, err := http.Get(url + "/events?types=alert")
	if err != nil {
		ready.Done()
		return err
	}
	defer resp.Body.Close()
	f := follower{lines: bufio.NewScanner(resp.Body)}
	if e, ok := f.read(); !ok || e.kind != "hello" {
		ready.Done()
		return fmt.Errorf("first event %v", e)
	}
	ready.Done()
	for want := range n {
		e, ok := f.read()
		var got struct{ N int }
		if err := json.Unmarshal([]byte(e.data), &got); !ok || err != nil || e.kind != "alert" || got.N != want {
			return fmt.Errorf("event %d: %+v is not it", want, e)
		}
	}
	return nil
}

// stall connects to the stream and reads nothing.
func stall(t *testing.T, url string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /events?types=alert HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// 500 readers, of whom 100 take nothing: those who read get everything in order,
// and neither they nor the hub notice the others.
func TestStalledReadersHoldNobodyUp(t *testing.T) {
	const live, stalled = 400, 100
	events := 1500
	if raceDetector {
		events = 150
	}
	s := newServer(t, func(b *api.Backend) { b.Patience = time.Minute })
	var idle []net.Conn
	for range stalled {
		idle = append(idle, stall(t, s.http.URL))
	}
	waitFor(t, "all stalled readers are there", func() bool { return s.api.Readers() == stalled })
	before := heap()
	var ready, done sync.WaitGroup
	failures := make(chan error, live)
	for range live {
		ready.Add(1)
		done.Add(1)
		go func() { failures <- readAll(s.http.URL, events, &ready, &done) }()
	}
	ready.Wait()
	if n := s.api.Readers(); n != live+stalled {
		t.Errorf("%d readers", n)
	}
	if resp, _ := s.send("GET", "/events", ""); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more than 500: %d", resp.StatusCode)
	}
	padding := strings.Repeat("x", 300)
	for n := range events {
		s.api.Publish("alert", map[string]any{"n": n, "padding": padding})
	}
	done.Wait()
	grown := int64(heap()) - int64(before)
	for range live {
		if err := <-failures; err != nil {
			t.Error(err)
			break
		}
	}
	t.Logf("heap grew by %d KiB", grown>>10)
	if grown > 64<<20 {
		t.Errorf("heap grew by %d MiB", grown>>20)
	}
	for _, c := range idle {
		_ = c.Close()
	}
	waitFor(t, "nobody reads any more", func() bool { return s.api.Readers() == 0 })
}

func TestAReaderThatTakesNothingIsLetGo(t *testing.T) {
	s := newServer(t, func(b *api.Backend) { b.Patience = 50 * time.Millisecond })
	defer stall(t, s.http.URL).Close()
	waitFor(t, "it is there", func() bool { return s.api.Readers() == 1 })
	waitFor(t, "it is let go", func() bool {
		s.api.Publish("alert", strings.Repeat("x", 100<<10))
		return s.api.Readers() == 0
	})
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a minute passed, and not: %s", what)
		}
	}
}

// BenchmarkPublish is what an event costs the hub, without readers and with 500
// that take nothing.
func BenchmarkPublish(b *testing.B) {
	for _, readers := range []int{0, 500} {
		b.Run(fmt.Sprintf("stalled=%d", readers), func(b *testing.B) {
			t := &testing.T{}
			a := api.New(api.Backend{Store: store.NewMemory(), Clock: func() api.Clock { return api.Clock{Now: start} }})
			defer a.Close()
			server := serve(a)
			defer server.Close()
			for range readers {
				defer stall(t, server.URL).Close()
			}
			waitFor(t, "all readers are there", func() bool { return a.Readers() == readers })
			data := map[string]string{"padding": strings.Repeat("x", 300)}
			for range 1000 { // until they are full
				a.Publish("alert", data)
			}
			b.ReportAllocs()
			for b.Loop() {
				a.Publish("alert", data)
			}
		})
	}
}
