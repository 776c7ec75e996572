package main

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// serveHealth answers GET /v1/health, as a hub does: 200 while the device has its
// DTLS session, 503 with the reason otherwise. An empty address serves nothing.
func serveHealth(address string, joined func() bool) (stop func() error, err error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, badInput("--health %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) {
		if joined() {
			writeStatus(w, http.StatusOK, "application/json", map[string]any{"status": "ok"})
			return
		}
		writeStatus(w, http.StatusServiceUnavailable, "application/problem+json",
			problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable, Detail: "no DTLS session with the hub"})
	})
	server := &http.Server{
		Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 4 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server.Close, nil
}

func writeStatus(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a reader that left needs no answer
}
