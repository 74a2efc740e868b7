package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

func (s *server) gate() {
	op := operation("ask-gate", http.MethodPost, "/v1/gate", "Ask whether a pull request may be merged, or a deployment go live, now")
	op.Description = `Either {"pull_request": "acme/survey#412"} or {"deployment": {"system": "render", "service": "srv-…", "commit": "…"}}. ` +
		`With "head" beside a pull request only that commit is asked about: another one on record leaves the answer unknown. ` +
		"The answer has the decision that there would be on each subject concerned if it went ahead now; these are not recorded, that the question was asked is. " +
		"outcome is the worst of them, and unknown where something could not be judged."
	op.Responses = answers("gate", "application/json", "at, about, outcome, decisions and problems")
	huma.Register(s.api, op, s.askGate)
	s.takes(op, "application/json", "one pull request or one deployment", true)
}

func (s *server) askGate(ctx context.Context, _ *struct{}) (*exact, error) {
	if s.Gate == nil {
		return nil, problemOf(http.StatusNotImplemented, "this server answers no gates")
	}
	c := callOf(ctx)
	if _, faults := schemas.Parse(c.body); len(faults) > 0 {
		return nil, s.problem(ctx, &engine.InputError{Faults: faults})
	}
	q, fault := question(c.body)
	if fault != nil {
		return nil, faulty(fault.Message, []schemas.Fault{*fault})
	}
	answer, err := s.Gate(ctx, q)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	c.target = answer.About + ": " + answer.Outcome
	return &exact{ContentType: "application/json", CacheControl: "no-store", Body: append(text, '\n')}, s.audited(ctx, http.StatusOK)
}

// question reads what a gate is asked, or says what is wrong and where.
func question(body []byte) (q engine.GateQuestion, fault *schemas.Fault) {
	reader := json.NewDecoder(bytes.NewReader(body))
	reader.DisallowUnknownFields()
	err := reader.Decode(&q)
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		place := ""
		if kind.Field != "" {
			place = "/" + strings.ReplaceAll(kind.Field, ".", "/")
		}
		return q, &schemas.Fault{Pointer: place, Message: fmt.Sprintf("a %s, expected %s", kind.Value, words(kind.Type))}
	}
	if err != nil {
		return q, &schemas.Fault{Message: strings.TrimPrefix(err.Error(), "json: ")}
	}
	if wrong, ok := errors.AsType[*engine.QuestionError](q.Check()); ok {
		return q, &schemas.Fault{Pointer: wrong.Pointer, Message: wrong.Reason}
	}
	return q, nil
}

// words names what a field holds.
func words(t reflect.Type) string {
	if t.Kind() == reflect.String {
		return "text"
	}
	return "an object"
}
