package live

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
)

// ServeHealth answers GET /v1/health, as a hub of the given version does: 200 while there
// is no trouble, 503 with it otherwise. encrypted tells whether what it keeps is. An empty
// address serves nothing.
func ServeHealth(address, version string, encrypted bool, trouble func() string) (stop func() error, err error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) {
		text := trouble()
		if text == "" {
			writeStatus(w, version, http.StatusOK, "application/json", map[string]any{"status": "ok", "encrypted_at_rest": encrypted})
			return
		}
		writeStatus(w, version, http.StatusServiceUnavailable, "application/problem+json",
			map[string]any{"title": "Service Unavailable", "status": http.StatusServiceUnavailable, "detail": text})
	})
	server := &http.Server{
		Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 4 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server.Close, nil
}

func writeStatus(w http.ResponseWriter, version string, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set(client.Header, version)
	w.WriteHeader(status)
	_ = json.NewEncoder(foreign.Writer(w)).Encode(body) // a reader that left needs no answer
}
