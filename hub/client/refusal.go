package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Refusal is a hub's answer that it does not do what it was asked.
type Refusal struct {
	Status int    // of HTTP
	Text   string // the hub's reason, one line
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

// BadInput reports whether what was asked for is at fault, and the same would be
// refused again. Otherwise the hub cannot do it as things are, or at all.
func (r *Refusal) BadInput() bool {
	return r.Status < http.StatusInternalServerError && r.Status != http.StatusConflict || r.Status == http.StatusInsufficientStorage
}

// Conflict reports whether the hub cannot do it as things are.
func (r *Refusal) Conflict() bool { return r.Status == http.StatusConflict }

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

func refusal(resp *http.Response) error {
	var p problem
	if json.NewDecoder(io.LimitReader(resp.Body, maxReason)).Decode(&p) != nil {
		return &Refusal{Status: resp.StatusCode, Text: resp.Status}
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		if !strings.Contains(p.Detail, e.Message) {
			text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
		}
	}
	return &Refusal{Status: resp.StatusCode, Text: text}
}
