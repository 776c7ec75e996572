package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

// TestALogIsAskedForAndShown; with last nothing is ordered.
func TestALogIsAskedForAndShown(t *testing.T) {
	const device = 0x00DB1234567890A1
	ordered := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "1")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodPost && r.URL.Path == "/v1/devices/00DB1234567890A1/logs/security":
			ordered++
			w.WriteHeader(http.StatusAccepted)
		case r.URL.Path == "/v1/orders":
			orders := []api.Order{{Counter: 9, Code: "0014", State: "failed"}}
			if ordered > 0 {
				orders = append(orders, api.Order{Counter: 8, Code: "00A1", State: "done"})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"orders": orders})
		case r.URL.Path == "/v1/devices/00DB1234567890A1/logs/security":
			_ = json.NewEncoder(w).Encode(api.MeterLog{Device: device, Log: "security", ReadAt: time.Unix(0, 0).UTC(), Entries: []api.LogEntry{
				{At: time.Unix(1, 0).UTC(), Code: "8F43", Name: "Change in the executing Firmware version"}}})
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}))
	defer server.Close()
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, last := range []bool{true, false} {
		l, err := ReadLog(t.Context(), c, device, true, last, time.Minute)
		if err != nil || ordered != i {
			t.Fatalf("last %v: %v, ordered %d times", last, err, ordered)
		}
		var b strings.Builder
		if err := WriteLog(&b, l); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"1970-01-01T00:00:01Z", "8F43", "Change in the executing", "security log of 00DB1234567890A1"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s\nlacks %q", fmt.Sprint(b.String()), want)
			}
		}
	}
}
