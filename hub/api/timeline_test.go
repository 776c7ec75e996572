package api_test

import (
	"encoding/json"
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
			})})
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
	heard(10 * time.Minute)
	if code := waiting(); code != "heartbeat" {
		t.Errorf("between two heartbeats: %q", code)
	}
	u := s.store.Updates()[0]
	set := func(state hub.UpdateState, outcome string) {
		u.State, u.Outcome = uint8(state), outcome
		if err := s.store.Commit(store.Put(u)); err != nil {
			t.Fatal(err)
		}
	}
	set(hub.UpdateTransferred, "")
	if code := waiting(); code != "order" {
		t.Errorf("transferred: %q", code)
	}
	if resp, body := s.send("POST", "/v1/devices/"+gsme+"/activation", `{"at":"2026-01-06T03:00:00Z"}`, "Content-Type", "application/json"); resp.StatusCode != 202 {
		t.Fatal(body)
	}
	if code := waiting(); code != "mailbox" {
		t.Errorf("ordered: %q", code)
	}
	for _, m := range s.store.Messages() {
		if err := s.store.Commit(store.Delete(m)); err != nil {
			t.Fatal(err)
		}
	}
	_, v := s.json("GET", "/v1/updates/"+gsme, "")
	w := v["waiting"].(map[string]any)
	if w["code"] != "date" || w["until"] != "2026-01-06T03:00:00Z" {
		t.Errorf("dated: %v", w)
	}
	set(hub.UpdateActivating, "")
	if code := waiting(); code != "response" {
		t.Errorf("fetched: %q", code)
	}
	set(hub.UpdateActivated, "")
	if code := waiting(); code != "" {
		t.Errorf("at the end: %q", code)
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
