package filestreams

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/transport/bridge"
)

const thermostat han.EUI64 = 0x00DB12345678B001

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sampleFile returns bytes that tell where they stand.
func sampleFile(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i)
	}
	return b
}

func imageOf(file []byte) bridge.Image {
	return bridge.Image{Hash: sha256.Sum256(file), Size: int64(len(file)), Manufacturer: 0xFFF1, FileVersion: 0x02000000, File: bytes.NewReader(file)}
}

// homeWith is a hub that distributes an image to the device.
func homeWith(im bridge.Image) *bridge.Home {
	return &bridge.Home{Devices: []bridge.Device{{EUI64: thermostat, Kind: "BRIDGED", Update: &bridge.Update{State: bridge.Pending, Image: im}}}}
}

func parse(t testing.TB, device string) (*Adapter, error) {
	t.Helper()
	text := "broker: {url: mqtt://127.0.0.1:1883}\nfile-streams:\n  devices:\n  - " + device + "\n"
	c, err := bridge.ParseConfig("bridge.yaml", []byte(text), []bridge.Kind{Kind()})
	if err != nil {
		return nil, err
	}
	return c.Adapters[0].(*Adapter), nil
}

const plainDevice = "{id: 00DB12345678B001, thing: thermostat, file: 1}"

// newAdapter returns an adapter of one device that is to fetch file.
func newAdapter(t testing.TB, device string, file []byte) *Adapter {
	t.Helper()
	a, err := parse(t, device)
	if err != nil {
		t.Fatal(err)
	}
	var out bridge.Outbox
	a.HandleUp(noon, "", &out)
	a.HandleHome(noon, homeWith(imageOf(file)), &out)
	return a
}

func streamTopic(file []byte, op operation, f format) string {
	return topic{thing: "thermostat", stream: "fw-" + imageOf(file).Hash.String()[:32], op: op, format: f}.String()
}

// ask hands a request to the adapter and returns what it publishes.
func ask(t testing.TB, a *Adapter, now time.Time, topic string, payload []byte) *bridge.Outbox {
	t.Helper()
	var out bridge.Outbox
	if err := a.HandleMessage(now, bridge.Message{Topic: topic, Payload: payload}, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

var rewrite = flag.Bool("rewrite", false, "write the transcripts anew")

// TestTranscripts plays the exchanges in testdata: requests as the documentation
// and the C client write them, byte for byte, and what we answer. A line that
// begins with > is a topic of a request, with < one of an answer; the payload
// follows, as text or, in CBOR, as hexadecimal digits.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) < 3 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(text) {
				t.Errorf("got\n%s\nwant\n%s", got, text)
			}
		})
	}
}

// play keeps the comments and requests of a transcript and writes the answers.
func play(t *testing.T, transcript string) string {
	t.Helper()
	file := sampleFile(300)
	a := newAdapter(t, plainDevice, file)
	var b strings.Builder
	lines := strings.SplitAfter(transcript, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "<"):
			i++ // an answer, which is written anew
		case strings.HasPrefix(line, ">"):
			topic := strings.TrimSpace(line[1:])
			payload := []byte(strings.TrimRight(lines[i+1], "\n"))
			b.WriteString(line + lines[i+1])
			i++
			if strings.HasSuffix(topic, "/cbor") {
				payload = unhex(t, string(payload))
			}
			for _, m := range ask(t, a, noon, topic, payload).Messages() {
				shown := string(m.Payload)
				if strings.HasSuffix(m.Topic, "/cbor") {
					shown = hex.EncodeToString(m.Payload)
				}
				fmt.Fprintf(&b, "< %s\n%s\n", m.Topic, shown)
			}
		default:
			b.WriteString(line)
		}
	}
	return b.String()
}

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// received is a block as a device decodes it.
type received struct {
	Token *string `json:"c" cbor:"c"`
	File  *int64  `json:"f" cbor:"f"`
	Size  *int64  `json:"l" cbor:"l"`
	Block *int64  `json:"i" cbor:"i"`
	Data  []byte  `json:"p" cbor:"p"`
}

// blocksOf decodes the answers and demands that each is a block of the file.
func blocksOf(t testing.TB, out *bridge.Outbox, f format, file []byte, size int64) []int64 {
	t.Helper()
	var blocks []int64
	for _, m := range out.Messages() {
		if m.Topic != streamTopic(file, opData, f) {
			t.Fatalf("answer %s %s", m.Topic, m.Payload)
		}
		var r received
		unmarshal := json.Unmarshal
		if f == formatCBOR {
			unmarshal = cbor.Unmarshal
		}
		if err := unmarshal(m.Payload, &r); err != nil {
			t.Fatal(err)
		}
		from := *r.Block * size
		want := file[from:min(from+size, int64(len(file)))]
		if *r.File != 1 || *r.Size != int64(len(want)) || !bytes.Equal(r.Data, want) {
			t.Fatalf("block %d has %d bytes, %d announced, file %d", *r.Block, len(r.Data), *r.Size, *r.File)
		}
		blocks = append(blocks, *r.Block)
	}
	return blocks
}

func TestBlocksThatARequestMeans(t *testing.T) {
	file := sampleFile(200_000)
	for name, tt := range map[string]struct {
		request string
		size    int64
		want    string
	}{
		"the documentation's bitmap": {`{"c":"1","s":1,"l":256,"f":1,"o":20,"n":32,"b":"0x130080"}`, 256, "[20 21 24 43]"},
		"a bitmap without 0x":        {`{"l":256,"f":1,"o":20,"b":"130080"}`, 256, "[20 21 24 43]"},
		"a bitmap in Base64":         {`{"l":256,"f":1,"o":20,"b":"EwCA"}`, 256, "[20 21 24 43]"},
		"a bitmap cut by a count":    {`{"l":256,"f":1,"o":20,"n":3,"b":"0x130080"}`, 256, "[20 21 24]"},
		"a bitmap beyond the end":    {`{"l":100000,"f":1,"b":"0xff"}`, 100000, "[0]"},
		"the C client's bitmap":      {`{"l":1024,"f":1,"o":4,"n":2,"b":"0x4d513d3d"}`, 1024, "[4 5]"},
		"numbers as strings":         {`{"f":"1","l":"60000","n":"1","o":"3"}`, 60000, "[3]"},
		"no count":                   {`{"f":1,"l":32768}`, 32768, "[0 1 2 3]"},
		"a count of nothing":         {`{"f":1,"l":32768,"n":0}`, 32768, "[0 1 2 3]"},
		"more than 128 KiB":          {`{"f":1,"l":65536,"n":100}`, 65536, "[0 1]"},
		"the last block":             {`{"f":1,"l":4096,"o":48,"n":2}`, 4096, "[48]"},
		"an odd block size":          {`{"f":1,"l":4098,"o":2,"n":2}`, 4098, "[2 3]"},
		"members of later days":      {`{"f":1,"l":4096,"n":1,"zz":{"a":[1]}}`, 4096, "[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAdapter(t, plainDevice, file)
			out := ask(t, a, noon, streamTopic(file, opGet, formatJSON), []byte(tt.request))
			if got := fmt.Sprint(blocksOf(t, out, formatJSON, file, tt.size)); got != tt.want {
				t.Errorf("blocks %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRejections(t *testing.T) {
	file := sampleFile(10_000)
	for name, tt := range map[string]struct{ request, want string }{
		"not JSON":             {`{"f":1`, "InvalidJson"},
		"a list":               {`[1]`, "InvalidJson"},
		"nothing":              {`null`, "InvalidJson"},
		"no file":              {`{"l":256,"c":"t"}`, "InvalidRequest"},
		"a file beyond 255":    {`{"f":256,"l":256}`, "InvalidRequest"},
		"another file":         {`{"f":2,"l":256}`, "ResourceNotFound"},
		"no block size":        {`{"f":1}`, "InvalidRequest"},
		"blocks too small":     {`{"f":1,"l":255}`, "BlockSizeOutOfBounds"},
		"blocks too large":     {`{"f":1,"l":131073}`, "BlockSizeOutOfBounds"},
		"an offset too far":    {`{"f":1,"l":256,"o":98305}`, "OffsetOutOfBounds"},
		"an offset before":     {`{"f":1,"l":256,"o":-1}`, "OffsetOutOfBounds"},
		"an offset behind":     {`{"f":1,"l":256,"o":40}`, "ResourceNotFound"},
		"too many blocks":      {`{"f":1,"l":256,"n":98305}`, "BlockCountLimitExceeded"},
		"a fraction":           {`{"f":1,"l":256.5}`, "InvalidRequest"},
		"another version":      {`{"s":2,"f":1,"l":256}`, "VersionMismatch"},
		"a long token":         {`{"c":"` + strings.Repeat("x", 65) + `","f":1,"l":256}`, "InvalidRequest"},
		"a token of no text":   {`{"c":1,"f":1,"l":256}`, "InvalidRequest"},
		"a bitmap of no digit": {`{"f":1,"l":256,"b":"zz!"}`, "InvalidRequest"},
		"an empty bitmap":      {`{"f":1,"l":256,"b":"0x0000"}`, "ResourceNotFound"},
		"a long bitmap":        {`{"f":1,"l":256,"b":"0x` + strings.Repeat("ff", 12288) + `"}`, "BlockBitmapLimitExceeded"},
		"a long request":       {`{"f":1,"l":256,"z":"` + strings.Repeat("x", 30000) + `"}`, "InvalidRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAdapter(t, plainDevice, file)
			messages := ask(t, a, noon, streamTopic(file, opGet, formatJSON), []byte(tt.request)).Messages()
			var got rejectedMessage
			if len(messages) != 1 || messages[0].Topic != streamTopic(file, opRejected, formatJSON) || json.Unmarshal(messages[0].Payload, &got) != nil {
				t.Fatalf("answers %v", messages)
			}
			if string(got.Code) != tt.want || got.Message == "" {
				t.Errorf("rejected with %+v, want %s", got, tt.want)
			}
			if strings.Contains(tt.request, `"c":"t"`) != (got.Token != nil) {
				t.Errorf("token %v", got.Token)
			}
			if r := a.devices[0].report(); !r.Heard.IsZero() || r.Blocks != 0 {
				t.Errorf("a refused request changed %+v", r)
			}
		})
	}
}

func TestMessagesThatAreNoRequests(t *testing.T) {
	file := sampleFile(1000)
	good := streamTopic(file, opGet, formatJSON)
	for name, m := range map[string]bridge.Message{
		"kept by the broker":   {Topic: good, Payload: []byte(`{"f":1,"l":256}`), Retained: true},
		"another format":       {Topic: strings.Replace(good, "/json", "/xml", 1)},
		"an answer":            {Topic: strings.Replace(good, "/get/", "/data/", 1)},
		"another thing":        {Topic: strings.Replace(good, "thermostat", "lamp", 1)},
		"a name too long":      {Topic: strings.Replace(good, "fw-", strings.Repeat("x", 40), 1)},
		"a stream of no name":  {Topic: strings.Replace(good, "fw-", "fw ", 1)},
		"a level too many":     {Topic: good + "/x"},
		"something else of it": {Topic: "$aws/things/thermostat/shadow/get/accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bridge.Outbox
			if err := newAdapter(t, plainDevice, file).HandleMessage(noon, m, &out); err == nil || len(out.Messages()) > 0 {
				t.Errorf("taken: %v, answers %v", err, out.Messages())
			}
		})
	}
}

const pacedDevice = "{id: 00DB12345678B001, thing: thermostat, file: 1, pacing: {every: 30m, blocks: 3}%s}"

func TestWindows(t *testing.T) {
	file := sampleFile(2000) // 8 blocks
	a := newAdapter(t, fmt.Sprintf(pacedDevice, ""), file)
	topic := streamTopic(file, opGet, formatCBOR)
	request := func(offset int64) []byte {
		b, err := cbor.Marshal(map[string]any{"f": 1, "l": 256, "o": offset, "n": 2})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	now := noon
	expect := func(offset int64, want string) {
		t.Helper()
		if got := fmt.Sprint(blocksOf(t, ask(t, a, now, topic, request(offset)), formatCBOR, file, 256)); got != want {
			t.Errorf("from block %d: got %s, want %s", offset, got, want)
		}
	}
	expect(0, "[0 1]")
	now = now.Add(10 * time.Second)
	expect(2, "[2]")                                     // what the window has room for
	now = now.Add(10*time.Second - 100*time.Millisecond) // the wait is rounded up
	out := ask(t, a, now, topic, request(3))
	var told rejectedMessage
	if len(out.Messages()) != 1 || cbor.Unmarshal(out.Messages()[0].Payload, &told) != nil || told.Code != tryLater || told.Wait != 30*60-19 {
		t.Errorf("outside its window the device is told %+v", told)
	}
	if len(out.Lines()) > 0 {
		t.Errorf("a device that asks early is worth no line: %v", out.Lines())
	}
	now = noon.Add(30 * time.Minute)
	expect(3, "[3 4]")

	// A bridge that is killed goes on in the same window.
	a = restart(t, a, now, fmt.Sprintf(pacedDevice, ", early: silent"), file)
	expect(5, "[5]")
	if r := a.devices[0].report(); r.State != bridge.Downloading || r.Offset != 1536 || r.Windows != 2 || r.Blocks != 6 {
		t.Errorf("report %+v", r)
	}
	if out := ask(t, a, now, topic, request(6)); len(out.Messages()) > 0 {
		t.Errorf("a silent adapter says %v", out.Messages())
	}
	now = noon.Add(time.Hour)
	expect(6, "[6 7]")
	if r := a.devices[0].report(); r.State != bridge.Transferred || r.Offset != 2000 || r.Windows != 3 || r.Outcome == "" {
		t.Errorf("report %+v", r)
	}
}

// restart lets an adapter keep what it keeps, and returns the next one.
func restart(t *testing.T, a *Adapter, now time.Time, device string, file []byte) *Adapter {
	t.Helper()
	var out bridge.Outbox
	at, set := a.NextTimer()
	if !set || at.After(now.Add(flushDelay)) {
		t.Fatalf("what changed is kept at %v, %v", at, set)
	}
	a.HandleTimer(at, &out)
	if out.Kept() == nil || len(out.Reports()) != 1 {
		t.Fatalf("kept %s, reported %v", out.Kept(), out.Reports())
	}
	next, err := parse(t, device)
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Restore(out.Kept()); err != nil {
		t.Fatal(err)
	}
	next.HandleUp(now, "", &out)
	next.HandleHome(now, homeWith(imageOf(file)), &out)
	return next
}

// A bridge that is killed forgets what it sent just before. The device goes on
// where it is, and the hub still learns that it has everything.
func TestWhatAKilledBridgeForgot(t *testing.T) {
	file := sampleFile(2000)
	a := newAdapter(t, plainDevice, file)
	topic := streamTopic(file, opGet, formatJSON)
	get := func(offset, count int) {
		ask(t, a, noon, topic, fmt.Appendf(nil, `{"f":1,"l":256,"o":%d,"n":%d}`, offset, count))
	}
	get(0, 2)
	a = restart(t, a, noon, plainDevice, file) // before the next two are kept
	get(4, 2)
	if r := a.devices[0].report(); r.Offset != 6*256 {
		t.Errorf("report %+v, want everything before the device's request and what it got", r)
	}
	get(7, 1)
	if r := a.devices[0].report(); r.Offset != 6*256 || r.State != bridge.Downloading {
		t.Errorf("report %+v: only the first request tells what is before it", r)
	}
	get(6, 1)
	if at, _ := a.NextTimer(); a.devices[0].report().State != bridge.Transferred || !at.Equal(noon) {
		t.Errorf("%+v is told at %v, want at once", a.devices[0].report(), at)
	}
}

func TestNoticeFollowsTheOffer(t *testing.T) {
	file := sampleFile(1000)
	a, err := parse(t, plainDevice)
	if err != nil {
		t.Fatal(err)
	}
	notice := func(home *bridge.Home) string {
		var out bridge.Outbox
		a.HandleHome(noon, home, &out)
		text := ""
		for _, m := range out.Messages() {
			if retained := m.Topic == "commshub/streams/thermostat"; retained != m.Retained {
				t.Errorf("published %+v", m)
			} else if !retained {
				continue // about jobs
			}
			text += "[" + string(m.Payload) + "]"
		}
		return text
	}
	var out bridge.Outbox
	a.HandleUp(noon, "", &out)
	waiting := imageOf(file)
	waiting.File = nil
	ended := homeWith(imageOf(file))
	ended.Devices[0].Update.State = bridge.Cancelled
	full := `[{"stream":"fw-` + imageOf(file).Hash.String()[:32] + `","file":1,"size":1000,"version":"02000000","sha256":"` + imageOf(file).Hash.String() + `"}]`
	for _, step := range []struct {
		name string
		home *bridge.Home
		want string
	}{
		{"what an earlier run left is taken back", &bridge.Home{}, "[]"},
		{"an image that is not there yet", homeWith(waiting), ""},
		{"an image", homeWith(imageOf(file)), full},
		{"the same", homeWith(imageOf(file)), ""},
		{"cancelled", ended, "[]"},
		{"still cancelled", ended, ""},
	} {
		if got := notice(step.home); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	out.Reset()
	a.HandleDown(&out)
	if len(out.Messages()) != 1 || len(out.Messages()[0].Payload) > 0 || !out.Messages()[0].Retained {
		t.Errorf("at the end: %v", out.Messages())
	}
}

func TestANewImageIsAnotherStream(t *testing.T) {
	first, second := sampleFile(1000), sampleFile(1001)
	a := newAdapter(t, plainDevice, first)
	request := []byte(`{"c":"x","f":1,"l":256,"n":1}`)
	ask(t, a, noon, streamTopic(first, opGet, formatJSON), request)
	var out bridge.Outbox
	a.HandleHome(noon, homeWith(imageOf(second)), &out)
	late := ask(t, a, noon, streamTopic(first, opGet, formatJSON), request).Messages()
	if len(late) != 1 || !strings.Contains(string(late[0].Payload), `"ResourceNotFound"`) {
		t.Errorf("a request for the image before is answered %v", late)
	}
	if r := a.devices[0].report(); r.Image != imageOf(second).Hash || r.Blocks != 0 || r.State != bridge.Pending {
		t.Errorf("report %+v", r)
	}
}

func TestUpgradeImageAlone(t *testing.T) {
	const device = "{id: 00DB12345678B001, thing: thermostat, file: 1, content: upgrade-image}"
	payload := sampleFile(500)
	file := otaFile(payload)
	a := newAdapter(t, device, file)
	out := ask(t, a, noon, streamTopic(file, opGet, formatJSON), []byte(`{"f":1,"l":256,"n":9}`))
	var got []byte
	for _, m := range out.Messages() {
		var r received
		if err := json.Unmarshal(m.Payload, &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Data...)
	}
	if !bytes.Equal(got, payload) {
		t.Errorf("got %d bytes, want the %d of the element", len(got), len(payload))
	}

	broken := newAdapter(t, device, sampleFile(500))
	if r := broken.devices[0].report(); r.State != bridge.Failed || !strings.Contains(r.Outcome, "OTA header") {
		t.Errorf("report %+v", r)
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	for device, want := range map[string]string{
		"{id: 00DB12345678B001}":                                         "bridge.yaml:4:3: thing \"\"",
		"{id: 00DB12345678B001, thing: a/b}":                             "thing \"a/b\"",
		"{id: 00DB12345678B001, thing: a, file: 256}":                    "file 256",
		"{id: 00DB12345678B001, thing: a, early: never}":                 "want reject or silent",
		"{id: 00DB12345678B001, thing: a, content: all}":                 "want file or upgrade-image",
		"{id: 00DB12345678B001, thing: a, pacing: {every: 1m, bits: 1}}": "unknown key \"bits\"",
		"{id: 00DB12345678B001, thing: a, pacing: {every: -1m}}":         "nothing below 0",
		"{id: 00DB12345678B001, thing: a}\n  - {id: '2', thing: a}":      "EUI64",
	} {
		if _, err := parse(t, device); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "bridge.yaml:") {
			t.Errorf("%s: %v, want %q", device, err, want)
		}
	}
}

// otaFile wraps a payload as a Zigbee OTA file: an element to skip, then the
// upgrade image.
func otaFile(payload []byte) []byte {
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: 0xFFF1, FileVersion: 0x02000000}, StackVersion: ota.StackVersionPRO}
	elements := ota.SubElement{Tag: ota.TagPicture, Data: []byte("picture")}.Append(nil)
	elements = ota.SubElement{Tag: ota.TagUpgradeImage, Data: payload}.Append(elements)
	h.TotalSize = uint32(h.Size() + len(elements))
	return append(h.Append(nil), elements...)
}
