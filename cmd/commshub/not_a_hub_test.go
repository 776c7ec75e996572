package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/loopback"
)

// hubArguments are what client commands are given, besides --api.
var hubArguments = map[string][]string{
	"commshub device add":          {"00DB1234567890B7", "--kind", "CAD"},
	"commshub device remove":       {"00DB1234567890B7"},
	"commshub device readings":     {"00DB1234567890B7"},
	"commshub device accept":       {"00DB1234567890B7", "0000"},
	"commshub device type":         {"00DB1234567890B7", "73950067887105178605"},
	"commshub device topup":        {"00DB1234567890B7", "12.50"},
	"commshub device log":          {"00DB1234567890B7"},
	"commshub report":              {"00DB1234567890A1", "--html", "REPORT"},
	"commshub clock speed":         {"60"},
	"commshub clock run":           {"--until", "2030-01-01T00:00:00Z"},
	"commshub firmware upload":     {"IMAGE"},
	"commshub firmware distribute": {"IMAGE", "00DB1234567890A1"},
	"commshub firmware activate":   {"00DB1234567890A1"},
	"commshub firmware remove":     {"02000000"},
	"commshub firmware cancel":     {"00DB1234567890A1"},
}

// asksNoHub are the commands with --api that make no single call: a bridge goes on until
// its hub is there, and says in its log what it finds; token writes the address into a
// link.
var asksNoHub = map[string]bool{"commshub bridge": true, "commshub token": true}

// clientCommands returns every command that talks to a running hub, by its path.
func clientCommands(cmd *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	if cmd.Flags().Lookup("api") != nil && !asksNoHub[cmd.CommandPath()] {
		all[cmd.CommandPath()] = cmd
	}
	for _, c := range cmd.Commands() {
		for path, c := range clientCommands(c) {
			all[path] = c
		}
	}
	return all
}

// speaks listens and says text to whoever connects.
func speaks(t *testing.T, text string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, text)
			c.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

// strangers are addresses at which no hub answers, and what is said of each.
func strangers(t *testing.T) map[string]string {
	t.Helper()
	answers := func(status int, kind, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // as a server does that takes everything
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	secret := httptest.NewUnstartedServer(http.NotFoundHandler())
	secret.Config.ErrorLog = log.New(io.Discard, "", 0)
	secret.StartTLS()
	t.Cleanup(secret.Close)
	return map[string]string{
		answers(200, "text/html", "<!doctype html>\n<title>Router</title>"):           `is not a hub: 200 OK, "text/html": "<!doctype html>\n<title>`,
		answers(404, "text/plain", "404 page not found"):                              `is not a hub: 404 Not Found`,
		answers(404, "application/problem+json", `{"status":404,"detail":"no such"}`): `is not a hub: 404 Not Found`,
		answers(200, "application/json", `{"status":"ok","devices":[],"updates":[]}`): `is not a hub: 200 OK, "application/json"`,
		answers(200, "text/event-stream", "event: hello\ndata: {}\n\n"):               `is not a hub: 200 OK, "text/event-stream"`,
		answers(503, "text/html", "\x1b[2Jupstream"):                                  `is not a hub: 503 Service Unavailable, "text/html": "\x1b[2Jupstream"`,
		answers(204, "", ""):                            `is not a hub: 204 No Content`,
		strings.Replace(secret.URL, "https", "http", 1): `127.0.0.1`, // its answer, or that it hung up
		secret.URL:                           `no hub answers at https`,
		speaks(t, "SSH-2.0-OpenSSH_9.6\r\n"): `no hub answers at http`,
		speaks(t, ""):                        `no hub answers at http`,
		"http://" + loopback.Free(t):         `no hub answers at http`,
	}
}

// TestNoCommandTakesAnotherProgramForAHub: exit code 1 and one line that says what
// answered, of each command that has --api.
func TestNoCommandTakesAnotherProgramForAHub(t *testing.T) {
	commands := clientCommands(newRoot(streams{}))
	if len(commands) < 15 || commands["commshub top"] == nil || commands["commshub health"] == nil {
		t.Fatalf("only %d client commands were found", len(commands))
	}
	image := filepath.Join(t.TempDir(), "image.ota")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"image", "build", "--out", image, "--size", "4KiB", "--state", t.TempDir()}, streams{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatal(errs.String())
	}
	if _, err := os.Stat(image); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	for base, want := range strangers(t) {
		for path := range commands {
			args := strings.Fields(path)[1:]
			for _, a := range hubArguments[path] {
				args = append(args, strings.NewReplacer("IMAGE", image, "REPORT", page).Replace(a))
			}
			out.Reset()
			errs.Reset()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // one that follows a stranger would never end
			code := run(ctx, append(args, "--api", base, "--state", t.TempDir()), streams{strings.NewReader(""), &out, &errs})
			cancel()
			said := errs.String()
			if code != exitOutcome || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 || out.Len() > 0 {
				t.Errorf("%s at %s: exit %d, said %q, printed %q; want exit 1 and a line with %q", path, base, code, said, out.String(), want)
			}
		}
	}
	if _, err := os.Stat(page); !os.IsNotExist(err) {
		t.Errorf("a report of no hub was written: %v", err)
	}
}
