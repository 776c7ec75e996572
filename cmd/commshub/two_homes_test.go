package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/loopback"
)

// TestTwoHomesOnOneBroker: two people start what the README shows, with bridges to one
// broker. Neither home's totals are among the other's, and what one takes back when it
// stops is its own. Two homes that have the same identities keep apart as well: the second
// says that the topics are another's.
func TestTwoHomesOnOneBroker(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, p *processes) string{"embedded": outsideEmbedded, "mosquitto": outsideMosquitto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t)
			url := start(t, p)
			p.write("secret", "secret")
			config := p.write("bridge.yaml", "broker: {url: "+url+", username: bridge, password-file: "+p.dir+"/secret}\n"+
				"homeassistant: {meters: [{id: esme}, {id: gsme, install: true}]}\nglow: {interval: 1s, electricity: {id: esme}, gas: {id: gsme}}\n")
			w := watch(t, url)
			home := func(role string, args ...string) (api string) {
				address := loopback.Free(t)
				p.run(role, append([]string{"demo", "--listen", address, "--state", filepath.Join(p.dir, role), "--bridge", config, "--speed", "3600"}, args...)...)
				p.listening(address)
				return "http://" + address
			}
			home("ann")
			p.until("Ann's home is shown", func() bool { return len(w.shown()) == 2 })
			anns := w.shown()
			home("ben")
			p.until("Ben's home is shown beside it", func() bool { return len(w.shown()) == 4 })
			for _, topic := range w.shown() {
				p.until(topic+" has a total", func() bool { v := w.object(topic); return v["energy"] != nil || v["gas"] != nil })
			}
			p.end("ann")
			left := w.retained()
			if len(left) < 8 || slices.ContainsFunc(left, func(topic string) bool {
				return slices.ContainsFunc(anns, func(a string) bool { return strings.Contains(topic, a[len("commshub/"):len("commshub/")+16]) })
			}) {
				t.Errorf("when Ann's home ended, there is: %v", left)
			}
			if len(w.shown()) != 2 {
				t.Errorf("Ben's home is shown as %v", w.shown())
			}
			p.end("ben")
			if left := w.retained(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}

			home("cat", "--published-ids")
			const total = "commshub/00DB1234567890A1/state"
			p.until("Cat's home is shown", func() bool { return w.object(total)["gas"] != nil })
			api := home("dan", "--published-ids")
			p.until("Dan's home says that it is not", func() bool {
				out, err := exec.Command(p.binary, "health", "--api", api).CombinedOutput()
				return err != nil && strings.Contains(string(out), "belongs to another home on this broker")
			})
			p.end("dan")
			if w.object(total)["gas"] == nil {
				t.Error("Dan's home took Cat's topics with it")
			}
			p.end("cat")
			if left := w.retained(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// shown returns the topics at which there are meters' states.
func (w *watcher) shown() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for topic, payload := range w.last {
		eui := strings.TrimSuffix(strings.TrimPrefix(topic, "commshub/"), "/state")
		if len(eui) == 16 && len(payload) > 0 && !strings.HasSuffix(eui, "A3") && topic == "commshub/"+eui+"/state" {
			all = append(all, topic)
		}
	}
	slices.Sort(all)
	return all
}
