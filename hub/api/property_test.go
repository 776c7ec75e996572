package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

const (
	ihd     = "00DB1234567890A4"
	unknown = "00DB12345678FFFF"
)

// world is a hub in which every operation has something to do.
type world struct {
	*server
	image string // SHA-256 of what is distributed to the gas meter
	spare string // SHA-256 of what is distributed to nobody
	lab   *api.Lab
	// The publisher of events looks at what follows as well. broken is what every operation
	// fails with, if set; elsewhere tells that devices run in other processes.
	broken    atomic.Pointer[error]
	elsewhere atomic.Bool
}

func newWorld(t *testing.T, changes ...func(*world, *api.Backend)) *world {
	t.Helper()
	w := &world{}
	meter := devicetest.GSME()
	var out han.Outbox
	for range 5 {
		meter.HandleTimer(start, &out)
		out.Reset()
	}
	w.lab = &api.Lab{
		Faults: func() []api.Fault {
			return []api.Fault{{Device: 0x00DB1234567890A1, Loss: 1, Struck: map[string]uint64{}}}
		},
		SetLink:  func(han.EUI64, *api.LinkFault) {},
		CutPower: func(han.EUI64) bool { return !w.elsewhere.Load() },
		Drain:    func(han.EUI64, uint8) bool { return !w.elsewhere.Load() },
		Type: func(han.EUI64, string) (api.Keyed, bool) {
			return api.Keyed{Credited: true, Screen: "accepted", Balance: "£12.50"}, !w.elsewhere.Load()
		},
	}
	w.server = newServer(t, func(b *api.Backend) {
		b.Token, b.Lab, b.BodyTimeout, b.Control = token, w.lab, 10*time.Second, &control{running: true}
		b.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		})
		b.Node = func(eui han.EUI64, look func(time.Time, han.Node)) bool {
			if eui != meter.EUI64() || w.elsewhere.Load() {
				return false
			}
			look(start, meter)
			return true
		}
		operate := b.Operate
		b.Operate = func(f func(*hub.Hub, time.Time, *han.Outbox) error) error {
			if broken := w.broken.Load(); broken != nil {
				return *broken
			}
			return operate(f)
		}
		for _, change := range changes {
			change(w, b)
		}
	})
	w.fill()
	return w
}

// failWith has every operation fail from here on.
func (w *world) failWith(err error) { w.broken.Store(&err) }

func (w *world) fill() {
	mirror := store.Mirror{Device: 0x00DB1234567890A1, UpdatedAt: start.UnixMicro(), Attributes: []store.MirrorAttribute{
		{ID: metering.AttributeCurrentSummationDelivered, Type: uint8(zcl.TypeUint48), Number: 1234567},
		{ID: metering.AttributeRemainingBatteryLife, Type: uint8(zcl.TypeUint8), Number: 99},
		{ID: metering.AttributeInstantaneousDemand, Type: uint8(zcl.TypeInt24), Number: ^uint64(0)},
		{ID: metering.AttributeCurrentMeterID, Type: uint8(zcl.TypeOctetString), Bytes: []byte{1, 2, 3, 4}},
	}}
	doubted := store.Quarantined{Device: mirror.Device, Rule: validation.Backwards.String(), Since: start.UnixMicro(), At: start.UnixMicro(), Count: 1,
		Attribute: store.MirrorAttribute{ID: metering.AttributeCurrentSummationDelivered, Type: uint8(zcl.TypeUint48), Number: 5}}
	read := gbcs.Message{CRA: gbcs.Response, OriginatorCounter: 7, Originator: mirror.Device, Recipient: 1, Code: gbcs.CodeReadGSMEEventLog,
		Payload: gbcs.ReadGSMELogResponse{Entries: []gbcs.LogEntry{{Time: 1, Code: gbcs.AlertImmediateCommandActioned, Information: []byte{0, 0x12}}}}.Append(nil)}
	answer := store.InboxEntry{Sequence: 1, At: start.UnixMicro(), Device: mirror.Device, MessageCode: uint16(read.Code), Text: "event log: 1 entries", Bytes: read.Append(nil)}
	_, taken := w.store.NextNumber(store.SeriesInbox)
	if err := w.store.Commit(store.Put(mirror), store.Put(doubted), store.Put(answer), taken); err != nil {
		w.t.Fatal(err)
	}
	for eui, kind := range map[string]string{esme: "ESME", gsme: "GSME", ihd: "IHD", outside: "BRIDGED"} {
		w.must("POST", "/v1/devices", `{"eui64":"`+eui+`","kind":"`+kind+`"}`, 201)
	}
	for _, version := range []uint32{2, 3} {
		if resp, body := w.send("POST", "/v1/images", string(testimage.GB(testimage.Options{Version: version})), "Authorization", "Bearer "+token); resp.StatusCode != 201 {
			w.t.Fatal(body)
		}
	}
	for _, im := range w.store.Images() {
		if im.FileVersion == 2 {
			w.image = fmt.Sprintf("%x", im.FileHash)
		} else {
			w.spare = fmt.Sprintf("%x", im.FileHash)
		}
	}
	w.must("POST", "/v1/updates", `{"image":"`+w.image+`","devices":["`+gsme+`"]}`, 202)
	w.must("POST", "/v1/devices/"+gsme+"/firmware-version", "", 202)
	self := uint64(hub.DefaultConfig().EUI64)
	w.observer.Record(&trace.Record{At: start, Node: self, Kind: trace.MirrorUpdated, Peer: uint64(mirror.Device), Count: 4})
	image, err := imagecache.ParseHash(w.image)
	if err != nil {
		w.t.Fatal(err)
	}
	im, _ := w.store.ImageByFileHash(image)
	w.serve(im.ID(), 0, 48)
	w.serve(im.ID(), 0, 48) // again
	w.serve(im.ID(), 480, 48)
}

// serve lets the observer see a block that is served to the gas meter.
func (w *world) serve(id ota.ImageID, offset uint32, n int) {
	header := zcl.Header{ClusterSpecific: true, ToClient: true, Command: ota.CommandImageBlockResponse}
	response := ota.ImageBlockResponse{Status: zcl.StatusSuccess, Image: id, Offset: offset, Data: make([]byte, n)}
	w.observer.Frame(start, &han.Frame{
		Src: hub.DefaultConfig().EUI64, Dst: 0x00DB1234567890A1, Cluster: ota.ClusterID, Payload: zcl.AppendFrame(nil, header, response),
	}, han.Unharmed)
}

func (w *world) must(method, path, body string, status int) {
	w.t.Helper()
	if resp, answer := w.send(method, path, body, "Authorization", "Bearer "+token, "Content-Type", "application/json"); resp.StatusCode != status {
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
}

// request is one to send.
type request struct {
	method, path, body string
	headers            map[string]string
	// raw, if set, is sent in place of a body, and the connection is left as it is.
	raw string
}

// valid returns a request that an operation takes.
func (w *world) valid(op *operation) request {
	path := strings.NewReplacer("{eui64}", gsme, "{sha256}", w.image, "{sequence}", "1", "{id}", "1", "{log}", "event").Replace(op.path)
	if op.OperationID == "remove-image" {
		path = strings.Replace(path, w.image, w.spare, 1)
	}
	if op.OperationID == "report-bridged-device" {
		path = strings.Replace(path, gsme, outside, 1)
	}
	r := request{method: op.method, path: path, headers: map[string]string{"Authorization": "Bearer " + token}}
	if op.RequestBody != nil {
		r.headers["Content-Type"] = "application/json"
		r.body = map[string]string{
			"add-device":            `{"eui64":"00DB1234567890B7","kind":"CAD"}`,
			"report-bridged-device": `{"heard":true,"firmware_version":"00000001"}`,
			"distribute-image":      `{"image":"` + w.image + `","devices":["` + esme + `"]}`,
			"control-clock":         `{"action":"run","device":"` + esme + `","state":"transferred"}`,
			"break-link":            `{"loss_percent":1,"delay_s":0}`,
			"accept-reading":        `{"attribute":"0000"}`,
			"top-up":                `{"pence":1250}`,
			"type-digits":           `{"digits":"7395 0067 8871 0517 8605"}`,
			"drain-battery":         `{"battery_left_percent":5}`,
			"upload-image":          string(testimage.GB(testimage.Options{Version: 7})),
		}[op.OperationID]
		if r.body == "" {
			r.body = "{}"
		}
	}
	return r
}

// do sends a request and returns what came back. Of a stream it takes the beginning.
func (w *world) do(r request) (answerOf, error) {
	if r.raw != "" {
		return w.doRaw(r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, w.http.URL+r.path, strings.NewReader(r.body))
	if err != nil {
		return answerOf{}, err
	}
	for name, value := range r.headers {
		req.Header.Set(name, value)
	}
	if host := r.headers["Host"]; host != "" {
		req.Host = host
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answerOf{}, err
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

func readAnswer(resp *http.Response) (answerOf, error) {
	a := answerOf{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type")}
	if a.contentType == "text/event-stream" {
		return a, nil
	}
	body, err := io.ReadAll(resp.Body)
	a.body = string(body)
	return a, err
}

// doRaw sends a request whose body is not as it should be.
func (w *world) doRaw(r request) (answerOf, error) {
	c, err := net.Dial("tcp", strings.TrimPrefix(w.http.URL, "http://"))
	if err != nil {
		return answerOf{}, err
	}
	defer c.Close()
	text := r.method + " " + r.path + " HTTP/1.1\r\nHost: localhost\r\n"
	for name, value := range r.headers {
		text += name + ": " + value + "\r\n"
	}
	if _, err := io.WriteString(c, text+r.raw); err != nil {
		return answerOf{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return answerOf{}, err
	}
	defer resp.Body.Close()
	return readAnswer(resp)
}

// recipe makes a request of an operation that is answered with a status, and the
// world for it.
func recipe(t *testing.T, op *operation, status int) (*world, request) {
	t.Helper()
	with := func(change func(*world, *api.Backend)) (*world, request) {
		w := newWorld(t, change)
		return w, w.valid(op)
	}
	switch status {
	case http.StatusRequestTimeout:
		w, r := with(func(_ *world, b *api.Backend) { b.BodyTimeout = 500 * time.Millisecond })
		r.raw = "Content-Length: 10\r\n\r\n"
		return w, r
	case http.StatusNotFound:
		if op.OperationID == "list-faults" {
			return with(func(_ *world, b *api.Backend) { b.Lab = nil })
		}
	case http.StatusConflict:
		return conflict(newWorld(t), op)
	}
	w := newWorld(t)
	r := w.valid(op)
	change := map[int]func(){
		http.StatusBadRequest:            func() { r.raw = "Transfer-Encoding: chunked\r\n\r\nZZ\r\n" },
		http.StatusUnauthorized:          func() { r.headers["Authorization"] = "Bearer wrong" },
		http.StatusForbidden:             func() { r.headers["Sec-Fetch-Site"] = "cross-site" },
		http.StatusPreconditionFailed:    func() { r.headers["If-Match"] = `"0"` },
		http.StatusRequestEntityTooLarge: func() { tooLarge(op, &r) },
		http.StatusUnsupportedMediaType:  func() { r.headers["Content-Type"] = "text/plain" },
		http.StatusMisdirectedRequest:    func() { r.headers["Host"] = "evil.example" },
		http.StatusUnprocessableEntity:   func() { r.path += "?colour=blue" },
		http.StatusInternalServerError:   func() { closeStore(w) },
		http.StatusServiceUnavailable: func() {
			w.failWith(errors.Join(api.ErrStopped, errors.New("for the test")))
			w.api.Crowd(500)
		},
		http.StatusInsufficientStorage: func() { w.failWith(fmt.Errorf("commit: %w", syscall.ENOSPC)) },
		http.StatusNotFound: func() {
			r.path = strings.NewReplacer(gsme, unknown, outside, unknown, w.image, strings.Repeat("0", 64), "/alerts/1", "/alerts/999",
				"/traffic/1", "/traffic/999").Replace(r.path)
			r.body = strings.Replace(r.body, esme, unknown, 1)
		},
	}[status]
	if change != nil {
		change()
	}
	return w, r
}

func closeStore(w *world) {
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func tooLarge(op *operation, r *request) {
	if op.OperationID == "upload-image" {
		r.raw = "Content-Length: 300000000\r\n\r\n" // refused before a byte of it came
		return
	}
	r.body = `"` + strings.Repeat("x", 100<<10) + `"`
}

// conflict makes what is not possible now.
func conflict(w *world, op *operation) (*world, request) {
	r := w.valid(op)
	switch op.OperationID {
	case "add-device":
		r.body = `{"eui64":"` + gsme + `","kind":"GSME"}`
	case "restore-device":
		r.path = strings.Replace(r.path, gsme, unknown, 1)
	case "distribute-image":
		r.body = `{"image":"` + w.image + `","devices":["` + ihd + `"]}`
	case "remove-image":
		r.path = strings.Replace(r.path, w.spare, w.image, 1)
	case "read-firmware-version", "read-log", "show-log":
		r.path = strings.Replace(r.path, gsme, ihd, 1)
	case "report-bridged-device":
		r.path = strings.Replace(r.path, outside, gsme, 1)
	case "control-clock":
		r.body = `{"action":"step"}` // of a clock that runs
	case "cut-power", "drain-battery", "type-digits":
		w.elsewhere.Store(true)
	default: // nothing was distributed to the electricity meter
		r.path = strings.Replace(r.path, gsme, esme, 1)
	}
	return w, r
}

// Every answer that the document names can be had, and is as the document says.
func TestEveryDocumentedAnswerCanBeHad(t *testing.T) {
	answers := 0
	for _, op := range newWorld(t).document().operations() {
		for _, code := range slices.Sorted(maps.Keys(op.Responses)) {
			answers++
			t.Run(op.OperationID+" "+code, func(t *testing.T) {
				t.Parallel()
				status, err := strconv.Atoi(code)
				if err != nil {
					t.Fatal(err)
				}
				w, r := recipe(t, op, status)
				document := w.document()
				got, err := w.do(r)
				if err != nil {
					t.Fatal(err)
				}
				if got.status != status {
					t.Errorf("%s %s: %d %.300s", r.method, r.path, got.status, got.body)
				}
				if err := document.documented(op, got); err != nil {
					t.Error(err)
				}
			})
		}
	}
	t.Logf("%d documented answers", answers)
	if answers < 200 {
		t.Error("the document has shrunk: is it still the whole interface?")
	}
}
