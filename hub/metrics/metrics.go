// Package metrics shows a hub to Prometheus.
//
// Counts come from what the others count already and are read when they are asked
// for; only durations are taken here. Labels have few values: devices are those of
// the device log, alert codes those that have a name, routes those of the interface.
// Times of devices are emulated; durations of the store and the interface are not.
// docs/api.md lists all metrics.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
)

// Link is what the hub's link did since it started.
type Link struct {
	HandshakesStarted, HandshakesCompleted, HandshakesFailed, Refused uint64
	Unproven                                                          uint64
	RecordsSent, RecordsReceived, RecordsReplayed, DatagramsDropped   uint64
	FramesRefused                                                     uint64
	BrokerConnections, MessagesSent, MessagesReceived                 uint64
	MessagesDropped                                                   uint64
}

// Battery is what is known of a device's battery.
type Battery struct {
	Remaining    float64 // share of a new cell, 0 to 1
	HasRemaining bool
	Life         time.Duration // that the rest will last
	HasLife      bool
	Coulombs     map[string]float64 // spent, by cause; nil if nobody counts
}

// Sources are where the figures come from. The functions may be called from any
// goroutine.
type Sources struct {
	Store     *store.Store
	Observer  *observe.Observer
	Now       func() time.Time // emulated
	Link      func() Link
	Battery   func(device han.EUI64) (Battery, bool)
	Connected func(device han.EUI64) bool
	BrokerUp  func() (up bool, since time.Time) // since on the wall clock
	Readers   func() int                        // of the event stream
	Version   string
	Commit    string
}

// Metrics are the metrics of one hub.
type Metrics struct {
	registry *prometheus.Registry
	commits  *prometheus.HistogramVec
	requests *prometheus.HistogramVec
}

// New returns metrics that take durations. What is read when it is asked for comes
// with Watch.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "commshub_store_commit_duration_seconds", Help: "How long a commit of the store takes, its fsync included.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12),
		}, []string{"result"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "commshub_http_request_duration_seconds", Help: "How long the REST interface takes for a request.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, []string{"method", "route", "code"}),
	}
	for _, result := range []string{"done", "failed"} {
		m.commits.WithLabelValues(result) // there from the beginning, at 0
	}
	m.registry.MustRegister(
		m.commits, m.requests,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Watch adds the figures of a hub.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(newCollector(s)) }

// Commit takes the time of a commit; it is for store.Watched.
func (m *Metrics) Commit() (done func(error)) {
	began := time.Now()
	return func(err error) {
		result := "done"
		if err != nil {
			result = "failed"
		}
		m.commits.WithLabelValues(result).Observe(time.Since(began).Seconds())
	}
}

// methods are the methods that have routes; others are counted together.
var methods = map[string]bool{http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true, http.MethodDelete: true}

// Answered takes the time of a request. The route is a pattern, not a path.
func (m *Metrics) Answered(method, route string, status int, took time.Duration) {
	if route == "GET /events" {
		return // a stream takes as long as somebody listens
	}
	if !methods[method] {
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}
