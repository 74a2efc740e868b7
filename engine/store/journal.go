package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
	"github.com/changevouch/changevouch/schemas"
)

// Journal records the decisions of one judge. It is safe for concurrent use.
type Journal struct {
	store *Store
	judge string // the ref of its entry
	refs  map[policyKey]bool
}

type policyKey struct{ bundle, settings string }

var _ engine.Journal = (*Journal)(nil)

// judgeRow is one policy of a judge entry.
type judgeRow struct {
	Version        string `json:"version"`
	EffectiveFrom  string `json:"effective_from,omitempty"`
	BundleDigest   string `json:"bundle_digest"`
	SettingsDigest string `json:"settings_digest"`
}

// judgeBody is the body of a judge entry, and the digest that names it.
func judgeBody(judge engine.Judge) ([]byte, string, error) {
	list := make([]judgeRow, len(judge))
	for i, p := range judge {
		if p.BundleDigest == "" || len(p.Bundle) == 0 || !json.Valid(p.Settings) {
			return nil, "", fmt.Errorf("policy %s cannot be kept: a judge needs bundle, bundle digest and settings of each policy", p.Version)
		}
		list[i] = judgeRow{Version: p.Version, BundleDigest: p.BundleDigest, SettingsDigest: engine.Digest(p.Settings)}
		if !p.EffectiveFrom.IsZero() {
			list[i].EffectiveFrom = p.EffectiveFrom.UTC().Format(time.RFC3339Nano)
		}
	}
	if len(list) == 0 {
		return nil, "", errors.New("a judge without a policy judges nothing")
	}
	body, err := json.Marshal(list)
	return body, engine.Digest(body), err
}

// Journal keeps the bundles and settings of a judge, each once, and returns the
// journal for its decisions. Whoever puts new settings or a new bundle to use
// thereby leaves an entry in the log.
func (s *Store) Journal(ctx context.Context, judge engine.Judge) (*Journal, error) {
	body, ref, err := judgeBody(judge)
	if err != nil {
		return nil, err
	}
	j := &Journal{store: s, judge: ref, refs: map[policyKey]bool{}}
	for _, p := range judge {
		j.refs[policyKey{p.BundleDigest, engine.Digest(p.Settings)}] = true
	}
	if known, err := s.knows(ctx, ledger.KindJudge, ref); err != nil || known {
		return j, err
	}
	err = s.write(ctx, func(w *writing) error {
		for _, p := range judge {
			if err := w.keep(ctx, ledger.KindBundle, p.BundleDigest, p.Bundle); err != nil {
				return err
			}
			if err := w.keep(ctx, ledger.KindSettings, engine.Digest(p.Settings), p.Settings); err != nil {
				return err
			}
		}
		return w.keep(ctx, ledger.KindJudge, ref, body)
	})
	if err != nil {
		return nil, fmt.Errorf("keep the policy: %w", err)
	}
	return j, nil
}

// knows reports whether there is an entry of a kind other than decisions and events.
func (s *Store) knows(ctx context.Context, kind, ref string) (known bool, err error) {
	err = s.patiently(ctx, func(ctx context.Context) error {
		_, err := rows.New(s.read).LatestEntry(ctx, kind, ref)
		known = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return known, err
}

// keep appends an entry unless there is one of the kind under the ref.
func (w *writing) keep(ctx context.Context, kind, ref string, body []byte) error {
	_, err := w.LatestEntry(ctx, kind, ref)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = w.append(ctx, ledger.Entry{Kind: kind, Ref: ref, Body: body})
	}
	return err
}

// Judge is the ref of the judge entry under which decisions are recorded.
func (j *Journal) Judge() string { return j.judge }

// Append implements engine.Journal. A decision that is recorded already, under the
// same id with the same content, is not recorded again; with another content it
// is ErrConflict. An older decision on the subject stays, superseded; one that was
// made for a later moment is ErrSuperseded, and stays the latest.
func (j *Journal) Append(ctx context.Context, dossier []byte, decision engine.Decision) error {
	return j.AppendAll(ctx, []engine.Judgement{{Dossier: dossier, Decision: decision}})
}

// AppendAll records several decisions in one transaction: all or none.
func (j *Journal) AppendAll(ctx context.Context, list []engine.Judgement) error {
	prepared := make([]record, len(list))
	for i, judged := range list {
		r, err := j.prepare(judged)
		if err != nil {
			return fmt.Errorf("decision %s on %s %s: %w", judged.Decision.ID, judged.Decision.Subject.Type, judged.Decision.Subject.ID, err)
		}
		prepared[i] = r
	}
	if len(prepared) == 0 {
		return nil
	}
	return j.store.write(ctx, func(w *writing) error {
		for _, r := range prepared {
			if err := w.decide(ctx, r); err != nil {
				return fmt.Errorf("decision %s on %s %s: %w", r.row.ID, r.row.SubjectType, r.row.SubjectID, err)
			}
		}
		return nil
	})
}

// record is a decision ready to be written.
type record struct {
	indexed
	judge   string
	body    []byte
	dossier []byte // compressed
}

// prepare does all that needs no lock, and refuses what would not be a record.
func (j *Journal) prepare(judged engine.Judgement) (record, error) {
	d := judged.Decision
	if d.ID == "" || d.Schema != engine.DecisionSchema {
		return record{}, errors.New("this is no decision: it has no id, or another schema")
	}
	for _, ref := range d.Policy {
		if !j.refs[policyKey{ref.BundleDigest, ref.SettingsDigest}] {
			return record{}, fmt.Errorf("it was judged by bundle %s with settings %s, which are not of the judge whose journal this is", ref.BundleDigest, ref.SettingsDigest)
		}
	}
	if slices.ContainsFunc([]string{d.ID, d.Subject.Type, d.Subject.ID}, unstorable) {
		return record{}, fmt.Errorf("%w: its id or subject has a NUL character, which no database keeps", engine.ErrQuestion)
	}
	dossier, content, err := readDossier(judged.Dossier)
	if err != nil {
		return record{}, err
	}
	if digest := engine.Digest(dossier); digest != d.InputDigest {
		return record{}, fmt.Errorf("it is not on this dossier: its input digest is %s, the dossier's %s", d.InputDigest, digest)
	}
	body, err := d.Record()
	if err != nil {
		return record{}, err
	}
	facts, err := index(d, dossier, content.now)
	if err != nil {
		return record{}, err
	}
	packed, err := deflate(dossier)
	return record{indexed: facts, judge: j.judge, body: body, dossier: packed}, err
}

func unstorable(text string) bool { return strings.ContainsRune(text, 0) }

// decide writes one decision.
func (w *writing) decide(ctx context.Context, r record) error {
	switch leaf, err := w.DecisionLeaf(ctx, r.row.ID); {
	case err == nil:
		return w.same(ctx, leaf, r.body)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	entry := ledger.Entry{Kind: ledger.KindDecision, Ref: r.row.ID, Judge: r.judge, Body: r.body}
	switch latest, err := w.Latest(ctx, r.row.SubjectType, r.row.SubjectID); {
	case err == nil && latest.EvaluatedAt > r.row.EvaluatedAt:
		return fmt.Errorf("%w: %s judged it as of %s, this one is as of %s", engine.ErrSuperseded,
			latest.ID, fromMicros(latest.EvaluatedAt).Format(time.RFC3339), fromMicros(r.row.EvaluatedAt).Format(time.RFC3339))
	case err == nil:
		entry.Supersedes = latest.ID
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	leaf, err := w.append(ctx, entry)
	if err != nil {
		return err
	}
	if err := w.InsertDossier(ctx, r.row.Dossier, r.dossier); err != nil {
		return err
	}
	return w.indexDecision(ctx, r.indexed, leaf, w.now)
}

// indexDecision writes what is derived from a decision.
func (w *writing) indexDecision(ctx context.Context, facts indexed, leaf, recorded int64) error {
	row := facts.row
	row.Leaf, row.RecordedAt = leaf, recorded
	if err := w.InsertDecision(ctx, row); err != nil {
		return err
	}
	if err := w.tag(ctx, row.EvaluatedAt, leaf, facts.tags); err != nil {
		return err
	}
	return w.SetSubject(ctx, rows.SetSubjectParams{
		Type: row.SubjectType, ID: row.SubjectID, Leaf: leaf, Outcome: row.Outcome, NextEvaluationAt: row.NextEvaluationAt,
		EvaluatedAt: row.EvaluatedAt,
	})
}

// same makes sure that the decision recorded under the id says what the new one
// says. The versions of the program and its engine may differ: they are not part
// of what makes a decision.
func (w *writing) same(ctx context.Context, leaf int64, body []byte) error {
	row, err := w.Entry(ctx, leaf)
	if err != nil {
		return err
	}
	entry, err := entryOf(row)
	if err != nil {
		return err
	}
	if bytes.Equal(entry.Body, body) {
		return nil
	}
	said, err := withoutEngine(entry.Body)
	if err != nil {
		return err
	}
	says, err := withoutEngine(body)
	if err != nil {
		return err
	}
	if !bytes.Equal(said, says) {
		return fmt.Errorf("%w under this id at entry %d: the same dossier, bundle and settings gave another decision then", engine.ErrConflict, leaf)
	}
	return nil
}

func withoutEngine(body []byte) ([]byte, error) {
	var d engine.Decision
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("read recorded decision: %w", err)
	}
	for i := range d.Policy {
		d.Policy[i].Engine = engine.EngineInfo{}
	}
	return d.Record()
}

// tag writes the tags of a decision with one statement.
func (w *writing) tag(ctx context.Context, at, leaf int64, tags []int64) error {
	args := []any{at, leaf}
	var b strings.Builder
	b.WriteString("INSERT INTO tags (tag, evaluated_at, leaf) VALUES ")
	for i, t := range tags {
		if i > 0 {
			b.WriteByte(',')
		}
		args = append(args, t)
		b.WriteString("($" + strconv.Itoa(len(args)) + ",$1,$2)")
	}
	_, err := w.tx.ExecContext(ctx, b.String(), args...)
	return err
}

// Due reports whether a dossier needs to be judged at its evaluated_at: there is
// no decision on its subject by this judge, its content changed since, or the
// deadline that the latest decision names has come. Content is all but evaluated_at
// and, unless the subject is a period, the windows that the sources cover. When the
// latest decision is of a later moment, it is ErrSuperseded.
func (j *Journal) Due(ctx context.Context, dossier []byte) (bool, error) {
	var head struct {
		EvaluatedAt time.Time      `json:"evaluated_at"`
		Subject     engine.Subject `json:"subject"`
	}
	_, content, err := readDossier(dossier)
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(dossier, &head); err != nil {
		return false, fmt.Errorf("read dossier: %w", err)
	}
	var latest rows.LatestRow
	err = j.store.patiently(ctx, func(ctx context.Context) (err error) {
		latest, err = rows.New(j.store.read).Latest(ctx, head.Subject.Type, head.Subject.ID)
		return err
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("latest decision on %s %s: %w", head.Subject.Type, head.Subject.ID, err)
	}
	at := micros(head.EvaluatedAt)
	if at < latest.EvaluatedAt {
		return false, fmt.Errorf("%s %s: %w, %s", head.Subject.Type, head.Subject.ID, engine.ErrSuperseded, latest.ID)
	}
	return latest.Judge.String != j.judge || !bytes.Equal(latest.Content, content.stored(latest.Content)) ||
		latest.NextEvaluationAt.Valid && at >= latest.NextEvaluationAt.Int64, nil
}

// JudgeOf returns the judge of a ref, with bundles and settings.
func (s *Store) JudgeOf(ctx context.Context, ref string) (engine.Judge, error) {
	body, err := s.latest(ctx, ledger.KindJudge, ref)
	if err != nil {
		return nil, err
	}
	var list []judgeRow
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("judge %s: %w", ref, err)
	}
	judge := make(engine.Judge, len(list))
	for i, row := range list {
		p := engine.JudgePolicy{Version: row.Version, BundleDigest: row.BundleDigest}
		if row.EffectiveFrom != "" {
			if p.EffectiveFrom, err = time.Parse(time.RFC3339Nano, row.EffectiveFrom); err != nil {
				return nil, fmt.Errorf("judge %s: %w", ref, err)
			}
		}
		if p.Bundle, err = s.latest(ctx, ledger.KindBundle, row.BundleDigest); err != nil {
			return nil, err
		}
		if p.Settings, err = s.latest(ctx, ledger.KindSettings, row.SettingsDigest); err != nil {
			return nil, err
		}
		judge[i] = p
	}
	return judge, nil
}

// latest is the body of the newest entry of a kind under a ref.
func (s *Store) latest(ctx context.Context, kind, ref string) ([]byte, error) {
	var entry ledger.Entry
	err := s.patiently(ctx, func(ctx context.Context) error {
		q := rows.New(s.read)
		index, err := q.LatestEntry(ctx, kind, ref)
		if errors.Is(err, sql.ErrNoRows) {
			return engine.ErrNotFound
		}
		if err != nil {
			return err
		}
		row, err := q.Entry(ctx, index)
		if err != nil {
			return err
		}
		entry, err = entryOf(row)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", kind, ref, err)
	}
	return entry.Body, nil
}

// canonicalJSON writes what people gave in one form.
func canonicalJSON(text []byte) ([]byte, error) {
	doc, faults := schemas.Parse(text)
	if len(faults) > 0 {
		return nil, errors.New(faults[0].String())
	}
	return doc.Canonical(), nil
}
