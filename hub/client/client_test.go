package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub/client"
)

// to returns a client of a hub that answers as f does.
func to(t *testing.T, token string, f http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.Header, "1")
		f(w, r)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/", token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnAddressIsChecked(t *testing.T) {
	for _, base := range []string{"", "127.0.0.1:8080", "ftp://hub", "http://"} {
		if _, err := client.New(base, ""); err == nil || !strings.Contains(err.Error(), "want an address such as") {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestARefusalSaysWhoseFaultItIs(t *testing.T) {
	for status, want := range map[int]struct{ input, conflict bool }{
		400: {input: true}, 404: {input: true}, 409: {conflict: true}, 413: {input: true}, 500: {}, 503: {}, 507: {input: true},
	} {
		c := to(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, `{"title":"No","detail":"not this","errors":[{"message":"too long","location":"body.kind"}]}`)
		})
		err := c.Call(t.Context(), http.MethodPost, "/v1/devices", map[string]any{}, nil)
		var r *client.Refusal
		if !errors.As(err, &r) || r.BadInput() != want.input || r.Conflict() != want.conflict || r.Status != status {
			t.Errorf("%d: %#v", status, err)
		}
		if err.Error() != "not this; body.kind: too long" {
			t.Errorf("%d: %q", status, err)
		}
	}
}

func TestWhatDoesNotExistIsNoErrorOfGet(t *testing.T) {
	c := to(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/hub" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, `{"version":"1"}`)
	})
	var about struct{ Version string }
	if there, err := c.Get(t.Context(), "/v1/hub", &about); !there || err != nil || about.Version != "1" {
		t.Errorf("%v, %v, %+v", there, err, about)
	}
	if there, err := c.Get(t.Context(), "/v1/mirror/00", &about); there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
}

func TestAListIsReadPageByPage(t *testing.T) {
	c := to(t, "", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			fmt.Fprint(w, `{"numbers":[1,2],"next":"a&b"}`)
		case "a&b":
			fmt.Fprint(w, `{"numbers":[3]}`)
		default:
			http.NotFound(w, r)
		}
	})
	got, err := client.List[int](t.Context(), c, "/v1/numbers", "numbers")
	if err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAnUploadBearsTokenAndSize(t *testing.T) {
	image := bytes.Repeat([]byte{7}, 1000)
	c := to(t, "secret", func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != int64(len(image)) || r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/v1/images" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, `{"sha256":"07"}`)
	})
	var answer struct{ SHA256 string }
	// A reader of no known kind, as one behind a progress bar.
	if err := c.Upload(t.Context(), struct{ *bytes.Reader }{bytes.NewReader(image)}, int64(len(image)), true, &answer); err != nil || answer.SHA256 != "07" {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestEventsAreReadUntilTheConnectionEnds(t *testing.T) {
	c := to(t, "", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, ": alive\n\nevent: device\ndata: {\"a\":1}\n\nevent: update\ndata: {\ndata: }\n\n")
	})
	var got []string
	err := c.Events(t.Context(), "device,update", func(e client.Event) error {
		got = append(got, e.Kind+" "+string(e.Data))
		return nil
	})
	if want := []string{`device {"a":1}`, "update {}"}; !slices.Equal(got, want) || err == nil || err.Error() != "the hub ended the connection" {
		t.Errorf("%q, %v", got, err)
	}
	full := errors.New("full")
	if err := c.Events(t.Context(), "", func(client.Event) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestAHubThatIsNotThereIsNamed(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	c, err := client.New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	err = c.Call(context.Background(), http.MethodGet, "/v1/hub", nil, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "no hub answers at "+s.URL+": ") {
		t.Error(err)
	}
}
