package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/collectors/render"
	"github.com/changevouch/changevouch/engine"
)

// intakeStep is how many deliveries are taken at once.
const intakeStep = 200

// intake records what deliveries say. One that is broken is kept with its fault, and
// keeps no other from being recorded.
func (s *Server) intake(ctx context.Context) error {
	for {
		pending, err := s.store.PendingDeliveries(ctx, intakeStep)
		if err != nil || len(pending) == 0 {
			return err
		}
		wake := newWakes()
		faults := make([]string, len(pending))
		for i, d := range pending {
			if faults[i], err = s.take(ctx, d); err != nil {
				return err
			}
			wake.note(d)
		}
		if err := s.wake(ctx, wake); err != nil {
			return err
		}
		// Only now: whoever comes after a crash does all of it again, which changes
		// nothing.
		for i, d := range pending {
			if err := s.store.FinishDelivery(ctx, d.Source, d.ID, faults[i]); err != nil {
				return err
			}
		}
		s.log.InfoContext(ctx, "deliveries taken", "count", len(pending))
		s.queue.Nudge(taskFollow)
	}
}

// take records the events of one delivery. The fault says what could not be read.
func (s *Server) take(ctx context.Context, d engine.Delivery) (fault string, err error) {
	into := &counted{store: s.store, shows: s.config.GitHub.shows()}
	now := s.clock()
	summary, err := collectors.Run(ctx, delivered{d}, collectors.Window{Since: now.Add(-time.Second), Until: now}, forgetful{into}, nil)
	if err != nil {
		return "", err
	}
	var faults []string
	for _, f := range slices.Concat(summary.Faults, summary.Conflicts) {
		faults = append(faults, f.Error())
	}
	if len(faults) > 0 {
		s.log.WarnContext(ctx, "delivery not readable", "source", d.Source, "delivery", d.ID, "event", d.Event, "error", faults[0], "faults", len(faults))
	}
	return strings.Join(faults, "\n"), nil
}

// delivered is one delivery as a collection in one step, so that its events are
// checked like all others.
type delivered struct{ engine.Delivery }

// Name implements collectors.Collector.
func (d delivered) Name() string { return "delivery/" + d.Source + "/" + d.ID }

// Collect implements collectors.Collector.
func (d delivered) Collect(_ context.Context, _ collectors.Window, _ json.RawMessage, commit func(collectors.Batch) error) error {
	p := collectors.Payload{Bytes: d.Payload, ObservedAt: d.ReceivedAt, MediaType: "application/json", Trust: engine.TrustWebhookVerified}
	batch := collectors.Batch{Step: d.Source + "/" + d.ID}
	switch d.Source {
	case "github":
		p.Path = d.Event + "/" + d.ID + ".json"
		batch.Add(git.Map(p))
		batch.Add(aboutAccess(iam.Map(p)))
	case "render":
		p.Path = "webhooks/" + d.ID + ".json"
		batch.Add(render.Map(p))
	default:
		batch.Faults = append(batch.Faults, collectors.Fault{Path: d.ID, Err: fmt.Errorf("deliveries of %q are not known", d.Source)})
	}
	return commit(batch)
}

// aboutAccess is what a delivery about code says of access besides: what is no access
// record is none of its faults.
func aboutAccess(m collectors.Mapping) collectors.Mapping {
	if len(m.Events) == 0 {
		return collectors.Mapping{}
	}
	return m
}

// Webhooks verify deliveries before they are kept.

// githubWebhook takes any one of the secrets.
func githubWebhook(secrets []string) func(http.Header, []byte, time.Time) (engine.Delivery, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = []byte(secret)
	}
	return func(h http.Header, body []byte, at time.Time) (engine.Delivery, error) {
		d, err := git.VerifyDelivery(h, strings.NewReader(string(body)), at, keys...)
		if err != nil {
			return engine.Delivery{}, err
		}
		return kept("github", d.ID, d.Event, d.Payload.Bytes, at), nil
	}
}

func renderWebhook(secrets []string) (func(http.Header, []byte, time.Time) (engine.Delivery, error), error) {
	hook, err := render.NewWebhook(secrets...)
	if err != nil {
		return nil, err
	}
	return func(h http.Header, body []byte, at time.Time) (engine.Delivery, error) {
		p, id, err := hook.Verify(h, body, at)
		if err != nil {
			return engine.Delivery{}, err
		}
		var kind struct {
			Type string `json:"type"`
		}
		_ = json.Unmarshal(body, &kind) // a body that is no JSON is kept, and is a fault when it is mapped
		return kept("render", id, kind.Type, p.Bytes, at), nil
	}, nil
}

func kept(source, id, event string, payload []byte, at time.Time) engine.Delivery {
	return engine.Delivery{Source: source, ID: id, Event: event, ReceivedAt: at.UTC(), Digest: engine.Digest(payload), Payload: payload}
}

// wakes is what deliveries make necessary besides recording them.
type wakes struct {
	polls  map[[2]string]bool // system and repository of which more must be read
	checks map[string]bool    // pull requests whose check is asked for again
	shown  map[string]bool    // decisions whose check is
}

func newWakes() wakes {
	return wakes{polls: map[[2]string]bool{}, checks: map[string]bool{}, shown: map[string]bool{}}
}

// note finds out what a delivery makes necessary. A delivery tells that something
// happened, but not that nothing else did: reviews, files and checks are read, where
// the source can be.
func (w wakes) note(d engine.Delivery) {
	var body struct {
		Action     string `json:"action"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
		CheckRun   asked `json:"check_run"`
		CheckSuite asked `json:"check_suite"`
	}
	if json.Unmarshal(d.Payload, &body) != nil {
		return
	}
	if d.Source == "render" {
		w.polls[[2]string{"render", ""}] = true
		return
	}
	repository := body.Repository.FullName
	if repository == "" {
		return
	}
	w.polls[[2]string{d.Source, repository}] = true
	if body.Action != "rerequested" {
		return
	}
	for _, pr := range slices.Concat(body.CheckRun.PullRequests, body.CheckSuite.PullRequests) {
		w.checks[fmt.Sprintf("%s#%d", repository, pr.Number)] = true
	}
	// GitHub does not name the pull request of a check run where it comes from a fork.
	if len(body.CheckRun.PullRequests) == 0 && body.CheckRun.ExternalID != "" {
		w.shown[body.CheckRun.ExternalID] = true
	}
}

type asked struct {
	ExternalID   string `json:"external_id"` // what the check run showed, see GateReporter
	PullRequests []struct {
		Number int `json:"number"`
	} `json:"pull_requests"`
}

// wake asks for what deliveries made necessary.
func (s *Server) wake(ctx context.Context, w wakes) error {
	for about := range w.polls {
		for _, name := range s.sources.of(about[0], about[1]) {
			if err := s.queue.Add(ctx, taskPoll, name); err != nil {
				return err
			}
		}
	}
	for id := range w.shown {
		record, err := s.store.Decision(ctx, id)
		if err == nil && isPullRequest(record.Subject) {
			w.checks[record.Subject.ID] = true
		} else if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return err
		}
	}
	for subject := range w.checks {
		if err := s.queue.Add(ctx, taskReport, subject); err != nil {
			return err
		}
	}
	return nil
}
