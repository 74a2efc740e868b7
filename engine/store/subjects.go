package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Subjects returns the latest decision on each subject, in the order of type and
// id, at most limit of them, after a subject (the zero Subject: from the first).
// The next page begins after the last; a page with fewer than limit is the last.
func (s *Store) Subjects(ctx context.Context, filter engine.SubjectFilter, after engine.Subject, limit int) ([]engine.DecisionSummary, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	if after.Type < filter.Type {
		after = engine.Subject{Type: filter.Type}
	}
	outcome := filter.Outcome
	filter.Outcome = ""
	where, args := chosen(filter)
	args = append(args, after.Type, after.ID)
	columns, place := "s.type, s.id", fmt.Sprintf("$%d, $%d", len(args)-1, len(args))
	if outcome != "" {
		// A stretch of the index that begins with the outcome. Asked for equal outcomes,
		// PostgreSQL looks for them among all subjects, or from the first of them on.
		args = append(args, outcome)
		columns, place = "s.outcome, "+columns, fmt.Sprintf("$%d, ", len(args))+place
		where += fmt.Sprintf(" AND s.outcome <= $%d", len(args))
	}
	where += fmt.Sprintf(" AND (%[1]s) > (%[2]s) ORDER BY %[1]s LIMIT %[3]d", columns, place, limit)
	list, err := s.latestDecisions(ctx, where, args)
	if err != nil {
		return nil, fmt.Errorf("list subjects: %w", err)
	}
	return list, nil
}

// Deadlines returns the subjects whose latest decision will change by itself,
// those that are due first before the others, at most limit of them, after the
// last of the page before (nil: from the first).
func (s *Store) Deadlines(ctx context.Context, filter engine.SubjectFilter, after *engine.DecisionSummary, limit int) ([]engine.DecisionSummary, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	where, args := chosen(filter)
	where += " AND s.next_evaluation_at IS NOT NULL"
	if after != nil {
		if after.NextEvaluationAt == nil {
			return nil, errors.New("list deadlines: the page before does not end with one")
		}
		args = append(args, micros(*after.NextEvaluationAt), after.Subject.Type, after.Subject.ID)
		where += fmt.Sprintf(" AND (s.next_evaluation_at, s.type, s.id) > ($%d, $%d, $%d)", len(args)-2, len(args)-1, len(args))
	}
	list, err := s.latestDecisions(ctx, where+fmt.Sprintf(" ORDER BY s.next_evaluation_at, s.type, s.id LIMIT %d", limit), args)
	if err != nil {
		return nil, fmt.Errorf("list deadlines: %w", err)
	}
	return list, nil
}

func chosen(f engine.SubjectFilter) (string, []any) {
	var b strings.Builder
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		fmt.Fprintf(&b, " AND %s $%d", condition, len(args))
	}
	if f.Type != "" {
		add("s.type =", f.Type)
	}
	if f.Outcome != "" {
		add("s.outcome =", f.Outcome)
	}
	if !f.DueBefore.IsZero() {
		add("s.next_evaluation_at <", ceilMicros(f.DueBefore))
	}
	return b.String(), args
}

func (s *Store) latestDecisions(ctx context.Context, tail string, args []any) ([]engine.DecisionSummary, error) {
	const query = "SELECT d.leaf, d.id, d.subject_type, d.subject_id, d.outcome, d.class, d.risk, d.evaluated_at, d.recorded_at, d.next_evaluation_at " +
		"FROM subjects s JOIN decisions d ON d.leaf = s.leaf WHERE 1 = 1"
	var list []engine.DecisionSummary
	err := s.patiently(ctx, func(ctx context.Context) error {
		list = nil
		found, err := s.read.QueryContext(ctx, query+tail, args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			d := engine.DecisionSummary{Latest: true}
			var evaluated, recorded int64
			var next sql.NullInt64
			err := found.Scan(&d.Index, &d.ID, &d.Subject.Type, &d.Subject.ID, &d.Outcome, &d.Class, &d.Risk, &evaluated, &recorded, &next)
			if err != nil {
				return err
			}
			d.EvaluatedAt, d.RecordedAt, d.NextEvaluationAt = fromMicros(evaluated), fromMicros(recorded), optionalTime(next)
			list = append(list, d)
		}
		return found.Err()
	})
	return list, err
}
