package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// sources are the live systems of a server. Their collectors live as long as it does:
// they remember what GitHub need not send again.
type sources struct {
	config    Config
	store     *store.Store
	clock     func() time.Time
	lookupEnv func(string) (string, bool)
	log       *slog.Logger

	lock sync.Mutex
	all  map[string]*liveSource // by name of the collector
}

type liveSource struct {
	sync.Mutex // a collector is used by one goroutine at a time
	collectors.Collector
	system string // github, render, …: what webhooks are of
	ended  time.Time
}

// pollSince is how far back a source is read that was never read before; reconcile
// reads the last days again, whatever webhooks and polls brought.
const (
	pollSince      = 90 * 24 * time.Hour
	reconcileSince = 2 * 24 * time.Hour
)

// configured reports whether anything is to be read.
func (s *sources) configured() bool {
	c := s.config
	return len(c.GitHub.Repositories) > 0 || c.GitHub.Organization != "" || c.Render.Owner != "" || len(c.Render.Services) > 0 || c.IAM.AWS != nil || c.IAM.Okta != nil
}

// hears names the system that an event speaks of if the server is told by that system
// itself, or reads there; else it is empty.
func (s *sources) hears(e engine.Event) string {
	c, source, provider := s.config, e.Source, e.Provider
	var covered engine.CoverageFact
	if e.Type == "coverage.recorded" && e.Decode(&covered) == nil {
		source, provider = covered.Source, cmp.Or(covered.System, provider)
	}
	// What an event speaks of counts, whatever it says of where it comes from.
	noun, _, _ := strings.Cut(e.Type, ".")
	code := []string{"branch", "change", "check", "commit", "commits", "merge_group", "permission", "protection"}
	is := func(name string) bool { return source == name || provider == name }
	switch {
	case (is("git") || is("github") || slices.Contains(code, noun)) && (len(c.GitHub.WebhookSecretFiles) > 0 || len(c.GitHub.Repositories) > 0 || c.GitHub.Organization != ""):
		return "GitHub"
	case (is("render") || slices.Contains([]string{"deployment", "environment", "service"}, noun)) && (len(c.Render.WebhookSecretFiles) > 0 || len(c.Render.Services) > 0 || c.Render.Owner != ""):
		return "Render"
	case is("aws") && c.IAM.AWS != nil:
		return "AWS"
	case is("okta") && c.IAM.Okta != nil:
		return "Okta"
	}
	return ""
}

// names lists what is read, and finds out what has come to it: repositories of an
// organisation. What cannot be listed does not keep the rest from being read.
func (s *sources) names(ctx context.Context) ([]string, error) {
	var faults []error
	found := map[string]*liveSource{}
	for system, open := range map[string]func(context.Context) ([]collectors.Collector, error){"github": s.github, "render": s.render, "iam": s.iam} {
		list, err := open(ctx)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", system, err))
		}
		for _, c := range list {
			found[c.Name()] = &liveSource{Collector: c, system: system}
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	for name, known := range s.all {
		if found[name] != nil || len(faults) > 0 {
			found[name] = known
		}
	}
	s.all = found
	return slices.Sorted(maps.Keys(s.all)), errors.Join(faults...)
}

// of lists the names of one system's sources that contain a text.
func (s *sources) of(system, part string) []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	var out []string
	for name, one := range s.all {
		if one.system == system && (part == "" || strings.HasSuffix(strings.ToLower(name), "/"+strings.ToLower(part))) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (s *sources) find(name string) *liveSource {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.all[name]
}

// poll reads a source from where the last time ended, and returns how many events
// were new.
func (s *sources) poll(ctx context.Context, name string) (int, error) {
	return s.read(ctx, name, pollSince, func(spool *counted) collectors.Spool { return spool })
}

// reconcile polls a source and then reads its last days again, from nothing. It returns
// how many events of before had been missed.
func (s *sources) reconcile(ctx context.Context, name string) (int, error) {
	// Clocks differ.
	before := s.clock().UTC().Add(-time.Minute)
	if _, err := s.poll(ctx, name); err != nil {
		return 0, err
	}
	var late *belated
	_, err := s.read(ctx, name, reconcileSince, func(spool *counted) collectors.Spool {
		late = &belated{forgetful: forgetful{spool}, before: before}
		return late
	})
	if late == nil {
		return 0, err
	}
	return late.missed, err
}

func (s *sources) read(ctx context.Context, name string, since time.Duration, spool func(*counted) collectors.Spool) (int, error) {
	one := s.find(name)
	if one == nil {
		return 0, nil // it is not read any more
	}
	one.Lock()
	defer one.Unlock()
	now := s.clock().UTC()
	into := &counted{store: s.store, shows: s.config.GitHub.shows()}
	summary, err := collectors.Run(ctx, one.Collector, collectors.Window{Since: now.Add(-since), Until: now}, spool(into), nil)
	for _, fault := range summary.Faults {
		s.log.WarnContext(ctx, "record of a source not readable", "source", name, "error", fault.Error())
	}
	if err != nil {
		return into.added, err
	}
	s.lock.Lock()
	one.ended = now
	s.lock.Unlock()
	s.log.InfoContext(ctx, "source read", "source", name, "events", summary.Events, "new", into.added, "broken", summary.Broken)
	return into.added, nil
}

// lag tells for each source how long ago it was read to its end, since this process
// began.
func (s *sources) lag() map[string]time.Duration {
	s.lock.Lock()
	defer s.lock.Unlock()
	out := map[string]time.Duration{}
	for name, one := range s.all {
		if !one.ended.IsZero() {
			out[name] = s.clock().Sub(one.ended)
		}
	}
	return out
}

// counted is the journal as a spool, and counts what was new. What the server itself
// showed on a commit is left out: it is no evidence, and each verdict would be a reason
// for another.
type counted struct {
	store *store.Store
	shows string // the name of the check that the server writes, if it writes one
	added int
}

// Cursor implements collectors.Spool.
func (c *counted) Cursor(ctx context.Context, name string) (json.RawMessage, error) {
	return c.store.Cursor(ctx, name)
}

// Commit implements collectors.Spool.
func (c *counted) Commit(ctx context.Context, name string, b collectors.Batch) error {
	var cursor *store.Cursor
	if b.Cursor != nil {
		cursor = &store.Cursor{Name: name, Value: b.Cursor}
	}
	added, err := c.store.AddEvents(ctx, c.foreign(b.Events), cursor)
	c.added += added
	return err
}

// foreign are the events that do not tell of the server's own check.
func (c *counted) foreign(events []engine.Event) []engine.Event {
	if c.shows == "" {
		return events
	}
	return slices.DeleteFunc(slices.Clone(events), func(e engine.Event) bool {
		var check engine.CheckFact
		return e.Type == "check.completed" && e.Decode(&check) == nil && check.Name == c.shows
	})
}

// forgetful keeps events and no cursor: whoever reads through it begins at the start.
type forgetful struct{ *counted }

// Cursor implements collectors.Spool.
func (forgetful) Cursor(context.Context, string) (json.RawMessage, error) { return nil, nil }

// Commit implements collectors.Spool.
func (f forgetful) Commit(ctx context.Context, name string, b collectors.Batch) error {
	b.Cursor = nil
	return f.counted.Commit(ctx, name, b)
}

// belated counts the new events that say what happened before a moment. How far a source
// was read, and how it is set up now, are new with every reading.
type belated struct {
	forgetful
	before time.Time
	missed int
}

// Commit implements collectors.Spool.
func (l *belated) Commit(ctx context.Context, name string, b collectors.Batch) error {
	missed, err := l.store.AddEvents(ctx, slices.DeleteFunc(slices.Clone(l.foreign(b.Events)), func(e engine.Event) bool {
		return e.Type == "coverage.recorded" || !e.OccurredAt.Before(l.before)
	}), nil)
	if err != nil {
		return err
	}
	l.missed += missed
	l.added += missed
	return l.forgetful.Commit(ctx, name, b)
}

// surroundings gives a client its credentials under the names of the command line.
func (s *sources) surroundings(variable string, t TokenConfig) (Surroundings, error) {
	secret, err := t.Secret(s.lookupEnv)
	if err != nil {
		return Surroundings{}, err
	}
	return Surroundings{
		Now:    s.clock(),
		Notice: func(text string) { s.log.Info("source waits", "reason", text) },
		LookupEnv: func(name string) (string, bool) {
			if name == variable && secret != "" {
				return secret, true
			}
			return s.lookupEnv(name)
		},
	}, nil
}

func (s *sources) github(ctx context.Context) ([]collectors.Collector, error) {
	c := s.config.GitHub
	if len(c.Repositories) == 0 && c.Organization == "" {
		return nil, nil
	}
	around, err := s.surroundings("VOUCH_GITHUB_TOKEN", c.TokenConfig)
	if err != nil {
		return nil, err
	}
	g := GitHub{Repositories: c.Repositories, BaseURL: c.URL, AppID: c.App.ID, AppKey: c.App.PrivateKeyFile}
	if c.Organization != "" {
		g.Organizations = []string{c.Organization}
	}
	return g.Collectors(ctx, around)
}

func (s *sources) render(context.Context) ([]collectors.Collector, error) {
	c := s.config.Render
	around, err := s.surroundings("VOUCH_RENDER_API_KEY", c.TokenConfig)
	if err != nil {
		return nil, err
	}
	r := Render{Services: c.Services, BaseURL: c.URL}
	if c.Owner != "" {
		r.Owners = []string{c.Owner}
	}
	return r.Collectors(around)
}

func (s *sources) iam(ctx context.Context) ([]collectors.Collector, error) {
	var all []collectors.Collector
	var faults []error
	if aws := s.config.IAM.AWS; aws != nil {
		around, err := s.surroundings("", TokenConfig{})
		if err != nil {
			return nil, err
		}
		list, err := Access{AWS: true, Profile: aws.Profile, Regions: aws.Regions}.Collectors(ctx, around)
		all, faults = append(all, list...), append(faults, err)
	}
	if okta := s.config.IAM.Okta; okta != nil {
		around, err := s.surroundings("VOUCH_OKTA_TOKEN", okta.TokenConfig)
		if err != nil {
			return all, err
		}
		list, err := Access{Okta: []string{okta.URL}}.Collectors(ctx, around)
		all, faults = append(all, list...), append(faults, err)
	}
	return all, errors.Join(faults...)
}
