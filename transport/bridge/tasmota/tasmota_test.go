package tasmota

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/transport/bridge"
)

const plug han.EUI64 = 0x00DB12345678C001

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// firmware is a Tasmota binary, and otaFile the OTA file that holds it.
var firmware = bytes.Repeat([]byte("tasmota 13.1.0 "), 1000)

func otaFile() []byte {
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: 0xFFF1, FileVersion: 0x0D010000}, StackVersion: ota.StackVersionPRO}
	element := ota.SubElement{Tag: ota.TagUpgradeImage, Data: firmware}.Append(nil)
	h.TotalSize = uint32(h.Size() + len(element))
	return append(h.Append(nil), element...)
}

func image(file []byte) bridge.Image {
	return bridge.Image{
		Hash: sha256.Sum256(file), Size: int64(len(file)), Manufacturer: 0xFFF1, FileVersion: 0x0D010000,
		File: bytes.NewReader(file), URL: "http://127.0.0.1:8099/TOKEN/0d010000.ota",
	}
}

// bench is an adapter with simulated devices on a broker that loses nothing.
type bench struct {
	t       *testing.T
	a       *Adapter
	now     time.Time
	devices []*simulated
	home    *bridge.Home
	said    []bridge.Message // by the adapter
	reports map[han.EUI64]bridge.Report
	kept    []byte
	lines   []string
}

func parse(t testing.TB, section string) (*Adapter, error) {
	t.Helper()
	text := "broker: {url: mqtt://127.0.0.1:1883}\ntasmota:\n" + section
	c, err := bridge.ParseConfig("bridge.yaml", []byte(text), []bridge.Kind{Kind()})
	if err != nil {
		return nil, err
	}
	return c.Adapters[0].(*Adapter), nil
}

// newBench starts an adapter whose devices, all of them online, shall take the image.
func newBench(t *testing.T, section string, devices ...*simulated) *bench {
	t.Helper()
	b := &bench{t: t, now: noon, devices: devices, home: &bridge.Home{}, reports: map[han.EUI64]bridge.Report{}}
	b.open(section, nil)
	for _, m := range b.a.Devices() {
		b.home.Devices = append(b.home.Devices, bridge.Device{EUI64: m.EUI64, Kind: "BRIDGED",
			Update: &bridge.Update{State: bridge.Pending, Image: image(otaFile())}})
	}
	return b
}

func (b *bench) open(section string, kept []byte) {
	b.t.Helper()
	a, err := parse(b.t, section)
	if err != nil {
		b.t.Fatal(err)
	}
	b.a = a
	if kept != nil {
		if err := a.Restore(kept); err != nil {
			b.t.Fatal(err)
		}
	}
	b.do(func(out *bridge.Outbox) { a.HandleUp(b.now, "", out) })
}

// do calls the adapter, carries its commands to the devices and their answers back.
func (b *bench) do(call func(out *bridge.Outbox)) {
	b.t.Helper()
	var out bridge.Outbox
	call(&out)
	b.lines = append(b.lines, out.Lines()...)
	for _, r := range out.Reports() {
		b.reports[r.Device] = r
	}
	if out.Kept() != nil {
		b.kept = out.Kept()
	}
	for _, m := range out.Messages() {
		b.said = append(b.said, m)
		for _, d := range b.devices {
			for _, answer := range d.handle(m) {
				b.hear(answer)
			}
		}
	}
}

func (b *bench) hear(m bridge.Message) {
	b.t.Helper()
	b.do(func(out *bridge.Outbox) {
		if err := b.a.HandleMessage(b.now, m, out); err != nil {
			b.t.Errorf("%s %s: %v", m.Topic, m.Payload, err)
		}
	})
}

func (b *bench) online() {
	b.t.Helper()
	for _, d := range b.devices {
		b.hear(d.say("tele", "LWT", "Online"))
	}
}

func (b *bench) picture() {
	b.t.Helper()
	b.do(func(out *bridge.Outbox) { b.a.HandleHome(b.now, b.home, out) })
}

// run lets time pass until the update has ended, or nothing more will happen.
func (b *bench) run() bridge.Report {
	b.t.Helper()
	for range 100 {
		at, set := b.a.NextTimer()
		if !set || b.reports[plug].State.Ended() {
			break
		}
		if at.After(b.now) {
			b.now = at
		}
		b.do(func(out *bridge.Outbox) { b.a.HandleTimer(b.now, out) })
	}
	return b.reports[plug]
}

// count returns how often the adapter published something that contains text.
func (b *bench) count(command, text string) int {
	n := 0
	for _, m := range b.said {
		if strings.HasSuffix(m.Topic, "/"+command) && strings.Contains(string(m.Payload), text) {
			n++
		}
	}
	return n
}

func oneDevice(more string) string {
	return "  devices:\n  - {id: 00DB12345678C001, label: hall, topic: plug, " + more + "}\n"
}

func newPlug() *simulated {
	return &simulated{topic: "plug", version: "12.5.0", next: "13.1.0", password: "", url: "http://ota.tasmota.com/tasmota/release/tasmota.bin.gz",
		fetch: func(string) ([]byte, error) { return firmware, nil }}
}

func TestUploadByMQTT(t *testing.T) {
	d := newPlug()
	b := newBench(t, oneDevice("by: mqtt"), d)
	b.picture()
	if len(b.said) > 0 {
		t.Errorf("a device that is not online is told %v", b.said)
	}
	b.online()
	r := b.run()
	if r.State != bridge.Activated || r.Version != 0x0D010000 || !r.Known || r.Offset != uint32(len(firmware)) || r.Image != b.home.Devices[0].Update.Image.Hash {
		t.Errorf("report %+v", r)
	}
	if !bytes.Equal(d.image, firmware) || d.started != 1 {
		t.Errorf("the device holds %d bytes after %d uploads, want %d after one", len(d.image), d.started, len(firmware))
	}
	if b.now != noon {
		t.Errorf("without pacing it took %v", b.now.Sub(noon))
	}
}

func TestUploadInWindows(t *testing.T) {
	d := newPlug()
	b := newBench(t, oneDevice("by: mqtt, pacing: {every: 30m, blocks: 6}"), d)
	b.picture()
	b.online()
	r := b.run()
	if r.State != bridge.Activated || !bytes.Equal(d.image, firmware) || d.started != 1 {
		t.Errorf("report %+v, %d uploads", r, d.started)
	}
	windows := (d.pieces + 5) / 6
	if windows < 3 || r.Windows != uint32(windows) || b.now.Sub(noon) != time.Duration(windows-1)*30*time.Minute {
		t.Errorf("%d pieces in %d windows and %v", d.pieces, r.Windows, b.now.Sub(noon))
	}
}

func TestUpgradeByHTTP(t *testing.T) {
	d := newPlug()
	own := d.url
	var fetched string
	d.fetch = func(url string) ([]byte, error) { fetched = url; return firmware, nil }
	b := newBench(t, oneDevice("by: http"), d)
	b.picture()
	b.online()
	r := b.run()
	if r.State != bridge.Activated || fetched != "http://127.0.0.1:8099/TOKEN/upgrade-image/0d010000.bin" {
		t.Errorf("report %+v, fetched %s", r, fetched)
	}
	if d.url != own {
		t.Errorf("the device's OtaUrl is %q afterwards, want %q", d.url, own)
	}
	if n := b.count("Upgrade", "1"); n != 1 {
		t.Errorf("%d orders to upgrade", n)
	}
}

// TestUpgradeInTwoSteps: the minimal build of a version is not that version, and the
// device's own OtaUrl is not put back before the second step.
func TestUpgradeInTwoSteps(t *testing.T) {
	d := newPlug()
	own := d.url
	d.small, d.fetch = true, func(string) ([]byte, error) { return firmware, nil }
	b := newBench(t, oneDevice("by: http"), d)
	b.picture()
	b.online()
	const url = "http://127.0.0.1:8099/TOKEN/upgrade-image/0d010000.bin"
	if r := b.run(); r.State != bridge.Activated || !slices.Equal(d.fetched, []string{url, url}) || d.build != "" {
		t.Errorf("report %+v, fetched %v, runs build %q", r, d.fetched, d.build)
	}
	if d.url != own {
		t.Errorf("the device's OtaUrl is %q afterwards, want %q", d.url, own)
	}

	d = newPlug()
	d.small, d.stuck, d.fetch = true, true, func(string) ([]byte, error) { return firmware, nil }
	b = newBench(t, oneDevice("by: http"), d)
	b.picture()
	b.online()
	if r := b.run(); r.State != bridge.Failed || r.Known || !strings.HasPrefix(r.Outcome, "the device still runs the minimal build of version 0D010000") || d.url != own {
		t.Errorf("report %+v, OtaUrl %q", r, d.url)
	}

	d = newPlug()
	d.version, d.build, d.stuck = "13.1.0", "tasmota-minimal", true
	b = newBench(t, oneDevice("by: mqtt"), d)
	b.picture()
	b.online()
	b.run()
	if d.started == 0 {
		t.Error("a device with the minimal build of the version is given nothing")
	}
}

func TestUpgradeThatFailsIsTriedAgain(t *testing.T) {
	d := newPlug()
	tries := 0
	d.fetch = func(string) ([]byte, error) {
		if tries++; tries < 3 {
			return nil, errors.New("404")
		}
		return firmware, nil
	}
	b := newBench(t, oneDevice("by: http"), d)
	b.picture()
	b.online()
	if r := b.run(); r.State != bridge.Activated || tries != 3 {
		t.Errorf("report %+v after %d tries", r, tries)
	}
	d = newPlug()
	d.fetch = func(string) ([]byte, error) { return nil, errors.New("404") }
	b = newBench(t, oneDevice("by: http"), d)
	b.picture()
	b.online()
	if r := b.run(); r.State != bridge.Failed || r.Outcome != "the device says Failed Wrong HTTP code, 3 times" {
		t.Errorf("report %+v", r)
	}
	if !strings.HasPrefix(d.url, "http://ota.tasmota.com/") {
		t.Errorf("the device's OtaUrl is %q afterwards", d.url)
	}
}

func TestADeviceThatRunsTheImageIsGivenNothing(t *testing.T) {
	d := newPlug()
	d.version = "13.1.0"
	b := newBench(t, oneDevice("by: mqtt"), d)
	b.picture()
	b.online()
	if r := b.run(); r.State != bridge.Activated || r.Outcome == "" || b.count("FileUpload", "") > 0 {
		t.Errorf("report %+v, %d uploads", r, b.count("FileUpload", ""))
	}
}

func TestUploadsThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		change  func(*simulated)
		state   bridge.State
		outcome string
		started int
	}{
		"one damaged piece":        {func(d *simulated) { d.corrupt = 1 }, bridge.Activated, "", 2},
		"one lost acknowledgement": {func(d *simulated) { d.deaf = 1 }, bridge.Activated, "", 2},
		"damaged again and again":  {func(d *simulated) { d.corrupt = 1000 }, bridge.Failed, "the device says MD5 mismatch, 3 times", 3},
		"deaf":                     {func(d *simulated) { d.deaf = 1000 }, bridge.Failed, "the device does not acknowledge, 3 times", 3},
		"another password":         {func(d *simulated) { d.password = "secret" }, bridge.Failed, "the device's MQTT password is another one: see password-file", 0},
		"no such command":          {func(d *simulated) { d.noUpload = true }, bridge.Failed, "the device has no command FileUpload (it is built without USE_MQTT_FILE)", 0},
		"comes back as before":     {func(d *simulated) { d.next = "12.5.0" }, bridge.Failed, "the device still runs version 0C050000, 3 times", 3},
	} {
		t.Run(name, func(t *testing.T) {
			d := newPlug()
			tt.change(d)
			b := newBench(t, oneDevice("by: mqtt"), d)
			b.picture()
			b.online()
			if r := b.run(); r.State != tt.state || !strings.HasPrefix(r.Outcome, tt.outcome) || d.started != tt.started {
				t.Errorf("report %+v after %d uploads, want %s, %q, %d", r, d.started, tt.state, tt.outcome, tt.started)
			}
		})
	}
}

func TestCancelledUploadIsAborted(t *testing.T) {
	d := newPlug()
	b := newBench(t, oneDevice("by: mqtt, pacing: {every: 30m, blocks: 3}"), d)
	b.picture()
	b.online()
	aborted := d.aborted
	b.home.Devices[0].Update.State = bridge.Cancelled
	b.picture()
	if d.aborted != aborted+1 || d.id != 0 {
		t.Errorf("the device was not told: aborted %d times, id %d", d.aborted, d.id)
	}
	if _, set := b.a.NextTimer(); set {
		t.Error("something is still waited for")
	}
}

func TestStoppedBridgeEndsTheUpload(t *testing.T) {
	d := newPlug()
	b := newBench(t, oneDevice("by: mqtt, pacing: {every: 30m, blocks: 3}"), d)
	b.picture()
	b.online()
	b.do(b.a.HandleDown)
	if d.id != 0 {
		t.Error("the device still waits for pieces")
	}
}

// A bridge that is killed while the device fetches the image does not order it
// again: it asks what the device runs.
func TestKilledBridgeDoesNotGiveTwice(t *testing.T) {
	d := newPlug()
	own := d.url
	d.fetch = func(string) ([]byte, error) { return nil, errors.New("the device is not done yet") }
	section := oneDevice("by: http")
	b := newBench(t, section, d)
	b.devices = nil // what the device says from here on is not heard
	b.picture()
	b.hear(d.say("tele", "LWT", "Online"))
	answer := func(command string) {
		for _, m := range d.handle(bridge.Message{Topic: "cmnd/plug/" + command}) {
			b.hear(m)
		}
	}
	answer("Status") // then the bridge reads, sets and orders
	answer("OtaUrl")
	d.url = b.a.devices[0].job.image.PartURL(bridge.ContentImage)
	answer("OtaUrl")
	if got := b.a.devices[0].job.state; got != stateUpgrading {
		t.Fatalf("state %d", got)
	}
	b.said, b.devices = nil, []*simulated{d}
	b.open(section, b.kept)
	b.picture()
	b.online() // still as before, and busy
	if r := b.reports[plug]; r.State != bridge.Transferred {
		t.Errorf("report %+v", r)
	}
	d.restart()
	b.online()
	if r := b.run(); r.State != bridge.Activated || b.count("Upgrade", "") > 0 {
		t.Errorf("report %+v, ordered %d times", r, b.count("Upgrade", ""))
	}
	if d.url != own {
		t.Errorf("the device's OtaUrl is %q afterwards, want %q", d.url, own)
	}
}

func TestStatesOfAnUpload(t *testing.T) {
	for s := stateWaiting; s <= stateDone; s++ {
		want := s == stateClearing || s == stateStarting || s == stateSending || s == stateEnding
		if s.uploads() != want || want && !s.busy() {
			t.Errorf("state %d: uploads %v, busy %v", s, s.uploads(), s.busy())
		}
	}
}

func TestOneDeviceAtATime(t *testing.T) {
	first, second := newPlug(), newPlug()
	second.topic = "lamp"
	b := newBench(t, "  devices:\n  - {id: 00DB12345678C001, topic: plug, by: mqtt, pacing: {every: 1m, blocks: 5}}\n"+
		"  - {id: 00DB12345678C002, topic: lamp, by: mqtt}\n", first, second)
	b.picture()
	b.online()
	if first.started != 1 || second.started != 0 {
		t.Errorf("%d and %d uploads at once", first.started, second.started)
	}
	b.run()
	if b.reports[0x00DB12345678C002].State != bridge.Activated || !bytes.Equal(second.image, firmware) {
		t.Errorf("the second: %+v", b.reports[0x00DB12345678C002])
	}
}

func TestPasswordAndFullTopic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("se\"cret<\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newPlug()
	d.password = "se\"cret<"
	b := newBench(t, oneDevice("by: mqtt, password-file: "+path), d)
	b.picture()
	b.online()
	if r := b.run(); r.State != bridge.Activated {
		t.Errorf("report %+v", r)
	}
	a, err := parse(t, "  full-topic: home/%topic%/%prefix%/\n"+oneDevice(""))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(a.Filters()); got != "[home/plug/tele/LWT home/plug/stat/FILEUPLOAD home/plug/stat/OTAURL home/plug/stat/RESULT home/plug/stat/STATUS2 home/plug/stat/UPGRADE]" {
		t.Errorf("filters %s", got)
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]uint32{
		"13.1.0(tasmota)": 0x0D010000, "9.5.0.2(lite)": 0x09050002, "12.5.0": 0x0C050000, "0.0.1": 0x00000100,
		"13.1": 0, "256.0.0": 0, "tasmota": 0, "": 0, "1.2.3.4.5": 0x01020304,
	} {
		if got, ok := parseVersion(text); got != want || ok != (want != 0) {
			t.Errorf("%q: %08X %v, want %08X", text, got, ok, want)
		}
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for section, want := range map[string]string{
		"  devices: []\n": "no device is named",
		"  full-topic: '%topic%/'\n" + oneDevice(""):                                               "full-topic",
		"  concurrency: 0\n" + oneDevice(""):                                                       "concurrency 0",
		oneDevice("by: carrier-pigeon"):                                                            "want http or mqtt",
		oneDevice("password-file: /does/not/exist"):                                                "password-file of plug",
		oneDevice("pacing: {blocks: -1}"):                                                          "nothing below 0",
		"  devices:\n  - {id: 00DB12345678C001, topic: 'a/b'}\n":                                   "topic \"a/b\"",
		"  devices:\n  - {id: 00DB12345678C001, topic: '+'}\n":                                     "topic \"+\"",
		"  devices:\n  - {id: 00DB12345678C001, topic: a}\n  - {id: 00DB12345678C002, topic: a}\n": "twice",
	} {
		if _, err := parse(t, section); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "bridge.yaml:") {
			t.Errorf("%s: %v, want %q", section, err, want)
		}
	}
}

// FuzzAnswer lets a device say anything at each stage. It ends where it ends, but
// nothing is published outside the device's commands.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"FileUpload":"Started"}`), byte(2), true)
	f.Add([]byte(`{"Id":2,"MaxSize":765}`), byte(3), true)
	f.Add([]byte(`{"Upgrade":"Successful. Restarting"}`), byte(5), false)
	f.Add([]byte(`{"StatusFWR":{"Version":"13.1.0(tasmota)"}}`), byte(1), false)
	f.Add([]byte(`{"OtaUrl":"http://example.org/"}`), byte(4), false)
	f.Fuzz(func(t *testing.T, payload []byte, steps byte, byMQTT bool) {
		section := oneDevice("by: http")
		if byMQTT {
			section = oneDevice("by: mqtt")
		}
		d := newPlug()
		b := newBench(t, section)
		b.picture()
		b.hear(d.say("tele", "LWT", "Online"))
		for range steps % 8 { // as far as a good device brings it
			for _, m := range d.handle(b.said[len(b.said)-1]) {
				b.hear(m)
			}
		}
		before := len(b.said)
		for _, level := range statLevels {
			var out bridge.Outbox
			err := b.a.HandleMessage(b.now, bridge.Message{Topic: "stat/plug/" + level, Payload: payload}, &out)
			if err != nil && len(out.Messages())+len(out.Reports()) > 0 {
				t.Fatal("a refused message had an effect")
			}
			b.said = append(b.said, out.Messages()...)
		}
		for _, m := range b.said[before:] {
			if !strings.HasPrefix(m.Topic, "cmnd/plug/") || m.Retained || len(m.Payload) > 2*maxPiece {
				t.Fatalf("published %s, %d bytes", m.Topic, len(m.Payload))
			}
		}
	})
}
