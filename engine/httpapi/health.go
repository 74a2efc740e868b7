package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func (s *server) health() {
	op := operation("live", http.MethodGet, "/health/live", "Whether the process answers")
	op.Responses = answers("live", "application/json", "{status}")
	s.plain(op, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]string{"status": "live"})
	})

	op = operation("ready", http.MethodGet, "/health/ready", "Whether requests should be sent here")
	op.Responses = answers("ready", "application/json", "{status}")
	op.Responses["503"] = &huma.Response{Description: "{status, not_ready}: the names of what is not ready"}
	s.plain(op, s.ready)
}

// patience is how long one check of readiness may take.
const patience = 2 * time.Second

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var checks sync.WaitGroup
	var lock sync.Mutex
	failed := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.Ready)) {
		checks.Go(func() {
			if err := s.Ready[name](ctx); err != nil {
				s.Log.WarnContext(r.Context(), "not ready", "request_id", requestID(r.Context()), "part", name, "error", err.Error())
				lock.Lock()
				defer lock.Unlock()
				failed = append(failed, name)
			}
		})
	}
	checks.Wait()
	if len(failed) > 0 {
		slices.Sort(failed)
		respond(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "not_ready": failed})
		return
	}
	respond(w, http.StatusOK, map[string]string{"status": "ready"})
}

// specification serves the OpenAPI document, and describes that too.
func (s *server) specification() {
	for _, form := range []struct{ name, media string }{{"json", "application/json"}, {"yaml", "application/yaml"}} {
		op := operation("openapi-"+form.name, http.MethodGet, "/openapi."+form.name, "This document")
		op.Responses = answers("OpenAPI", form.media, "an OpenAPI 3.1 document")
		write := sync.OnceValues(func() ([]byte, error) {
			if form.name == "json" {
				return s.api.OpenAPI().MarshalJSON()
			}
			return s.api.OpenAPI().YAML()
		})
		s.plain(op, func(w http.ResponseWriter, r *http.Request) {
			text, err := write()
			if err != nil {
				fail(w, s.problem(r.Context(), err))
				return
			}
			h := w.Header()
			h.Set("Content-Type", form.media)
			h.Set("ETag", tagOf(text))
			h.Set("Cache-Control", forever)
			_, _ = w.Write(text) // the client may be gone
		})
	}
}

// measured counts requests; without a registry it does nothing.
func measured(registry prometheus.Registerer) (func(route string, status int, took time.Duration), error) {
	if registry == nil {
		return func(string, int, time.Duration) {}, nil
	}
	count := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "changevouch_http_requests_total", Help: "Requests answered, by route and status.",
	}, []string{"route", "status"})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "changevouch_http_request_duration_seconds", Help: "How long requests took, by route.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .2, .5, 1, 2.5, 5, 10, 30},
	}, []string{"route"})
	for _, c := range []prometheus.Collector{count, took} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return func(route string, status int, d time.Duration) {
		if route == "" {
			route = "none"
		}
		count.WithLabelValues(route, strconv.Itoa(status)).Inc()
		took.WithLabelValues(route).Observe(d.Seconds())
	}, nil
}

// Metrics serves what a registry gathers, for a listener of its own: it asks for no
// token.
func Metrics(registry prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}
