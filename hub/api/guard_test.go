package api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/testimage"
)

const token = "a-token-of-this-test"

// send sends a request with headers and returns the answer, with its body read.
func (s *server) send(method, path, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(b)
}

const addGSME = `{"eui64":"` + gsme + `","kind":"GSME"}`

func TestChangesNeedTheToken(t *testing.T) {
	s := newServer(t, func(b *api.Backend) { b.Token = token })
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + token + "x", "Basic " + token, token} {
		resp, body := s.send("POST", "/v1/devices", addGSME, "Authorization", authorization, "Content-Type", "application/json")
		if resp.StatusCode != 401 || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer") || !strings.Contains(body, "api-token") {
			t.Errorf("%q: %d %s", authorization, resp.StatusCode, body)
		}
	}
	for _, change := range []struct{ method, path string }{
		{"POST", "/v1/images"}, {"POST", "/v1/updates"}, {"DELETE", "/v1/updates/" + gsme}, {"DELETE", "/v1/devices/" + gsme},
		{"POST", "/v1/devices/" + gsme + "/activation"}, {"PUT", "/lab/devices/" + gsme + "/link"},
	} {
		if resp, _ := s.send(change.method, change.path, ""); resp.StatusCode != 401 {
			t.Errorf("%s %s without a token: %d", change.method, change.path, resp.StatusCode)
		}
	}
	if len(s.store.Devices()) != 0 {
		t.Fatal("a device was added without the token")
	}
	if resp, body := s.send("POST", "/v1/devices", addGSME, "Authorization", "bearer "+token, "Content-Type", "application/json"); resp.StatusCode != 201 {
		t.Errorf("with the token: %d %s", resp.StatusCode, body)
	}
	if resp, _ := s.send("GET", "/v1/devices", ""); resp.StatusCode != 200 {
		t.Errorf("reading without a token: %d", resp.StatusCode)
	}
	for authorization, want := range map[string]int{"Bearer " + token: 204, "Bearer wrong": 401, "": 401} {
		if resp, _ := s.send("GET", "/v1/session", "", "Authorization", authorization); resp.StatusCode != want {
			t.Errorf("session with %q: %d, want %d", authorization, resp.StatusCode, want)
		}
	}
}

func TestOtherOriginsAndNamesAreKeptOut(t *testing.T) {
	s := newServer(t, func(b *api.Backend) { b.Hosts = []string{"hub.example"} })
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "192.0.2.7": 200, "Hub.Example:80": 200,
		"evil.example": 421, "localhost.evil.example": 421, "evil.example:8080": 421, "hub": 421,
	} {
		if resp, _ := s.send("GET", "/v1/devices", "", "Host", host); resp.StatusCode != want {
			t.Errorf("host %s: %d, want %d", host, resp.StatusCode, want)
		}
	}
	for name, headers := range map[string][]string{
		"another site":   {"Sec-Fetch-Site", "cross-site"},
		"another port":   {"Sec-Fetch-Site", "same-site"},
		"another origin": {"Origin", "http://evil.example"},
	} {
		if resp, _ := s.send("POST", "/v1/devices", addGSME, append(headers, "Content-Type", "application/json")...); resp.StatusCode != 403 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if len(s.store.Devices()) != 0 {
		t.Error("another origin added a device")
	}
	if resp, body := s.send("POST", "/v1/devices", addGSME, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"); resp.StatusCode != 201 {
		t.Errorf("our own page: %d %s", resp.StatusCode, body)
	}
}

func TestThereIsNothingHere(t *testing.T) {
	s := newServer(t)
	if resp, body := s.send("GET", "/v1/nothing", ""); resp.StatusCode != 404 || !strings.Contains(body, "/docs") || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body := s.send("PATCH", "/v1/devices", "")
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD, POST" || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
}

func TestTheSameKeyIsDoneOnce(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	order := `{"image":"` + im["sha256"].(string) + `","devices":["` + gsme + `"]}`
	first, body := s.send("POST", "/v1/updates", order, "Idempotency-Key", "k1", "Content-Type", "application/json")
	again, repeated := s.send("POST", "/v1/updates", order, "Idempotency-Key", "k1", "Content-Type", "application/json")
	if first.StatusCode != 202 || again.StatusCode != 202 || body != repeated || again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s, again %d %s", first.StatusCode, body, again.StatusCode, repeated)
	}
	if resp, _ := s.send("POST", "/v1/updates", order, "Idempotency-Key", "k2", "Content-Type", "application/json"); resp.StatusCode != 409 {
		t.Errorf("another key: %d, want a conflict with the update under way", resp.StatusCode)
	}
	if resp, _ := s.send("POST", "/v1/devices/"+gsme+"/activation", "{}", "Idempotency-Key", "k1", "Content-Type", "application/json"); resp.StatusCode != 422 {
		t.Errorf("the key of another request: %d", resp.StatusCode)
	}
	if resp, _ := s.send("POST", "/v1/updates", order, "Idempotency-Key", strings.Repeat("x", 65), "Content-Type", "application/json"); resp.StatusCode != 422 {
		t.Errorf("a key that is too long: %d", resp.StatusCode)
	}
	before := len(s.store.Messages())
	for range 3 {
		if resp, _ := s.send("POST", "/v1/devices/"+gsme+"/activation", "{}", "Idempotency-Key", "k3", "Content-Type", "application/json"); resp.StatusCode != 202 {
			t.Errorf("activate: %d", resp.StatusCode)
		}
	}
	if n := len(s.store.Messages()) - before; n != 1 {
		t.Errorf("%d orders wait, want 1", n)
	}
}

// A failure of the hub's is not the answer for good: the client shall try again.
func TestAKeyWhoseRequestFailedCanBeUsedAgain(t *testing.T) {
	var stopped error
	s := newServer(t, func(b *api.Backend) {
		operate := b.Operate
		b.Operate = func(f func(*hub.Hub, time.Time, *han.Outbox) error) error {
			if stopped != nil {
				return stopped
			}
			return operate(f)
		}
	})
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	order := `{"image":"` + im["sha256"].(string) + `","devices":["` + gsme + `"]}`
	stopped = errors.Join(api.ErrStopped, errors.New("for the test"))
	if resp, _ := s.send("POST", "/v1/updates", order, "Idempotency-Key", "k", "Content-Type", "application/json"); resp.StatusCode != 503 {
		t.Errorf("a stopped hub: %d", resp.StatusCode)
	}
	stopped = nil
	if resp, _ := s.send("POST", "/v1/updates", order, "Idempotency-Key", "k", "Content-Type", "application/json"); resp.StatusCode != 202 {
		t.Errorf("again: %d", resp.StatusCode)
	}
}

func TestPreconditions(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	device, _ := s.send("GET", "/v1/devices/"+gsme, "")
	update, _ := s.send("GET", "/v1/updates/"+gsme, "")
	for _, tt := range []struct {
		method, path, tag string
		want              int
	}{
		{"POST", "/v1/devices/" + gsme + "/activation", `"0123"`, 412},
		{"DELETE", "/v1/updates/" + gsme, `"0123"`, 412},
		{"DELETE", "/v1/devices/" + gsme, `"0123", "4567"`, 412},
		{"DELETE", "/v1/updates/" + gsme, `"0123", ` + update.Header.Get("ETag"), 204},
		{"DELETE", "/v1/devices/" + gsme, device.Header.Get("ETag"), 204},
	} {
		body := ""
		if tt.method == "POST" {
			body = "{}"
		}
		if resp, answer := s.send(tt.method, tt.path, body, "If-Match", tt.tag, "Content-Type", "application/json"); resp.StatusCode != tt.want {
			t.Errorf("%s %s if %s: %d %s, want %d", tt.method, tt.path, tt.tag, resp.StatusCode, answer, tt.want)
		}
	}
}

func TestListsComeInPages(t *testing.T) {
	s := newServer(t)
	for _, kind := range []string{"ESME", "GSME", "IHD", "PPMID", "CAD"} {
		eui := "00DB1234567890" + map[string]string{"ESME": "B0", "GSME": "B1", "IHD": "B2", "PPMID": "B3", "CAD": "B4"}[kind]
		if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+eui+`","kind":"`+kind+`"}`); status != 201 {
			t.Fatal(v)
		}
	}
	collect := func(path, list, key string) (all []any) {
		cursor := ""
		for range 10 {
			_, v := s.json("GET", path+cursor, "")
			for _, item := range v[list].([]any) {
				all = append(all, item.(map[string]any)[key])
			}
			next, more := v["next"].(string)
			if !more {
				return all
			}
			cursor = "&cursor=" + next
		}
		t.Errorf("%s does not end", path)
		return all
	}
	if got := collect("/v1/devices?limit=2", "devices", "eui64"); len(got) != 5 || got[0] != "00DB1234567890B0" || got[4] != "00DB1234567890B4" {
		t.Errorf("devices %v", got)
	}
	if got := collect("/v1/alerts?limit=2", "alerts", "sequence"); len(got) != 10 || got[0] != 1.0 || got[9] != 10.0 { // 8F12 and an answer for each
		t.Errorf("alerts %v", got)
	}
	if got := collect("/v1/alerts?limit=2&order=newest", "alerts", "sequence"); len(got) != 10 || got[0] != 10.0 || got[9] != 1.0 {
		t.Errorf("alerts, newest first %v", got)
	}
	if got := collect("/v1/alerts?limit=2&order=newest&after=2", "alerts", "sequence"); len(got) != 8 || got[7] != 3.0 {
		t.Errorf("alerts after 2, newest first %v", got)
	}
	if got := collect("/v1/alerts?limit=2&device=00DB1234567890B3", "alerts", "sequence"); len(got) != 1 || got[0] != 7.0 {
		t.Errorf("alerts of one device %v", got)
	}
	for _, path := range []string{"/v1/devices?cursor=!", "/v1/alerts?cursor=!", "/v1/alerts?cursor=eHl6", "/v1/devices?limit=0", "/v1/devices?colour=blue"} {
		if status, v := s.json("GET", path, ""); status != 422 {
			t.Errorf("%s: %d %v", path, status, v)
		}
	}
}

func TestABodyThatNeverEndsIsGivenUp(t *testing.T) {
	s := newServer(t, func(b *api.Backend) { b.BodyTimeout = 100 * time.Millisecond })
	for _, path := range []string{"/v1/devices", "/v1/images"} {
		stalled, w := io.Pipe()
		resp, err := http.Post(s.http.URL+path, "application/json", stalled)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if resp, err := http.Post(s.http.URL+"/v1/devices", "application/json", bytes.NewReader(make([]byte, 100<<10))); err != nil || resp.StatusCode != 413 {
		t.Errorf("a body of 100 KiB: %v %v", resp, err)
	}
}

// patientWriter remembers the deadlines of its connection.
type patientWriter struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (p *patientWriter) SetReadDeadline(t time.Time) error { p.read = append(p.read, t); return nil }
func (p *patientWriter) SetWriteDeadline(t time.Time) error {
	p.write = append(p.write, t)
	return nil
}

// An upload may take long as a whole: its deadlines move with it.
func TestALongUploadMovesItsDeadlines(t *testing.T) {
	s := newServer(t)
	w := &patientWriter{ResponseRecorder: httptest.NewRecorder()}
	body := iotest.OneByteReader(bytes.NewReader(testimage.GB(testimage.Options{Version: 2})))
	r := httptest.NewRequest("POST", "/v1/images", body)
	r.Host = "localhost"
	s.api.ServeHTTP(w, r)
	if w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if len(w.read) < 100 || len(w.write) < 100 || !w.write[len(w.write)-1].After(w.read[len(w.read)-1]) {
		t.Errorf("%d read and %d write deadlines", len(w.read), len(w.write))
	}
}
