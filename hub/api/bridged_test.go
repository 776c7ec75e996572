package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/testimage"
)

const outside = "00DB12345678B001"

// TestBridgedDevice takes a device outside the HAN through an update, as a bridge
// reports it.
func TestBridgedDevice(t *testing.T) {
	s := newServer(t)
	if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+outside+`","kind":"BRIDGED"}`); status != 201 || v["kind"] != "BRIDGED" {
		t.Fatalf("add device: %d %v", status, v)
	}
	if alerts := s.store.Inbox(0, 10); len(alerts) != 0 {
		t.Errorf("alerts of a device log that did not change: %+v", alerts)
	}
	file := testimage.GB(testimage.Options{Version: 2})
	_, im := s.upload(file)
	image := im["sha256"].(string)
	if status, v := s.json("POST", "/v1/updates", `{"image":"`+image+`","devices":["`+outside+`"]}`); status != 202 {
		t.Fatalf("distribute: %d %v", status, v)
	}
	report := func(want int, body string) {
		t.Helper()
		if status, v := s.json("PUT", "/v1/bridged/"+outside, body); status != want {
			t.Errorf("report %s: %d %v, want %d", body, status, v, want)
		}
	}
	update := func() map[string]any {
		t.Helper()
		_, v := s.json("GET", "/v1/updates", "")
		return v["updates"].([]any)[0].(map[string]any)
	}
	report(204, `{"heard":true,"firmware_version":"00000001"}`)
	if d, _ := s.store.Device(0x00DB12345678B001); d.FirmwareVersion != 1 || d.LastHeard == 0 {
		t.Errorf("device %+v", d)
	}
	report(204, `{"image":"`+image+`","state":"downloading","offset":100,"windows":1,"blocks":2}`)
	if u := update(); u["state"] != "downloading" || u["offset"] != 100.0 || u["windows"] != 1.0 || u["blocks"] != 2.0 {
		t.Errorf("update %v", u)
	}
	report(204, `{"image":"`+image+`","state":"transferred","offset":900}`)
	report(204, `{"image":"`+image+`","state":"activated","firmware_version":"00000002"}`)
	report(204, `{"image":"`+image+`","state":"activated","firmware_version":"00000002"}`)
	report(409, `{"image":"`+image+`","state":"downloading"}`)
	if alerts := s.store.Inbox(0, 10); len(alerts) != 1 || alerts[0].Code != 0x8F8A {
		t.Errorf("alerts %+v, want one 8F8A", alerts)
	}
}

func TestBridgedReportsAreChecked(t *testing.T) {
	s := newServer(t)
	for eui, kind := range map[string]string{outside: "BRIDGED", gsme: "GSME"} {
		if status, v := s.json("POST", "/v1/devices", `{"eui64":"`+eui+`","kind":"`+kind+`"}`); status != 201 {
			t.Fatalf("add device: %d %v", status, v)
		}
	}
	tests := []struct {
		name         string
		method, path string
		body         string
		status       int
		want         string // in the detail
	}{
		{"a report on nobody", "PUT", "/v1/bridged/" + esme, `{}`, 404, "not in the device log"},
		{"a report on a meter", "PUT", "/v1/bridged/" + gsme, `{"heard":true}`, 409, "speaks for itself"},
		{"no such update", "PUT", "/v1/bridged/" + outside, `{"image":"` + strings.Repeat("0", 62) + `11","state":"failed"}`, 409, "no update"},
		{"a state that is the supplier's", "PUT", "/v1/bridged/" + outside, `{"state":"cancelled"}`, 422, ""},
		{"a version that is none", "PUT", "/v1/bridged/" + outside, `{"firmware_version":"2"}`, 422, "8 hex digits"},
		{"an order to switch", "POST", "/v1/devices/" + outside + "/activation", `{"image_hash":"` + strings.Repeat("0", 64) + `"}`, 409, "by itself"},
		{"a question for its version", "POST", "/v1/devices/" + outside + "/firmware-version", "", 409, "none that the hub can read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, v := s.json(tt.method, tt.path, tt.body)
			if detail, _ := v["detail"].(string); status != tt.status || !strings.Contains(detail, tt.want) {
				t.Errorf("%d %v, want %d with %q", status, v, tt.status, tt.want)
			}
		})
	}
	if status, _ := s.json("DELETE", "/v1/devices/"+outside, ""); status != 204 {
		t.Errorf("remove: %d", status)
	}
}

func TestBridgedDevicesAreCountedApart(t *testing.T) {
	s := newServer(t)
	add := func(i int, kind string) int {
		status, _ := s.json("POST", "/v1/devices", fmt.Sprintf(`{"eui64":"00DB12345678%04X","kind":"%s"}`, i, kind))
		return status
	}
	for i := range hub.MaxBridged {
		if status := add(0xC000+i, "BRIDGED"); status != 201 {
			t.Fatalf("bridged device %d: %d", i, status)
		}
	}
	if status := add(0xD000, "BRIDGED"); status != 409 {
		t.Errorf("one bridged device too many: %d", status)
	}
	for i := range hub.DeviceLogSize {
		if status := add(0xE000+i, "IHD"); status != 201 {
			t.Fatalf("device %d: %d", i, status)
		}
	}
	if status := add(0xF000, "IHD"); status != 409 {
		t.Errorf("one device too many: %d", status)
	}
}

func TestImageFileIsServedWithRanges(t *testing.T) {
	s := newServer(t)
	file := testimage.GB(testimage.Options{Version: 2})
	_, im := s.upload(file)
	path := s.http.URL + "/v1/images/" + im["sha256"].(string) + "/file"
	get := func(ranges string) (int, []byte) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if ranges != "" {
			req.Header.Set("Range", ranges)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, b
	}
	if status, got := get(""); status != 200 || !bytes.Equal(got, file) {
		t.Errorf("whole: %d, %d bytes", status, len(got))
	}
	if status, got := get("bytes=10-19"); status != 206 || !bytes.Equal(got, file[10:20]) {
		t.Errorf("range: %d, %x", status, got)
	}
	if status, v := s.json("GET", "/v1/images/"+strings.Repeat("0", 64)+"/file", ""); status != 404 {
		t.Errorf("unknown image: %d %v", status, v)
	}
	if status, v := s.json("GET", "/v1/images/12/file", ""); status != 422 {
		t.Errorf("no hash: %d %v", status, v)
	}
}
