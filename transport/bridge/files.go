package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/commshub/commshub/internal/foreign"
)

// fileServer serves images to devices that fetch them by HTTP, with ranges, so
// that a device goes on where it was. The entity tag is the SHA-256 of the file.
type fileServer struct {
	http    *http.Server
	address net.Addr
	done    chan error
}

func serveFiles(c HTTP, l *links) (*fileServer, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for devices that fetch images: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{token}/{name}", func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, ContentFile) })
	mux.HandleFunc("GET /{token}/"+partPath+"/{name}", func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, ContentImage) })
	if c.Index {
		mux.HandleFunc("GET /index.json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			_ = json.NewEncoder(foreign.Writer(w)).Encode(l.index()) // the client is gone if this fails
		})
	}
	s := &fileServer{
		http: &http.Server{
			Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, WriteTimeout: 30 * time.Minute,
			MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		},
		address: listener.Addr(), done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(listener) }()
	return s, nil
}

// serve serves a part of the image behind a link.
func (l *links) serve(w http.ResponseWriter, r *http.Request, c Content) {
	f, ok := l.find(r.PathValue("token"))
	if !ok {
		http.Error(w, "no such link; it may have ended with its update", http.StatusNotFound)
		return
	}
	part, err := f.image.Part(c)
	if err != nil {
		http.Error(w, oneLine(err.Error()), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	tag := f.key.Image.String()
	if c != ContentFile {
		tag += "-" + c.String()
	}
	w.Header().Set("ETag", `"`+tag+`"`)
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", time.Time{}, part)
}

func (s *fileServer) close() error {
	err := s.http.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
