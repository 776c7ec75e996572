package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/testimage"
)

// contents is all that a hub keeps.
func (w *world) contents() string {
	hashes, err := w.cache.List()
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(hashes, func(a, b imagecache.Hash) int { return strings.Compare(a.String(), b.String()) })
	counter, _ := w.store.OriginatorCounter(hub.DefaultConfig().Supplier)
	all, err := json.Marshal([]any{
		w.store.Devices(), w.store.Images(), w.store.Updates(), w.store.Messages(), w.store.Inbox(0, 10_000),
		w.store.Mirrors(), counter, hashes,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(all)
}

// spoiler spoils requests, each in one way.
type spoiler struct {
	*rand.Rand
	document *document
	image    []byte
}

func pick[T any](s *spoiler, from ...T) T { return from[s.IntN(len(from))] }

// way is one way to spoil a request of an operation; ok is false if the operation
// cannot be spoiled so.
type way func(s *spoiler, op *operation, r *request) (ok bool)

var ways = []way{spoilPath, spoilQuery, spoilQuery, spoilBody, spoilBody, spoilBody, spoilHeader, spoilMethod, spoilGuard}

// spoilPath replaces what is variable in the path.
func spoilPath(s *spoiler, op *operation, r *request) bool {
	if !strings.Contains(op.path, "{") {
		return false
	}
	bad := pick(s, unknown, "xyz", "00DB", "%00", "%ff%fe", "-1", "0", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "00DB1234567890A1%0a", "00DB1234567890G1",
		strings.Repeat("A", 5000), "%F0%9F%94%A5", "'%20OR%201=1--", "18446744073709551616", "%7Beui64%7D", "00DB1234567890A1x")
	at := strings.IndexByte(op.path, '{')
	end := at + strings.IndexByte(op.path[at:], '}') + 1
	r.path = op.path[:at] + bad + op.path[end:]
	return true
}

// spoilQuery gives a parameter that is unknown, or a value that a known one cannot have.
func spoilQuery(s *spoiler, op *operation, r *request) bool {
	if op.OperationID == "read-metrics" {
		return false // takes anything
	}
	r.path += "?" + url.QueryEscape(pick(s, "colour", "limit ", "__proto__", "\x00", "Limit")) + "=" + url.QueryEscape(pick(s, "1", "", "\x00", strings.Repeat("z", 3000)))
	for _, p := range op.Parameters {
		if p.In != "query" || s.IntN(2) == 0 {
			continue
		}
		bad := pick(s, "!", "\x00\xff", "😀", "-0x1!", strings.Repeat("9", 400))
		if p.Name == "last_event_id" { // any will do
			continue
		}
		r.path = strings.SplitN(r.path, "?", 2)[0] + "?" + url.QueryEscape(p.Name) + "=" + url.QueryEscape(bad)
		break
	}
	return true
}

// spoilBody makes a body that the schema does not allow.
func spoilBody(s *spoiler, op *operation, r *request) bool {
	if op.RequestBody == nil {
		return false
	}
	content, isJSON := op.RequestBody.Content["application/json"]
	if !isJSON {
		r.body = s.noImage()
		return true
	}
	switch s.IntN(4) {
	case 0:
		r.body = pick(s, "", "{", "nul", `{"a":}`, "\x00", "[]", `"x"`, "1e999", "{}}", "\xff\xfe{}", strings.Repeat("[", 20_000), `{"":""}`, "null", strings.Repeat("x", 70<<10))
	case 1:
		r.body = r.body[:1+s.IntN(len(r.body)-1)]
	default:
		r.body = s.wrongObject(s.document.resolve(content.Schema), r.body)
	}
	if r.body == "" && op.OperationID == "activate-firmware" {
		r.body = "{"
	}
	return true
}

// noImage makes a file that is no image.
func (s *spoiler) noImage() string {
	file := slices.Clone(s.image)
	switch s.IntN(4) {
	case 0:
		return string(file[:s.IntN(len(file))])
	case 1: // the supplier's signature; a file whose trailer is another is no GB image, which is fine
		file[len(file)-1-s.IntN(64)] ^= 1 << s.IntN(8)
		return string(file)
	case 2:
		junk := make([]byte, s.IntN(5000))
		for i := range junk {
			junk[i] = byte(s.Uint32())
		}
		return string(junk)
	default:
		return pick(s, "", "\x1e\xf1\xee\x0b", "<html>", strings.Repeat("\x1e\xf1\xee\x0b", 500))
	}
}

// wrongObject takes a good body and makes one thing in it wrong.
func (s *spoiler) wrongObject(schema *schema, body string) string {
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		panic(err)
	}
	names := slices.Sorted(maps.Keys(schema.Properties))
	name := names[s.IntN(len(names))]
	switch s.IntN(3) {
	case 0:
		v[pick(s, "colour", "", "EUI64 ", "constructor")] = 1
	case 1:
		if len(schema.Required) > 0 {
			delete(v, schema.Required[s.IntN(len(schema.Required))])
			break
		}
		fallthrough
	default:
		v[name] = s.wrongValue(s.document.resolve(schema.Properties[name]))
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// wrongValue returns a value that a schema does not allow.
func (s *spoiler) wrongValue(schema *schema) any {
	for {
		v := pick[any](s, nil, true, "x", "", "\x00", -1.5, 1e12, []any{}, []any{1.0}, []any{"x"}, map[string]any{"x": 1.0}, strings.Repeat("9", 300), "00DB12345678ZZZZ")
		if s.document.check(schema, v, "") != nil {
			return v
		}
		// Strings have formats that the schema does not tell, unless they are free text.
		if text, ok := v.(string); ok && slices.Contains(schema.types(), "string") && text != "" && schema.MaxLength == nil {
			return v
		}
	}
}

// spoilHeader gives a header that the operation cannot take.
func spoilHeader(s *spoiler, op *operation, r *request) bool {
	var able []func()
	for _, p := range op.Parameters {
		switch p.Name {
		case "Idempotency-Key":
			able = append(able, func() { r.headers[p.Name] = pick(s, strings.Repeat("k", 65), "with space", "kéy") })
		case "If-Match":
			able = append(able, func() { r.headers[p.Name] = pick(s, `"0"`, "nonsense", strings.Repeat("x", 2000), `W/"*"`) })
		}
	}
	if op.RequestBody != nil && op.OperationID != "upload-image" {
		able = append(able, func() {
			r.headers["Content-Type"] = pick(s, "text/plain", "application/xml", "x", "application/json2", "multipart/form-data")
		})
		able = append(able, func() { r.headers["Content-Type"], r.body = "application/json; charset=utf-16", r.body[:len(r.body)-1] })
	}
	if len(able) == 0 {
		return false
	}
	able[s.IntN(len(able))]()
	return true
}

// spoilMethod asks for what the path does not do.
func spoilMethod(s *spoiler, _ *operation, r *request) bool {
	r.method = pick(s, "PATCH", "FOO", "get", "PROPFIND", "TRACE")
	return true
}

// spoilGuard is somebody who may not.
func spoilGuard(s *spoiler, op *operation, r *request) bool {
	if op.method == "GET" {
		r.headers["Host"] = pick(s, "evil.example", "localhost.evil.example:80", "xn--", "a..b")
		return true
	}
	name := pick(s, "Authorization", "Sec-Fetch-Site", "Origin", "Host")
	r.headers[name] = map[string]string{
		"Authorization": pick(s, "", "Bearer", "Basic YTpi", "Bearer "+strings.Repeat("x", 4000)), "Sec-Fetch-Site": "cross-site",
		"Origin": "null", "Host": "evil.example",
	}[name]
	return true
}

// 10,000 requests that are wrong, made from the document, are refused as it
// says, and leave nothing behind.
func TestMalformedRequestsAreRefusedAndChangeNothing(t *testing.T) {
	const seed = 1
	requests := 10_000
	if raceDetector {
		requests = 4_000
	}
	w := newWorld(t)
	s := &spoiler{Rand: rand.New(rand.NewPCG(seed, 0)), document: w.document(), image: testimage.GB(testimage.Options{Version: 9})}
	operations := s.document.operations()
	before := w.contents()
	statuses := map[int]int{}
	for n := 0; n < requests; {
		op := operations[s.IntN(len(operations))]
		r := w.valid(op)
		if !ways[s.IntN(len(ways))](s, op, &r) {
			continue
		}
		n++
		got, err := w.do(r)
		if err != nil {
			t.Fatalf("request %d of seed %d, %s %.200s: %v", n, seed, r.method, r.path, err)
		}
		statuses[got.status]++
		if got.status < 400 || got.status >= 500 {
			t.Fatalf("request %d of seed %d: %s %.300s %v %.300q: %d %.300s", n, seed, r.method, r.path, r.headers, r.body, got.status, got.body)
		}
		err = s.document.documented(op, got)
		if got.status == 405 || got.status == 404 { // the path or the method is of no operation
			err = s.document.check(s.document.Components.Schemas["ErrorModel"], decoded(got), "answer")
		}
		if err != nil {
			t.Fatalf("request %d of seed %d: %s %.300s %.300q: %v", n, seed, r.method, r.path, r.body, err)
		}
	}
	if after := w.contents(); after != before {
		t.Errorf("the hub kept something:\n%s\nbefore:\n%s", after, before)
	}
	t.Logf("answers by status: %v", fmt.Sprint(statuses))
	for _, status := range []int{400, 401, 403, 404, 405, 412, 413, 415, 421, 422} {
		if statuses[status] == 0 {
			t.Errorf("no request was refused with %d: the generator lost its teeth", status)
		}
	}
}

func decoded(a answerOf) any {
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		return err
	}
	return v
}
