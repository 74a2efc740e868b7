package app

import (
	"context"
	"errors"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/store"
)

// apiRules is what judges, in the words of the HTTP API. newest is the policy that
// answers questions about itself: of several releases the last.
func apiRules(judge engine.Policy, newest *policy.Policy, recorder httpapi.Recorder) httpapi.Rules {
	ref := newest.Ref()
	return httpapi.Rules{
		Policy: judge, Recorder: recorder, Data: apiData{newest}, Controls: func() []httpapi.Control { return apiControls(newest) },
		Name: ref.Name, Revision: ref.BundleDigest, Engine: ref.Engine.OPAVersion,
	}
}

// apiControls is the catalogue of a policy.
func apiControls(p *policy.Policy) []httpapi.Control {
	var out []httpapi.Control
	for _, c := range p.Controls() {
		out = append(out, httpapi.Control{
			ID: c.ID, Title: c.Title, Clause: c.Clause, Severity: c.Severity, Subjects: c.Subjects, Aliases: c.Aliases,
			Frameworks: c.Frameworks, Description: c.Description, Implemented: c.Rule != "",
		})
	}
	return out
}

// apiData answers questions of OPA's Data API from a policy.
type apiData struct{ policy *policy.Policy }

// Query implements httpapi.Data.
func (d apiData) Query(ctx context.Context, q httpapi.DataQuery) (httpapi.DataAnswer, error) {
	answer, err := d.policy.Query(ctx, policy.Query{Path: q.Path, Input: q.Input, Strict: q.Strict, Metrics: q.Instrument})
	if fault, ok := errors.AsType[*policy.QueryError](err); ok {
		err = &httpapi.DataError{Code: fault.Code, Message: fault.Message, Errors: fault.Errors}
	}
	return httpapi.DataAnswer{Result: answer.Result, Metrics: answer.Metrics}, err
}

// apiReplay makes recorded decisions again, for the HTTP API.
func apiReplay(s *store.Store, version string) func(context.Context, string) (httpapi.Replayed, error) {
	replay := &Replay{Store: s, Version: version}
	return func(ctx context.Context, id string) (httpapi.Replayed, error) {
		again, err := replay.One(ctx, id)
		if err != nil {
			return httpapi.Replayed{}, err
		}
		return httpapi.Replayed{ID: again.ID, Same: again.Same, Different: again.Diff, Again: again.Again}, nil
	}
}
