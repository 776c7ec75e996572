package bridge

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/commshub/commshub/han/ota"
)

func TestUpgradeImageIsServedAlone(t *testing.T) {
	file := otaFile(ota.SubElement{Tag: ota.TagUpgradeImage, Data: []byte("0123456789")})
	st, err := openState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.close(); err != nil {
			t.Error(err)
		}
	})
	l, err := openLinks(st, "http://devices")
	if err != nil {
		t.Fatal(err)
	}
	s, err := serveFiles(HTTP{Listen: "127.0.0.1:0"}, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	key := linkKey{Device: outside}
	im := Image{Size: int64(len(file)), FileVersion: 0x0D010000, File: bytes.NewReader(file)}
	urls, err := l.sync(map[linkKey]Image{key: im})
	if err != nil {
		t.Fatal(err)
	}
	im.URL = urls[key]
	url := im.PartURL(ContentImage)
	req, err := http.NewRequest(http.MethodGet, "http://"+s.address.String()+url[len("http://devices"):], nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=4-")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusPartialContent || string(body) != "456789" || resp.Header.Get("Content-Range") != "bytes 4-9/10" {
		t.Errorf("%s: status %d, %q, %v", url, resp.StatusCode, body, err)
	}
}
