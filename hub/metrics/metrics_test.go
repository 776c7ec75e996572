package metrics_test

import (
	"errors"

	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/metrics"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

const gsme han.EUI64 = 0x00DB1234567890A1

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// home is a hub with a gas meter that took half an image.
func home(t *testing.T) (*metrics.Metrics, *store.Store, *observe.Observer) {
	t.Helper()
	records := store.NewMemory()
	m := metrics.New()
	records.Watched(m.Commit)
	for _, r := range []store.Record{
		store.Device{EUI64: gsme, Kind: store.KindGSME}, store.Mirror{Device: gsme, UpdatedAt: start.Add(-time.Hour).UnixMicro()},
		store.Image{FileHash: [32]byte{1}, Size: 960}, store.Update{Device: gsme, FileHash: [32]byte{1}},
		store.Message{Device: gsme, Sequence: 1},
	} {
		if err := records.Commit(store.Put(r)); err != nil {
			t.Fatal(err)
		}
	}
	o := observe.New(hub.DefaultConfig(), records, start)
	m.Watch(metrics.Sources{
		Store: records, Observer: o, Now: func() time.Time { return start.Add(time.Hour) },
		Link: func() metrics.Link {
			return metrics.Link{HandshakesCompleted: 3, HandshakesFailed: 2, Unproven: 4, RecordsReplayed: 6}
		},
		Battery: func(han.EUI64) (metrics.Battery, bool) {
			return metrics.Battery{HasRemaining: true, Remaining: 0.99, HasLife: true, Life: 24 * time.Hour, Coulombs: map[string]float64{"sleep": 0.5, "processor": 0.06388888888888888 * 0.0036}}, true
		},
		Connected: func(han.EUI64) bool { return true }, BrokerUp: func() (bool, time.Time) { return true, start }, Readers: func() int { return 7 },
		Version: "test", Commit: "abc",
	})
	return m, records, o
}

// scrape returns the metrics as Prometheus gets them, by name and labels.
func scrape(t *testing.T, m *metrics.Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	all := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && !strings.HasPrefix(line, "#") {
			all[line[:at]] = strings.TrimSpace(line[at:])
		}
	}
	return all
}

func TestWhatPrometheusGets(t *testing.T) {
	m, records, o := home(t)
	m.Answered("GET", "GET /v1/devices", 200, time.Millisecond)
	m.Answered("FOO", "none", 405, time.Millisecond)
	m.Answered("GET", "GET /events", 200, time.Hour)
	self := uint64(hub.DefaultConfig().EUI64)
	for i, code := range []uint16{0x8F72, 0x8F72, 0x1234, 0x1235} {
		if err := records.Commit(store.Put(store.InboxEntry{Sequence: uint64(i + 1), Device: gsme, Code: code})); err != nil {
			t.Fatal(err)
		}
		o.Record(&trace.Record{At: start, Node: self, Kind: trace.MessageReceived, Peer: uint64(gsme)})
	}
	o.Record(&trace.Record{At: start, Node: self, Kind: trace.MirrorUpdated, Peer: uint64(gsme)})
	if err := records.Close(); err != nil {
		t.Fatal(err)
	}
	m.Commit()(errors.New("the disk is full"))
	got := scrape(t, m)
	for name, want := range map[string]string{
		`commshub_alerts_total{code="8F72",name="Firmware Verification Successful"}`:                      "2",
		`commshub_alerts_total{code="8F1C",name="Firmware Verification Failed"}`:                          "0",
		`commshub_alerts_total{code="other",name=""}`:                                                     "2",
		`commshub_battery_remaining_ratio{device="00DB1234567890A1"}`:                                     "0.99",
		`commshub_battery_life_seconds{device="00DB1234567890A1"}`:                                        "86400",
		`commshub_battery_charge_coulombs_total{cause="processor",device="00DB1234567890A1"}`:             "0.00023",
		`commshub_battery_charge_coulombs_total{cause="sleep",device="00DB1234567890A1"}`:                 "0.5",
		`commshub_broker_connected`:                                                                       "1",
		`commshub_build_info{goversion="` + runtime.Version() + `",revision="abc",version="test"}`:        "1",
		`commshub_device_connected{device="00DB1234567890A1",kind="GSME"}`:                                "1",
		`commshub_device_heartbeat_overdue{device="00DB1234567890A1",kind="GSME"}`:                        "1",
		`commshub_device_heartbeat_overdue_since_emulated_seconds{device="00DB1234567890A1",kind="GSME"}`: strconv.FormatFloat(float64(start.Add(30*time.Minute).Unix()), 'g', -1, 64),
		`commshub_devices{kind="GSME"}`:                                                                   "1",
		`commshub_dtls_handshakes_total{result="completed"}`:                                              "3",
		`commshub_dtls_handshakes_total{result="failed"}`:                                                 "2",
		`commshub_dtls_install_codes_unproven_total`:                                                      "4",
		`commshub_dtls_records_replayed_total`:                                                            "6",
		`commshub_event_readers`:                                                                          "7",
		`commshub_heartbeats_total{device="00DB1234567890A1",kind="GSME"}`:                                "1",
		`commshub_http_request_duration_seconds_count{code="200",method="GET",route="GET /v1/devices"}`:   "1",
		`commshub_http_request_duration_seconds_count{code="405",method="other",route="none"}`:            "1",
		`commshub_http_request_duration_seconds_count{code="200",method="GET",route="GET /events"}`:       "",
		`commshub_mailbox_messages{device="00DB1234567890A1",kind="GSME"}`:                                "1",
		`commshub_store_commit_duration_seconds_count{result="done"}`:                                     "9",
		`commshub_store_commit_duration_seconds_count{result="failed"}`:                                   "1",
		`commshub_update_progress_ratio{device="00DB1234567890A1",kind="GSME"}`:                           "0",
		`commshub_updates{state="pending"}`:                                                               "1",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// However many codes devices make up, and devices come and go, the number of series
// stays.
func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	m, records, o := home(t)
	before := len(scrape(t, m))
	self := uint64(hub.DefaultConfig().EUI64)
	for i := range 3000 {
		if err := records.Commit(store.Put(store.InboxEntry{Sequence: uint64(i + 1), Device: gsme, Code: uint16(0x2000 + i)})); err != nil {
			t.Fatal(err)
		}
		o.Record(&trace.Record{At: start, Node: self, Kind: trace.AlertRaised})
		eui := han.EUI64(i + 1)
		if err := records.Commit(store.Put(store.Device{EUI64: eui, Kind: store.KindGSME})); err != nil {
			t.Fatal(err)
		}
		o.Record(&trace.Record{At: start, Node: self, Kind: trace.DeviceAdded, Peer: uint64(eui)})
		if err := records.Commit(store.Delete(store.Device{EUI64: eui})); err != nil {
			t.Fatal(err)
		}
		o.Record(&trace.Record{At: start, Node: self, Kind: trace.DeviceRemoved, Peer: uint64(eui)})
	}
	if after := len(scrape(t, m)); after > before+10 {
		t.Errorf("%d series, before %d", after, before)
	}
}

var metricName = regexp.MustCompile(`\bcommshub_[a-z_]+`)

// What the alert rules and the dashboard ask for is there.
func TestRulesAndDashboardAskForWhatThereIs(t *testing.T) {
	m, _, o := home(t)
	o.Record(&trace.Record{At: start, Kind: trace.NodeStarted})
	m.Answered("GET", "GET /v1/devices", 200, time.Millisecond)
	var names []string
	for series := range scrape(t, m) {
		name, _, _ := strings.Cut(series, "{")
		names = append(names, name)
	}
	for _, file := range []string{"../../compose/prometheus/alerts.yaml", "../../compose/grafana/commshub.json", "../../docs/api.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := metricName.FindAllString(string(text), -1)
		if len(asked) < 5 {
			t.Errorf("%s asks for %d metrics", file, len(asked))
		}
		for _, name := range asked {
			if !slices.ContainsFunc(names, func(have string) bool { return have == name || have == name+"_count" }) {
				t.Errorf("%s asks for %s, which is not there", file, name)
			}
		}
	}
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "commshub_") && !strings.Contains(string(text), name) {
			t.Errorf("docs/api.md does not list %s", name)
		}
	}
}
