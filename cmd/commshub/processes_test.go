package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/loopback"
)

// TestKilledProcessesLoseNothing runs the home as separate processes, with the
// broker of the product and with Mosquitto, and kills the hub and both meters in
// the middle of the transfer. Nothing starts over: each download begins once, and
// at most one block per kill is stored twice.
func TestKilledProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*processes){"embedded": (*processes).embeddedBroker, "mosquitto": (*processes).mosquitto} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t)
			start(p)
			p.hub()
			esme, gsme := home.DefaultESME.String(), home.DefaultGSME.String()
			p.command("device", "add", esme, "--kind", "ESME")
			p.command("device", "add", gsme, "--kind", "GSME")
			p.meter("esme")
			p.meter("gsme")
			p.command("firmware", "upload", p.sample())
			p.command("firmware", "distribute", "02000000", esme, gsme)

			p.until("the electricity meter is under way", func() bool { return p.update(esme).Blocks > 200 })
			p.kill("esme")
			p.meter("esme")
			p.until("the gas meter is under way", func() bool { return p.update(gsme).Windows >= 2 })
			p.kill("hub")
			p.hub()
			p.until("the gas meter goes on", func() bool { return p.update(gsme).Windows >= 4 })
			p.kill("gsme")
			p.meter("gsme")
			for _, eui := range []string{esme, gsme} {
				p.until(eui+" holds the image", func() bool { return p.update(eui).State == "transferred" })
				p.command("firmware", "activate", eui)
				p.until(eui+" runs the image", func() bool { return p.update(eui).State == "activated" })
				if said := string(p.command("firmware", "orders")); !strings.Contains(said, eui) || strings.Count(said, "activation: success") == 0 {
					t.Errorf("orders:\n%s", said)
				}
			}
			for _, role := range []string{"esme", "gsme"} {
				p.checkTransfer(role)
			}
		})
	}
}

// processes are the processes of one home.
type processes struct {
	t       *testing.T
	dir     string
	binary  string
	env     []string
	broker  string
	apiURL  string
	speed   int
	once    sync.Once
	api     *client.Client
	running map[string]*exec.Cmd
	logs    map[string]string
}

func newProcesses(t *testing.T) *processes {
	t.Helper()
	binary, err := exec.LookPath("commshub")
	if err != nil {
		t.Fatal(err)
	}
	p := &processes{t: t, dir: t.TempDir(), binary: binary, speed: 1800, running: map[string]*exec.Cmd{}, logs: map[string]string{}}
	p.apiURL = "http://" + loopback.Free(t)
	p.env = append(os.Environ(), "COMMSHUB_STATE="+filepath.Join(p.dir, "state"), "COMMSHUB_API="+p.apiURL,
		"COMMSHUB_LOG_FORMAT=json", "COMMSHUB_LOG_LEVEL=debug")
	t.Cleanup(p.stop)
	p.command("pki", "init", "--published-ids") // so that a test knows who is who
	return p
}

// start starts a process; its log goes on in the same file after a restart.
func (p *processes) start(role string, cmd *exec.Cmd) {
	p.t.Helper()
	p.logs[role] = filepath.Join(p.dir, role+".log")
	log, err := os.OpenFile(p.logs[role], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, p.env
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.running[role] = cmd
}

func (p *processes) run(role string, args ...string) {
	p.t.Helper()
	p.start(role, exec.Command(p.binary, args...))
}

func (p *processes) embeddedBroker() {
	address := loopback.Free(p.t)
	p.broker = "mqtts://" + address
	p.run("broker", "broker", "--listen", address)
	p.listening(address)
}

// mosquitto returns where Mosquitto is, or skips the test.
func mosquitto(t *testing.T) (binary string) {
	t.Helper()
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		t.Skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
	}
	return binary
}

// secondBroker is mosquitto for a test that runs with the embedded broker too: with
// -short that is enough.
func secondBroker(t *testing.T) (binary string) {
	t.Helper()
	if testing.Short() {
		t.Skip("the same with the embedded broker; without -short")
	}
	return mosquitto(t)
}

// mosquitto runs the broker of the field, with the same certificates; the identity
// in a device's certificate is its user name there.
func (p *processes) mosquitto() {
	p.t.Helper()
	binary := secondBroker(p.t)
	address := loopback.Free(p.t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		p.t.Fatal(err)
	}
	pki := filepath.Join(p.dir, "state", "pki")
	hub := "00DB1234567890A3"
	p.write("acl", fmt.Sprintf("user %[1]s\ntopic write han/%[1]s/+/down\ntopic read han/%[1]s/+/up\ntopic readwrite han/%[1]s/clock\n"+
		"pattern write han/%[1]s/%%u/up\npattern read han/%[1]s/%%u/down\npattern read han/%[1]s/clock\n", hub))
	conf := p.write("mosquitto.conf", strings.Join([]string{
		"listener " + port + " 127.0.0.1", "allow_anonymous false", "set_tcp_nodelay true", "persistence false", "user root",
		"cafile " + pki + "/root.pem", "certfile " + pki + "/broker.pem", "keyfile " + pki + "/broker.key",
		"require_certificate true", "use_identity_as_username true", "acl_file " + filepath.Join(p.dir, "acl"),
	}, "\n"))
	p.broker = "mqtts://" + address
	p.start("broker", exec.Command(binary, "-c", conf))
	p.listening(address)
}

func (p *processes) write(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *processes) hub() {
	address := strings.TrimPrefix(p.apiURL, "http://")
	p.run("hub", "hub", "--broker", p.broker, "--listen", address, "--speed", strconv.Itoa(p.speed), "--pacing", "blocks=80")
	p.listening(address)
}

func (p *processes) meter(kind string) { p.run(kind, "meter", kind, "--broker", p.broker) }

func (p *processes) sample() string {
	path := filepath.Join(p.dir, "sample.ota")
	p.command("image", "build", "--out", path, "--size", "40000", "--version", "02000000")
	return path
}

func (p *processes) listening(address string) {
	p.until(address+" answers", func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}

// kill ends a process as a power cut would.
func (p *processes) kill(role string) {
	p.t.Helper()
	cmd := p.running[role]
	if err := cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	delete(p.running, role)
}

// stop ends all processes with SIGTERM and demands that they end well.
func (p *processes) stop() {
	for _, role := range []string{"board", "gsme", "esme", "hub", "broker", "outside"} {
		cmd, ok := p.running[role]
		if !ok {
			continue
		}
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself, which Wait tells
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil && cmd.Path == p.binary {
				p.t.Errorf("%s ended with %v:\n%s", role, err, p.tail(role))
			}
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			p.t.Errorf("%s did not stop within 10 s", role)
		}
		delete(p.running, role)
	}
}

func (p *processes) tail(role string) string {
	b, err := os.ReadFile(p.logs[role])
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// command runs one command to its end and returns what it printed.
func (p *processes) command(args ...string) []byte {
	p.t.Helper()
	cmd := exec.Command(p.binary, args...)
	cmd.Env = p.env
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("commshub %s: %v: %s", strings.Join(args, " "), err, errOut.String())
	}
	return out.Bytes()
}

// client returns the one client of the hub: each has connections of its own.
func (p *processes) client() *client.Client {
	p.once.Do(func() {
		var err error
		if p.api, err = client.New(p.apiURL, ""); err != nil {
			p.t.Error(err)
		}
	})
	return p.api
}

// update returns the update of a device; zero while the hub does not answer.
func (p *processes) update(eui string) api.Update {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c := p.client()
	var list struct {
		Updates []api.Update `json:"updates"`
	}
	if err := c.Call(ctx, "GET", "/v1/updates", nil, &list); err != nil {
		return api.Update{}
	}
	for _, u := range list.Updates {
		if u.Device.String() == eui {
			return u
		}
	}
	return api.Update{}
}

func (p *processes) until(what string, done func() bool) {
	p.t.Helper()
	for range 1200 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	for role := range p.logs {
		p.t.Logf("%s:\n%s", role, p.tail(role))
	}
	p.t.Fatalf("not reached within a minute: %s", what)
}

// checkTransfer reads a meter's log: one download, and hardly a block twice.
func (p *processes) checkTransfer(role string) {
	p.t.Helper()
	f, err := os.Open(p.logs[role])
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	started, blocks, twice := 0, map[string]bool{}, 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line struct{ Msg, Offset string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // cut off by a kill
		}
		switch line.Msg {
		case "download-started":
			started++
		case "block-received":
			if blocks[line.Offset] {
				twice++
			}
			blocks[line.Offset] = true
		}
	}
	const want = (40000 + 47) / 48
	// A kill may come between storing a block and telling of it.
	if started != 1 || len(blocks) < want-1 || len(blocks) > want || twice > 1 {
		p.t.Errorf("%s: %d downloads started, %d different blocks told of, %d of them twice; want 1, %d or one less, at most 1", role, started, len(blocks), twice, want)
	}
}
