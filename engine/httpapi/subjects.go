package httpapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
)

// subjectTypes are the types of subjects, see engine.Dossier.
var subjectTypes = []string{"change", "deployment", "finding", "access_review", "alert", "policy_review", "posture", "retention", "period"}

func (s *server) subjects() {
	op := operation("list-subjects", http.MethodGet, "/v1/subjects", "List the newest decision on each subject, by type and id")
	huma.Register(s.api, op, s.listSubjects)

	op = operation("get-subject", http.MethodGet, "/v1/subjects/{id}", "All decisions on one subject, and what changed between them")
	op.Description = "The id is a path element: acme/survey#411 is acme%2Fsurvey%23411, or acme/survey%23411."
	huma.Register(s.api, op, s.getSubject)
	// An id may hold slashes as they are.
	s.mux.HandleFunc("GET /v1/subjects/{id...}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if id == "" {
			fail(w, problemOf(http.StatusNotFound, "which subject? GET /v1/subjects lists them"))
			return
		}
		r.URL.Path, r.URL.RawPath = "/v1/subjects/"+id, "/v1/subjects/"+url.PathEscape(id)
		s.mux.ServeHTTP(w, r)
	})

	op = operation("list-deadlines", http.MethodGet, "/v1/deadlines", "List what will change by itself, the next first")
	huma.Register(s.api, op, s.listDeadlines)
}

type choosing struct {
	Limit     int       `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"how many at most"`
	Cursor    string    `query:"cursor" maxLength:"4096" doc:"go on where the page before ended: its next"`
	Type      string    `query:"type" enum:"change,deployment,finding,access_review,alert,policy_review,posture,retention,period"`
	Outcome   string    `query:"outcome" enum:"compliant,compliant_with_waiver,pending,unknown,non_compliant,out_of_scope"`
	DueBefore time.Time `query:"due_before" doc:"whose deadline comes before this instant"`
}

func (c choosing) filter() engine.SubjectFilter {
	return engine.SubjectFilter{Type: c.Type, Outcome: c.Outcome, DueBefore: c.DueBefore}
}

func (s *server) listSubjects(ctx context.Context, in *choosing) (*decisionPage, error) {
	var after engine.Subject
	if err := readCursor(in.Cursor, &after); err != nil {
		return nil, s.problem(ctx, err)
	}
	list, err := s.Journal.Subjects(ctx, in.filter(), after, in.Limit+1)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return cut(list, in.Limit, func(last engine.DecisionSummary) any { return last.Subject }), nil
}

// cut makes a page of a list that is one too long, if there is more.
func cut(list []engine.DecisionSummary, limit int, place func(engine.DecisionSummary) any) *decisionPage {
	out := &decisionPage{}
	out.Body.Decisions = append([]engine.DecisionSummary{}, list[:min(limit, len(list))]...)
	if len(list) > limit {
		text, err := json.Marshal(place(list[limit-1]))
		if err == nil { // it is plain data
			out.Body.Next = base64.RawURLEncoding.EncodeToString(text)
		}
	}
	return out
}

// readCursor reads what cut wrote; empty is the beginning.
func readCursor(text string, place any) error {
	if text == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, place)
	}
	if err != nil || bytes.Contains(raw, []byte(`\u0000`)) {
		return fmt.Errorf("%w: %.80q is no cursor of a list, give the one that the page before named", engine.ErrQuestion, text)
	}
	return nil
}

// due is where a page of deadlines ended.
type due struct {
	At      time.Time      `json:"at"`
	Subject engine.Subject `json:"subject"`
}

func (s *server) listDeadlines(ctx context.Context, in *choosing) (*decisionPage, error) {
	var place due
	if err := readCursor(in.Cursor, &place); err != nil {
		return nil, s.problem(ctx, err)
	}
	var after *engine.DecisionSummary
	if in.Cursor != "" {
		after = &engine.DecisionSummary{Subject: place.Subject, NextEvaluationAt: &place.At}
	}
	list, err := s.Journal.Deadlines(ctx, in.filter(), after, in.Limit+1)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return cut(list, in.Limit, func(last engine.DecisionSummary) any { return due{At: *last.NextEvaluationAt, Subject: last.Subject} }), nil
}

type subjectInput struct {
	ID   string `path:"id" maxLength:"512"`
	Type string `query:"type" enum:"change,deployment,finding,access_review,alert,policy_review,posture,retention,period" doc:"where several types have this id"`
}

type subjectHistory struct {
	Body struct {
		Subject engine.Subject `json:"subject"`
		History []past         `json:"history" nullable:"false" doc:"oldest first"`
	}
}

// past is one decision of a history, and what it changed.
type past struct {
	engine.DecisionSummary
	Supersedes string              `json:"supersedes,omitempty"`
	Changed    []report.Difference `json:"changed" nullable:"false"`
}

func (s *server) getSubject(ctx context.Context, in *subjectInput) (*subjectHistory, error) {
	records, err := s.historyOf(ctx, in.Type, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &subjectHistory{}
	out.Body.Subject = records[0].Subject
	var before engine.Decision
	for i, r := range records {
		d, err := r.Decode()
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		one := past{DecisionSummary: r.DecisionSummary, Supersedes: r.Supersedes, Changed: []report.Difference{}}
		if i > 0 {
			one.Changed = append(one.Changed, report.Differences(before, d)...)
		}
		out.Body.History, before = append(out.Body.History, one), d
	}
	return out, nil
}

// historyOf finds a subject by its id and, when one is given, its type.
func (s *server) historyOf(ctx context.Context, kind, id string) ([]engine.DecisionRecord, error) {
	kinds := subjectTypes
	if kind != "" {
		kinds = []string{kind}
	}
	var found []engine.DecisionRecord
	for _, one := range kinds {
		records, err := s.Journal.History(ctx, engine.Subject{Type: one, ID: id})
		switch {
		case errors.Is(err, engine.ErrNotFound):
		case err != nil:
			return nil, err
		case found != nil:
			return nil, problemOf(http.StatusConflict, fmt.Sprintf("%s is a %s and a %s: say which with ?type=", id, found[0].Subject.Type, one))
		default:
			found = records
		}
	}
	if found == nil {
		return nil, fmt.Errorf("subject %.200q: %w", id, engine.ErrNotFound)
	}
	return found, nil
}
