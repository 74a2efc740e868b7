package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

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
	var q engine.GateQuestion
	reader := json.NewDecoder(bytes.NewReader(c.body))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&q); err != nil {
		return nil, s.problem(ctx, fmt.Errorf("%w: %w", engine.ErrQuestion, err))
	}
	if err := q.Check(); err != nil {
		return nil, s.problem(ctx, fmt.Errorf("%w: %w", engine.ErrQuestion, err))
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
