package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
)

func (s *server) decisions() {
	op := operation("list-decisions", http.MethodGet, "/v1/decisions", "List decisions, newest evaluation first")
	op.Description = "Filters are joined by and, several values of one filter by or; control with status chooses that status of that control. " +
		"The order is stable: what is recorded between two pages does not shift it."
	huma.Register(s.api, op, s.listDecisions)

	op = operation("get-decision", http.MethodGet, "/v1/decisions/{id}", "A decision, in the exact bytes that are recorded")
	op.Responses = answers("decision", "application/json", "a decision/v1 document")
	huma.Register(s.api, op, s.getDecision)

	op = operation("get-dossier", http.MethodGet, "/v1/decisions/{id}/dossier", "The dossier that was judged, whose SHA-256 is the decision's input_digest")
	op.Responses = answers("dossier", "application/json", "a dossier/v1 document, canonical (RFC 8785)")
	huma.Register(s.api, op, s.getDossier)

	op = operation("explain-decision", http.MethodGet, "/v1/decisions/{id}/explain", "A decision control by control, with the facts that its evidence points to")
	op.Responses = answers("explanation", "application/json", "for programs; with format, a text for people")
	said := op.Responses["200"].Content
	said["application/json"].Schema = s.schemas().Schema(reflect.TypeFor[explanation](), true, "")
	for _, kind := range explainedAs {
		said[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	huma.Register(s.api, op, s.explain)

	op = operation("prove-decision", http.MethodGet, "/v1/decisions/{id}/proof", "The proof that a decision is in the log, for vouch ledger check")
	op.Responses = answers("proof", "application/json", "a proof file, changevouch/inclusion/v1")
	huma.Register(s.api, op, s.prove)

	op = operation("replay-decision", http.MethodPost, "/v1/decisions/{id}/replay", "Make a decision again, from what is kept of it")
	huma.Register(s.api, op, s.replay)
	// What judged is one or a list, which the Go type does not say.
	policy := s.schemas().Map()["Decision"].Properties
	policy["policy"] = &huma.Schema{OneOf: []*huma.Schema{{Ref: "#/components/schemas/PolicyRef"}, policy["policy"]}}
}

// explainedAs is the media type of each format for people.
var explainedAs = map[string]string{"markdown": "text/markdown; charset=utf-8", "table": "text/plain; charset=utf-8"}

func (s *server) schemas() huma.Registry { return s.api.OpenAPI().Components.Schemas }

// listing has the words of vouch decisions list.
type listing struct {
	Limit      int       `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"how many at most"`
	Cursor     string    `query:"cursor" maxLength:"4096" doc:"go on where the page before ended: its next"`
	Outcome    []string  `query:"outcome,explode" enum:"compliant,compliant_with_waiver,pending,unknown,non_compliant,out_of_scope"`
	Control    []string  `query:"control,explode" doc:"that said something, by id or alias"`
	Status     []string  `query:"status,explode" enum:"pass,fail,pending,unknown,not_applicable,waived" doc:"of a control"`
	Class      []string  `query:"class,explode" enum:"standard,normal,emergency,out_of_scope,n/a"`
	Risk       []string  `query:"risk,explode" enum:"low,medium,high,n/a"`
	Type       []string  `query:"type,explode" enum:"change,deployment,finding,access_review,alert,policy_review,posture,retention,period" doc:"of the subject"`
	Person     []string  `query:"person,explode" doc:"who wrote, approved or deployed"`
	Repository []string  `query:"repository,explode"`
	Service    []string  `query:"service,explode"`
	Since      time.Time `query:"since" doc:"judged at this instant or later"`
	Until      time.Time `query:"until" doc:"judged before this instant"`
	Text       string    `query:"text" maxLength:"500" doc:"words that all appear in subject, titles, persons, repositories, services, packages or reasons"`
	Latest     bool      `query:"latest" doc:"only the newest decision on each subject"`
}

type decisionPage struct {
	Body struct {
		Decisions []engine.DecisionSummary `json:"decisions" nullable:"false"`
		Next      string                   `json:"next,omitempty" doc:"the cursor of the next page; absent at the end"`
	}
}

func (s *server) listDecisions(ctx context.Context, in *listing) (*decisionPage, error) {
	filter := engine.DecisionFilter{
		Outcomes: in.Outcome, Controls: in.Control, Statuses: in.Status, Classes: in.Class, Risks: in.Risk, Types: in.Type,
		Persons: in.Person, Repositories: in.Repository, Services: in.Service, From: in.Since, To: in.Until, Text: in.Text, Latest: in.Latest,
	}
	if !in.Since.IsZero() && !in.Until.IsZero() && !in.Since.Before(in.Until) {
		p := problemOf(http.StatusUnprocessableEntity, "validation failed")
		p.Errors = []*huma.ErrorDetail{{Message: "since is not before until", Location: "query.since"}}
		return nil, p
	}
	list, err := s.Journal.List(ctx, filter, in.Cursor, in.Limit)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &decisionPage{}
	out.Body.Decisions = append([]engine.DecisionSummary{}, list.Decisions...)
	out.Body.Next = list.Next
	return out, nil
}

type identified struct {
	ID string `path:"id" maxLength:"512"`
}

func (s *server) getDecision(ctx context.Context, in *identified) (*exact, error) {
	record, err := s.Journal.Decision(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: "application/json", ETag: tagOf(record.Bytes), CacheControl: forever, Body: record.Bytes}, nil
}

func (s *server) getDossier(ctx context.Context, in *identified) (*exact, error) {
	record, err := s.Journal.Decision(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	text, err := s.Journal.Dossier(ctx, record.Dossier)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: "application/json", ETag: tagOf(text), CacheControl: forever, Body: text}, nil
}

type explaining struct {
	ID     string `path:"id" maxLength:"512"`
	Format string `query:"format" enum:"json,markdown,table" default:"json"`
}

// explanation is a decision for people.
type explanation struct {
	engine.DecisionSummary
	Superseded bool        `json:"superseded" doc:"there is a newer decision on the subject"`
	Findings   []explained `json:"findings" nullable:"false"`
}

type explained struct {
	engine.Finding
	Facts []fact `json:"facts" nullable:"false" doc:"what the evidence points to"`
}

type fact struct {
	Pointer string `json:"pointer"`
	Fact    string `json:"fact,omitempty"`
	Missing bool   `json:"missing,omitempty" doc:"the dossier holds nothing there"`
}

func (s *server) explain(ctx context.Context, in *explaining) (*exact, error) {
	record, err := s.Journal.Decision(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	decision, err := record.Decode()
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	dossier, err := s.Journal.Dossier(ctx, record.Dossier)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if in.Format != "json" {
		return s.explainText(ctx, in.Format, report.Judgement{Decision: decision, Dossier: dossier})
	}
	out := explanation{DecisionSummary: record.DecisionSummary, Superseded: !record.Latest, Findings: []explained{}}
	for _, f := range decision.Findings {
		one := explained{Finding: f, Facts: []fact{}}
		for _, pointer := range f.Evidence {
			text, ok := report.Fact(dossier, pointer)
			one.Facts = append(one.Facts, fact{Pointer: pointer, Fact: text, Missing: !ok})
		}
		out.Findings = append(out.Findings, one)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: "application/json", Body: text}, nil
}

func (s *server) explainText(ctx context.Context, format string, j report.Judgement) (*exact, error) {
	var b bytes.Buffer
	renderer, err := report.New(format, &b, report.Options{Explain: true})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	var sum report.Summary
	sum.Add(j.Decision)
	if err := renderer.Add(j); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := renderer.End(sum); err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: explainedAs[format], Body: b.Bytes()}, nil
}

func (s *server) prove(ctx context.Context, in *identified) (*exact, error) {
	record, err := s.Journal.Decision(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	proof, err := s.Journal.ProveInclusion(ctx, record.Index)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	text, err := json.Marshal(proof)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: "application/json", ETag: tagOf(text), CacheControl: forever, Body: text}, nil
}

type replayed struct{ Body Replayed }

func (s *server) replay(ctx context.Context, in *identified) (*replayed, error) {
	if s.Replay == nil {
		return nil, problemOf(http.StatusNotImplemented, "this server replays nothing")
	}
	again, err := s.Replay(ctx, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &replayed{Body: again}, nil
}
