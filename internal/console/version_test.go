package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

// versionHub is a hub whose orders to read a version end as they shall, in the second
// look after they were given. There is an older one, and a newer one of another kind.
func versionHub(t *testing.T, ends api.Order) *client.Client {
	t.Helper()
	var looks, given atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "1")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/v1/hub":
			_ = json.NewEncoder(w).Encode(api.Hub{EUI64: 0x00DB1234567890A3, CHF: 0x00DB1234567890A2})
		case r.Method == http.MethodPost && r.URL.Path == "/v1/devices/00DB1234567890A2/firmware-version":
			given.Add(1)
			w.WriteHeader(http.StatusAccepted)
		case r.URL.Path == "/v1/orders" && r.URL.Query().Get("device") == "00DB1234567890A2":
			orders := []api.Order{{Counter: 7, Code: "0059", State: "done", Outcome: "runs firmware version 00000001"}, {Counter: 9, Code: "0012", State: "queued"}}
			if given.Load() > 0 {
				o := api.Order{Counter: 8, Code: "0059", State: "queued"}
				if looks.Add(1) > 1 {
					o.State, o.Outcome = ends.State, ends.Outcome
				}
				orders = append(orders, o)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"orders": orders})
		default:
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}))
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAVersionIsTheAnswerToItsOwnOrder, not to an older one, and what came of it is told.
func TestAVersionIsTheAnswerToItsOwnOrder(t *testing.T) {
	for _, tt := range []struct {
		ends     api.Order
		patience time.Duration
		want     string
	}{
		{api.Order{State: "done", Outcome: "runs firmware version 0A000002"}, time.Minute, "<nil>"},
		{api.Order{State: "failed", Outcome: "no firmware version to read: UNSUPPORTED_ATTRIBUTE"}, time.Minute, "00DB1234567890A2: failed, no firmware version to read: UNSUPPORTED_ATTRIBUTE"},
		{api.Order{State: "expired"}, time.Minute, "00DB1234567890A2: expired"},
		{api.Order{State: "delivered"}, time.Millisecond, "00DB1234567890A2: not answered yet"},
	} {
		c := versionHub(t, tt.ends)
		eui, err := Versioned(t.Context(), c, "HUB")
		if err != nil {
			t.Fatal(err)
		}
		o, err := ReadVersion(t.Context(), c, eui, tt.patience)
		if o.Counter != 8 || o.Outcome != tt.ends.Outcome || !strings.HasPrefix(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: order %+v, %v", tt.ends.State, o, err)
		}
	}
	if gpf, err := Versioned(t.Context(), versionHub(t, api.Order{}), "gpf"); err != nil || gpf != 0x00DB1234567890A3 {
		t.Errorf("the gas proxy is %s, %v", gpf, err)
	}
	if _, err := Versioned(t.Context(), nil, "00DB"); !errors.Is(err, ErrNoDevice) {
		t.Errorf("half a device: %v", err)
	}
}
