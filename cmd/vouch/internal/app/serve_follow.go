package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/jobs"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// A server follows the log: whoever recorded something, by whatever way, what comes of
// it is asked for afterwards. The cursor moves when that is durable, so a crash in
// between loses nothing and does nothing twice that may be done once only.

// followed is the name of the cursor.
const followed = "server/followed"

// followCursor is up to where the log was followed.
type followCursor struct {
	Index int64 `json:"index"`
}

func (s *Server) followedTo(ctx context.Context) (int64, bool, error) {
	text, err := s.store.Cursor(ctx, followed)
	if err != nil || text == nil {
		return 0, false, err
	}
	var c followCursor
	if err := json.Unmarshal(text, &c); err != nil {
		return 0, false, fmt.Errorf("cursor %s: %w", followed, err)
	}
	return c.Index, true, nil
}

func (s *Server) follows(ctx context.Context, index int64) error {
	_, err := s.store.AddEvents(ctx, nil, &store.Cursor{Name: followed, Value: engine.Facts(followCursor{index})})
	return err
}

// startFollowing has the first server begin at the end of the log: nobody is told of
// what was decided before there was one.
func (s *Server) startFollowing(ctx context.Context) error {
	_, begun, err := s.followedTo(ctx)
	if err != nil || begun {
		return err
	}
	head, _, err := s.store.Head(ctx)
	if err != nil {
		return err
	}
	return s.follows(ctx, head.Size)
}

func (s *Server) behind(ctx context.Context) (bool, error) {
	index, _, err := s.followedTo(ctx)
	if err != nil {
		return false, err
	}
	head, _, err := s.store.Head(ctx)
	return head.Size > index, err
}

// follow asks for what comes of the entries since the cursor: what tells something new
// is judged, and decisions are told of.
func (s *Server) follow(ctx context.Context) error {
	index, _, err := s.followedTo(ctx)
	if err != nil {
		return err
	}
	head, _, err := s.store.Head(ctx)
	if err != nil {
		return err
	}
	judge := false
	outcomes := map[string]float64{}
	for ; index < head.Size; index++ {
		entry, err := s.store.Entry(ctx, index)
		if errors.Is(err, engine.ErrRemoved) {
			continue
		}
		if err != nil {
			return err
		}
		switch entry.Kind {
		case ledger.KindEvents, ledger.KindWaiver, ledger.KindAttestation, ledger.KindRelease:
			judge = true
		case ledger.KindDecision:
			outcome, err := s.tellOf(ctx, entry)
			if err != nil {
				return err
			}
			outcomes[outcome]++
		}
	}
	if judge {
		if err := s.queue.Add(ctx, taskJudge, ""); err != nil {
			return err
		}
	}
	if err := s.follows(ctx, index); err != nil {
		return err
	}
	for outcome, n := range outcomes {
		s.metrics.decisions.WithLabelValues(outcome).Add(n)
	}
	return nil
}

// tellOf asks for what follows from one decision: the check of its pull request, and
// notices if it is a new violation.
func (s *Server) tellOf(ctx context.Context, entry ledger.Entry) (outcome string, err error) {
	var decision engine.Decision
	if err := json.Unmarshal(entry.Body, &decision); err != nil {
		return "", fmt.Errorf("recorded decision %s: %w", entry.Ref, err)
	}
	if s.report != nil && isPullRequest(decision.Subject) {
		if err := s.queue.Add(ctx, taskReport, decision.Subject.ID); err != nil {
			return "", err
		}
	}
	if decision.Outcome != engine.OutcomeNonCompliant {
		return decision.Outcome, nil
	}
	var before engine.Decision
	if entry.Supersedes != "" {
		record, err := s.store.Decision(ctx, entry.Supersedes)
		switch {
		case errors.Is(err, engine.ErrRemoved) || errors.Is(err, engine.ErrNotFound):
		case err != nil:
			return "", err
		default:
			if before, err = record.Decode(); err != nil {
				return "", err
			}
		}
	}
	if len(newFailures(before, decision)) == 0 {
		return decision.Outcome, nil
	}
	for _, channel := range s.notices.on(noticeViolation) {
		if err := s.queue.Add(ctx, taskNotify, noticeName(noticeViolation, channel, decision.ID)); err != nil {
			return "", err
		}
	}
	return decision.Outcome, nil
}

// newFailures are the findings that fail now and did not before.
func newFailures(before, now engine.Decision) []engine.Finding {
	failed := map[string]bool{}
	for _, f := range before.Findings {
		failed[f.Control] = f.Status == engine.StatusFail
	}
	var out []engine.Finding
	for _, f := range now.Findings {
		if f.Status == engine.StatusFail && !failed[f.Control] {
			out = append(out, f)
		}
	}
	return out
}

// isPullRequest tells subjects such as acme/shop#412.
func isPullRequest(s engine.Subject) bool {
	repository, number, ok := strings.Cut(s.ID, "#")
	return ok && s.Type == "change" && strings.Count(repository, "/") == 1 && number != "" && strings.Trim(number, "0123456789") == ""
}

// reportGate shows the newest decision on a pull request there.
func (s *Server) reportGate(ctx context.Context, job jobs.Job) error {
	if s.report == nil {
		return nil
	}
	record, err := s.newest(ctx, job.Subject)
	if err != nil {
		return err
	}
	decision, err := record.Decode()
	if err != nil {
		return err
	}
	dossier, err := s.store.Dossier(ctx, record.Dossier)
	if err != nil {
		return err
	}
	return s.report(ctx, decision, dossier)
}

// newest is the latest decision on a pull request.
func (s *Server) newest(ctx context.Context, id string) (engine.DecisionRecord, error) {
	history, err := s.store.History(ctx, engine.Subject{Type: "change", ID: id})
	if err != nil {
		return engine.DecisionRecord{}, err
	}
	return history[len(history)-1], nil
}

// datedAt is a dossier at another instant.
func datedAt(dossier []byte, at time.Time) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(dossier, &fields); err != nil {
		return nil, err
	}
	fields["evaluated_at"] = engine.Facts(at.UTC())
	return json.Marshal(fields)
}
