package api

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/foreign"
)

// ErrStopped says that the hub behind the interface does not run any more. An
// Operate that cannot run an operation for that reason returns it.
var ErrStopped = errors.New("the hub has stopped")

// problem turns an error of the hub into an HTTP error with a one-line detail.
func problem(err error) error {
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, new(huma.StatusError)):
		return err
	case errors.Is(err, store.ErrUnknownDevice), errors.Is(err, store.ErrUnknownImage), errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	case errors.Is(err, store.ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		status = http.StatusInsufficientStorage
	case errors.Is(err, ErrStopped):
		status = http.StatusServiceUnavailable
	}
	return huma.NewError(status, err.Error())
}

// invalid refuses a value. where is its place in the request, such as "path.eui64".
func invalid(where string, value any, err error) error {
	return huma.Error422UnprocessableEntity(err.Error(), &huma.ErrorDetail{Message: err.Error(), Location: where, Value: value})
}

// writeProblem answers with an RFC 9457 problem outside of huma.
func writeProblem(w http.ResponseWriter, err error) {
	var model *huma.ErrorModel
	if !errors.As(err, &model) {
		model = &huma.ErrorModel{Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError, Detail: err.Error()}
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Del("Content-Length")
	w.WriteHeader(model.Status)
	_ = json.NewEncoder(foreign.Writer(w)).Encode(model) // the client is gone if this fails
}

// refuse answers with a problem of a status and one line.
func refuse(w http.ResponseWriter, status int, detail string) {
	writeProblem(w, huma.NewError(status, detail))
}

// writeJSON answers with a JSON value outside of huma.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(foreign.Writer(w)).Encode(v) // the client is gone if this fails
}
