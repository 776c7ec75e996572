//go:build compose

// The real stack: images built from compose/Dockerfile, containers as users get them
// from compose/compose.yaml, steered from the host over 127.0.0.1. It needs a Docker
// engine and the base images; .ci/compose provides both.

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/loopback"
	"github.com/commshub/commshub/internal/testimage"
)

// Limits that the project promises of its containers.
const (
	mostImageBytes  = 44 << 20
	mostHubKiB      = 64 << 10
	mostMeterKiB    = 42 << 10
	mostIdlePercent = 2.0
	mostStopSeconds = 5
)

const (
	esmeEUI = "00DB1234567890A0"
	gsmeEUI = "00DB1234567890A1"
	hubEUI  = "00DB1234567890A3"
)

// machines are the services that stay up.
var machines = []string{"broker", "hub", "esme", "gsme", "ihd"}

// stack is a compose project of this test alone.
type stack struct {
	t       *testing.T
	file    string
	project string
	command []string // docker-compose, or docker compose
	env     []string
	api     string
	token   string
}

func newStack(t *testing.T, file string) *stack {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(loopback.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{
		t: t, file: filepath.Join(root, "compose", file), project: fmt.Sprintf("commshub-test-%d", os.Getpid()),
		command: strings.Fields(os.Getenv("COMMSHUB_COMPOSE")), api: "http://127.0.0.1:" + port,
	}
	if len(s.command) == 0 {
		s.command = []string{"docker-compose"}
	}
	s.env = append(os.Environ(), "COMMSHUB_PORT="+port, "COMMSHUB_HOME=0", "COMMSHUB_TAG="+s.project)
	t.Cleanup(s.takeDown)
	return s
}

// takeDown removes everything, and demands that nothing is left.
func (s *stack) takeDown() {
	if s.t.Failed() {
		s.t.Log(s.try("logs", "--no-color", "--tail=40"))
	}
	s.try("down", "--volumes", "--remove-orphans", "--timeout", "10")
	_, _ = exec.Command("docker", "rmi", s.project).CombinedOutput() // a failed build left none
	for _, what := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		out, err := exec.Command("docker", append(what, "--filter", "label=com.docker.compose.project="+s.project)...).Output()
		if err != nil || len(bytes.TrimSpace(out)) > 0 {
			s.t.Errorf("docker %v after down: %q %v", what, out, err)
		}
	}
}

func (s *stack) cmd(args ...string) *exec.Cmd {
	all := append(slices.Clone(s.command[1:]), "-p", s.project, "-f", s.file)
	c := exec.Command(s.command[0], append(all, args...)...)
	c.Env = s.env
	return c
}

func (s *stack) try(args ...string) string {
	out, err := s.cmd(args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s\n%v: %v", out, args, err)
	}
	return string(out)
}

// compose runs a compose command and returns its standard output.
func (s *stack) compose(args ...string) []byte {
	s.t.Helper()
	c := s.cmd(args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s%s", s.command[0], args, err, out, stderr.Bytes())
	}
	return out
}

// up starts the stack and waits until every machine is healthy.
func (s *stack) up(setting ...string) {
	s.t.Helper()
	s.env = append(s.env, setting...)
	s.compose("up", "-d", "--build")
	s.healthy(machines...)
}

func (s *stack) healthy(names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.until(name+" is healthy", func() bool { return s.inspect(name, "{{.State.Health.Status}}") == "healthy" })
	}
}

// container returns a service's container.
func (s *stack) container(service string) string {
	s.t.Helper()
	return strings.TrimSpace(string(s.compose("ps", "-q", "-a", service)))
}

func (s *stack) inspect(service, format string) string {
	s.t.Helper()
	out, err := exec.Command("docker", "inspect", "--format", format, s.container(service)).CombinedOutput()
	if err != nil {
		s.t.Fatalf("docker inspect %s: %v %s", service, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *stack) until(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(90 * time.Second); !done(); {
		if time.Now().After(end) {
			s.t.Fatalf("waited 90 s until %s", what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// supplier runs the supplier's command line in its container.
func (s *stack) supplier(args ...string) []byte {
	s.t.Helper()
	return s.compose(append([]string{"run", "--rm", "-T", "supplier"}, args...)...)
}

// call asks the hub over the published port. It returns false if nobody answers.
func (s *stack) call(method, path string, body []byte, out any) bool {
	s.t.Helper()
	req, err := http.NewRequest(method, s.api+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(path, "/images") {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	if resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, path, resp.Status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, answer)
		}
	}
	return true
}

type updateView struct {
	Device, Version, State           string
	Windows, Blocks, Repeats, Offset int
}

// update returns what the hub says of a device's update.
func (s *stack) update(eui string) updateView {
	s.t.Helper()
	var list struct{ Updates []updateView }
	s.call(http.MethodGet, "/v1/updates", nil, &list)
	for _, u := range list.Updates {
		if u.Device == eui {
			return u
		}
	}
	return updateView{}
}

// version returns the firmware that a device told the hub it runs.
func (s *stack) version(eui string) string {
	s.t.Helper()
	var list struct {
		Devices []struct {
			EUI64   string `json:"eui64"`
			Version string `json:"firmware_version"`
		}
	}
	s.call(http.MethodGet, "/v1/devices", nil, &list)
	for _, d := range list.Devices {
		if d.EUI64 == eui {
			return d.Version
		}
	}
	return ""
}

func TestCompose(t *testing.T) {
	s := newStack(t, "compose.yaml")
	began := time.Now()
	s.up("COMMSHUB_SPEED=1200", "COMMSHUB_PACING=blocks=500")
	t.Logf("up and healthy in %v", time.Since(began).Round(time.Second))
	s.token = strings.TrimSpace(string(s.supplier("token")))
	s.checkConfinement()
	s.checkTopics()
	s.checkUpdate()
	s.checkPrometheus()
	roots := s.rootCertificate()
	before := s.register()
	s.checkStop()
	s.up("COMMSHUB_SPEED=1")
	if after := s.rootCertificate(); after != roots {
		t.Error("a second up made new identities")
	}
	if got := s.version(gsmeEUI); got != "02000000" {
		t.Errorf("after a second up the gas meter runs %s, want 02000000", got)
	}
	if after := s.register(); after < before {
		t.Errorf("after a second up the mirror shows %d, before %d", after, before)
	}
	s.measure()
	s.checkLogs()
	s.checkVendorsImage()
}

// checkVendorsImage has the home made anew for an image that its supplier did not sign,
// with the variables of docs/compose.md, and takes it to both meters.
func (s *stack) checkVendorsImage() {
	t := s.t
	images := t.TempDir()
	file := testimage.VendorFile(0x00010203, 20_000)
	for path, mode := range map[string]os.FileMode{images: 0o755, filepath.Dir(images): 0o755} { // the containers' user is another
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(images, "vendor.zigbee"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	s.compose("down", "--volumes", "--timeout", "10")
	s.up("COMMSHUB_SPEED=1200", "COMMSHUB_IMAGES="+images, "COMMSHUB_MANUFACTURER_CODE=auto", "COMMSHUB_IMAGE_TYPE=auto", "COMMSHUB_HARDWARE=auto", "COMMSHUB_TRUST=any")
	s.supplier("firmware", "upload", "/images/vendor.zigbee")
	s.supplier("firmware", "distribute", "00010203", esmeEUI, gsmeEUI)
	for _, eui := range []string{esmeEUI, gsmeEUI} {
		s.until(eui+" holds the vendor's image", func() bool { return s.update(eui).State == "transferred" })
		s.supplier("firmware", "activate", eui)
		s.until(eui+" runs the vendor's image", func() bool { return s.update(eui).State == "activated" && s.version(eui) == "00010203" })
	}
}

// checkUpdate takes the sample image through the home, with a gas meter and a hub
// that die in the middle.
func (s *stack) checkUpdate() {
	t := s.t
	image := s.supplier("image", "build", "--out", "-")
	s.call(http.MethodPost, "/v1/images", image, nil)
	order, err := json.Marshal(map[string]any{"image": fmt.Sprintf("%x", sha256.Sum256(image)), "devices": []string{esmeEUI, gsmeEUI}})
	if err != nil {
		t.Fatal(err)
	}
	s.call(http.MethodPost, "/v1/updates", order, nil)
	for i, victim := range []string{"gsme", "hub"} {
		s.until("the gas meter is under way", func() bool { return s.update(gsmeEUI).Windows >= 2+3*i })
		if out, err := exec.Command("docker", "kill", s.container(victim)).CombinedOutput(); err != nil {
			t.Fatalf("docker kill %s: %v %s", victim, err, out)
		}
		s.compose("up", "-d", "--no-build", victim)
		s.healthy(victim)
	}
	for _, eui := range []string{esmeEUI, gsmeEUI} {
		s.until(eui+" holds the image", func() bool { return s.update(eui).State == "transferred" })
		s.order(eui)
		s.until(eui+" runs the image", func() bool { return s.update(eui).State == "activated" && s.version(eui) == "02000000" })
	}
	logs := string(s.compose("logs", "--no-color", "gsme"))
	if n := strings.Count(logs, "msg=download-started"); n != 1 {
		t.Errorf("the gas meter started %d downloads, want 1", n)
	}
	u := s.update(gsmeEUI)
	const blocks = (256<<10 + 47) / 48
	t.Logf("gas meter: %d windows, %d blocks served, %d of them again", u.Windows, u.Blocks, u.Repeats)
	if u.Repeats > 2 || u.Blocks > blocks+2 {
		t.Errorf("%d blocks served, %d of them again; want %d and at most one more per kill", u.Blocks, u.Repeats, blocks)
	}
}

// order orders a meter to activate: one over the API, one from the supplier's command
// line.
func (s *stack) order(eui string) {
	s.t.Helper()
	if eui == gsmeEUI {
		s.supplier("firmware", "activate", eui)
		return
	}
	s.call(http.MethodPost, "/v1/devices/"+eui+"/activation", []byte("{}"), nil)
}

// checkPrometheus starts Prometheus and sees it scrape the hub under its rules.
func (s *stack) checkPrometheus() {
	_, port, err := net.SplitHostPort(loopback.Free(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	s.env = append(s.env, "COMMSHUB_PROMETHEUS_PORT="+port)
	s.compose("--profile", "observability", "up", "-d", "--no-build", "prometheus")
	hub := s.api
	s.api = "http://127.0.0.1:" + port
	s.until("Prometheus is ready", func() bool {
		resp, err := http.Get(s.api + "/-/ready")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	s.until("Prometheus scrapes the hub", func() bool {
		var answer struct {
			Data struct {
				ActiveTargets []struct{ Health string }
			}
		}
		return s.call(http.MethodGet, "/api/v1/targets", nil, &answer) &&
			len(answer.Data.ActiveTargets) == 1 && answer.Data.ActiveTargets[0].Health == "up"
	})
	var rules struct {
		Data struct{ Groups []struct{ Rules []any } }
	}
	s.call(http.MethodGet, "/api/v1/rules", nil, &rules)
	if len(rules.Data.Groups) == 0 || len(rules.Data.Groups[0].Rules) == 0 {
		s.t.Error("Prometheus has no alert rules")
	}
	s.api = hub
	s.compose("--profile", "observability", "rm", "-sf", "prometheus")
}

// checkConfinement looks at the processes themselves, not only at their settings.
func (s *stack) checkConfinement() {
	for _, name := range machines {
		pid := s.inspect(name, "{{.State.Pid}}")
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			s.t.Fatal(err)
		}
		for _, want := range []string{`(?m)^Uid:\s65532\s65532\s65532\s65532$`, `(?m)^CapEff:\s0+$`, `(?m)^CapBnd:\s0+$`, `(?m)^NoNewPrivs:\s1$`} {
			if !regexp.MustCompile(want).Match(status) {
				s.t.Errorf("%s: /proc/%s/status lacks %s", name, pid, want)
			}
		}
		mounts, err := os.ReadFile("/proc/" + pid + "/mounts")
		if err != nil {
			s.t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^overlay / overlay ro[, ]`).Match(mounts) {
			s.t.Errorf("%s: its root is not mounted read-only", name)
		}
	}
	for _, name := range machines {
		if mounts := s.inspect(name, "{{range .Mounts}}{{.Name}} {{end}}"); slices.Contains(strings.Fields(mounts), s.project+"_pki") {
			s.t.Errorf("%s: it mounts the root's key: %s", name, mounts)
		}
	}
}

// checkTopics tries the broker with the electricity meter's certificate.
func (s *stack) checkTopics() {
	own, other := "han/"+hubEUI+"/"+esmeEUI, "han/"+hubEUI+"/"+gsmeEUI
	for topic, want := range map[string]bool{
		own + "/up": true, own + "/down": false, other + "/up": false, other + "/down": false, "han/" + hubEUI + "/clock": false,
	} {
		// MQTT 5 tells what is refused; MQTT 3.1.1 drops it without a word.
		out, err := s.mosquitto("esme", esmeEUI, "mosquitto_pub", "-V", "5", "-t", topic, "-m", "x")
		allowed := !bytes.Contains(bytes.ToLower(out), []byte("not authorized"))
		if allowed && err != nil {
			s.t.Fatalf("mosquitto_pub %s: %v %s", topic, err, out)
		}
		if allowed != want {
			s.t.Errorf("mosquitto_pub %s with the certificate of %s: allowed is %v, want %v: %s", topic, esmeEUI, allowed, want, out)
		}
	}
	// Mosquitto lets anybody subscribe to anything, and delivers what may be read.
	for who, eui := range map[string]string{"esme": esmeEUI, "hub": hubEUI} {
		topics := s.listen(who, eui)
		delete(topics, own+"/down")
		for topic, n := range topics {
			foreign := topic != "han/"+hubEUI+"/clock"
			if who == "esme" && foreign {
				s.t.Errorf("the certificate of %s heard %d messages on %s", esmeEUI, n, topic)
			}
		}
		if topics["han/"+hubEUI+"/clock"] == 0 || who == "hub" && topics[other+"/up"] == 0 {
			s.t.Errorf("the certificate of the %s heard only %v: the test heard nothing it could have missed", who, topics)
		}
	}
}

// listen subscribes to everything for some heartbeats and counts messages by topic.
func (s *stack) listen(machine, eui string) map[string]int {
	const seconds = "6"                                                                            // 4 heartbeats at speed 1200
	out, _ := s.mosquitto(machine, eui, "mosquitto_sub", "-t", "han/#", "-F", "%t", "-W", seconds) // ends by its time limit
	topics := map[string]int{}
	for line := range strings.Lines(string(out)) {
		if topic := strings.TrimSpace(line); strings.HasPrefix(topic, "han/") {
			topics[topic]++
		}
	}
	return topics
}

// mosquitto runs one of Mosquitto's clients with a machine's certificate.
func (s *stack) mosquitto(machine, eui, program string, args ...string) ([]byte, error) {
	all := []string{
		"run", "--rm", "--network", s.project + "_default", "--user", "65532", "-v", s.project + "_" + machine + "-pki:/pki:ro",
		"--entrypoint", program, "eclipse-mosquitto:2", "-h", "broker", "-p", "8883", "--cafile", "/pki/root.pem",
		"--cert", "/pki/" + eui + ".pem", "--key", "/pki/" + eui + ".key", "-q", "1", "-i", "test",
	}
	return exec.Command("docker", append(all, args...)...).CombinedOutput()
}

// rootCertificate returns the hub's root, as it lies in its volume.
func (s *stack) rootCertificate() string {
	s.t.Helper()
	out, err := exec.Command("docker", "cp", s.container("hub")+":/pki/root.pem", "-").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	_, pem, _ := bytes.Cut(out, []byte("-----BEGIN"))
	return string(pem)
}

// register returns the gas meter's register as the mirror shows it.
func (s *stack) register() int {
	s.t.Helper()
	var mirror struct {
		Attributes []struct{ ID, Value string }
	}
	s.call(http.MethodGet, "/v1/mirror/"+gsmeEUI, nil, &mirror)
	for _, a := range mirror.Attributes {
		if a.ID == "0000" {
			n, err := strconv.Atoi(a.Value)
			if err != nil {
				s.t.Fatal(err)
			}
			return n
		}
	}
	s.t.Fatal("the mirror has no register")
	return 0
}

// checkStop demands that each machine stops by itself, in time, with code 0.
func (s *stack) checkStop() {
	for _, name := range []string{"ihd", "gsme", "esme", "hub", "broker"} {
		began := time.Now()
		s.compose("stop", name)
		took := time.Since(began)
		code := s.inspect(name, "{{.State.ExitCode}}")
		s.t.Logf("%s stopped in %v with exit code %s", name, took.Round(10*time.Millisecond), code)
		if code != "0" || took > mostStopSeconds*time.Second {
			s.t.Errorf("%s: exit code %s after %v, want 0 within %d s", name, code, took, mostStopSeconds)
		}
	}
	s.compose("down")
}

// measure compares what the idle containers use with what is promised.
func (s *stack) measure() {
	out, err := exec.Command("docker", "image", "inspect", "--format", "{{.Size}}", s.project).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	size, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("image: %.1f MB", float64(size)/1e6)
	if size > mostImageBytes {
		s.t.Errorf("the image has %d bytes, want at most %d", size, mostImageBytes)
	}
	pids := map[string]string{}
	began := map[string]time.Duration{}
	for _, name := range machines {
		pids[name] = s.inspect(name, "{{.State.Pid}}")
		began[name] = s.processorTime(pids[name])
	}
	const idle = 20 * time.Second
	time.Sleep(idle) // what is measured is doing nothing
	for _, name := range machines {
		percent := 100 * float64(s.processorTime(pids[name])-began[name]) / float64(idle)
		rss := s.resident(pids[name])
		s.t.Logf("%s idle at speed 1: %.2f %% of a core, %.1f MiB resident", name, percent, float64(rss)/1024)
		most := mostMeterKiB
		if name == "hub" {
			most = mostHubKiB
		}
		if name != "broker" && rss > most || name == "hub" && percent > mostIdlePercent {
			s.t.Errorf("%s uses more than %d KiB or %.0f %% of a core", name, most, mostIdlePercent)
		}
	}
}

// processorTime returns the time a process ran, from its clock ticks of 10 ms.
func (s *stack) processorTime(pid string) time.Duration {
	s.t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			s.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// resident returns a process's resident memory in KiB.
func (s *stack) resident(pid string) int {
	s.t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		s.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		s.t.Fatalf("/proc/%s/status has no VmRSS", pid)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// checkLogs demands one line per event, and hardly one while nothing happens.
func (s *stack) checkLogs() {
	line := regexp.MustCompile(`^\S+\s+\| (time=\S+ level=(INFO|WARN) msg=|\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ gas |\d+ machines are provisioned|\d+: |api token, shown once: )`)
	logs := strings.TrimSpace(string(s.compose("logs", "--no-color")))
	lines := strings.Split(logs, "\n")
	for _, l := range lines {
		if !line.MatchString(l) && !strings.HasPrefix(l, "Attaching to") {
			s.t.Errorf("log line: %s", l)
		}
	}
	s.t.Logf("%d log lines since the second up", len(lines))
	if len(lines) > 60 {
		s.t.Error("the log is noisy while nothing happens")
	}
}

// TestFleet runs homes side by side and sees each of them updated, under EUI64s that
// no other has.
func TestFleet(t *testing.T) {
	s := newStack(t, "fleet.yaml")
	s.env = append(s.env, "COMMSHUB_SPEED=3600")
	const homes = 3
	s.compose("up", "-d", "--build", "--scale", fmt.Sprintf("home=%d", homes))
	ids := strings.Fields(string(s.compose("ps", "-q", "home")))
	if len(ids) != homes {
		t.Fatalf("%d homes run, want %d", len(ids), homes)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		out, err := exec.Command("docker", "port", id, "8080/tcp").Output()
		if err != nil {
			t.Fatal(err)
		}
		s.api = "http://" + strings.TrimSpace(string(out))
		var home struct {
			Devices []struct{ EUI64, Kind string }
		}
		s.until("a home has its members", func() bool { return s.call("GET", "/v1/devices", nil, &home) && len(home.Devices) == 3 })
		for _, d := range home.Devices {
			if seen[d.EUI64] {
				t.Errorf("%s is in two homes", d.EUI64)
			}
			seen[d.EUI64] = true
			if d.Kind != "IHD" {
				s.until("a home is updated", func() bool { return s.update(d.EUI64).State == "activated" })
			}
		}
	}
}
