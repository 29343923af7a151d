package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// metrics are what /metrics shows: requests, what the backend has done, and the process.
type metrics struct {
	handler  http.Handler
	inFlight prometheus.Gauge
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(b backend.Backend, in *bodies) *metrics {
	m := &metrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "handscroll_http_requests_in_flight", Help: "Requests that are being answered.",
		}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handscroll_http_requests_total", Help: "Requests answered, by route and status; 499 is a client that left.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "handscroll_http_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.005, .02, .1, .3, 1, 3, 10, 30, 120, 600},
		}, []string{"route"}),
	}
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "handscroll_http_body_bytes", Help: "Bodies of requests that are in memory, short ones aside.",
	}, func() float64 { return float64(in.bytes()) })
	most := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "handscroll_http_body_limit_bytes", Help: "What they may have at once.",
	}, func() float64 { return float64(in.limit) })
	r := prometheus.NewRegistry()
	r.MustRegister(m.inFlight, m.requests, m.seconds, held, most, newStats(b), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(r, promhttp.HandlerOpts{DisableCompression: true})
	return m
}

func (m *metrics) observe(route string, status int, d time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(d.Seconds())
}

// stat is one number of backend.Stats.
type stat struct {
	name, help string
	kind       prometheus.ValueType
	value      func(*backend.Stats) float64
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

var statList = []stat{
	{"queue_waiting", "Requests that wait to be started.", gauge, func(s *backend.Stats) float64 { return float64(s.Waiting) }},
	{"requests_running", "Requests that the engine works on.", gauge, func(s *backend.Stats) float64 { return float64(s.Running) }},
	{"requests_refused_total", "Requests refused because too many wait, or they would wait too long.", counter, func(s *backend.Stats) float64 { return float64(s.Refused) }},
	{"prefill_tokens_total", "Tokens of prompts that were read.", counter, func(s *backend.Stats) float64 { return float64(s.ReadTokens) }},
	{"prefill_seconds_total", "Time spent on reading, all requests together.", counter, func(s *backend.Stats) float64 { return s.ReadSeconds }},
	{"cached_tokens_total", "Tokens of prompts that did not have to be read.", counter, func(s *backend.Stats) float64 { return float64(s.CachedTokens) }},
	{"decode_tokens_total", "Tokens of answers.", counter, func(s *backend.Stats) float64 { return float64(s.AnswerTokens) }},
	{"decode_seconds_total", "Time spent on answering, all requests together.", counter, func(s *backend.Stats) float64 { return s.AnswerSeconds }},
	{"prefix_cache_hits_total", "Prompts that began with one that was read before.", counter, func(s *backend.Stats) float64 { return float64(s.PrefixHits) }},
	{"prefix_cache_misses_total", "Prompts that did not.", counter, func(s *backend.Stats) float64 { return float64(s.PrefixMisses) }},
	{"stored_contexts", "Contexts on disk.", gauge, func(s *backend.Stats) float64 { return float64(s.Stored) }},
	{"evicted_contexts_total", "Contexts that were deleted for the room of others.", counter, func(s *backend.Stats) float64 { return float64(s.Evicted) }},
	{"disk_bytes", "Disk that contexts and files take.", gauge, func(s *backend.Stats) float64 { return float64(s.StoredBytes) }},
	{"disk_quota_bytes", "Disk that they may take.", gauge, func(s *backend.Stats) float64 { return float64(s.QuotaBytes) }},
	{"context_memory_bytes", "Memory that contexts in use take.", gauge, func(s *backend.Stats) float64 { return float64(s.ContextBytes) }},
	{"context_memory_limit_bytes", "Memory that they may take.", gauge, func(s *backend.Stats) float64 { return float64(s.MemoryBytes) }},
	{"models_loaded", "Models that are loaded.", gauge, func(s *backend.Stats) float64 { return float64(s.Models) }},
}

// stats collects them: all of one moment.
type stats struct {
	b     backend.Backend
	descs []*prometheus.Desc
}

func newStats(b backend.Backend) *stats {
	s := &stats{b: b}
	for _, x := range statList {
		s.descs = append(s.descs, prometheus.NewDesc("handscroll_"+x.name, x.help, nil, nil))
	}
	return s
}

// Describe implements [prometheus.Collector].
func (s *stats) Describe(c chan<- *prometheus.Desc) {
	for _, d := range s.descs {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *stats) Collect(c chan<- prometheus.Metric) {
	now := s.b.Stats()
	for i, x := range statList {
		c <- prometheus.MustNewConstMetric(s.descs[i], x.kind, x.value(&now))
	}
}
