package systemtest

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/served"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/link"
)

// TestTheInterfaceSaysWhatTheLedgerSays: over a broker and DTLS, after an update and
// after the cell was drained by hand, the charge in the interface and in the metrics is
// that of the gas meter's own ledger within 1 %, cause by cause, and so is what the
// update cost, also where answers of the hub got lost.
func TestTheInterfaceSaysWhatTheLedgerSays(t *testing.T) {
	for _, c := range []struct {
		set  string
		loss float64
	}{{"2.4ghz-new", 0}, {"868-gb", 0.05}} {
		t.Run(fmt.Sprintf("%s at %v", c.set, c.loss), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			h := startLiveHome(t, ctx, samePolicy)
			h.config.Battery = must(battery.Named(c.set))
			url := h.serve(live.HubOptions{Speed: 6000, Seed: 1, Link: fault.Link{Loss: share(c.loss)}})
			defer h.close()
			h.addDevice(theGSME, store.KindGSME)
			m := sameMeter(store.KindGSME)
			m.Battery = h.config.Battery
			device := h.meter(m)
			s := &seenLedger{t: t, url: url, device: device}
			playSame(t, h, func() {})
			s.compare("after the update", true)
			if !device.Drain(50) {
				t.Fatal("the cell could not be drained")
			}
			s.compare("drained by hand", false)
		})
	}
}

// serve starts the hub with its interface and returns the URL.
func (h *liveHome) serve(o live.HubOptions) string {
	h.t.Helper()
	o.Config, o.Dir, o.Keys = h.config, filepath.Join(h.dir, "hub"), h.keys
	o.Broker = link.Broker{URL: h.broker.URL(), Username: "hub", Password: "h"}
	o.Credential = must(h.authority.Issue(h.config.EUI64, pki.RoleDevice))
	s, err := served.Start(h.ctx, served.Options{Hub: o, Listener: must(net.Listen("tcp", "127.0.0.1:0"))})
	if err != nil {
		h.t.Fatal(err)
	}
	h.hub = s.Hub
	h.closers = append(h.closers, func() error { h.hub = nil; return s.Close() })
	if err := h.hub.WaitUp(h.ctx); err != nil {
		h.t.Fatal(err)
	}
	return s.URL()
}

// seenLedger compares a gas meter's ledger with what a hub tells of it.
type seenLedger struct {
	t      *testing.T
	url    string
	device *live.Device
}

// compare lets the clock run for a heartbeat, and compares what is said when it stands.
func (s *seenLedger) compare(when string, update bool) {
	s.t.Helper()
	c := must(client.New(s.url, ""))
	call := func(method, path string, in, out any) {
		s.t.Helper()
		if err := c.Call(s.t.Context(), method, path, in, out); err != nil {
			s.t.Fatal(err)
		}
	}
	call(http.MethodPost, "/v1/clock", map[string]any{"action": "run", "for_s": gsme.DefaultPeriod.Seconds()}, nil)
	for clock := (api.Clock{}); !clock.Paused; time.Sleep(5 * time.Millisecond) {
		call(http.MethodGet, "/v1/clock", nil, &clock)
	}
	var ledger battery.Ledger
	var own meter.Status
	s.device.Node(func(now time.Time, n han.Node) {
		g := n.(*gsme.Meter)
		ledger, own = *g.Ledger, g.Status(now)
	})
	var told api.Battery
	call(http.MethodGet, "/v1/devices/"+theGSME.String()+"/battery", nil, &told)
	figures := s.metrics()
	s.same(when+": spent", *told.Spent, ledger.Total().MicroampHours())
	s.same(when+": left", *told.Remaining, ledger.Remaining().MicroampHours())
	s.same(when+": percent left", *told.Percent, ledger.PercentLeft())
	s.same(when+": radio on", *told.RadioOn, ledger.RadioOn().Seconds())
	for i, cause := range told.Causes {
		own := ledger.Spent(battery.Cause(i)).MicroampHours()
		s.same(when+": "+cause.Cause, cause.Charge, own)
		s.same(when+": metric of "+cause.Cause, figures[cause.Cause], own*coulombs)
	}
	if len(told.Causes) != int(battery.NumCauses) {
		s.t.Errorf("%s: %d causes, the ledger has %d", when, len(told.Causes), battery.NumCauses)
	}
	if update {
		s.same(when+": the update", told.Update.Charge, own.Update.Charge.MicroampHours())
	}
	call(http.MethodPost, "/v1/clock", map[string]any{"action": "resume"}, nil)
}

// same demands two figures within 1 %.
func (s *seenLedger) same(what string, told, own float64) {
	s.t.Helper()
	s.t.Logf("%s: %.4f, by the ledger %.4f", what, told, own)
	if math.Abs(told-own) > 0.01*own {
		s.t.Errorf("%s: %v, by the ledger %v", what, told, own)
	}
}

// coulombs are those of 1 µAh.
const coulombs = 0.0036

var chargeMetric = regexp.MustCompile(`(?m)^commshub_battery_charge_coulombs_total\{cause="([^"]+)",device="` + theGSME.String() + `"\} (\S+)$`)

// metrics returns the charge by cause that the hub's metrics have, in coulombs.
func (s *seenLedger) metrics() map[string]float64 {
	s.t.Helper()
	resp, err := http.Get(s.url + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]float64{}
	for _, m := range chargeMetric.FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = must(strconv.ParseFloat(m[2], 64))
	}
	return all
}
