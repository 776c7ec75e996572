package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/transport/broker"
)

// secrets are the ways in which something secret could be read, by its name.
type secrets map[string][]string

// text adds something that is secret as it stands.
func (s secrets) text(name, text string) {
	s[name] = append(s[name], text, base64.StdEncoding.EncodeToString([]byte(text)), hex.EncodeToString([]byte(text)))
}

// bytes adds something that is secret however its bytes are written.
func (s secrets) bytes(name string, b []byte) {
	s[name] = append(s[name], string(b), hex.EncodeToString(b), strings.Trim(fmt.Sprintf("%d", b), "[]"),
		base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b))
}

// keys adds each private key in a folder and below.
func (s secrets) keys(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".key" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil // the storage key, which is no PEM
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return err
		}
		key, err := parsed.(*ecdsa.PrivateKey).ECDH()
		if err != nil {
			return err
		}
		name := "private key " + filepath.Base(path)
		s.bytes(name, key.Bytes())
		s[name] = append(s[name], base64.StdEncoding.EncodeToString(block.Bytes)[:64]) // the first line of the PEM text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// installCode adds a code, of which the last two bytes are a checksum, and its link key.
func (s secrets) installCode(name string, code installcode.Code) {
	key := code.Key()
	s.bytes("install code "+name, code[:len(code)-2])
	s.bytes("link key "+name, key[:])
}

// hexAlone drops what stands between the digits of printed codes.
var hexAlone = strings.NewReplacer(" ", "", ":", "", "-", "")

// in returns the names of the secrets that a text has.
func (s secrets) in(text string) (found []string) {
	bare := strings.ToLower(hexAlone.Replace(text))
	for name, forms := range s {
		for _, form := range forms {
			if strings.Contains(text, form) || strings.Contains(bare, form) {
				found = append(found, name)
				break
			}
		}
	}
	return found
}

func TestASecretIsFoundHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	code, err := installcode.Parse(meterCode)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if c, _, errs := called(t, "pki", "init", "--state", dir); c != exitOK {
		t.Fatal(errs)
	}
	key, err := os.ReadFile(filepath.Join(dir, "pki", "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	s := secrets{}
	s.installCode("of the meter", code)
	s.text("token", "ABCDEFGHIJKLMNOP")
	s.keys(t, dir)
	for _, text := range []string{
		meterCode, "83:fe:d3:40:7a:93:97:23:a5:c6:39:b2:69:16:d5:05", fmt.Sprint(code), fmt.Sprintf("%X", code.Key()), string(code[:]),
		`{"key":"` + base64.StdEncoding.EncodeToString(code[:16]) + `"}`, "Bearer ABCDEFGHIJKLMNOP", fmt.Sprintf("%q", key), string(key),
	} {
		if len(s.in("before "+text+" after")) != 1 {
			t.Errorf("%d secrets found in %q", len(s.in(text)), text)
		}
	}
	if found := s.in("nothing of them"); len(found) > 0 {
		t.Errorf("found %v in a text that has none", found)
	}
}

// TestNothingSecretIsShown runs homes that have all the secrets there are, by certificates
// and by passwords, with logs in JSON and as text, through an update, wrong credentials and
// mistakes on command lines. None of the secrets is in a log, a capture, a metric, an answer
// of the REST interface, or what a command prints. The one exception is the line that
// shows the token when it is made.
func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*secretive){"certificates": (*secretive).byCertificate, "passwords": (*secretive).byPassword} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &secretive{processes: newProcesses(t), secrets: secrets{}, shown: map[string]string{}}
			s.outsideBroker()
			start(s)
			s.update()
			s.listen()
			s.ask()
			s.mistakes()
			s.enumerate()
			s.stop()
			s.judge()
		})
	}
}

// TestADemoShowsNothingSecret, which has broker, hub and devices in one process.
func TestADemoShowsNothingSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, out, errs := called(t, "demo", "--state", dir, "--until", "updated", "--json", "--listen", "127.0.0.1:0", "--speed", "3600",
		"--pacing", "blocks=5000", "--log-level", "debug", "--log-format", "text", "--capture", filepath.Join(dir, "capture"))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	s := &secretive{processes: &processes{t: t, dir: dir}, secrets: secrets{}, shown: map[string]string{"standard output": out, demoTold: errs}}
	s.secrets.text("token", s.file("api-token"))
	s.secrets.keys(t, dir)
	s.shown["capture"] = s.file("capture")
	s.judge()
}

// TestASimulationShowsNothingSecret, though its keys follow from its seed: neither do trace,
// page, capture and results of a run, nor what chaos and a sweep print.
func TestASimulationShowsNothingSecret(t *testing.T) {
	t.Parallel()
	s := &secretive{processes: &processes{t: t, dir: t.TempDir()}, secrets: secrets{}, shown: map[string]string{}}
	scenario := filepath.Join("..", "..", "docs", "examples", "happy_path.yaml")
	files := map[string]string{"--trace": "trace", "--report": "page.html", "--capture": "capture"}
	play := []string{"sim", "run", scenario, "--seed", "1", "--json"}
	for flag, name := range files {
		play = append(play, flag, filepath.Join(s.dir, name))
	}
	for _, args := range [][]string{
		play, {"sim", "chaos", "--seeds", "5", "--json"}, {"sim", "chaos", "--seeds", "2"},
		{"sim", "sweep", scenario, "--vary", "loss=0,0.1", "--seeds", "1", "--report", filepath.Join(s.dir, "sweep.html")},
		{"report", scenario, "--html", filepath.Join(s.dir, "report.html")},
	} {
		code, out, errs := called(t, args...)
		if code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, errs)
		}
		s.shown[strings.Join(args, " ")] = out + errs
	}
	for _, name := range []string{"trace", "page.html", "capture", "sweep.html", "report.html"} {
		if s.shown[name] = s.file(name); len(s.shown[name]) < 1000 {
			t.Errorf("%s has %d bytes only", name, len(s.shown[name]))
		}
	}
	c := hub.DefaultConfig()
	for _, eui := range []han.EUI64{c.EUI64, c.CHF, c.Supplier, home.Broker, home.DefaultESME, home.DefaultGSME} {
		for seed := uint64(1); seed <= 5; seed++ {
			s.simulated(eui, seed)
		}
	}
	s.judged(0)
}

// simulated adds the keys of a party in virtual time.
func (s *secretive) simulated(eui han.EUI64, seed uint64) {
	s.t.Helper()
	keys, err := home.SimulatedKeys(seed).Own(eui)
	if err != nil {
		s.t.Fatal(err)
	}
	signing, err := keys.DS.ECDH()
	if err != nil {
		s.t.Fatal(err)
	}
	name := fmt.Sprintf("of %s with seed %d", eui, seed)
	s.secrets.bytes("signing key "+name, signing.Bytes())
	s.secrets.bytes("key agreement key "+name, keys.KA.Bytes())
}

// secretive is a home that has every kind of secret.
type secretive struct {
	*processes
	secrets secrets
	shown   map[string]string // what anybody could see, by where
	code    installcode.Code
	image   string // SHA-256
}

func (s *secretive) file(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

const (
	outsidePassword = "outside-Pa55word-of-the-bridge"
	homePassword    = "inside-Pa55word-of-the-home"
	wrongPassword   = "mistyped-Pa55word-of-nobody"
)

// startBroker runs a broker in this process, whose log is kept with those of the others.
func (s *secretive) startBroker(role string, accounts map[string]broker.Account) string {
	s.t.Helper()
	s.logs[role] = s.write(role+".log", "")
	log, err := os.OpenFile(s.logs[role], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := broker.Start(broker.Options{
		StoreDir: s.t.TempDir(), Accounts: accounts, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := errors.Join(b.Close(), log.Close()); err != nil {
			s.t.Error(err)
		}
	})
	return b.URL()
}

// outsideBroker runs the broker of the bridge, and writes the bridge's configuration.
func (s *secretive) outsideBroker() {
	url := s.startBroker("outside broker", map[string]broker.Account{
		"bridge": {Password: outsidePassword, Grant: broker.Grant{Publish: []string{"#"}, Subscribe: []string{"#"}}},
	})
	const config = `broker: {url: %q%s}
homeassistant: {meters: [{id: %s}]}
`
	file := fmt.Sprintf(", username: bridge, password-file: %q", s.write("outside-password", outsidePassword+"\n"))
	s.write("bridge.yaml", fmt.Sprintf(config, url, file, home.DefaultESME))
	s.write("bridge-by-url.yaml", fmt.Sprintf(config, strings.Replace(url, "://", "://bridge:"+outsidePassword+"@", 1), "", home.DefaultESME))
	s.write("bridge-mistyped.yaml", fmt.Sprintf(config, strings.Replace(url, "://", "://bridge:"+wrongPassword+"@", 1), "", home.DefaultESME))
	s.command("storage", "key", filepath.Join(s.dir, "keys", "storage.key"))
	s.env = append(s.env, "COMMSHUB_STORAGE_KEY="+filepath.Join(s.dir, "keys", "storage.key"))
	s.code = installcode.New([installcode.SecretSize]byte([]byte("secret of a code")))
}

// startHub runs the hub, captured, with the means of a laboratory.
func (s *secretive) startHub(more ...string) {
	address := strings.TrimPrefix(s.apiURL, "http://")
	s.run("hub", append([]string{"hub", "--broker", s.broker, "--listen", address, "--speed", "1800", "--pacing", "blocks=5000", "--lab",
		"--capture", filepath.Join(s.dir, "capture")}, more...)...)
	s.listening(address)
	s.command("device", "add", home.DefaultESME.String(), "--kind", "ESME")
	s.command("device", "add", home.DefaultGSME.String(), "--kind", "GSME", "--install-code", hex.EncodeToString(s.code[:]))
}

// byCertificate runs the home on the broker of the product, with the bridge in the hub.
func (s *secretive) byCertificate() {
	s.embeddedBroker()
	s.startHub("--bridge", filepath.Join(s.dir, "bridge.yaml"))
	s.meter("esme")
	s.meter("gsme")
}

// byPassword runs the home on a broker that asks for passwords, with a bridge of its own.
// Who has mistyped a password or a code tries first.
func (s *secretive) byPassword() {
	id, esme, gsme := hub.DefaultConfig().EUI64, home.DefaultESME, home.DefaultGSME
	s.broker = s.startBroker("inside broker", map[string]broker.Account{
		"hub": {Password: homePassword, Grant: broker.HubGrant(id)}, "esme": {Password: homePassword, Grant: broker.DeviceGrant(id, esme)},
		"gsme": {Password: homePassword, Grant: broker.DeviceGrant(id, gsme)},
	})
	s.env = append(s.env, "COMMSHUB_LOG_FORMAT=text")
	right, wrong := s.write("password", homePassword), s.write("mistyped", wrongPassword)
	s.startHub("--broker-user", "hub", "--broker-password-file", right)

	s.run("esme", "meter", "esme", "--broker", s.broker, "--broker-user", "esme", "--broker-password-file", wrong)
	s.until("the mistyped password is refused", func() bool { return s.logged("esme", "level=WARN") })
	s.end("esme")
	s.run("esme", "meter", "esme", "--broker", s.broker, "--broker-user", "esme", "--broker-password-file", right)

	other := installcode.New([installcode.SecretSize]byte([]byte("not its own code")))
	s.secrets.installCode("mistyped", other)
	join := []string{"meter", "gsme", "--broker", s.broker, "--broker-user", "gsme", "--broker-password-file", right, "--install-code"}
	s.run("gsme", append(join, hex.EncodeToString(other[:]))...)
	s.until("the mistyped code is refused", func() bool { return s.logged("gsme", "refused") && s.logged("hub", "refused") })
	s.end("gsme")
	s.run("gsme", append(join, hex.EncodeToString(s.code[:]))...)

	s.run("outside", "bridge", filepath.Join(s.dir, "bridge-mistyped.yaml"))
	s.until("the mistyped password of the bridge is refused", func() bool { return s.logged("outside", "level=WARN") })
	s.end("outside")
	s.run("outside", "bridge", filepath.Join(s.dir, "bridge-by-url.yaml"))
}

// update has the electricity meter updated, and keeps what the commands print.
func (s *secretive) update() {
	esme, gsme := home.DefaultESME.String(), home.DefaultGSME.String()
	s.until("the bridge works", func() bool {
		return s.logged("hub", "bridge works") || s.logs["outside"] != "" && s.logged("outside", "bridge works")
	})
	for _, eui := range []string{esme, gsme} {
		s.until(eui+" is heard", func() bool { _, heard := s.lastHeard(eui); return heard })
	}
	s.print("firmware", "upload", s.sample(), "--json")
	s.print("firmware", "distribute", "02000000", esme)
	s.until("the image is there", func() bool { return s.processes.update(esme).State == "transferred" })
	s.print("firmware", "activate", esme)
	s.until("the image runs", func() bool { return s.processes.update(esme).State == "activated" })
	for _, of := range []string{"device list", "firmware list", "firmware orders", "firmware updates", "pki list"} {
		s.print(append(strings.Fields(of), "--json")...)
	}
	s.print("report", esme, "--html", filepath.Join(s.dir, "page.html"))
	s.shown["page of the report"] = s.file("page.html")
	s.image = s.processes.update(esme).Image
}

// print runs a command and keeps what it prints, whatever becomes of it.
func (s *secretive) print(args ...string) {
	s.t.Helper()
	cmd := exec.Command(s.binary, args...)
	cmd.Env = s.env
	out, _ := cmd.CombinedOutput() // that it failed stands in it
	s.shown["commshub "+strings.Join(args[:2], " ")] += string(out)
}

// listen keeps what comes of the streams that do not end.
func (s *secretive) listen() {
	for _, path := range []string{"/events", "/v1/capture?follow=true&after=0"} {
		answer, err := http.Get(s.apiURL + path)
		if err != nil {
			s.t.Fatal(err)
		}
		some := make([]byte, 1024)
		n, err := io.ReadFull(answer.Body, some)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			s.t.Fatalf("%s: %v after %d bytes", path, err, n)
		}
		s.shown[path] = string(some)
	}
}

// ask keeps the answer to each question that the REST interface knows, asked with the
// token, and one asked with a token that was mistyped.
func (s *secretive) ask() {
	var described struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal([]byte(s.get("/openapi.json", "")), &described); err != nil {
		s.t.Fatal(err)
	}
	token, answers := s.file("state/api-token"), 0
	for path, operations := range described.Paths {
		if operations["get"] == nil || path == "/events" || path == "/v1/capture" {
			continue
		}
		for _, eui := range []han.EUI64{home.DefaultESME, home.DefaultGSME} {
			path := strings.NewReplacer("{eui64}", eui.String(), "{sha256}", s.image, "{sequence}", "1", "{id}", "1").Replace(path)
			if s.get(path, token) != "" {
				answers++
			}
		}
	}
	if answers < 40 {
		s.t.Errorf("%d answers of the REST interface, want more", answers)
	}
	s.get("/v1/session", token[:len(token)-1]+"?")
}

// get asks the hub, and keeps the answer and its header; it returns "" if it is a refusal.
func (s *secretive) get(path, token string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.apiURL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.shown["GET "+path] = fmt.Sprint(answer.Header) + string(body)
	if answer.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// mistakes are those in which a secret stands where it should not.
func (s *secretive) mistakes() {
	inURL := "://hub:" + homePassword + "@127.0.0.1:1/"
	s.print("meter", "esme", "--broker", "mqtt"+inURL)
	s.print("meter", "gsme", "--broker", "http"+inURL)
	s.print("meter", "ihd", "--broker", "mqtt"+inURL+"%zz")
	s.print("device", "list", "--api", "http"+inURL)
	s.print("device", "list", "--api", "ftp"+inURL)
	s.print("hub", "--broker", "mqtts"+inURL)
	s.print("health", "--api", "http"+inURL)
	code := hex.EncodeToString(s.code[:len(s.code)-1]) + "00" // one byte of its checksum is wrong
	s.print("device", "add", home.DefaultGSME.String(), "--kind", "GSME", "--install-code", code)
	s.print("meter", "gsme", "--broker", "mqtt://127.0.0.1:1", "--install-code", code)
	s.write("bad-bridge.yaml", "broker: {url: \"ftp"+inURL+"\"}\nhomeassistant: {}\n")
	s.print("bridge", filepath.Join(s.dir, "bad-bridge.yaml"), "--check")
}

// enumerate names the secrets of the home.
func (s *secretive) enumerate() {
	token := s.file("state/api-token")
	s.secrets.text("token", token)
	s.secrets.text("mistyped token", token[:len(token)-1])
	key, err := hex.DecodeString(s.file("keys/storage.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.secrets.bytes("storage key", key)
	s.secrets.installCode("of the gas meter", s.code)
	for name, text := range map[string]string{"bridge": outsidePassword, "home": homePassword, "nobody": wrongPassword} {
		s.secrets.text("password of "+name, text)
	}
	s.secrets.keys(s.t, s.dir)
	for role := range s.logs {
		s.shown["log of "+role] = s.file(role + ".log")
	}
	s.shown["capture"] = s.file("capture")
}

// demoTold is what a demo tells a person.
const demoTold = "standard error of the demo"

// judge looks for the secrets in all that was shown. The line that shows the token is the
// hub's, and there is one.
func (s *secretive) judge() { s.judged(1) }

// judged does the same where the token is to be shown so many times.
func (s *secretive) judged(tokens int) {
	const intended = "api token, shown once"
	lines := 0
	for where, text := range s.shown {
		var rest []string
		for line := range strings.Lines(text) {
			if strings.Contains(line, intended) && (where == "log of hub" || where == demoTold) {
				lines++
				continue
			}
			rest = append(rest, line)
		}
		if found := s.secrets.in(strings.Join(rest, "")); len(found) > 0 {
			s.t.Errorf("%s shows %v", where, found)
		}
	}
	if lines != tokens {
		s.t.Errorf("the token is shown %d times, want %d", lines, tokens)
	}
	s.t.Logf("%d secrets looked for in %d places", len(s.secrets), len(s.shown))
	if len(s.secrets) < 10 {
		s.t.Errorf("only %d secrets are known", len(s.secrets))
	}
}
