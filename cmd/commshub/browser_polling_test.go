//go:build browser

package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/commshub/commshub/internal/browsertest"
)

// What stands between page and hub does with the stream of events.
const (
	eventsPass    = iota
	eventsHeld    // as a proxy that collects an answer before it hands it on
	eventsRefused // as one that knows no streams, or a hub with all its readers
)

// TestBrowserPollsWhereEventsDoNotComeThrough: the page says so, is kept up to date, and is
// live again when they do. A hub that is gone is gone, polling or not.
func TestBrowserPollsWhereEventsDoNotComeThrough(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	target, err := url.Parse(p.apiURL)
	if err != nil {
		t.Fatal(err)
	}
	var events atomic.Int32
	pass := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch way := events.Load(); {
		case r.URL.Path != "/events" || way == eventsPass:
			pass.ServeHTTP(w, r)
		case way == eventsHeld:
			<-r.Context().Done()
		default:
			http.Error(w, "no streams here", http.StatusBadGateway)
		}
	}))
	t.Cleanup(func() { proxy.CloseClientConnections(); proxy.Close() })
	b := browsertest.New(t)
	b.Look(1440, 900, "light")
	const says = `document.querySelector("#link-state").innerText === `
	for way, name := range map[int32]string{eventsHeld: "held", eventsRefused: "refused"} {
		events.Store(way)
		b.Open(proxy.URL + "/?" + name)
		b.Until("events that are "+name+" are asked for", says+`"Polling" && document.querySelector("#banner").checkVisibility() && document.querySelector("#banner").innerText.includes("asks the hub every 3 s instead")`)
		id := map[int32]string{eventsHeld: "00DB1234567890B1", eventsRefused: "00DB1234567890B2"}[way]
		p.command("device", "add", id, "--kind", "GSME")
		showView(b, "meters")
		b.Until("what happened is shown", `document.querySelector("main").innerText.replaceAll(" ", "").includes("`+id+`")`)
		screenshot(t, b, "polling-"+name)
		b.Look(390, 844, "dark")
		checkWidth(t, b, "polling-"+name+"-phone")
		screenshot(t, b, "polling-"+name+"-phone")
		b.Look(1440, 900, "light")
	}
	events.Store(eventsPass)
	b.Until("it is live again by itself", says+`"Live" && !document.querySelector("#banner").checkVisibility()`)
	events.Store(eventsRefused)
	b.Open(proxy.URL + "/?gone")
	b.Until("it polls", says+`"Polling"`)
	p.kill("hub")
	b.Until("a hub that is gone is gone", says+`"Disconnected"`)
	if text := b.Text("#banner"); !strings.Contains(text, "Disconnected") {
		t.Errorf("the banner says %q", text)
	}
	p.hub()
	b.Until("and is found again", says+`"Polling"`)
}
