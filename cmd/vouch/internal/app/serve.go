package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/engine/jobs"
	"github.com/changevouch/changevouch/engine/store"
)

// ServerOptions say what a server is made of.
type ServerOptions struct {
	Config    Config
	Version   string
	LookupEnv func(string) (string, bool)
	Log       *slog.Logger
	Clock     func() time.Time // nil is the machine's: what is due, and evaluated_at
	Pace      Pace             // the zero value is that of production
}

// Pace is how often a server looks for work, and how long it waits for more of the
// same before it begins.
type Pace struct {
	Watch      time.Duration // 2 s
	JudgeAfter time.Duration // 1 s
	PollAfter  time.Duration // 5 s
}

func (p Pace) filled() Pace {
	for _, field := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&p.Watch, 2 * time.Second}, {&p.JudgeAfter, time.Second}, {&p.PollAfter, 5 * time.Second}} {
		if *field.value <= 0 {
			*field.value = field.standard
		}
	}
	return p
}

// Server is an open journal with all that works on it: the policy, the sources, the
// queue. Its HTTP side is Handler.
type Server struct {
	config  Config
	options ServerOptions
	store   *store.Store
	record  *Record
	rules   *rules
	sources *sources
	queue   *jobs.Queue
	notices *notices
	report  func(ctx context.Context, decision engine.Decision, dossier []byte) error // nil: nowhere
	log     *slog.Logger
	clock   func() time.Time
	again   chan struct{} // files are to be read again
	metrics *serverMetrics

	decisionLog *httpapi.DecisionLog // nil: evaluations are told to nobody

	overdue  overdue
	reminded reminded
	stop     context.CancelFunc
	group    sync.WaitGroup
}

// OpenServer opens everything; nothing runs yet.
func OpenServer(ctx context.Context, o ServerOptions) (*Server, error) {
	s := &Server{config: o.Config, options: o, log: o.Log, clock: o.Clock, again: make(chan struct{}, 1), stop: func() {}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.options.Pace = o.Pace.filled()
	journal := o.Config.Journal()
	address, err := journal.Address()
	if err != nil {
		return nil, err
	}
	key, err := journal.key(ctx)
	if err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, address, store.Options{Key: key, Clock: o.Clock}); err != nil {
		return nil, err
	}
	if err := s.open(ctx, address); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, address string) error {
	s.record = NewRecord(s.store)
	s.rules = &rules{config: s.config, store: s.store, clock: s.clock, version: s.options.Version, log: s.log}
	if err := s.rules.refresh(ctx, true); err != nil {
		return err
	}
	s.sources = &sources{config: s.config, store: s.store, clock: s.clock, lookupEnv: s.options.LookupEnv, log: s.log, all: map[string]*liveSource{}}
	s.metrics = newServerMetrics()
	var err error
	if s.decisionLog, err = s.openDecisionLog(); err != nil {
		return err
	}
	if s.notices, err = openNotices(s.config, s.options.LookupEnv, s.options.Version, s.clock); err != nil {
		return err
	}
	if r := NewGateReporter(s.config, s.options.LookupEnv, s.gate); r != nil {
		s.report = r.Report
	}
	if err := s.startFollowing(ctx); err != nil {
		return err
	}
	s.queue, err = jobs.Open(ctx, jobs.Config{Address: address, Tasks: s.tasks(), Queues: queues(), Watch: s.options.Pace.Watch, Logger: s.log})
	return err
}

// gate answers what would be decided, by what is on record now.
func (s *Server) gate(ctx context.Context) (Gate, error) {
	now := s.rules.current()
	return JournalGate(ctx, s.record, now.Standing, now.Directory, s.clock().UTC())
}

// Start begins the work in the background.
func (s *Server) Start(ctx context.Context) error {
	if s.config.Directory == "" {
		s.log.WarnContext(ctx, "no directory is named: what is handed in is judged, what events say is not")
	}
	if err := s.queue.Start(ctx); err != nil {
		return err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.group.Go(func() { s.rules.watch(watching, s.options.Pace.Watch, s.again) })
	if s.sources.configured() {
		if err := s.queue.Add(ctx, taskSources, ""); err != nil {
			return err
		}
	}
	// What was recorded while no server ran is judged now.
	return s.queue.Add(ctx, taskJudge, "")
}

// Reload has files of the policy and the directory read again.
func (s *Server) Reload() {
	select {
	case s.again <- struct{}{}:
	default: // it is asked for already
	}
}

// Stop ends the work in the background: what runs may end until ctx does.
func (s *Server) Stop(ctx context.Context) error {
	err := s.queue.Stop(ctx)
	s.stop()
	s.group.Wait()
	return err
}

// Close gives everything back. After Stop nothing that was accepted is lost.
func (s *Server) Close() error {
	if s.queue != nil {
		s.queue.Close()
	}
	err := s.closeDecisionLog()
	if closed := s.store.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("close the journal: %w", closed))
	}
	return err
}
