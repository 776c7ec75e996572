// Package dashboard is what a hub shows in a browser: what a person sees of the home, above all
// the staged transfer, and from where they steer it. It is plain HTML, CSS and
// ECMAScript modules in assets/, embedded, without any address but the hub's own;
// it talks to the REST interface and its events only.
//
// The page is served with a content security policy that allows nothing inline and
// nothing from elsewhere. Its parts stand under a path that contains their hash,
// so that a browser fetches each of them once per release.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets
var embedded embed.FS

// policy allows the page's own files and the hub's own interface, nothing else.
// Chromium additionally refuses every way of making script or markup from text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// index is the page itself; the string buildMark in it stands for the hash of all
// parts. theme runs before the first paint, script is all the modules in one.
const (
	index     = "index.html"
	buildMark = "{{build}}"
	theme     = "theme.js"
	script    = "app.js"
)

// contentTypes of the kinds of file in assets. The operating system's table is not
// asked: it may say that a module is plain text.
var contentTypes = map[string]string{
	".html":  "text/html; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
}

// asset is one file, ready to be sent.
type asset struct {
	contentType string
	plain       []byte
	compressed  []byte // with gzip; nil where that does not help
	cache       string
}

// page holds what is served, by URL path.
type page map[string]asset

// Handler returns the handler of the page, for "GET /{$}" and "GET /assets/".
func Handler() http.Handler { return built() }

// built compresses the files when they are asked for first, and only then.
var built = sync.OnceValue(func() page { return newPage(embedded) })

func newPage(files fs.FS) page {
	contents := map[string][]byte{}
	sum := sha256.New()
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(b), b)
		if name = strings.TrimPrefix(name, "assets/"); path.Ext(name) != ".js" || name == theme {
			contents[name] = b
		}
		return err
	})
	if err == nil {
		contents[script], err = bundle(files, "main")
	}
	if err != nil {
		panic(fmt.Sprintf("dashboard: embedded files: %v", err)) // they are part of the program
	}
	build := fmt.Sprintf("%x", sum.Sum(nil)[:8])
	p := page{}
	for name, b := range contents {
		if name == index {
			b = bytes.ReplaceAll(b, []byte(buildMark), []byte(build))
			p["/"] = newAsset(name, b, "no-cache")
			continue
		}
		p["/assets/"+build+"/"+name] = newAsset(name, b, "public, max-age=31536000, immutable")
	}
	return p
}

func newAsset(name string, b []byte, cache string) asset {
	a := asset{contentType: contentTypes[path.Ext(name)], plain: b, cache: cache}
	if a.contentType == "" {
		panic("dashboard: no content type for " + name)
	}
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	_, err := w.Write(b)
	if err == nil && w.Close() == nil && out.Len() < len(b) {
		a.compressed = out.Bytes()
	}
	return a
}

// ServeHTTP implements http.Handler.
func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	a, ok := p[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	head.Set("Content-Type", a.contentType)
	head.Set("Cache-Control", a.cache)
	head.Set("Vary", "Accept-Encoding")
	body := a.plain
	if a.compressed != nil && acceptsGzip(r) {
		head.Set("Content-Encoding", "gzip")
		body = a.compressed
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the browser is gone if this fails
	}
}

func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" && strings.TrimSpace(quality) != "q=0" {
			return true
		}
	}
	return false
}
