package api

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/internal/foreign"
)

func init() {
	huma.DefaultArrayNullable = false // lists are never null here
}

// describe returns what the OpenAPI document says about the whole.
func describe(version string) huma.Config {
	c := huma.DefaultConfig("commshub", version)
	c.Info.Description = "A smart-meter Communications Hub and its Gas Proxy, emulated.\n\n" +
		"Times are emulated time in RFC 3339, UTC. Device identifiers (EUI64) are 16 hex digits, hashes 64, versions 8. " +
		"What is not known is absent. Errors are RFC 9457 problems."
	c.CreateHooks = nil // no $schema links in answers
	c.DocsPath, c.SchemasPath = "", ""
	c.OpenAPIPath = "/openapi"
	json := huma.DefaultJSONFormat
	json.Marshal = func(w io.Writer, v any) error { return huma.DefaultJSONFormat.Marshal(foreign.Writer(w), v) }
	c.Formats = map[string]huma.Format{"application/json": json, "json": json}
	c.RejectUnknownQueryParameters = true
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		tokenScheme: {Type: "http", Scheme: "bearer", Description: "The token in the file api-token of the state folder."},
	}
	c.Tags = []*huma.Tag{
		{Name: "hub", Description: "The hub itself: identity, clock, health"},
		{Name: "devices", Description: "The device log and what is known of each device"},
		{Name: "images", Description: "The image cache"},
		{Name: "updates", Description: "Distribution of images to devices, and its timeline"},
		{Name: "supplier", Description: "Orders of the supplier, and what comes back: alerts, responses, the mailbox"},
		{Name: "readings", Description: "The mirror that the Gas Proxy keeps of a sleeping meter"},
		{Name: "bridged", Description: "Devices outside the HAN that a bridge speaks for"},
		{Name: "traffic", Description: "Frames of the HAN, and events as they happen"},
		{Name: "lab", Description: "Faults to order; only if the hub was started with --lab"},
	}
	return c
}

const tokenScheme = "token"

// register adds an operation. failures are the statuses it can fail with, besides
// those that every operation of its kind can; see documentFailures. Two operations of
// one name are a programmer's error and panic.
func register[I, O any](a *API, o huma.Operation, failures []int, handle func(context.Context, *I) (*O, error)) {
	if _, twice := a.failures[o.OperationID]; twice {
		panic("api: two operations are named " + o.OperationID)
	}
	o.MaxBodyBytes = maxBody + 1
	a.failures[o.OperationID] = failures
	huma.Register(a.described, o, handle)
}

// changes reports whether a request of the method may change something.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// documentFailures completes the description: each operation lists exactly the
// statuses that can come back.
func (a *API) documentFailures() {
	document := a.described.OpenAPI()
	schema := document.Components.Schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "ErrorModel")
	for _, path := range document.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Delete} {
			if op == nil {
				continue
			}
			statuses := append([]int{http.StatusMisdirectedRequest}, a.failures[op.OperationID]...)
			if changes(op.Method) {
				statuses = append(statuses, http.StatusForbidden)
				if a.Token != "" {
					op.Security = []map[string][]string{{tokenScheme: {}}}
					statuses = append(statuses, http.StatusUnauthorized)
				}
			}
			if op.RequestBody != nil {
				statuses = append(statuses, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge)
				if _, ok := op.RequestBody.Content["application/json"]; ok {
					statuses = append(statuses, http.StatusUnsupportedMediaType)
				}
			}
			if op.OperationID != metricsID { // unknown query parameters are refused
				statuses = append(statuses, http.StatusUnprocessableEntity)
			}
			delete(op.Responses, "default")
			for _, status := range statuses {
				op.Responses[strconv.Itoa(status)] = &huma.Response{
					Description: http.StatusText(status),
					Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
				}
			}
		}
	}
}
