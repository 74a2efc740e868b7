package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/jobs"
)

// serverMetrics are what a server tells Prometheus beside its requests.
type serverMetrics struct {
	registry  *prometheus.Registry
	decisions *prometheus.CounterVec
	undecided prometheus.Counter
	notices   *prometheus.CounterVec
	judged    prometheus.Histogram
}

func newServerMetrics() *serverMetrics {
	m := &serverMetrics{
		registry: prometheus.NewRegistry(),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "changevouch_decisions_total", Help: "Decisions that were recorded since the server began, by outcome.",
		}, []string{"outcome"}),
		undecided: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "changevouch_undecided_total", Help: "Subjects on which no decision could be made.",
		}),
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "changevouch_notices_total", Help: "Notices sent, by kind.",
		}, []string{"kind"}),
		judged: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "changevouch_judge_duration_seconds", Help: "How long one round of judging took.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300},
		}),
	}
	m.registry.MustRegister(m.decisions, m.undecided, m.notices, m.judged)
	return m
}

// gauges are read when somebody asks for them.
type gauges struct{ server *Server }

var (
	gaugeJobs      = prometheus.NewDesc("changevouch_jobs", "Jobs of background work, by state.", []string{"state"}, nil)
	gaugeQueueWait = prometheus.NewDesc("changevouch_queue_wait_seconds", "How long the oldest job has waited to be done.", nil, nil)
	gaugeLag       = prometheus.NewDesc("changevouch_source_age_seconds", "How long ago this process read a source to its end.", []string{"source"}, nil)
	gaugeEntries   = prometheus.NewDesc("changevouch_ledger_entries", "Entries of the log.", nil, nil)
	gaugeDeadlines = prometheus.NewDesc("changevouch_deadlines", "Subjects whose decision will change by itself, by when.", []string{"due"}, nil)
)

// Describe implements prometheus.Collector.
func (gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{gaugeJobs, gaugeQueueWait, gaugeLag, gaugeEntries, gaugeDeadlines} {
		out <- d
	}
}

// gaugePatience is how long all gauges together may take to read.
const gaugePatience = 5 * time.Second

// Collect implements prometheus.Collector. What cannot be read is an error of the whole
// answer, so that no gauge is ever old.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), gaugePatience)
	defer cancel()
	for desc, read := range map[*prometheus.Desc]func(context.Context, chan<- prometheus.Metric) error{
		gaugeJobs: g.jobs, gaugeLag: g.lag, gaugeEntries: g.entries, gaugeDeadlines: g.due,
	} {
		if err := read(ctx, out); err != nil {
			out <- prometheus.NewInvalidMetric(desc, err)
		}
	}
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func (g gauges) jobs(ctx context.Context, out chan<- prometheus.Metric) error {
	counts, err := g.server.queue.Count(ctx)
	if err != nil {
		return err
	}
	for _, state := range jobs.States() {
		out <- gauge(gaugeJobs, float64(counts[state]), state)
	}
	oldest, err := g.server.queue.Oldest(ctx)
	wait := 0.0
	if !oldest.IsZero() {
		wait = max(0, time.Since(oldest).Seconds())
	}
	out <- gauge(gaugeQueueWait, wait)
	return err
}

func (g gauges) lag(_ context.Context, out chan<- prometheus.Metric) error {
	for name, lag := range g.server.sources.lag() {
		out <- gauge(gaugeLag, lag.Seconds(), name)
	}
	return nil
}

func (g gauges) entries(ctx context.Context, out chan<- prometheus.Metric) error {
	head, _, err := g.server.store.Head(ctx)
	if err == nil {
		out <- gauge(gaugeEntries, float64(head.Size))
	}
	return err
}

func (g gauges) due(ctx context.Context, out chan<- prometheus.Metric) error {
	now := g.server.clock().UTC()
	var passed, day, later int
	var after *engine.DecisionSummary
	for {
		page, err := g.server.store.Deadlines(ctx, engine.SubjectFilter{}, after, subjectsPage)
		if err != nil {
			return err
		}
		for i, one := range page {
			switch left := one.NextEvaluationAt.Sub(now); {
			case left <= 0:
				passed++
			case left <= 24*time.Hour:
				day++
			default:
				later++
			}
			after = &page[i]
		}
		if len(page) < subjectsPage {
			break
		}
	}
	out <- gauge(gaugeDeadlines, float64(passed), "passed")
	out <- gauge(gaugeDeadlines, float64(day), "within a day")
	out <- gauge(gaugeDeadlines, float64(later), "later")
	return nil
}
