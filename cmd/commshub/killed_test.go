package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/home"
)

// TestAHubKilledAtRandomMomentsLosesAndDoublesNothing: a supplier uploads, distributes and
// activates one image after the other, while the hub's process is killed at moments that
// dice say. What the hub had acknowledged is there after each start, and in the end each
// alert that the meter raised came once.
func TestAHubKilledAtRandomMomentsLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	const images, kills = 10, 6
	s := &interrupted{processes: newProcesses(t), device: home.DefaultESME.String(), dice: rand.New(rand.NewPCG(1, 9))}
	s.embeddedBroker()
	s.hub()
	s.withToken()
	s.command("device", "add", s.device, "--kind", "ESME")
	s.meter("esme")
	for v := range images {
		path := filepath.Join(s.dir, fmt.Sprintf("%d.ota", v))
		s.command("image", "build", "--out", path, "--size", "4KiB", "--version", fmt.Sprintf("%02X000000", v+2))
		s.files = append(s.files, path)
	}
	for s.killed < kills {
		s.goOnUntilKilled()
	}
	end := min(s.version+1, images)
	s.until("the image under way runs", func() bool { s.step(); return s.version >= end })
	s.compare()
	s.compareAlerts()
}

// interrupted is a supplier whose hub is killed.
type interrupted struct {
	*processes
	device string
	dice   *rand.Rand
	killed int

	supplier *client.Client

	files   []string
	version int       // that is under way, an index into files
	image   api.Image // of it, once its upload was acknowledged
	// What was acknowledged: the SHA-256 of files, and image hashes of orders.
	uploaded, distributed, activated []string
	asked                            int // orders that were asked for, acknowledged or not
}

// withToken makes a client that may change things.
func (s *interrupted) withToken() {
	token, err := os.ReadFile(filepath.Join(s.dir, "state", "api-token"))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.supplier, err = client.New(s.apiURL, strings.TrimSpace(string(token))); err != nil {
		s.t.Fatal(err)
	}
}

// goOnUntilKilled goes on with the images until the hub is killed, starts it again, and
// looks for all that it had acknowledged.
func (s *interrupted) goOnUntilKilled() {
	hub := s.running["hub"]
	dead := make(chan error, 1)
	time.AfterFunc(time.Duration(s.dice.IntN(600))*time.Millisecond, func() { dead <- hub.Process.Kill() })
	for {
		select {
		case err := <-dead:
			if err != nil {
				s.t.Fatal(err)
			}
			_ = hub.Wait() // killed
			s.killed++
			s.hub()
			s.compare()
			return
		default:
			s.step()
		}
	}
}

// ask calls the hub and reports whether it acknowledged.
func (s *interrupted) ask(method, path string, body, out any) bool {
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	return s.supplier.Call(ctx, method, path, body, out) == nil
}

// step does what is next for the image under way.
func (s *interrupted) step() {
	switch {
	case s.version == len(s.files):
		time.Sleep(20 * time.Millisecond) // nothing is left but to be killed
	case s.image.SHA256 == "":
		s.upload()
	default:
		switch u, ok := s.current(); {
		case !ok:
		case u.Image == "":
			if s.ask(http.MethodPost, "/v1/updates", map[string]any{"image": s.image.SHA256, "devices": []string{s.device}}, nil) {
				s.distributed = append(s.distributed, s.image.SHA256)
			}
		case u.State == "transferred":
			s.asked++
			if s.ask(http.MethodPost, "/v1/devices/"+s.device+"/activation", map[string]any{"image_hash": s.image.ImageHash}, nil) {
				s.activated = append(s.activated, strings.ToLower(s.image.ImageHash))
			}
		case u.State == "activated":
			s.version, s.image = s.version+1, api.Image{}
		case u.State == "failed":
			s.t.Fatalf("the update failed: %s", u.Outcome)
		}
	}
}

// current returns the update to the image under way, zero if there is none; ok is false
// while the hub does not answer.
func (s *interrupted) current() (u api.Update, ok bool) {
	var list struct{ Updates []api.Update }
	if !s.ask(http.MethodGet, "/v1/updates?limit=100", nil, &list) {
		return api.Update{}, false
	}
	for _, u := range list.Updates {
		if u.Image == s.image.SHA256 {
			return u, true
		}
	}
	return api.Update{}, true
}

func (s *interrupted) upload() {
	file, err := os.ReadFile(s.files[s.version])
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	var image api.Image
	if s.supplier.Upload(ctx, bytes.NewReader(file), int64(len(file)), false, &image) == nil {
		s.image = image
		s.uploaded = append(s.uploaded, image.SHA256)
	}
}

// compare holds what the hub knows against what it had acknowledged.
func (s *interrupted) compare() {
	var images struct{ Images []api.Image }
	var updates struct{ Updates []api.Update }
	var orders struct{ Orders []api.Order }
	for path, out := range map[string]any{"/v1/images?limit=100": &images, "/v1/updates?limit=100": &updates, "/v1/orders?limit=100": &orders} {
		s.until(path, func() bool { return s.ask(http.MethodGet, path, nil, out) })
	}
	known := map[string]int{}
	for _, im := range images.Images {
		if !im.Damaged {
			known["upload "+im.SHA256]++
		}
	}
	for _, u := range updates.Updates {
		known["distribution "+u.Image]++
	}
	activations := 0 // the device log is ordered as well
	for _, o := range orders.Orders {
		if o.Hash != "" {
			known["activation "+strings.ToLower(o.Hash)]++
			activations++
		}
	}
	for what, acknowledged := range map[string][]string{"upload ": s.uploaded, "distribution ": s.distributed, "activation ": s.activated} {
		for _, hash := range acknowledged {
			if known[what+hash] != 1 {
				s.t.Fatalf("after kill %d the hub has %d times %s%s, which it acknowledged", s.killed, known[what+hash], what, hash)
			}
		}
	}
	if activations > s.asked {
		s.t.Fatalf("after kill %d the hub has %d orders to activate, and was asked for %d", s.killed, activations, s.asked)
	}
}

// compareAlerts waits until as many alerts came as the meter raised, of each code.
func (s *interrupted) compareAlerts() {
	var raised, came map[string]int
	defer func() { s.t.Logf("%d kills, %d images; raised %v, came %v", s.killed, s.version, raised, came) }()
	s.until("all alerts came", func() bool {
		raised, came = s.raised(), map[string]int{}
		var list struct{ Alerts []api.InboxEntry }
		if !s.ask(http.MethodGet, "/v1/alerts?limit=100&device="+s.device, nil, &list) {
			return false
		}
		for _, a := range list.Alerts {
			// That it was added to the device log is a message of the hub's.
			if a.Message != "" && a.Code != "" && a.Message != "0018" {
				came[a.Code]++
			}
		}
		for code, n := range came {
			if n > raised[code] {
				s.t.Fatalf("alert %s came %d times and was raised %d times", code, n, raised[code])
			}
		}
		return maps.Equal(raised, came)
	})
}

// raised counts the alerts in the meter's log.
func (s *interrupted) raised() map[string]int {
	log, err := os.ReadFile(s.logs["esme"])
	if err != nil {
		s.t.Fatal(err)
	}
	counts := map[string]int{}
	for lines := bufio.NewScanner(bytes.NewReader(log)); lines.Scan(); {
		var line struct{ Msg, Code string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "alert-raised" {
			counts[strings.ToUpper(line.Code)]++
		}
	}
	return counts
}
