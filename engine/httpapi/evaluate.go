package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// exact is an answer in the very bytes that are kept.
type exact struct {
	ContentType  string `header:"Content-Type"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Location     string `header:"Location"`
	Body         []byte
}

// forever is the Cache-Control of what never changes: keep it, and ask whether one may
// still see it.
const forever = "private, no-cache"

// tagOf is the entity tag of bytes that never change.
func tagOf(text []byte) string { return `"` + engine.Digest(text)[len("sha256:"):] + `"` }

func (s *server) judging() {
	op := operation("evaluate", http.MethodPost, "/v1/evaluate", "Judge a dossier, and record the decision before it is answered")
	op.Description = "The decision is the exact bytes that are recorded; Location names it. The same dossier again is the same decision. " +
		"One of a moment still to come is judged, and not recorded (422); one older than the latest on its subject neither (409)."
	op.Responses = answers("decision", "application/json", "a decision/v1 document")
	huma.Register(s.api, op, s.evaluate)
	s.takes(op, "application/json", "a dossier/v1 document", true)

	op = operation("evaluate-batch", http.MethodPost, "/v1/evaluate/batch", "Judge a stream of dossiers, one a line")
	op.Description = "Lines are answered in their order, each once its record is durable: {line, decision} or {line, error}. " +
		"One that cannot be judged does not keep the others from being judged."
	op.Parameters = []*huma.Param{{Name: "record", In: "query", Schema: &huma.Schema{Type: huma.TypeBoolean, Default: true}}}
	op.Responses = answers("answers", "application/x-ndjson", "one answer a line")
	s.plain(op, s.evaluateBatch)
	s.takes(op, "application/x-ndjson", "one dossier/v1 document a line", true)

	op = operation("add-events", http.MethodPost, "/v1/events", "Hand in normalised events")
	op.Description = "One event, a list of them, or one a line (application/x-ndjson); all are recorded, or none. An event whose id is known is not recorded again."
	huma.Register(s.api, op, s.addEvents)
	s.takes(op, "application/json", "an event/v1 document, or a list", true)
}

// takes describes the body of a route: the guard has read it.
func (s *server) takes(op huma.Operation, media, what string, required bool) {
	s.api.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{
		Required: required, Description: what, Content: map[string]*huma.MediaType{media: {Schema: &huma.Schema{Description: what}}},
	}
}

// answers describes an answer that is no Go type.
func answers(title, media, what string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: what, Content: map[string]*huma.MediaType{media: {Schema: &huma.Schema{Title: title, Description: what}}}}}
}

type recording struct {
	Record bool `query:"record" default:"true" doc:"false: judge and forget"`
}

func (s *server) evaluate(ctx context.Context, in *recording) (*exact, error) {
	c := callOf(ctx)
	began := time.Now()
	rules := s.Rules()
	decision, err := rules.Policy.Evaluate(ctx, c.body)
	if err != nil {
		s.logUndecided(ctx, rules, c.body, err)
		return nil, s.problem(ctx, err)
	}
	text, err := decision.Record()
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &exact{ContentType: "application/json", Body: text}
	if in.Record {
		if err := s.notAhead("/evaluated_at", decision.EvaluatedAt); err != nil {
			return nil, s.problem(ctx, err)
		}
		if err := rules.Recorder.AppendAll(ctx, []engine.Judgement{{Dossier: c.body, Decision: decision}}); err != nil {
			return nil, s.problem(ctx, err)
		}
		c.target = decision.ID
		if err := s.audit(ctx, http.StatusOK); err != nil {
			return nil, s.problem(ctx, err)
		}
		out.Location = "/v1/decisions/" + decision.ID
		out.ETag = tagOf(text)
	}
	c.decisions = append(c.decisions, decision.ID)
	s.logDecision(ctx, rules, decision.ID, c.body, text, time.Since(began))
	return out, nil
}

// aheadOf is by how much a clock elsewhere may be ahead of ours.
const aheadOf = 5 * time.Minute

// notAhead refuses to record what is of a moment still to come. A decision of it would
// stay the latest on its subject until then, whatever happens; an event of it has not
// happened.
func (s *server) notAhead(pointer, instant string) error {
	at, err := time.Parse(time.RFC3339Nano, instant)
	if err == nil && !at.After(s.Clock().Add(aheadOf)) {
		return nil
	}
	return &engine.InputError{Faults: []schemas.Fault{{Pointer: pointer, Message: instant + " is still to come: what is not yet cannot be recorded"}}}
}

type added struct {
	Body struct {
		Received int `json:"received"`
		New      int `json:"new" doc:"that were not known before"`
	}
}

func (s *server) addEvents(ctx context.Context, _ *struct{}) (*added, error) {
	if s.AddEvents == nil {
		return nil, problemOf(http.StatusNotImplemented, "this server takes no events")
	}
	c := callOf(ctx)
	events, err := readEvents(c.body, s.Clock().Add(aheadOf))
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &added{}
	if out.Body.New, err = s.AddEvents(ctx, events); err != nil {
		return nil, s.problem(ctx, err)
	}
	out.Body.Received = len(events)
	c.target = events[0].ID
	return out, s.audited(ctx, http.StatusOK)
}

// audited is audit as a huma handler returns it.
func (s *server) audited(ctx context.Context, status int) error {
	if err := s.audit(ctx, status); err != nil {
		return s.problem(ctx, err)
	}
	return nil
}

// logDecision tells the decision log of an evaluation.
func (s *server) logDecision(ctx context.Context, rules Rules, id string, input, result json.RawMessage, took time.Duration) {
	if s.DecisionLog == nil {
		return
	}
	e := s.entry(ctx, rules, id, "decision/document", input)
	e.Result = append(json.RawMessage(nil), result...)
	e.Metrics = map[string]any{"timer_server_handler_ns": took.Nanoseconds()}
	s.DecisionLog(e)
}

// logUndecided tells it of one that gave no decision.
func (s *server) logUndecided(ctx context.Context, rules Rules, input json.RawMessage, err error) {
	if s.DecisionLog == nil || !json.Valid(input) {
		return
	}
	e := s.entry(ctx, rules, requestID(ctx), "decision/document", input)
	e.Error = &DecisionLogError{Code: "internal_error", Message: err.Error()}
	s.DecisionLog(e)
}

func (s *server) entry(ctx context.Context, rules Rules, id, path string, input json.RawMessage) DecisionLogEntry {
	c := callOf(ctx)
	e := DecisionLogEntry{
		DecisionID: id, Path: path, Timestamp: s.Clock().UTC(), RequestedBy: c.principal.Name,
		Bundles: map[string]DecisionLogBundle{rules.Name: {Revision: rules.Revision}},
		Custom:  map[string]any{"request_id": c.id},
	}
	if input != nil {
		e.Input = append(json.RawMessage(nil), input...)
	}
	return e
}
