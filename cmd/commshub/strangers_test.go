package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/loopback"
)

// TestStrangersGetNothingThrough: a device that is not in the device log, that
// shows another device's certificate, or that is removed from the device log while
// it is connected. The hub says why in one line.
func TestStrangersGetNothingThrough(t *testing.T) {
	t.Parallel()
	gsme := home.DefaultGSME.String()

	t.Run("not in the device log, added, removed", func(t *testing.T) {
		p := newProcesses(t)
		p.embeddedBroker()
		p.hub()
		p.meter("gsme")
		p.until("the hub says why", func() bool { return p.logged("hub", "refused", gsme, "not in the device log") })
		if _, heard := p.lastHeard(gsme); heard {
			t.Error("a frame of a device that is not in the device log got through")
		}
		p.command("device", "add", gsme, "--kind", "GSME")
		p.until("the added meter is heard", func() bool { _, heard := p.lastHeard(gsme); return heard })
		before := p.countLog("hub", "refused", gsme, "not in the device log")
		p.command("device", "remove", gsme)
		p.until("the hub says why again", func() bool {
			return p.countLog("hub", "refused", gsme, "not in the device log") > before
		})
		if _, heard := p.lastHeard(gsme); heard {
			t.Error("the removed device is still in the device log")
		}
	})

	t.Run("with another device's certificate", func(t *testing.T) {
		p := newProcesses(t)
		p.openBroker()
		p.hub()
		esme := home.DefaultESME.String()
		p.command("device", "add", gsme, "--kind", "GSME")
		p.command("device", "add", esme, "--kind", "ESME")
		p.command("pki", "issue", esme)
		p.command("pki", "issue", "--messages", gsme)
		// A folder in which the electricity meter's certificate has the gas meter's name.
		theirs, own := filepath.Join(p.dir, "theirs"), filepath.Join(p.dir, "state", "pki")
		for from, to := range map[string]string{
			esme + ".pem": gsme + ".pem", esme + ".key": gsme + ".key", "root.pem": "root.pem",
			"manufacturer.pem": "manufacturer.pem", "manufacturer.key": "manufacturer.key",
			"supplier.pem": "supplier.pem", "supplier.key": "supplier.key",
		} {
			p.copy(filepath.Join(own, from), filepath.Join(theirs, to))
		}
		// What it needs for messages is right.
		supplier := hub.DefaultConfig().Supplier.String()
		for _, name := range []string{gsme + "-ds.pem", gsme + "-ds.key", gsme + "-ka.pem", gsme + "-ka.key",
			supplier + "-ds.pem", supplier + "-ka.pem", home.Broker.String() + "-ds.pem", home.Broker.String() + "-ka.pem"} {
			p.copy(filepath.Join(own, name), filepath.Join(theirs, name))
		}
		p.run("gsme", "meter", "gsme", "--broker", p.broker, "--pki", theirs)
		p.until("the hub says why", func() bool { return p.logged("hub", "refused", gsme, esme) })
		if _, heard := p.lastHeard(gsme); heard {
			t.Error("a frame under another device's certificate got through")
		}
	})
}

// openBroker runs Mosquitto without any authentication: DTLS alone keeps strangers
// out.
func (p *processes) openBroker() {
	p.t.Helper()
	binary := mosquitto(p.t)
	address := loopback.Free(p.t)
	conf := p.write("mosquitto.conf", "listener "+address[strings.LastIndex(address, ":")+1:]+" 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n")
	p.broker = "mqtt://" + address
	p.start("broker", exec.Command(binary, "-c", conf))
	p.listening(address)
}

func (p *processes) copy(from, to string) {
	p.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// countLog counts the lines of a process's log that hold all the words.
func (p *processes) countLog(role string, words ...string) int {
	b, err := os.ReadFile(p.logs[role])
	if err != nil {
		p.t.Fatal(err)
	}
	n := 0
lines:
	for line := range bytes.Lines(b) {
		for _, w := range words {
			if !bytes.Contains(line, []byte(w)) {
				continue lines
			}
		}
		n++
	}
	return n
}

func (p *processes) logged(role string, words ...string) bool { return p.countLog(role, words...) > 0 }

// lastHeard returns when a device's readings came last, by the device log.
func (p *processes) lastHeard(eui string) (string, bool) {
	p.t.Helper()
	var devices []api.Device
	if err := json.Unmarshal(p.command("device", "list", "--json"), &devices); err != nil {
		p.t.Fatal(err)
	}
	for _, d := range devices {
		if d.EUI64.String() == eui && d.LastHeard != nil {
			return d.LastHeard.String(), true
		}
	}
	return "", false
}
