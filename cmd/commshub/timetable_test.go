package main

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home"
)

var timetable = flag.Bool("timetable", false, "all rows of the time table: two minutes of real time")

// TestTheTimeTable plays one home with the commands that a person types, live at several
// speeds and losses, in one process and in several over Mosquitto, and in virtual time.
// How long things take does not depend on the speed. With loss the dice of the live home
// fall in another order than in virtual time, so that its figures are held against those
// of 20 seeds; that the same dice give the same to the nanosecond is
// TestOneProcessIsVirtualTimePacedByTheWall and what follows it, in internal/systemtest.
// With -timetable all rows are played and printed; without it a few.
func TestTheTimeTable(t *testing.T) {
	t.Parallel()
	usual := func(loss int) timedHome {
		return timedHome{loss: loss, heartbeat: 30 * time.Minute, size: 100 << 10, pacing: "radio=10s"}
	}
	short := func(loss int) timedHome {
		return timedHome{loss: loss, heartbeat: 20 * time.Second, size: 4 << 10, pacing: "radio=1s"}
	}
	rows := []struct {
		home   timedHome
		speeds []float64
	}{{usual(0), []float64{36000, 3600}}, {usual(20), []float64{36000}}}
	if *timetable {
		all := []float64{36000, 3600, 600}
		rows = []struct {
			home   timedHome
			speeds []float64
		}{{usual(0), all}, {usual(10), all}, {usual(20), all}, {short(0), []float64{1, 60}}, {short(10), []float64{1, 60}}}
	}
	for _, r := range rows {
		for _, mode := range []string{"demo", "processes"} {
			t.Run(fmt.Sprintf("%s, %d %% lost, heartbeat %v", mode, r.home.loss, r.home.heartbeat), func(t *testing.T) {
				t.Parallel()
				want := r.home.inVirtualTime(t)
				t.Logf("virtual time: %v to %v", want.least, want.most)
				var first timing
				for i, speed := range r.speeds {
					got := r.home.live(t, mode, speed)
					t.Logf("speed %g: %v", speed, got)
					got.compare(t, want, r.home)
					if i == 0 {
						first = got
					}
					switch short := r.home.size < 50<<10; {
					case r.home.loss == 0 || !short && mode == "demo":
						got.same(t, first)
					case !short: // in a short home one loss is half of it
						got.sameElectricity(t, first)
					}
				}
			})
		}
	}
}

// timedHome is a home of the time table.
type timedHome struct {
	loss      int
	heartbeat time.Duration
	size      int
	pacing    string
}

// timing is how long its updates took, from the first block to the last.
type timing struct {
	windows          int
	gas, electricity time.Duration
	longest          time.Duration // window
}

func (g timing) String() string {
	return fmt.Sprintf("%d windows in %v, the longest %v; electricity %v", g.windows, g.gas, g.longest, g.electricity)
}

// spread is what other dice make of timings: the least of each figure, and the most.
type spread struct{ least, most timing }

// add widens a spread by a timing.
func (s *spread) add(g timing, first bool) {
	if first {
		*s = spread{g, g}
		return
	}
	s.least = timing{min(s.least.windows, g.windows), min(s.least.gas, g.gas), min(s.least.electricity, g.electricity), min(s.least.longest, g.longest)}
	s.most = timing{max(s.most.windows, g.windows), max(s.most.gas, g.gas), max(s.most.electricity, g.electricity), max(s.most.longest, g.longest)}
}

// outside reports whether a time is outside of two by more than some thousandths.
func outside(v, least, most time.Duration, thousandths int64) bool {
	return v < least && apart(v, least, thousandths) || v > most && apart(v, most, thousandths)
}

// apart reports whether two times are more than some thousandths apart.
func apart(a, b time.Duration, thousandths int64) bool {
	return (a - b).Abs() > b*time.Duration(thousandths)/1000
}

// compare holds a live timing against those in virtual time.
func (g timing) compare(t *testing.T, want spread, h timedHome) {
	t.Helper()
	const tolerance = 20 // thousandths
	if g.windows < want.least.windows-1 || g.windows > want.most.windows+1 {
		t.Errorf("%d windows, in virtual time %d to %d", g.windows, want.least.windows, want.most.windows)
	}
	if outside(g.gas, want.least.gas-h.heartbeat, want.most.gas+h.heartbeat, tolerance) {
		t.Errorf("gas meter: %v, in virtual time %v to %v", g.gas, want.least.gas, want.most.gas)
	}
	if outside(g.longest, want.least.longest, want.most.longest, 50) || g.longest > h.heartbeat {
		t.Errorf("longest window: %v, in virtual time %v to %v", g.longest, want.least.longest, want.most.longest)
	}
	if outside(g.electricity, want.least.electricity, want.most.electricity, tolerance) {
		t.Errorf("electricity meter: %v, in virtual time %v to %v", g.electricity, want.least.electricity, want.most.electricity)
	}
}

// same demands that the speed made no difference but that homes begin at other instants:
// times on the air are told in whole seconds.
func (g timing) same(t *testing.T, other timing) {
	t.Helper()
	if g.windows != other.windows || apart(g.gas, other.gas, 15) || apart(g.longest, other.longest, 5) || apart(g.electricity, other.electricity, 15) {
		t.Errorf("%v, at another speed %v", g, other)
	}
}

// sameElectricity demands it of the meter that is always awake. Where a gas meter's process
// asks a little later in its window than at another speed, another of its frames is lost,
// and from there on its dice fall otherwise: what holds it are those of 20 seeds.
func (g timing) sameElectricity(t *testing.T, other timing) {
	t.Helper()
	if apart(g.electricity, other.electricity, 15) {
		t.Errorf("electricity meter: %v, at another speed %v", g.electricity, other.electricity)
	}
}

// inVirtualTime plays the home with sim run: once, or with loss with several dice.
func (h timedHome) inVirtualTime(t *testing.T) (all spread) {
	t.Helper()
	seeds := 1
	if h.loss > 0 {
		seeds = 20
	}
	for seed := range seeds {
		all.add(h.ofSeed(t, seed+1), seed == 0)
	}
	return all
}

// ofSeed plays the home with one seed and reads its trace.
func (h timedHome) ofSeed(t *testing.T, seed int) timing {
	t.Helper()
	p := newProcesses(t)
	file := p.write("home.yaml", fmt.Sprintf(`
devices:
  electricity: {kind: ESME}
  gas: {kind: GSME, heartbeat: {period: %v}}
  display: {kind: IHD}
link: {loss: %d%%}
pacing: %s
image: {size: %d}
expect: {activated_within: 4d}
`, h.heartbeat, h.loss, h.pacing, h.size))
	trace := filepath.Join(p.dir, "trace")
	p.command("sim", "run", file, "--seed", fmt.Sprint(seed), "--trace", trace)
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out timing
	var opened, began, last time.Time
	first := map[string]time.Time{}
	blocks := false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		if len(word) < 3 {
			continue
		}
		at, err := time.Parse(time.RFC3339, word[0])
		if err != nil {
			t.Fatal(err)
		}
		gas := word[1] == home.DefaultGSME.String()
		switch {
		case word[2] == "mirror-updated" && strings.Contains(lines.Text(), "peer="+home.DefaultGSME.String()):
			opened, blocks = at, false
		case word[2] == "block-received" && gas:
			if !blocks {
				blocks = true
				out.windows++
				if began.IsZero() {
					began = opened
				}
			}
			last = at
			out.longest = max(out.longest, at.Sub(opened))
		case word[2] == "wait-for-data" && gas && blocks:
			out.longest = max(out.longest, at.Sub(opened))
		case word[2] == "block-received":
			if first[word[1]].IsZero() {
				first[word[1]] = at
			}
			out.electricity = at.Sub(first[word[1]])
		}
	}
	out.gas = last.Sub(began)
	return out
}

// live plays the home with demo, or with a hub and two meters over Mosquitto.
func (h timedHome) live(t *testing.T, mode string, speed float64) timing {
	t.Helper()
	p := newProcesses(t)
	image := filepath.Join(p.dir, "image.ota")
	p.command("image", "build", "--out", image, "--size", fmt.Sprint(h.size), "--version", "02000000")
	address := strings.TrimPrefix(p.apiURL, "http://")
	loss := fmt.Sprintf("%d%%", h.loss)
	if mode == "demo" {
		p.run("hub", "demo", "--speed", fmt.Sprint(speed), "--loss", loss, "--heartbeat", h.heartbeat.String(), "--pacing", h.pacing,
			"--image", image, "--listen", address, "--state", filepath.Join(p.dir, "state"))
	} else {
		p.mosquitto()
		p.run("hub", "hub", "--broker", p.broker, "--listen", address, "--speed", fmt.Sprint(speed), "--loss", loss, "--pacing", h.pacing, "--paused",
			"--device", "ESME="+home.DefaultESME.String(), "--device", "GSME="+home.DefaultGSME.String())
		p.listening(address)
		p.run("esme", "meter", "esme", "--broker", p.broker, "--loss", loss)
		p.run("gsme", "meter", "gsme", "--broker", p.broker, "--loss", loss, "--heartbeat", h.heartbeat.String())
		p.until("both meters are there", func() bool { return p.sessions() == 2 })
		p.command("firmware", "upload", image)
		p.command("firmware", "distribute", "02000000", home.DefaultESME.String(), home.DefaultGSME.String())
		p.command("clock", "resume")
	}
	limit := time.Now().Add(5 * time.Minute)
	for _, eui := range []string{home.DefaultESME.String(), home.DefaultGSME.String()} {
		for p.update(eui).State != "transferred" && p.update(eui).State != "activating" && p.update(eui).State != "activated" {
			if time.Now().After(limit) {
				t.Fatalf("%s has no image after 5 minutes:\n%s", eui, p.tail("hub"))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	defer p.stop()
	gas, electricity := p.timeline(home.DefaultGSME.String()), p.timeline(home.DefaultESME.String())
	out := timing{gas: transferTime(gas), electricity: transferTime(electricity)}
	for _, w := range gas.Windows {
		if w.Blocks+w.Repeats > 0 {
			out.windows++
			out.longest = max(out.longest, w.EndedAt.Sub(w.OpenedAt))
		}
	}
	return out
}

func transferTime(l api.Timeline) time.Duration {
	var first, last time.Time
	for _, w := range l.Windows {
		if w.Blocks+w.Repeats == 0 {
			continue
		}
		if first.IsZero() {
			first = w.OpenedAt
		}
		last = w.EndedAt
	}
	return last.Sub(first)
}

// timeline returns the timeline of a device's update.
func (p *processes) timeline(eui string) (out api.Timeline) {
	p.t.Helper()
	p.get("/v1/updates/"+eui+"/timeline", &out)
	return out
}

// sessions returns how many devices have a session with the hub.
func (p *processes) sessions() (n int) {
	p.t.Helper()
	var list struct {
		Devices []api.Device `json:"devices"`
	}
	p.get("/v1/devices", &list)
	for _, d := range list.Devices {
		if d.Connected {
			n++
		}
	}
	return n
}

func (p *processes) get(path string, out any) {
	p.t.Helper()
	if err := p.client().Call(p.t.Context(), http.MethodGet, path, nil, out); err != nil {
		p.t.Fatalf("GET %s: %v", path, err)
	}
}
