package api

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// assets is the page that shows the OpenAPI document to people. It loads nothing
// from elsewhere.
//
//go:embed assets
var assets embed.FS

const metricsID = "read-metrics"

// registerPages adds what is not JSON.
func (a *API) registerPages(mux *http.ServeMux) {
	docs, err := fs.Sub(assets, "assets")
	if err != nil {
		panic("api: the assets are not embedded: " + err.Error())
	}
	files := http.FileServerFS(docs)
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, docs, "docs.html") })
	mux.Handle("GET /docs/", http.StripPrefix("/docs/", files))
	if a.Page != nil {
		mux.Handle("GET /{$}", a.Page)
		mux.Handle("GET /assets/", a.Page)
	} else {
		mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusFound))
	}
	if a.Metrics != nil {
		mux.Handle("GET /metrics", a.Metrics)
		a.described.OpenAPI().AddOperation(&huma.Operation{
			OperationID: metricsID, Method: http.MethodGet, Path: "/metrics",
			Summary: "Read the metrics, for Prometheus", Tags: []string{"hub"},
			Responses: map[string]*huma.Response{"200": {
				Description: "Metrics in the text exposition format",
				Content:     map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
			}},
		})
	}
}
