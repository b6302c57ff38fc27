package httpd

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests by operation, never by who or what they are about: no
// label names a contact, a conversation or a token.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pabal_api_requests_total", Help: "Requests by operation, status and kind of actor.",
		}, []string{"route", "status", "actor_kind"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pabal_api_request_seconds", Help: "Time to answer, without event streams.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 5, 30},
		}, []string{"route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "pabal_api_event_streams", Help: "Open event streams."}),
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pabal_up_seconds", Help: "Time since the server was made.",
	}, func() float64 { return s.now().Sub(s.started).Seconds() })
	m.registry.MustRegister(m.requests, m.seconds, m.streams, up)
	return m
}

// observe counts a finished request.
func (s *Server) observe(q *request, status int, took time.Duration) {
	kind := "none"
	if q.actor != nil && q.actor.kind != "" {
		kind = string(q.actor.kind)
	}
	s.metrics.requests.WithLabelValues(q.route.name(), strconv.Itoa(status), kind).Inc()
	if q.route != nil && !q.route.stream {
		s.metrics.seconds.WithLabelValues(q.route.name()).Observe(took.Seconds())
	}
}

// serveMetrics answers GET /metrics.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	gatherers := append(prometheus.Gatherers{s.metrics.registry}, s.config.Gatherers...)
	promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
}
