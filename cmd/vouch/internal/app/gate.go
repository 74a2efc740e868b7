package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
)

// Gate answers whether something may go ahead now. It judges what would be on record
// if it had: the events that there are, and one more. So everything counts that would
// count then: what a merge needs is no longer pending, and what a deployment brings
// beside the change that one has in mind is judged too.
type Gate struct {
	Events    []engine.Event
	Directory assembly.Directory
	Policy    StandingPolicy
	At        time.Time
}

// JournalGate is a Gate over everything in a journal.
func JournalGate(ctx context.Context, r *Record, p StandingPolicy, dir assembly.Directory, at time.Time) (Gate, error) {
	g := Gate{Policy: p, At: at}
	var err error
	if g.Events, err = r.Events(ctx); err != nil {
		return g, err
	}
	g.Directory, err = r.Directory(ctx, dir)
	return g, err
}

// OpenGatePolicy is a policy for a gate that has no journal.
func OpenGatePolicy(ctx context.Context, c PolicyConfig, version string) (StandingPolicy, error) {
	p, err := OpenPolicy(ctx, c, version)
	if err != nil {
		return StandingPolicy{}, err
	}
	return StandingPolicy{Policy: p, settings: p.Settings()}, nil
}

// Ask answers a question. What would be decided is not recorded; an error means that
// there is no answer, and a gate that has none does not open.
func (g Gate) Ask(ctx context.Context, q engine.GateQuestion) (engine.GateAnswer, error) {
	judged, problems, err := g.Judge(ctx, q)
	if err != nil {
		return engine.GateAnswer{}, err
	}
	return g.answer(q, judged, problems), nil
}

func (g Gate) answer(q engine.GateQuestion, judged []engine.Judgement, problems []string) engine.GateAnswer {
	answer := engine.GateAnswer{At: g.At.UTC(), About: q.About(), Problems: problems, Decisions: []engine.Decision{}}
	for _, j := range judged {
		answer.Decisions = append(answer.Decisions, j.Decision)
	}
	answer.Outcome = GateOutcome(answer.Decisions, problems)
	return answer
}

// Judge is Ask with the dossiers that would be judged.
func (g Gate) Judge(ctx context.Context, q engine.GateQuestion) (judged []engine.Judgement, problems []string, err error) {
	if err := q.Check(); err != nil {
		return nil, nil, err
	}
	var dossiers []engine.Dossier
	if q.Deployment != nil {
		dossiers, problems, err = g.deployed(ctx, *q.Deployment)
	} else {
		dossiers, problems, err = g.merged(ctx, q)
	}
	if errors.Is(err, ErrNothing) {
		// An answer: a failure would open the gates of those who let everything through then.
		return nil, []string{q.About() + ": " + err.Error()}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, d := range dossiers {
		text, err := encodeDossier(d, "")
		if err != nil {
			return nil, nil, err
		}
		decision, err := g.Policy.Evaluate(ctx, text)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s %s: %v", d.Subject.Type, d.Subject.ID, err))
		default:
			judged = append(judged, engine.Judgement{Dossier: text, Decision: decision})
		}
	}
	if len(judged) == 0 && len(problems) == 0 {
		problems = []string{q.About() + ": nothing on record that could be judged"}
	}
	return judged, problems, nil
}

// merged is the dossier of a pull request as it would be if it were merged now.
func (g Gate) merged(ctx context.Context, q engine.GateQuestion) ([]engine.Dossier, []string, error) {
	id := q.PullRequest
	merge, state := g.merge(id)
	var planned []engine.Event
	switch state {
	case prUnknown:
		return nil, []string{"pull request " + id + " is not on record yet: collect it, or let its webhook arrive"}, nil
	case prClosed:
		return nil, []string{"pull request " + id + " was closed without a merge: there is nothing to let through"}, nil
	case prOpen:
		// What was approved and tested on one commit says nothing about another.
		var known engine.PullRequestFact
		if err := merge.Decode(&known); err != nil {
			return nil, nil, err
		}
		if q.Head != "" && q.Head != known.HeadSHA {
			return nil, []string{fmt.Sprintf("pull request %s: %.12s is on record as its head, not %.12s: collect it, or let its webhook arrive", id, known.HeadSHA, q.Head)}, nil
		}
		planned = append(planned, merge)
	}
	all, err := g.assemble(ctx, planned...)
	if err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(d engine.Dossier) bool { return d.Subject != engine.Subject{Type: "change", ID: id} })
	for _, d := range all {
		if d.Change == nil || d.Change.PullRequest == nil || d.Change.PullRequest.MergedAt == nil {
			return nil, []string{"pull request " + id + ": its merge cannot be imagined, so what a merge needs was not looked at"}, nil
		}
		if state == prOpen && len(d.Change.Deployments) == 0 {
			// What follows a merge is owed afterwards: no deployment of it can be on record.
			d.Sources["render"] = engine.SourceStatus{Status: "complete", From: &g.At, To: &g.At}
		}
	}
	return all, nil, nil
}

// States of a pull request, for a gate.
const (
	prUnknown = iota
	prOpen
	prClosed // without a merge
	prMerged
)

// merge is the event that the merge of an open pull request would be, or the one that it
// was.
func (g Gate) merge(id string) (planned engine.Event, state int) {
	repository, number, _ := strings.Cut(id, "#")
	n, err := strconv.Atoi(number)
	if err != nil {
		return planned, prUnknown
	}
	var newest engine.PullRequestFact
	var at, seen time.Time
	var author *engine.Account
	for _, e := range g.Events {
		if e.Type != "change.created" && e.Type != "change.updated" && e.Type != "change.merged" && e.Type != "change.abandoned" {
			continue
		}
		var f engine.PullRequestFact
		if e.Decode(&f) != nil || f.Number != n || !strings.EqualFold(f.Repository, repository) {
			continue
		}
		if f.Author != nil {
			author = f.Author
		}
		// GitHub counts in seconds: of two states of one second the one seen last is newer.
		if f.HeadSHA != "" && (state == prUnknown || e.OccurredAt.After(at) || e.OccurredAt.Equal(at) && !e.ObservedAt.Before(seen)) {
			newest, at, seen, planned = f, e.OccurredAt, e.ObservedAt, e
			if state = prOpen; f.State == "closed" {
				state = prClosed
			}
		}
		if e.Type == "change.merged" || f.MergedAt != nil {
			return e, prMerged
		}
	}
	if state != prOpen {
		return planned, state
	}
	now := g.At.UTC()
	newest.Author, newest.MergedBy = author, author
	newest.State, newest.Action = "closed", "closed"
	newest.MergedAt, newest.ClosedAt, newest.UpdatedAt = &now, &now, &now
	newest.MergeCommitSHA = newest.HeadSHA
	planned.ID, planned.Type = fmt.Sprintf("gate:pull_request:%s:merged", id), "change.merged"
	planned.Actor, planned.Data = author, engine.Facts(newest)
	planned.OccurredAt, planned.ObservedAt = now, now
	planned.Evidence.Trust = engine.TrustDeclared
	return planned, prOpen
}

// deployed is the dossier of every change that would go live with a deployment.
func (g Gate) deployed(ctx context.Context, p engine.PlannedDeployment) ([]engine.Dossier, []string, error) {
	now := g.At.UTC()
	if p.ID == "" {
		p.ID = "dep-planned"
	}
	fact := engine.DeploymentFact{
		DeployID: p.ID, ServiceID: p.Service, Repository: p.Repository, Commit: p.Commit, Branch: p.Branch, Trigger: p.Trigger,
		Status: "live", CreatedAt: &now, StartedAt: &now, FinishedAt: &now,
	}
	if p.User != "" {
		fact.User = &engine.Account{System: p.System, Account: p.User}
	}
	data := engine.Facts(fact)
	live := engine.Event{
		Schema: engine.EventSchema, ID: "gate:deploy:" + p.ID + ":live", Source: "render", Provider: p.System, Type: "service.deployed",
		OccurredAt: now, ObservedAt: now, Subject: engine.Subject{Type: "deployment", ID: p.ID}, Data: data, Actor: fact.User,
		Evidence: engine.Evidence{Digest: engine.Digest(data), MediaType: "application/json", Trust: engine.TrustDeclared},
	}
	all, err := g.assemble(ctx, live)
	if err != nil {
		return nil, nil, err
	}
	var changed []engine.Dossier
	for _, d := range all {
		text, err := encodeDossier(d, "")
		if err != nil {
			return nil, nil, err
		}
		// An earlier deployment that brought one of these changes is no concern of this one.
		ours := d.Subject.Type == "deployment" && strings.HasSuffix(d.Subject.ID, ":"+p.ID)
		if ours || d.Subject.Type == "change" && bytes.Contains(text, []byte(`"`+p.ID+`"`)) {
			changed = append(changed, d)
		}
	}
	if len(changed) == 0 {
		return nil, []string{fmt.Sprintf("nothing on record would go live with %.12s on %s: is the service known, and does its repository belong to what is collected?", p.Commit, p.Service)}, nil
	}
	return changed, nil, nil
}

func (g Gate) assemble(ctx context.Context, planned ...engine.Event) ([]engine.Dossier, error) {
	opts, err := assemblyOptions(g.Policy.settings, nil)
	if err != nil {
		return nil, err
	}
	opts.At, opts.Imagined = g.At, len(planned) > 0
	dossiers, _, err := assembleWith(ctx, append(slices.Clone(g.Events), planned...), g.Directory, opts, g.Policy)
	return dossiers, err
}
