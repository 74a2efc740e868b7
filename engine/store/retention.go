package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// Removal is what a retention removes, or would remove: bodies of events and of
// decisions with their dossiers, and webhook deliveries that were processed. Hashes
// and headers of entries stay, so the log stays provable. Everything else of the log
// (policies, releases, waivers, attestations, actions, retentions, keys) is never
// removed, nor are tokens and pending deliveries.
type Removal struct {
	Before     time.Time  `json:"before"` // everything removed was recorded before
	Decisions  int64      `json:"decisions"`
	Dossiers   int64      `json:"dossiers"`
	Events     int64      `json:"events"`
	Deliveries int64      `json:"deliveries"` // with their payloads
	Kept       int64      `json:"kept"`       // decisions as old, but the latest on their subject with a deadline ahead
	Entries    [][2]int64 `json:"entries"`    // numbers of the removed ones, first and last of each stretch
	Bytes      int64      `json:"bytes"`      // stored bytes of the bodies
	Index      int64      `json:"index"`      // of the entry that says so; -1 when nothing was removed
}

// retentionBody is the body of a retention entry. Headers are digests of the header
// lines that stay of each stretch removed, since nobody can hash their leaves again; the
// first journals have none.
type retentionBody struct {
	Before     string     `json:"before"`
	Removed    [][2]int64 `json:"removed"`
	Headers    []string   `json:"headers,omitempty"`
	Deliveries int64      `json:"deliveries,omitempty"`
}

// headerLine is what is left of a leaf without its body.
func headerLine(row rows.HeadersRow) ([]byte, error) {
	return ledger.Entry{
		Kind: row.Kind, Ref: row.Ref, RecordedAt: fromMicros(row.RecordedAt), Supersedes: row.Supersedes.String, Judge: row.Judge.String,
	}.Leaf()
}

// headers digests the header lines of stretches.
func (w *writing) headers(ctx context.Context, spans [][2]int64) ([]string, error) {
	var out []string
	for _, span := range spans {
		list, err := w.Headers(ctx, span[0], span[1])
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		for _, row := range list {
			line, err := headerLine(row)
			if err != nil {
				return nil, err
			}
			sum.Write(line)
		}
		out = append(out, digestText(sum))
	}
	return out, nil
}

func digestText(sum hash.Hash) string { return fmt.Sprintf("sha256:%x", sum.Sum(nil)) }

// stretch is the place of the stretch removed that an entry is in, -1 if it is in none.
func (r *retentionBody) stretch(index int64) int {
	return slices.IndexFunc(r.Removed, func(span [2]int64) bool { return span[0] <= index && index <= span[1] })
}

// removalStep bounds what one transaction removes, so that writers need not wait
// long; each step has an entry of its own.
const removalStep = 5000

// Retain removes what was recorded before a moment. That moment must be in the
// past by at least keep, the time for which the settings promise to keep records.
// A dry run removes nothing and returns what would be removed. An error in the
// middle leaves whole steps done; the same call goes on.
func (s *Store) Retain(ctx context.Context, before time.Time, keep time.Duration, dryRun bool) (Removal, error) {
	total := Removal{Before: before.UTC(), Index: -1}
	if limit := s.clock().Add(-keep); keep <= 0 || before.After(limit) {
		return total, fmt.Errorf("apply retention: records are kept for %s, so nothing recorded after %s may be removed", keep, limit.UTC().Format(time.RFC3339))
	}
	var end int64
	err := s.snapshot(ctx, func(tx *sql.Tx) (err error) {
		end, err = firstSince(ctx, rows.New(tx), micros(before))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = errEmpty
	}
	for from := int64(0); from < end && err == nil; from += removalStep {
		to := min(from+removalStep, end)
		var step Removal
		plan := func(q *rows.Queries, w *writing) (err error) {
			step = Removal{Before: total.Before, Index: -1}
			return step.apply(ctx, q, w, from, to)
		}
		if dryRun {
			err = s.snapshot(ctx, func(tx *sql.Tx) error { return plan(rows.New(s.statements(tx)), nil) })
		} else {
			err = s.write(ctx, func(w *writing) error { return plan(w.Queries, w) })
		}
		if err == nil {
			total.add(step)
		}
	}
	if err == nil {
		err = s.retainDeliveries(ctx, &total, dryRun)
	}
	if err != nil {
		return total, fmt.Errorf("apply retention: %w", err)
	}
	return total, nil
}

// retainDeliveries removes deliveries that were processed before, with payloads that
// no other has, and the memory of notifications that were sent before.
func (s *Store) retainDeliveries(ctx context.Context, r *Removal, dryRun bool) error {
	before := sql.NullInt64{Int64: micros(r.Before), Valid: true}
	if dryRun {
		return s.snapshot(ctx, func(tx *sql.Tx) (err error) {
			r.Deliveries, err = rows.New(tx).CountDoneDeliveries(ctx, before)
			return err
		})
	}
	for {
		var gone int64
		err := s.write(ctx, func(w *writing) error {
			list, err := w.DoneDeliveries(ctx, before, removalStep)
			if gone = int64(len(list)); err != nil || gone == 0 {
				return err
			}
			body, err := json.Marshal(retentionBody{Before: r.Before.Format(instant), Removed: [][2]int64{}, Deliveries: gone})
			if err != nil {
				return err
			}
			r.Index, err = w.append(ctx, ledger.Entry{Kind: ledger.KindRetention, Ref: fmt.Sprintf("before %s, deliveries", r.Before.Format(instant)), Body: body})
			if err != nil {
				return err
			}
			for _, d := range list {
				if err := w.dropDelivery(ctx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if r.Deliveries += gone; err != nil || gone < removalStep {
			return errors.Join(err, s.aside(ctx, func(q *rows.Queries) error { return q.DeleteNoticesBefore(ctx, before.Int64) }))
		}
	}
}

func (r *Removal) add(step Removal) {
	r.Decisions += step.Decisions
	r.Dossiers += step.Dossiers
	r.Events += step.Events
	r.Kept += step.Kept
	r.Bytes += step.Bytes
	for _, span := range step.Entries {
		r.Entries = extend(r.Entries, span[0], span[1])
	}
	if step.Index >= 0 {
		r.Index = step.Index
	}
}

func (w *writing) dropDelivery(ctx context.Context, d rows.DoneDeliveriesRow) error {
	if err := w.DeleteDelivery(ctx, d.Source, d.ID); err != nil {
		return err
	}
	if err := w.LockPayload(ctx, d.Digest); err != nil {
		return err
	}
	return w.DeletePayload(ctx, d.Digest)
}

// extend adds a stretch behind the others, joined to the last where they meet.
func extend(spans [][2]int64, from, to int64) [][2]int64 {
	if last := len(spans) - 1; last >= 0 && spans[last][1]+1 == from {
		spans[last][1] = to
		return spans
	}
	return append(spans, [2]int64{from, to})
}

// firstSince finds the first entry recorded at a moment or after it. Entries are
// in the order in which they were recorded.
func firstSince(ctx context.Context, q *rows.Queries, at int64) (int64, error) {
	head, err := q.Ledger(ctx)
	if err != nil {
		return 0, err
	}
	low, high := int64(0), head.Size
	for low < high {
		middle := low + (high-low)/2
		recorded, err := q.EntryTime(ctx, middle)
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", middle, err)
		}
		if recorded < at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// apply finds what may go of the entries numbered from until to, to excluded, and
// with a writer removes it.
func (r *Removal) apply(ctx context.Context, q *rows.Queries, w *writing, from, to int64) error {
	old, err := q.Removable(ctx, from, to)
	if err != nil {
		return err
	}
	var decisions []rows.RemovableRow
	for _, row := range old {
		if row.Kind == ledger.KindDecision && row.Due > micros(r.Before) {
			r.Kept++ // the latest on its subject, and not yet settled
			continue
		}
		r.Bytes += row.Size
		r.Entries = extend(r.Entries, row.Idx, row.Idx)
		if row.Kind == ledger.KindDecision {
			decisions = append(decisions, row)
			r.Decisions++
		}
	}
	if len(r.Entries) == 0 {
		return nil
	}
	for _, span := range r.Entries {
		count, err := q.CountEvents(ctx, span[0], span[1])
		if err != nil {
			return err
		}
		r.Events += count
	}
	if w == nil {
		for _, row := range decisions {
			last, err := q.LastOnDossier(ctx, row.Idx)
			if err != nil {
				return err
			}
			if last {
				r.Dossiers++
			}
		}
		return nil
	}
	return r.remove(ctx, w, decisions)
}

// remove writes the entry that says what goes, and then removes it.
func (r *Removal) remove(ctx context.Context, w *writing, decisions []rows.RemovableRow) error {
	headers, err := w.headers(ctx, r.Entries)
	if err != nil {
		return err
	}
	body, err := json.Marshal(retentionBody{Before: r.Before.Format(instant), Removed: r.Entries, Headers: headers})
	if err != nil {
		return err
	}
	r.Index, err = w.append(ctx, ledger.Entry{Kind: ledger.KindRetention, Ref: fmt.Sprintf("before %s, entries from %d", r.Before.Format(instant), r.Entries[0][0]), Body: body})
	if err != nil {
		return err
	}
	for _, row := range decisions {
		if err := w.untag(ctx, row.Idx); err != nil {
			return err
		}
		digest, err := w.DeleteDecision(ctx, row.Idx)
		if err != nil {
			return err
		}
		gone, err := w.DeleteDossier(ctx, digest)
		if err != nil {
			return err
		}
		r.Dossiers += gone
		if err := w.DeleteSubject(ctx, row.Idx, row.SubjectType, row.SubjectID); err != nil {
			return err
		}
	}
	by := sql.NullInt64{Int64: r.Index, Valid: true}
	for _, span := range r.Entries {
		if err := w.DeleteEvents(ctx, span[0], span[1]); err != nil {
			return err
		}
		if err := w.RemoveBodies(ctx, by, span[0], span[1]); err != nil {
			return err
		}
	}
	return nil
}

const instant = "2006-01-02T15:04:05.000000Z"

// untag removes the tags of a decision, which are found by deriving them.
func (w *writing) untag(ctx context.Context, leaf int64) error {
	list, err := w.DecisionsIn(ctx, leaf, leaf+1)
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return fmt.Errorf("decision at entry %d: its row is missing: verify the journal", leaf)
	}
	want, err := derive(ctx, w.Queries, list[0])
	if err != nil {
		return fmt.Errorf("decision %s: it is damaged, verify the journal: %w", list[0].ID, err)
	}
	for _, tag := range want.tags {
		if err := w.DeleteTag(ctx, tag, want.row.EvaluatedAt, leaf); err != nil {
			return err
		}
	}
	return nil
}

// LastRetention is the index of the entry that says what was removed last, -1 when
// nothing ever was.
func (s *Store) LastRetention(ctx context.Context) (index int64, err error) {
	err = s.patiently(ctx, func(ctx context.Context) (err error) {
		index, err = rows.New(s.read).LastRetention(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("last retention: %w", err)
	}
	return index, nil
}
