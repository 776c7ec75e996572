package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

// aDay lets the gas meter take 16,000 blocks in 48 windows.
func (s *server) aDay() {
	s.t.Helper()
	self := hub.DefaultConfig().EUI64
	const meter han.EUI64 = 0x00DB1234567890A1
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2, PayloadSize: 16_000 * 48}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	hash, err := imagecache.ParseHash(im["sha256"].(string))
	if err != nil {
		s.t.Fatal(err)
	}
	record, _ := s.store.ImageByFileHash(hash)
	header := zcl.Header{ClusterSpecific: true, ToClient: true, Command: ota.CommandImageBlockResponse}
	block := uint32(0)
	for window := range 48 {
		at := start.Add(time.Duration(window) * 30 * time.Minute)
		s.observer.Record(&trace.Record{At: at, Node: uint64(self), Kind: trace.MirrorUpdated, Peer: uint64(meter)})
		for ; block < uint32(window+1)*16_000/48; block++ {
			at = at.Add(100 * time.Millisecond)
			s.observer.Frame(at, &han.Frame{Src: self, Dst: meter, Cluster: ota.ClusterID, Payload: zcl.AppendFrame(nil, header, ota.ImageBlockResponse{
				Status: zcl.StatusSuccess, Image: record.ID(), Offset: block * 48, Data: make([]byte, 48),
			})}, han.Unharmed)
		}
	}
}

func TestADayOf16000BlocksIsAShortAnswer(t *testing.T) {
	s := newServer(t)
	s.aDay()
	_, text := s.send("GET", "/v1/updates/"+gsme+"/timeline", "")
	var v api.Timeline
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	blocks := uint32(0)
	for _, w := range v.Windows {
		blocks += w.Blocks
	}
	if len(v.Windows) != 48 || blocks != 16_000 || len(v.Served) != 1 || v.Served[0] != (api.Run{0, 768_000}) {
		t.Errorf("%d windows, %d blocks, served %v", len(v.Windows), blocks, v.Served)
	}
	if len(text) > 20<<10 {
		t.Errorf("%d bytes", len(text))
	}
	t.Logf("%d bytes", len(text))
}

func TestWhyAnUpdateWaits(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	waiting := func() string {
		_, v := s.json("GET", "/v1/updates/"+gsme, "")
		w, _ := v["waiting"].(map[string]any)
		code, _ := w["code"].(string)
		return code
	}
	if code := waiting(); code != "unheard" {
		t.Errorf("before its first heartbeat: %q", code)
	}
	heard := func(ago time.Duration) {
		s.observer.Record(&trace.Record{At: start.Add(-ago), Node: uint64(hub.DefaultConfig().EUI64), Kind: trace.MirrorUpdated, Peer: 0x00DB1234567890A1})
	}
	heard(32 * time.Minute)
	if code := waiting(); code != "overdue" {
		t.Errorf("two minutes after its heartbeat was due: %q", code)
	}
	_, silent := s.json("GET", "/v1/updates/"+gsme, "")
	if silent["expected_at"] != nil || silent["windows_left"] != nil || !strings.Contains(fmt.Sprint(silent["waiting"]), "silent since "+start.Add(-32*time.Minute).Format(time.RFC3339)) {
		t.Errorf("an update of a silent meter has a time to come: %v", silent)
	}
	if _, d := s.json("GET", "/v1/devices/"+gsme, ""); d["next_heartbeat"] != nil || d["overdue_since"] != start.Add(-2*time.Minute).Format(time.RFC3339) {
		t.Errorf("a silent meter: %v", d)
	}
	heard(10 * time.Minute)
	if code := waiting(); code != "heartbeat" {
		t.Errorf("between two heartbeats: %q", code)
	}
	u := s.store.Updates()[0]
	set := func(state store.UpdateState, outcome string) {
		u.State, u.Outcome = state, outcome
		if err := s.store.Commit(store.Put(u)); err != nil {
			t.Fatal(err)
		}
	}
	set(store.UpdateTransferred, "")
	if code := waiting(); code != "order" {
		t.Errorf("transferred: %q", code)
	}
	if resp, body := s.send("POST", "/v1/devices/"+gsme+"/activation", `{"at":"2026-01-06T03:00:00Z"}`, "Content-Type", "application/json"); resp.StatusCode != 202 {
		t.Fatal(body)
	}
	if code := waiting(); code != "mailbox" {
		t.Errorf("ordered: %q", code)
	}
	for _, o := range s.store.OrdersOf(u.Device) {
		o.State = store.OrderAccepted
		u, _ = s.store.Update(o.Device, u.FileHash)
		if err := s.store.Commit(store.Put(o)); err != nil {
			t.Fatal(err)
		}
	}
	_, v := s.json("GET", "/v1/updates/"+gsme, "")
	w := v["waiting"].(map[string]any)
	if w["code"] != "date" || w["until"] != "2026-01-06T03:00:00Z" {
		t.Errorf("dated: %v", w)
	}
	set(store.UpdateActivating, "")
	if code := waiting(); code != "response" {
		t.Errorf("fetched: %q", code)
	}
	set(store.UpdateActivated, "")
	if code := waiting(); code != "" {
		t.Errorf("at the end: %q", code)
	}
}

// TestASilentMeterIsSaidToBe, whatever its update waits for.
func TestASilentMeterIsSaidToBe(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	u := s.store.Updates()[0]
	u.State = store.UpdateActivating
	if err := s.store.Commit(store.Put(u)); err != nil {
		t.Fatal(err)
	}
	s.observer.Record(&trace.Record{At: start.Add(-32 * time.Minute), Node: uint64(hub.DefaultConfig().EUI64), Kind: trace.MirrorUpdated, Peer: 0x00DB1234567890A1})
	_, v := s.json("GET", "/v1/updates/"+gsme, "")
	w := v["waiting"].(map[string]any)
	if w["code"] != "response" || w["silent_since"] != start.Add(-32*time.Minute).Format(time.RFC3339) ||
		w["overdue_since"] != start.Add(-2*time.Minute).Format(time.RFC3339) || !strings.Contains(w["text"].(string), "its answer is to come; the meter is silent since") {
		t.Errorf("the answer of a silent meter is to come: %v", w)
	}
}

// TestAVersionThatAnotherReplaced was activated, and does not run any more.
func TestAVersionThatAnotherReplaced(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	u := s.store.Updates()[0]
	u.State = store.UpdateActivated
	for version, want := range map[uint32]any{2: nil, 3: true} {
		d, _ := s.store.Device(u.Device)
		d.FirmwareVersion, d.LastHeard = version, start.UnixMicro()
		if err := s.store.Commit(store.Put(u), store.Put(d)); err != nil {
			t.Fatal(err)
		}
		if _, v := s.json("GET", "/v1/updates/"+gsme, ""); v["replaced"] != want {
			t.Errorf("the device runs version %d: replaced %v, want %v", version, v["replaced"], want)
		}
	}
}

// TestWithoutItsBrokerAHubReachesNobody: sessions carry nothing, and no update goes on.
func TestWithoutItsBrokerAHubReachesNobody(t *testing.T) {
	var up atomic.Bool
	s := newServer(t, func(b *api.Backend) {
		b.BrokerUp = func() (bool, time.Time) { return up.Load(), start }
		b.Connected = func(han.EUI64) bool { return true }
	})
	s.json("POST", "/v1/devices", addGSME)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	s.observer.Record(&trace.Record{At: start.Add(-10 * time.Minute), Node: uint64(hub.DefaultConfig().EUI64), Kind: trace.MirrorUpdated, Peer: 0x00DB1234567890A1})
	for _, with := range []bool{true, false} {
		up.Store(with)
		_, d := s.json("GET", "/v1/devices/"+gsme, "")
		_, u := s.json("GET", "/v1/updates/"+gsme, "")
		code := u["waiting"].(map[string]any)["code"]
		if d["connected"] != with || (u["expected_at"] != nil) != with || (code == "broker") == with {
			t.Errorf("broker %v: connected %v, waits for %v, expected at %v", with, d["connected"], code, u["expected_at"])
		}
	}
}

// TestAnElectricityMeterWithoutASession has no time at which it will be done.
func TestAnElectricityMeterWithoutASession(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", `{"eui64":"00DB1234567890A0","kind":"ESME"}`)
	_, im := s.upload(testimage.GB(testimage.Options{Version: 2}))
	s.json("POST", "/v1/updates", `{"image":"`+im["sha256"].(string)+`","devices":["00DB1234567890A0"]}`)
	u := s.store.Updates()[0]
	u.State = store.UpdateDownloading
	if err := s.store.Commit(store.Put(u)); err != nil {
		t.Fatal(err)
	}
	_, v := s.json("GET", "/v1/updates/00DB1234567890A0", "")
	if w, _ := v["waiting"].(map[string]any); w["code"] != "session" || v["expected_at"] != nil {
		t.Errorf("waits for %v, expected at %v", v["waiting"], v["expected_at"])
	}
}

func BenchmarkTimeline(b *testing.B) {
	s := newServer(&testing.T{})
	s.aDay()
	b.ResetTimer()
	for b.Loop() {
		s.send("GET", "/v1/updates/"+gsme+"/timeline", "")
	}
}
