package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
)

// registerImageFile serves OTA files as devices download them, with ranges. Like
// the upload it streams, so it is handled outside huma and only described here.
func (a *API) registerImageFile(mux *http.ServeMux) {
	const path, id = pathImages + "/{sha256}/file", "read-image-file"
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if err := a.imageFile(w, r); err != nil {
			writeProblem(w, err)
		}
	})
	a.failures[id] = []int{http.StatusNotFound, http.StatusUnprocessableEntity}
	a.described.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path,
		Summary: "Download the OTA file of an image", Tags: []string{"images"},
		Description: "The file as a device downloads it, without a vendor's wrapper. Ranges are served; the entity tag is the SHA-256.",
		Parameters:  []*huma.Param{{Name: "sha256", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}, Description: "64 hex digits"}},
		Responses: map[string]*huma.Response{
			"200": {Description: "The file", Content: map[string]*huma.MediaType{
				"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
			}},
		},
	})
}

func (a *API) imageFile(w http.ResponseWriter, r *http.Request) error {
	if r.URL.RawQuery != "" {
		return invalid("query", r.URL.RawQuery, errors.New("a download takes no query parameters"))
	}
	hash, err := imagecache.ParseHash(r.PathValue("sha256"))
	if err != nil {
		return invalid("path.sha256", r.PathValue("sha256"), err)
	}
	im, ok := a.Store.ImageByFileHash(hash)
	if !ok || im.Removed {
		return problem(fmt.Errorf("image %s: %w", hash, store.ErrUnknownImage))
	}
	file, err := a.Cache.Open(hash)
	if err != nil {
		return problem(err)
	}
	defer func() { _ = file.Close() }() // it was only read
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+hash.String()+`"`)
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(file, 0, int64(im.Size)))
	return nil
}
