package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/codectest"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/loopback"
)

// autoMake is how docs/compose.md has meters made for the image in compose/images; the home has
// the published identities.
var autoMake = []string{"COMMSHUB_HOME=0", "COMMSHUB_MANUFACTURER_CODE=auto", "COMMSHUB_IMAGE_TYPE=auto", "COMMSHUB_HARDWARE=auto"}

// TestVendorsImagesReachMeters takes each vendor's image through the home of
// compose/compose.yaml, whose commands run as processes, with the variables that
// docs/compose.md names and no other.
func TestVendorsImagesReachMeters(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "ota", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no images: %v", err)
	}
	for _, file := range files {
		for trust, want := range map[string]struct{ state, alert string }{"any": {"activated", "8F72"}, "signed": {"failed", "8F1C"}} {
			t.Run(filepath.Base(file)+" with trust "+trust, func(t *testing.T) {
				if info, err := os.Stat(file); err != nil || testing.Short() && info.Size() > 30_000 {
					t.Skipf("a small one is enough with -short; %v", err)
				}
				t.Parallel()
				p := composedHome(t, file, append(autoMake, "COMMSHUB_TRUST="+trust)...)
				esme, gsme := home.DefaultESME.String(), home.DefaultGSME.String()
				p.distribute(file, esme, gsme)
				for _, eui := range []string{esme, gsme} {
					p.ends(eui, want.state)
					p.until(eui+"'s alert "+want.alert, func() bool { return p.alerted(eui, want.alert) })
				}
			})
		}
	}
}

// TestAnImageForOneDeviceReachesIt, and no other: the destination in its header is a
// minor field that a meter's maker may set.
func TestAnImageForOneDeviceReachesIt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "one.zigbee")
	if err := os.WriteFile(file, imageFor(home.DefaultGSME), 0o600); err != nil {
		t.Fatal(err)
	}
	p := composedHome(t, file, append(autoMake, "COMMSHUB_TRUST=any")...)
	esme, gsme := home.DefaultESME.String(), home.DefaultGSME.String()
	p.distribute(file, esme, gsme)
	p.ends(gsme, "activated")
	if u := p.update(esme); u.Blocks != 0 {
		t.Errorf("the electricity meter got %d blocks of it", u.Blocks)
	}
}

// imageFor returns an image for one device alone, with all that a header can have.
func imageFor(eui han.EUI64) []byte {
	h := ota.ImageHeader{
		ImageID:      ota.ImageID{Manufacturer: 0x1209, ImageType: 0x3007, FileVersion: 0x00010203},
		StackVersion: ota.StackVersionPRO, Text: "for one device",
		HasSecurityCredential: true, SecurityCredentialVersion: 2,
		HasDestination: true, Destination: eui, HasHardware: true, HardwareMin: 3, HardwareMax: 7,
	}
	body := ota.SubElement{Tag: ota.TagUpgradeImage, Data: make([]byte, 3000)}.Append(nil)
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

// composed are the services of a compose file whose commands this test runs.
type composed struct {
	Services map[string]struct{ Command []string }
}

// composedHome runs the home of compose/compose.yaml as processes: the commands that
// stand there, with each service's folders in place of its volumes.
func composedHome(t *testing.T, image string, variables ...string) *processes {
	t.Helper()
	p := newProcesses(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "compose", "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c composed
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"images", "suppliers", "batteries"} {
		if err := os.Mkdir(filepath.Join(p.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(image, filepath.Join(p.dir, "images", filepath.Base(image))); err != nil {
		t.Fatal(err)
	}
	p.write("batteries/mine.yaml", batterySet(t))
	address := loopback.Free(t)
	set := map[string]string{"COMMSHUB_BROKER": "mqtts://" + address, "COMMSHUB_SPEED": "3600", "COMMSHUB_PACING": "blocks=2000"}
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		set[name] = value
	}
	command := func(service string) []string { return p.composed(service, c.Services[service].Command, set) }
	p.command(command("pki")...)
	p.run("broker", "broker", "--listen", address, "--pki", filepath.Join(p.dir, "machines", "broker"))
	p.listening(address)
	p.run("hub", command("hub")...)
	p.listening(strings.TrimPrefix(p.apiURL, "http://"))
	p.run("esme", command("esme")...)
	p.run("gsme", command("gsme")...)
	return p
}

// batterySet returns the text of a battery set that does not come with the program: the
// default with another name and a cell of 7 Ah.
func batterySet(t *testing.T) string {
	t.Helper()
	model, err := battery.NamedModel(battery.DefaultSet)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("name: "+battery.DefaultSet, "name: mine", "value: 19 Ah", "value: 7 Ah").Replace(string(model.YAML()))
}

// TestComposeTakesABatterySetOfOnesOwn: the gas meter tells the hub of its cell of 7 Ah, and
// firmware status shows what the update took of it.
func TestComposeTakesABatterySetOfOnesOwn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "one.zigbee")
	if err := os.WriteFile(file, imageFor(home.DefaultGSME), 0o600); err != nil {
		t.Fatal(err)
	}
	p := composedHome(t, file, append(autoMake, "COMMSHUB_TRUST=any", "COMMSHUB_BATTERY=/batteries/mine.yaml")...)
	p.until("the gas meter told of its cell", func() bool { return p.capacity() > 0 })
	if got := p.capacity(); got != 7_000_000 {
		t.Errorf("the gas meter's cell holds %.0f µAh, want 7 Ah", got)
	}
	gsme := home.DefaultGSME.String()
	p.distribute(file, gsme)
	p.ends(gsme, "activated")
	status := string(p.command("firmware", "status"))
	if !regexp.MustCompile(gsme + `.* [0-9.]+ µAh +99\.[0-9]{4} %, 1,[0-9]{3}\.[0-9]{2} days `).MatchString(status) {
		t.Errorf("firmware status shows neither what the update took nor what is left:\n%s", status)
	}
}

// capacity returns what the gas meter says its cell holds, in µAh; 0 as long as it says
// nothing.
func (p *processes) capacity() float64 {
	p.t.Helper()
	resp, err := http.Get(p.apiURL + "/v1/devices/" + home.DefaultGSME.String() + "/battery")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	var b api.Battery
	if resp.StatusCode != http.StatusOK {
		return 0
	}
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil || b.Capacity == nil {
		return 0
	}
	return *b.Capacity
}

// TestWhatComposeLetsOneSetIsInTheExample, with the value that it has without.
func TestWhatComposeLetsOneSetIsInTheExample(t *testing.T) {
	folder := filepath.Join("..", "..", "compose")
	text, err := os.ReadFile(filepath.Join(folder, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	example := strings.Split(string(text), "\n")
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no compose files: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range composeVariable.FindAllStringSubmatch(string(text), -1) {
			if line := m[1] + "=" + m[2]; !slices.Contains(example, line) {
				t.Errorf("%s: .env.example has no line %s", file, line)
			}
		}
	}
}

var composeVariable = regexp.MustCompile(`\$\{([A-Z_0-9]+):-([^}]*)\}`)

// composed returns a service's command with variables put in and paths moved.
func (p *processes) composed(service string, command []string, set map[string]string) []string {
	p.t.Helper()
	var args []string
	for _, arg := range command {
		arg = composeVariable.ReplaceAllStringFunc(arg, func(v string) string {
			m := composeVariable.FindStringSubmatch(v)
			if value, ok := set[m[1]]; ok {
				return value
			}
			return m[2]
		})
		flag, value, found := strings.Cut(arg, "=")
		if !found {
			flag, value = "", arg
		}
		switch {
		case flag == "--listen":
			value = strings.TrimPrefix(p.apiURL, "http://")
		case flag == "--health":
			value = loopback.Free(p.t)
		case service == "pki" && value == "/pki":
			value = filepath.Join(p.dir, "root")
		case value == "/pki" || strings.HasPrefix(value, "/pki/"):
			value = filepath.Join(p.dir, "machines", service, strings.TrimPrefix(value, "/pki"))
		case strings.HasPrefix(value, "/"):
			value = filepath.Join(p.dir, value)
		}
		if found {
			value = flag + "=" + value
		}
		args = append(args, value)
	}
	return args
}

// distribute uploads an image and offers it.
func (p *processes) distribute(file string, devices ...string) {
	p.t.Helper()
	uploaded := strings.Fields(string(p.command("firmware", "upload", file)))
	p.command(append([]string{"firmware", "distribute", uploaded[0]}, devices...)...)
}

// alerted reports whether a device's alert came in: it follows the end of its update in
// a frame of its own.
func (p *processes) alerted(eui, code string) bool {
	p.t.Helper()
	c, err := client.New(p.apiURL, "")
	if err != nil {
		p.t.Fatal(err)
	}
	alerts, err := client.List[api.InboxEntry](p.t.Context(), c, "/v1/alerts", "alerts")
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.ContainsFunc(alerts, func(a api.InboxEntry) bool { return a.Device.String() == eui && a.Code == code })
}

// ends waits until a device's update is in a state, and gives the order to activate on
// the way.
func (p *processes) ends(eui, state string) {
	p.t.Helper()
	ordered := false
	p.until(eui+" is "+state, func() bool {
		u := p.update(eui)
		if u.State == "transferred" && !ordered {
			p.command("firmware", "activate", eui)
			ordered = true
		}
		return u.State == state
	})
}
