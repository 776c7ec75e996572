package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/hub/api"
)

func TestAFrameIsReadFieldByField(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.http.URL + "/v1/traffic?cluster=0019&limit=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Frames []api.Frame }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Frames) != 1 {
		t.Fatalf("%d frames, %v; want the one that was served", len(list.Frames), err)
	}
	want := list.Frames[0]
	if want.Name != "Image Block Response" || want.Detail != "offset 480, 48 bytes" || want.ClusterName != "OTA Upgrade" {
		t.Fatalf("the newest frame is %+v", want)
	}
	one, err := http.Get(w.http.URL + "/v1/traffic/" + strconv.FormatUint(want.ID, 10))
	if err != nil {
		t.Fatal(err)
	}
	defer one.Body.Close()
	body, err := io.ReadAll(one.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got api.FrameFields
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if diff := cmp.Diff(want, got.Frame); diff != "" {
		t.Errorf("the frame in the list and alone (-list +alone):\n%s", diff)
	}
	if len(got.Fields) != 2 || len(got.Fields[1].Fields) != 5 {
		t.Fatalf("fields %+v, want a header, and a payload of five", got.Fields)
	}
	data := got.Fields[1].Fields[4]
	if data.Name != "data" || data.Start != 17 || data.End != 65 || data.End != want.Size {
		t.Errorf("last field %+v, want the data, to the end of the frame", data)
	}
}

func TestAFrameThatIsNotKeptSaysWhichAre(t *testing.T) {
	for _, tt := range []struct {
		hub  *server
		path string
		want string
	}{
		{newServer(t), "/v1/traffic/1", "frame 1: not kept; none has passed yet"},
		{newWorld(t).server, "/v1/traffic/999", "frame 999: not kept; frames 1 to 3 are"},
	} {
		if status, answer := tt.hub.call("GET", tt.path, "", nil); status != http.StatusNotFound || answer["detail"] != tt.want {
			t.Errorf("%s: %d %v, want %q", tt.path, status, answer["detail"], tt.want)
		}
	}
}
