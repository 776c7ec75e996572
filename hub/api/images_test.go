package api_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/testimage"
)

// TestAnUploadIsRefusedOnlyForABadIntegrityCode, and says what else looks wrong.
func TestAnUploadIsRefusedOnlyForABadIntegrityCode(t *testing.T) {
	good := testimage.CodedFile(2, 3000)
	damaged := bytes.Clone(good)
	damaged[100] ^= 1
	tests := []struct {
		name, query string
		file        []byte
		status      int
		detail      string // of the problem
		warnings    string
	}{
		{name: "good", file: good, status: 201},
		{name: "integrity bad", file: damaged, status: 422, detail: "image 109A/0001/00000002: its image integrity code does not fit the bytes before it: the file is damaged, fetch it again, or force it (--force, or force=true in a request)"},
		{name: "integrity bad, not forced", query: "?force=false", file: damaged, status: 422, detail: "does not fit"},
		{name: "integrity bad, forced", query: "?force=true", file: damaged, status: 201, warnings: "integrity-bad"},
		{name: "bytes behind", file: append(bytes.Clone(testimage.VendorFile(3, 100)), 1, 2, 3), status: 201, warnings: "bytes-behind"},
		{name: "two images", file: append(testimage.VendorFile(4, 100), good...), status: 201, warnings: "second-image"},
		{name: "no image", query: "?force=true", file: []byte("PK\x03\x04 and more"), status: 422, detail: "no OTA file but a zip archive: unpack it"},
		{name: "another parameter", query: "?forced=true", file: good, status: 422, detail: "no other query parameter"},
		{name: "another value", query: "?force=yes", file: good, status: 422, detail: `force="yes": want true or false`},
		{name: "twice", query: "?force=true&force=true", file: good, status: 422, detail: "no other query parameter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			status, v := s.call("POST", "/v1/images"+tt.query, "application/octet-stream", bytes.NewReader(tt.file))
			detail, _ := v["detail"].(string)
			if status != tt.status || !strings.Contains(detail, tt.detail) {
				t.Fatalf("%d %v, want %d and %q", status, v, tt.status, tt.detail)
			}
			var codes []string
			warnings, _ := v["warnings"].([]any)
			for _, w := range warnings {
				codes = append(codes, w.(map[string]any)["code"].(string))
			}
			if got := strings.Join(codes, " "); got != tt.warnings {
				t.Errorf("warnings %s, want %s", got, tt.warnings)
			}
			if known := len(s.store.Images()); known != 1 && status == 201 || known != 0 && status != 201 {
				t.Errorf("%d images are known", known)
			}
		})
	}
}

func TestAHeaderIsShownByItsBytes(t *testing.T) {
	for _, im := range []api.Image{{Text: "T\uFFFD", TextHex: "54fc"}, {Text: "T\xfc"}, {Text: "T\xfc", TextHex: "no hex"}} {
		if got := im.Header(); got != "T\xfc" {
			t.Errorf("%+v: %q", im, got)
		}
	}
}

// TestAHeaderStringComesWithoutLoss, whatever is in it, and nothing of it is raw.
func TestAHeaderStringComesWithoutLoss(t *testing.T) {
	const text = "A\x1b[2J\xff\xfe\u009b\u202eB\n"
	h := ota.ImageHeader{ImageID: ota.ImageID{FileVersion: 7}, Text: text}
	body := ota.SubElement{Data: []byte("firmware")}.Append(nil)
	h.TotalSize = uint32(h.Size() + len(body))
	s := newServer(t)
	status, v := s.upload(append(h.Append(nil), body...))
	if status != 201 || v["text_hex"] != fmt.Sprintf("%x", text) {
		t.Errorf("%d, text_hex %v, want %x", status, v["text_hex"], text)
	}
	for _, path := range []string{"/v1/images", "/v1/images/" + v["sha256"].(string)} {
		_, answer := s.send("GET", path, "")
		if strings.ContainsAny(answer, "\x1b\u009b\u202e\x7f") || !strings.Contains(answer, `\u202e`) || !strings.Contains(answer, fmt.Sprintf("%x", text)) {
			t.Errorf("%s: %q", path, answer)
		}
	}
}

// TestAnImageIsRemovedForAll: the list, the events and the count follow, and who comes second
// finds it gone.
func TestAnImageIsRemovedForAll(t *testing.T) {
	s := newServer(t)
	s.json("POST", "/v1/devices", addGSME)
	status, v := s.upload(testimage.GB(testimage.Options{Version: 2}))
	if status != 201 {
		t.Fatal(status, v)
	}
	path := "/v1/images/" + v["sha256"].(string)
	s.json("POST", "/v1/updates", `{"image":"`+v["sha256"].(string)+`","devices":["`+gsme+`"]}`)
	status, refusal := s.json("DELETE", path, "")
	if detail, _ := refusal["detail"].(string); status != 409 || !strings.Contains(detail, "cancel it first (commshub firmware cancel "+gsme+")") {
		t.Errorf("removed while it is in use: %d %v", status, refusal)
	}
	if status, v := s.json("DELETE", "/v1/updates/"+gsme, ""); status != 204 {
		t.Fatal(status, v)
	}
	f := s.follow("/events?types=image,image-removed")
	f.until("hello")
	if resp, _ := s.send("DELETE", path, "", "If-Match", `"0"`); resp.StatusCode != 412 {
		t.Errorf("removed by who read another entry: %s", resp.Status)
	}
	for range 2 {
		if status, v := s.json("DELETE", path, ""); status != 204 {
			t.Errorf("removed: %d %v", status, v)
		}
	}
	if e := f.next(); e.kind != "image-removed" || e.data != `{"sha256":"`+v["sha256"].(string)+`"}` {
		t.Errorf("told as %v", e)
	}
	for _, gone := range []string{path, path + "/file"} {
		if status, _ := s.json("GET", gone, ""); status != 404 {
			t.Errorf("%s: %d", gone, status)
		}
	}
	if _, list := s.json("GET", "/v1/images", ""); len(list["images"].([]any)) != 0 {
		t.Errorf("listed: %v", list)
	}
	if _, u := s.json("GET", "/v1/updates/"+gsme, ""); u["version"] != "00000002" || u["state"] != "cancelled" {
		t.Errorf("its update is %v", u)
	}
	if status, v := s.upload(testimage.GB(testimage.Options{Version: 2})); status != 201 {
		t.Errorf("uploaded again: %d %v", status, v)
	}
	if e := f.next(); e.kind != "image" {
		t.Errorf("told as %v", e)
	}
}
