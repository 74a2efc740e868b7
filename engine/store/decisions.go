package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// DefaultLimit is the size of a page when none is asked for.
const DefaultLimit = 50

// List returns the decisions that a filter chooses, newest evaluation first, at
// most limit of them, after the place that Next of the page before named. The
// order is stable: what is recorded between two pages does not shift it.
func (s *Store) List(ctx context.Context, filter engine.DecisionFilter, after string, limit int) (engine.DecisionPage, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	var list []engine.DecisionSummary
	err := s.patiently(ctx, func(ctx context.Context) error {
		list = nil
		query, args, err := s.Query(ctx, filter, after, limit+1)
		if err != nil {
			return err
		}
		found, err := s.read.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var d engine.DecisionSummary
			var evaluated, recorded int64
			var next sql.NullInt64
			err := found.Scan(&d.Index, &d.ID, &d.Subject.Type, &d.Subject.ID, &d.Outcome, &d.Class, &d.Risk, &evaluated, &recorded, &next, &d.Latest)
			if err != nil {
				return err
			}
			d.EvaluatedAt, d.RecordedAt, d.NextEvaluationAt = fromMicros(evaluated), fromMicros(recorded), optionalTime(next)
			list = append(list, d)
		}
		return found.Err()
	})
	if err != nil {
		return engine.DecisionPage{}, fmt.Errorf("list decisions: %w", err)
	}
	page := engine.DecisionPage{Decisions: list}
	if len(list) > limit {
		page.Decisions = list[:limit]
		last := list[limit-1]
		page.Next = place{micros(last.EvaluatedAt), last.Index}.String()
	}
	return page, nil
}

func optionalTime(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	t := fromMicros(us.Int64)
	return &t
}

// place is where a page ended.
type place struct{ at, leaf int64 }

func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d", p.at, p.leaf))
}

// parsePlace reads a cursor; nil is the beginning.
func parsePlace(text string) (*place, error) {
	if text == "" {
		return nil, nil
	}
	fault := fmt.Errorf("%w: %.80q is no cursor of a list, give the one that the page before named", engine.ErrQuestion, text)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fault
	}
	at, leaf, _ := strings.Cut(string(raw), ".")
	var p place
	if p.at, err = strconv.ParseInt(at, 10, 64); err != nil {
		return nil, fault
	}
	if p.leaf, err = strconv.ParseInt(leaf, 10, 64); err != nil {
		return nil, fault
	}
	return &p, nil
}

// clausesOf are the tags that a filter asks for: one of each clause. Those that are
// likely to choose least come first.
func clausesOf(f engine.DecisionFilter) [][]int64 {
	var all [][]int64
	add := func(prefix string, values []string) {
		if len(values) == 0 {
			return
		}
		clause := make([]int64, len(values))
		for i, value := range values {
			clause[i] = tag(prefix + value)
		}
		slices.Sort(clause)
		all = append(all, slices.Compact(clause))
	}
	for _, word := range words(f.Text) {
		add(tagWord, []string{word})
	}
	add(tagPerson, f.Persons)
	add(tagService, f.Services)
	if len(f.Controls) > 0 {
		statuses := f.Statuses
		if len(statuses) == 0 {
			statuses = []string{
				engine.StatusPass, engine.StatusFail, engine.StatusPending, engine.StatusUnknown,
				engine.StatusNotApplicable, engine.StatusWaived,
			}
		}
		var values []string
		for _, control := range f.Controls {
			for _, status := range statuses {
				values = append(values, control+"="+status)
			}
		}
		add(tagControl, values)
	} else {
		add(tagStatus, f.Statuses)
	}
	add(tagRepository, f.Repositories)
	add(tagOutcome, f.Outcomes)
	add(tagClass, f.Classes)
	add(tagRisk, f.Risks)
	add(tagType, f.Types)
	return all
}

// Query is the statement that answers List, for those who want to know how the
// database would go about it.
func (s *Store) Query(ctx context.Context, f engine.DecisionFilter, after string, limit int) (string, []any, error) {
	from, err := parsePlace(after)
	if err != nil {
		return "", nil, err
	}
	if f.Text != "" && len(words(f.Text)) == 0 {
		return "", nil, fmt.Errorf("%w: %.80q has no word to look for", engine.ErrQuestion, f.Text)
	}
	clauses := clausesOf(f)
	if err := s.rarestFirst(ctx, clauses); err != nil {
		return "", nil, err
	}
	query, args := statement(f, clauses, from, limit)
	return query, args, nil
}

// rarestFirst moves the clause that chooses least to the front: its tags will be
// walked through. To be rare is to have fewer than 500 decisions; beyond
// that counting costs more than it saves, and the order stays.
func (s *Store) rarestFirst(ctx context.Context, clauses [][]int64) error {
	if len(clauses) < 2 {
		return nil
	}
	rarest, least := 0, int64(math.MaxInt64)
	for i, clause := range clauses {
		sum := int64(0)
		for _, one := range clause {
			count, err := rows.New(s.read).CountTag(ctx, one)
			if err != nil {
				return err
			}
			sum += count
		}
		if sum < least {
			rarest, least = i, sum
		}
	}
	clauses[0], clauses[rarest] = clauses[rarest], clauses[0]
	return nil
}

// statement builds the statement: every part walks one index in the order of the
// list and stops at the limit.
func statement(f engine.DecisionFilter, clauses [][]int64, after *place, limit int) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	window := func(table string) string {
		var b strings.Builder
		if !f.From.IsZero() {
			fmt.Fprintf(&b, " AND %s.evaluated_at >= %s", table, arg(ceilMicros(f.From)))
		}
		if !f.To.IsZero() {
			fmt.Fprintf(&b, " AND %s.evaluated_at < %s", table, arg(ceilMicros(f.To)))
		}
		if after != nil {
			fmt.Fprintf(&b, " AND (%s.evaluated_at, %s.leaf) < (%s, %s)", table, table, arg(after.at), arg(after.leaf))
		}
		return b.String()
	}
	// Counting, and not EXISTS: PostgreSQL would make a join of that, and read whole
	// tables for one page.
	isLatest := func(table string) string {
		return fmt.Sprintf("(SELECT COUNT(*) FROM subjects s WHERE s.evaluated_at = %[1]s.evaluated_at AND s.leaf = %[1]s.leaf) > 0", table)
	}
	columns := "SELECT d.leaf, d.id, d.subject_type, d.subject_id, d.outcome, d.class, d.risk, d.evaluated_at, d.recorded_at, d.next_evaluation_at, "
	if f.Latest {
		columns += "1 = 1"
	} else {
		columns += isLatest("d")
	}
	order := func(table string) string {
		return fmt.Sprintf(" ORDER BY %[1]s.evaluated_at DESC, %[1]s.leaf DESC LIMIT %[2]d", table, limit)
	}
	switch {
	case len(clauses) == 0 && f.Latest:
		return columns + " FROM subjects s JOIN decisions d ON d.leaf = s.leaf WHERE 1 = 1" + window("s") + order("s"), args
	case len(clauses) == 0:
		return columns + " FROM decisions d WHERE 1 = 1" + window("d") + order("d"), args
	}
	var parts []string
	for _, first := range clauses[0] {
		part := "SELECT t.evaluated_at, t.leaf FROM tags t WHERE t.tag = " + arg(first) + window("t")
		for _, clause := range clauses[1:] {
			var marks []string
			for _, other := range clause {
				marks = append(marks, arg(other))
			}
			part += " AND (SELECT COUNT(*) FROM tags x WHERE x.tag IN (" + strings.Join(marks, ", ") + ") AND x.evaluated_at = t.evaluated_at AND x.leaf = t.leaf) > 0"
		}
		if f.Latest {
			part += " AND " + isLatest("t")
		}
		parts = append(parts, fmt.Sprintf("SELECT * FROM (%s%s) p%d", part, order("t"), len(parts)))
	}
	// Only the rows of the page are looked up in decisions.
	page := "SELECT * FROM (" + strings.Join(parts, " UNION ") + ") u" + order("u")
	return columns + " FROM (" + page + ") k JOIN decisions d ON d.leaf = k.leaf" + order("k"), args
}

// Decision returns one decision.
func (s *Store) Decision(ctx context.Context, id string) (engine.DecisionRecord, error) {
	var row rows.DecisionByIDRow
	var latest rows.LatestRow
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		q := rows.New(s.read)
		if row, err = q.DecisionByID(ctx, id); err != nil {
			return err
		}
		latest, err = q.Latest(ctx, row.SubjectType, row.SubjectID)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return engine.DecisionRecord{}, fmt.Errorf("decision %s: %w", id, engine.ErrNotFound)
	}
	if err != nil {
		return engine.DecisionRecord{}, fmt.Errorf("decision %s: %w", id, err)
	}
	return recordOf(rows.DecisionsOfRow(row), latest.ID)
}

// History returns all decisions on a subject, oldest first; none is ErrNotFound.
func (s *Store) History(ctx context.Context, subject engine.Subject) ([]engine.DecisionRecord, error) {
	var list []rows.DecisionsOfRow
	var latest rows.LatestRow
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		q := rows.New(s.read)
		if latest, err = q.Latest(ctx, subject.Type, subject.ID); err != nil {
			return err
		}
		list, err = q.DecisionsOf(ctx, subject.Type, subject.ID)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%s %s: %w", subject.Type, subject.ID, engine.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("history of %s %s: %w", subject.Type, subject.ID, err)
	}
	history := make([]engine.DecisionRecord, len(list))
	for i, row := range list {
		if history[i], err = recordOf(row, latest.ID); err != nil {
			return nil, err
		}
	}
	return history, nil
}

func recordOf(row rows.DecisionsOfRow, latest string) (engine.DecisionRecord, error) {
	r := engine.DecisionRecord{
		DecisionSummary: engine.DecisionSummary{
			ID: row.ID, Subject: engine.Subject{Type: row.SubjectType, ID: row.SubjectID}, Outcome: row.Outcome, Class: row.Class, Risk: row.Risk,
			EvaluatedAt: fromMicros(row.EvaluatedAt), RecordedAt: fromMicros(row.RecordedAt), NextEvaluationAt: optionalTime(row.NextEvaluationAt),
			Index: row.Leaf, Latest: row.ID == latest,
		},
		Supersedes: row.Supersedes.String, Judge: row.Judge.String, Dossier: fmt.Sprintf("sha256:%x", row.Dossier),
	}
	entry, err := entryOf(rows.Entry{Idx: row.Leaf, Kind: ledger.KindDecision, Ref: row.ID, Body: row.Body})
	r.Bytes = entry.Body
	return r, err
}

// Dossier returns the exact bytes behind a digest.
func (s *Store) Dossier(ctx context.Context, digest string) ([]byte, error) {
	raw, err := rawDigest(digest)
	if err != nil {
		return nil, err
	}
	var packed []byte
	err = s.patiently(ctx, func(ctx context.Context) (err error) {
		packed, err = rows.New(s.read).Dossier(ctx, raw)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("dossier %s: %w", digest, err)
	}
	text, err := inflate(packed)
	if err != nil {
		return nil, fmt.Errorf("dossier %s: %w", digest, err)
	}
	return text, nil
}
