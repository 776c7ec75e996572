//go:build browser

package dashboard_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/browsertest"
)

// TestBrowserShowsWhatIsNotBelieved: the last reading that is believed with its age, what is
// held and why, and that somebody can accept it; what is no reading at all nobody can.
func TestBrowserShowsWhatIsNotBelieved(t *testing.T) {
	updated := dayStart.Add((dayWindows - 1) * period)
	taken := updated.Add(-5 * time.Hour)
	register := api.Attribute{ID: "0000", Name: "CurrentSummationDelivered", Type: "25", Value: "123456", Text: "123.456 m³"}
	reset := register
	reset.Value, reset.Text = "5", "0.005 m³"
	percent := api.Attribute{ID: "0201", Name: "RemainingBatteryLife", Type: "20", Value: "250", Text: "250 %"}
	d := &day{feed: make(chan struct{}), mirrors: []api.Mirror{{
		Device: gasMeter, UpdatedAt: &updated, RegisterAt: &taken, Attributes: []api.Attribute{register},
		Quarantine: []api.Quarantined{
			{Attribute: reset, Rule: "backwards", Reason: "a register never goes back", Acceptable: true, Since: taken, At: updated, Count: 10},
			{Attribute: percent, Rule: "range", Reason: "the attribute has no such value", Since: taken, At: updated, Count: 1},
			{Attribute: percent, Rule: "range", Reason: "one that is over", Since: taken, At: taken, Count: 7, Over: true},
		},
	}}}
	accepted := make(chan string, 1)
	home := d.handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			home.ServeHTTP(w, r)
			return
		}
		var body struct{ Attribute string }
		_ = json.NewDecoder(r.Body).Decode(&body) // an empty one is seen below
		accepted <- r.URL.Path + " " + body.Attribute
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(d.mirrors[0]) // the browser is gone if this fails
	}))
	t.Cleanup(server.CloseClientConnections)
	b := browsertest.New(t)
	b.Look(1200, 900, "light")
	b.Open(server.URL + "/#/meters")
	b.Until("the readings are there", `document.querySelectorAll(".doubts li").length === 2`)
	if shown := b.Text(".doubts"); !strings.Contains(shown, "0.005 m³") || !strings.Contains(shown, "a register never goes back; 10 readings since") || strings.Contains(shown, "is over") {
		t.Errorf("held: %q", shown)
	}
	if age := b.Text(".card .age"); !strings.Contains(age, "5 h") {
		t.Errorf("its age: %q", age)
	}
	if n := browsertest.Eval[int](b, `[...document.querySelectorAll(".doubts button")].filter((b) => b.offsetParent).length`); n != 1 {
		t.Errorf("%d readings can be accepted, want 1", n)
	}
	b.Click(".doubts button", "Accept…")
	b.Click("dialog button", "Accept it")
	select {
	case got := <-accepted:
		if want := "/v1/mirror/" + gasMeter.String() + "/accept 0000"; got != want {
			t.Errorf("the page asked for %q, want %q", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Error("the page asked for nothing")
	}
}
