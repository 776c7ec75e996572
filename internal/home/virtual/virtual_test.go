package virtual_test

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// TestAHubSaysThatItStarts, for the first time and after a power cut, as a live one.
func TestAHubSaysThatItStarts(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	self := hub.DefaultConfig().EUI64
	var said []string
	h := virtual.New(sim.Config{
		Start: start, Seed: 1, Link: radio.Link{Params: phy.Band2G4()},
		Observer: han.Observer{Record: func(r *trace.Record) {
			if r.Node == uint64(self) {
				said = append(said, r.Kind.String()+" "+r.At.Sub(start).String())
			}
		}},
	}, hub.DefaultConfig())
	h.Schedule(start.Add(time.Minute), func() { h.Cut(self, time.Second) })
	h.Run(start.Add(time.Hour))
	if got, want := strings.Join(said, ", "), "node-started 0s, power-cut 1m0s, node-started 1m1s"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
