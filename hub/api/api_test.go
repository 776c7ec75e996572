package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
)

const (
	esme = "00DB1234567890A0"
	gsme = "00DB1234567890A1"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// server is the interface in front of a hub in memory.
type server struct {
	t        *testing.T
	http     *httptest.Server
	api      *api.API
	store    *store.Store
	cache    *imagecache.Cache
	observer *observe.Observer
	mu       sync.Mutex // one operation at a time
}

func newServer(t *testing.T, changes ...func(*api.Backend)) *server {
	t.Helper()
	s := &server{t: t, store: store.NewMemory(), cache: imagecache.NewMemory()}
	var out han.Outbox
	supplier := headend.New(headend.Config{Supplier: hub.DefaultConfig().Supplier, Key: &testimage.Supplier().PublicKey,
		Security: nodetest.SupplierSecurity()}, s.store)
	h := hub.New(nodetest.WithKeys(hub.DefaultConfig()), s.store, s.cache, supplier, start, &out)
	supplier.Connect(start, &out, h)
	s.observer = observe.New(hub.DefaultConfig(), s.store, start)
	b := api.Backend{
		Operate: func(f func(*hub.Hub, time.Time, *han.Outbox) error) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			defer out.Reset()
			err := f(h, start, &out)
			for i := range out.Records {
				s.observer.Record(&out.Records[i])
			}
			for i := range out.Frames {
				s.observer.Frame(start, &out.Frames[i], han.Unharmed)
			}
			return err
		},
		Clock:   func() api.Clock { return api.Clock{Now: start, Speed: 600, Wall: start, Emulated: start} },
		HeadEnd: supplier,
		Store:   s.store, Cache: s.cache, Observer: s.observer, Version: "test", Config: hub.DefaultConfig(),
	}
	for _, change := range changes {
		change(&b)
	}
	s.api = api.New(b)
	s.http = serve(s.api)
	t.Cleanup(s.http.Close)
	t.Cleanup(s.api.Close)
	return s
}

// serve serves a handler whose connections keep little for a client that takes
// nothing.
func serve(h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(16 << 10)
		return ctx
	}
	server.Start()
	return server
}

// call sends a request and returns the status and the decoded answer.
func (s *server) call(method, path, contentType string, body io.Reader) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.http.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
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
	var v map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &v); err != nil {
			s.t.Fatalf("%s %s: answer is no JSON: %q", method, path, b)
		}
	}
	if resp.StatusCode >= 400 && resp.Header.Get("Content-Type") != "application/problem+json" {
		s.t.Errorf("%s %s: a refusal of type %q, want a problem", method, path, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, v
}

func (s *server) json(method, path, body string) (int, map[string]any) {
	s.t.Helper()
	return s.call(method, path, "application/json", strings.NewReader(body))
}

func (s *server) upload(file []byte) (int, map[string]any) {
	s.t.Helper()
	return s.call("POST", "/v1/images", "application/octet-stream", bytes.NewReader(file))
}

// TestAnInstallCodeGoesInAndNotOut of the device log.
func TestAnInstallCodeGoesInAndNotOut(t *testing.T) {
	s := newServer(t)
	const code = "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"
	status, v := s.json("POST", "/v1/devices", `{"eui64":"`+gsme+`","kind":"GSME","install_code":"`+code+`"}`)
	if status != 201 || v["install_code"] != true {
		t.Errorf("added: %d %v", status, v)
	}
	if d := s.store.Devices()[0]; d.InstallCode != [16]byte{0x83, 0xFE, 0xD3, 0x40, 0x7A, 0x93, 0x97, 0x23, 0xA5, 0xC6, 0x39, 0xB2, 0x69, 0x16, 0xD5, 0x05} {
		t.Errorf("kept % X", d.InstallCode)
	}
	for _, wrong := range []string{"", code[:len(code)-1] + "6", "83FE"} {
		status, v := s.json("POST", "/v1/devices", `{"eui64":"`+esme+`","kind":"ESME","install_code":"`+wrong+`"}`)
		if detail, _ := v["detail"].(string); status != 422 || wrong != "" && strings.Contains(detail, wrong) {
			t.Errorf("%q: %d %v", wrong, status, v)
		}
	}
}

func TestAnUpdateThroughTheInterface(t *testing.T) {
	s := newServer(t)
	for eui, kind := range map[string]string{esme: "ESME", gsme: "GSME"} {
		if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+eui+`","kind":"`+kind+`"}`); status != 201 || v["eui64"] != eui {
			t.Fatalf("add device: %d %v", status, v)
		}
	}
	status, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	if status != 201 || im["version"] != "00000002" || im["supplier_verified"] != true {
		t.Fatalf("upload: %d %v", status, im)
	}
	status, v := s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+esme+`","`+gsme+`"]}`)
	if status != 202 || len(v["updates"].([]any)) != 2 {
		t.Fatalf("distribute: %d %v", status, v)
	}
	if status, v := s.json("POST", "/v1/devices/"+gsme+"/activation", `{"at":"2026-01-06T00:00:00Z"}`); status != 202 {
		t.Errorf("activate: %d %v", status, v)
	}
	if status, v := s.json("DELETE", "/v1/devices/"+gsme+"/activation", ""); status != 202 {
		t.Errorf("cancel activation: %d %v", status, v)
	}
	if status, v := s.json("POST", "/v1/devices/"+esme+"/firmware-version", ""); status != 202 {
		t.Errorf("read version: %d %v", status, v)
	}
	if status, _ := s.json("DELETE", "/v1/updates/"+gsme, ""); status != 204 {
		t.Errorf("cancel update: %d", status)
	}
	if _, v := s.json("GET", "/v1/alerts?limit=1", ""); len(v["alerts"].([]any)) != 1 {
		t.Errorf("alerts: %v", v)
	}
	if status, _ := s.json("DELETE", "/v1/devices/"+gsme, ""); status != 204 {
		t.Errorf("remove device: %d", status)
	}
	if _, v := s.json("GET", "/v1/devices", ""); len(v["devices"].([]any)) != 1 {
		t.Errorf("devices: %v", v)
	}
}

func TestRefusalsSayWhyAndChangeNothing(t *testing.T) {
	s := newServer(t)
	if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+gsme+`","kind":"GSME"}`); status != 201 {
		t.Fatalf("add device: %d %v", status, v)
	}
	good := testimage.GB(testimage.Options{Version: 2})
	spoiled := bytes.Clone(good)
	spoiled[len(spoiled)-1] ^= 1
	image := strings.Repeat("0", 64)
	tests := []struct {
		name         string
		method, path string
		body         string
		status       int
		want         string // in the detail
	}{
		{"a device twice", "POST", "/v1/devices", `{"eui64":"` + gsme + `","kind":"GSME"}`, 409, "in the device log already"},
		{"a device of no kind", "POST", "/v1/devices", `{"eui64":"` + esme + `","kind":"TOASTER"}`, 422, ""},
		{"a device without an address", "POST", "/v1/devices", `{"eui64":"12","kind":"ESME"}`, 422, "want 16 hex digits"},
		{"no JSON", "POST", "/v1/devices", `{"eui64":`, 400, ""},
		{"a field too many", "POST", "/v1/devices", `{"eui64":"` + esme + `","kind":"ESME","colour":"blue"}`, 422, ""},
		{"an unknown device removed", "DELETE", "/v1/devices/" + esme, "", 404, "not in the device log"},
		{"a path that is no address", "DELETE", "/v1/devices/xyz", "", 422, "want 16 hex digits"},
		{"an unknown image distributed", "POST", "/v1/updates", `{"image":"` + image + `","devices":["` + gsme + `"]}`, 404, "not in the image cache"},
		{"no image named", "POST", "/v1/updates", `{"image":"12","devices":["` + gsme + `"]}`, 422, ""},
		{"nobody to distribute to", "POST", "/v1/updates", `{"image":"` + image + `","devices":[]}`, 422, ""},
		{"one device twice", "POST", "/v1/updates", `{"image":"` + image + `","devices":["` + gsme + `","` + gsme + `"]}`, 422, "is named twice"},
		{"nothing to cancel", "DELETE", "/v1/updates/" + gsme, "", 409, "there is none"},
		{"nothing to activate", "POST", "/v1/devices/" + gsme + "/activation", `{}`, 409, "name the image's hash"},
		{"a hash that is none", "POST", "/v1/devices/" + gsme + "/activation", `{"image_hash":"12"}`, 422, "want 64 hex digits"},
		{"a time that is none", "POST", "/v1/devices/" + gsme + "/activation", `{"at":"soon"}`, 422, ""},
		{"no readings yet", "GET", "/v1/mirror/" + gsme, "", 404, "no readings are kept"},
		{"a limit out of range", "GET", "/v1/alerts?limit=0", "", 422, ""},
		{"an empty file", "POST", "/v1/images", "", 422, "an empty file"},
		{"a spoiled signature", "POST", "/v1/images", string(spoiled), 422, "GB trailer (the last 66 bytes) is not by the home's supplier"},
		{"a truncated image", "POST", "/v1/images", string(good[:200]), 422, "truncated"},
	}
	alerts := len(s.store.Inbox(0, 100))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, v := s.json(tt.method, tt.path, tt.body)
			if status != tt.status {
				t.Errorf("status %d, want %d: %v", status, tt.status, v)
			}
			if detail, _ := v["detail"].(string); !strings.Contains(detail, tt.want) || strings.Contains(detail, "\n") {
				t.Errorf("detail %q, want one line with %q", detail, tt.want)
			}
		})
	}
	if hashes, err := s.cache.List(); err != nil || len(hashes) != 0 {
		t.Errorf("the cache holds %v, %v", hashes, err)
	}
	if len(s.store.Devices()) != 1 || len(s.store.Images()) != 0 || len(s.store.Messages()) != 0 || len(s.store.Inbox(0, 100)) != alerts {
		t.Error("a refusal left something in the store")
	}
}

func TestTooLargeAFileIsRefusedBeforeItIsRead(t *testing.T) {
	s := newServer(t)
	status, v := s.call("POST", "/v1/images", "application/octet-stream", io.LimitReader(zeros{}, 300_000_000))
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(v["detail"].(string), "too large") {
		t.Errorf("%d %v", status, v)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTheInterfaceDescribesItself(t *testing.T) {
	s := newServer(t)
	status, v := s.json("GET", "/openapi.json", "")
	if status != 200 || v["openapi"] != "3.1.0" {
		t.Fatalf("%d, OpenAPI %v", status, v["openapi"])
	}
	paths := v["paths"].(map[string]any)
	for _, want := range []string{"/v1/devices", "/v1/images", "/v1/updates", "/v1/alerts", "/v1/clock", "/v1/health", "/v1/mirror/{eui64}"} {
		if _, ok := paths[want]; !ok {
			t.Errorf("%s is not described", want)
		}
	}
	if _, ok := paths["/v1/images"].(map[string]any)["post"]; !ok {
		t.Error("the upload is not described")
	}
	if status, v := s.json("GET", "/v1/health", ""); status != 200 || v["status"] != "ok" {
		t.Errorf("health: %d %v", status, v)
	}
	if _, v := s.json("GET", "/v1/clock", ""); v["speed"] != 600.0 {
		t.Errorf("clock: %v", v)
	}
}

// TestAHubWithoutItsBrokerIsNotWell, says since when, and is well again with it; the
// process is alive all the while.
func TestAHubWithoutItsBrokerIsNotWell(t *testing.T) {
	var up atomic.Bool
	since := time.Date(2026, 3, 1, 19, 23, 4, 0, time.UTC)
	s := newServer(t, func(b *api.Backend) {
		b.BrokerUp = func() (bool, time.Time) { return up.Load(), since }
		b.BrokerReason = func() string { return "connect to mqtt://broker:1883: not authorized" }
	})
	if status, v := s.json("GET", "/v1/health", ""); status != 503 || !strings.Contains(fmt.Sprint(v["detail"]), "no MQTT broker since 2026-03-01T19:23:04Z (wall clock) and reaches no device: connect to mqtt://broker:1883: not authorized") {
		t.Errorf("without its broker: %d %v", status, v)
	}
	if status, v := s.json("GET", "/v1/hub", ""); status != 200 || v["broker_connected"] != false || v["broker_since_wall"] != "2026-03-01T19:23:04Z" || v["broker_reason"] != "connect to mqtt://broker:1883: not authorized" {
		t.Errorf("without its broker: %d %v", status, v)
	}
	if status, _ := s.json("GET", "/v1/health/live", ""); status != 200 {
		t.Errorf("alive without its broker: %d", status)
	}
	up.Store(true)
	if status, v := s.json("GET", "/v1/health", ""); status != 200 {
		t.Errorf("with its broker again: %d %v", status, v)
	}
	if _, v := s.json("GET", "/v1/hub", ""); v["broker_reason"] != nil {
		t.Errorf("with its broker again: %v", v)
	}
}

// TestAHubThatCannotWriteIsNotWell: it says why, and is well again when it can.
func TestAHubThatCannotWriteIsNotWell(t *testing.T) {
	unkept := errors.New("no space left on device")
	s := newServer(t, func(b *api.Backend) { b.Unkept = func() error { return unkept } })
	if status, v := s.json("GET", "/v1/health", ""); status != 503 || !strings.Contains(fmt.Sprint(v["detail"]), "cannot write its records") || !strings.Contains(fmt.Sprint(v["detail"]), unkept.Error()) {
		t.Errorf("without room: %d %v", status, v)
	}
	if status, _ := s.json("GET", "/v1/health/ready", ""); status != 503 {
		t.Errorf("ready without room: %d", status)
	}
	unkept = nil
	if status, v := s.json("GET", "/v1/health", ""); status != 200 {
		t.Errorf("with room again: %d %v", status, v)
	}
}
