package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// decision compares the row of a decision, its dossier and its tags with what the
// entry says. whole says that the entry has a body that can be relied upon.
func (v *verifier) decision(row rows.Entry, entry ledger.Entry, whole bool, got rows.DecisionsInRow, there bool) {
	switch {
	case row.Kind != ledger.KindDecision:
		v.fault("decisions", got.ID, row.Idx, "the row was inserted: that entry is no decision")
		return
	case there && row.Body == nil:
		v.fault("decisions", got.ID, row.Idx, "the row is there although retention removed the decision")
		return
	case !whole:
		return // reported with the entry
	case !there:
		v.fault("decisions", row.Ref, row.Idx, "the row was deleted; the entry has it")
		return
	}
	var d engine.Decision
	if err := json.Unmarshal(entry.Body, &d); err != nil {
		v.fault("entries", row.Kind+" "+row.Ref, row.Idx, "its body is no decision: %v", err)
		return
	}
	if d.ID != row.Ref {
		v.fault("entries", row.Kind+" "+row.Ref, row.Idx, "its body is decision %s", d.ID)
	}
	if digest := fmt.Sprintf("sha256:%x", got.Dossier); digest != d.InputDigest {
		v.fault("decisions", got.ID, row.Idx, "the row is not of the decision that the entry has, %s, or its column dossier was changed", d.ID)
		return
	}
	if got.Body == nil {
		v.fault("dossiers", d.InputDigest, row.Idx, "the dossier of decision %s was deleted", d.ID)
		return
	}
	dossier, err := inflate(got.Body)
	if err == nil && engine.Digest(dossier) != d.InputDigest {
		err = fmt.Errorf("its digest is %s", engine.Digest(dossier))
	}
	if err != nil {
		v.fault("dossiers", fmt.Sprintf("sha256:%x", got.Dossier), row.Idx, "the dossier of decision %s was changed: %v", d.ID, err)
		return
	}
	_, content, err := readDossier(dossier)
	var want indexed
	if err == nil {
		want, err = index(d, dossier, content.stored(got.Content))
	}
	if err != nil {
		v.fault("entries", row.Kind+" "+row.Ref, row.Idx, "it cannot be read: %v", err)
		return
	}
	want.row.Leaf, want.row.RecordedAt = row.Idx, row.RecordedAt
	for _, column := range differences(want.row, got) {
		v.fault("decisions", d.ID, row.Idx, "column %s was changed; the entry is right", column)
	}
	v.tags.add(row.Idx, want.row.EvaluatedAt, want.tags)
}

// differences names the columns of a row that are not as derived.
func differences(want rows.InsertDecisionParams, got rows.DecisionsInRow) []string {
	var out []string
	for _, column := range []struct {
		name string
		same bool
	}{
		{"id", want.ID == got.ID},
		{"subject_type", want.SubjectType == got.SubjectType},
		{"subject_id", want.SubjectID == got.SubjectID},
		{"outcome", want.Outcome == got.Outcome},
		{"class", want.Class == got.Class},
		{"risk", want.Risk == got.Risk},
		{"evaluated_at", want.EvaluatedAt == got.EvaluatedAt},
		{"recorded_at", want.RecordedAt == got.RecordedAt},
		{"next_evaluation_at", want.NextEvaluationAt == got.NextEvaluationAt},
		{"dossier", bytes.Equal(want.Dossier, got.Dossier)},
		{"content", bytes.Equal(want.Content, got.Content)},
	} {
		if !column.same {
			out = append(out, column.name)
		}
	}
	return out
}

// events compares the rows of events with the lines of their entry.
func (v *verifier) events(row rows.Entry, entry ledger.Entry, whole bool, got []rows.Event) {
	switch {
	case row.Kind != ledger.KindEvents:
		v.fault("events", got[0].ID, row.Idx, "the row was inserted: that entry holds no events")
		return
	case row.Body == nil && len(got) > 0:
		v.fault("events", got[0].ID, row.Idx, "%d rows are there although retention removed the events", len(got))
		return
	case !whole:
		return
	}
	start := int64(0)
	for line := range bytes.Lines(entry.Body) {
		text := bytes.TrimSuffix(line, []byte("\n"))
		want, err := indexEvent(text)
		if err != nil {
			v.fault("entries", row.Kind+" "+row.Ref, row.Idx, "at byte %d: %v", start, err)
			return
		}
		want.row.Leaf, want.row.Start = row.Idx, start
		start += int64(len(line))
		i := slices.IndexFunc(got, func(e rows.Event) bool { return e.ID == want.row.ID })
		if i < 0 {
			v.fault("events", want.row.ID, row.Idx, "the row was deleted; the entry has the event")
			continue
		}
		if rows.InsertEventParams(got[i]) != want.row {
			v.fault("events", want.row.ID, row.Idx, "the row was changed; the entry is right")
		}
		got = slices.Delete(got, i, i+1)
	}
	for _, e := range got {
		v.fault("events", e.ID, row.Idx, "the row was inserted: the entry has no such event")
	}
}

// readReleases reads the rows of all releases; there are few.
func (v *verifier) readReleases(ctx context.Context, size int64) error {
	list, err := v.ReleaseRows(ctx)
	if err != nil {
		return err
	}
	v.releases = map[int64]rows.Release{}
	for _, r := range list {
		_, twice := v.releases[r.Leaf]
		if twice || r.Leaf < 0 || r.Leaf >= size {
			v.fault("releases", r.Version, r.Leaf, "the row was inserted: it has no entry in the log")
			continue
		}
		v.releases[r.Leaf] = r
	}
	return nil
}

func (v *verifier) release(row rows.Entry, entry ledger.Entry) {
	var want engine.ReleaseRecord
	if err := json.Unmarshal(entry.Body, &want); err != nil {
		v.fault("entries", row.Kind+" "+row.Ref, row.Idx, "its body is no release: %v", err)
		return
	}
	got, there := v.releases[row.Idx]
	delete(v.releases, row.Idx)
	switch {
	case !there:
		v.fault("releases", want.Version, row.Idx, "the row was deleted; the entry has it")
	case got.Version != want.Version || got.EffectiveFrom != micros(want.EffectiveFrom):
		v.fault("releases", got.Version, row.Idx, "the row was changed; the entry is right")
	}
}

// tables compares what can only be compared as a whole.
func (v *verifier) tables(ctx context.Context) error {
	for _, r := range v.releases {
		v.fault("releases", r.Version, r.Leaf, "the row was inserted: that entry is no release")
	}
	stray, err := v.StrayDossiers(ctx, maxFaults)
	if err != nil {
		return err
	}
	for _, digest := range stray {
		v.fault("dossiers", fmt.Sprintf("sha256:%x", digest), -1, "the row was inserted: no decision is on this dossier")
	}
	wrong, err := v.WrongSubjects(ctx, maxFaults)
	if err != nil {
		return err
	}
	for _, s := range wrong {
		v.fault("subjects", s.Type+" "+s.ID, s.Leaf, "the row does not name the latest decision on the subject, or not as it is")
	}
	missing, err := v.MissingSubjects(ctx, maxFaults)
	if err != nil {
		return err
	}
	for _, s := range missing {
		v.fault("subjects", s.SubjectType+" "+s.SubjectID, s.Leaf, "the row was deleted")
	}
	return v.compareTags(ctx)
}

// tagSums adds up, for each stretch of the log, random numbers that stand for the
// tags: two sets of tags have one sum only if they are equal, but for a chance
// that nobody can raise without knowing the seeds.
type tagSums struct {
	seeds   [2]maphash.Seed
	stretch int64
	sums    [tagStretches][2]uint64
}

const tagStretches = 4096

func (t *tagSums) begin(size int64) {
	t.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	t.stretch = size/tagStretches + 1
}

// change adds a tag, or with sign ^0 takes it away. Tags before and beyond the log
// belong to the first and the last stretch.
func (t *tagSums) change(tag, at, leaf int64, sign uint64) {
	var key [24]byte
	binary.LittleEndian.PutUint64(key[0:], uint64(tag))
	binary.LittleEndian.PutUint64(key[8:], uint64(at))
	binary.LittleEndian.PutUint64(key[16:], uint64(leaf))
	i := min(max(leaf/t.stretch, 0), tagStretches-1)
	for j, seed := range t.seeds {
		t.sums[i][j] += sign * maphash.Bytes(seed, key[:])
	}
}

func (t *tagSums) add(leaf, at int64, tags []int64) {
	for _, one := range tags {
		t.change(one, at, leaf, 1)
	}
}

// compareTags reads all tags once, and where the sums differ says which do.
func (v *verifier) compareTags(ctx context.Context) error {
	found, err := v.tx.QueryContext(ctx, "SELECT tag, evaluated_at, leaf FROM tags")
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var tag, at, leaf int64
		if err := found.Scan(&tag, &at, &leaf); err != nil {
			return err
		}
		v.tags.change(tag, at, leaf, ^uint64(0))
	}
	if err := found.Err(); err != nil {
		return err
	}
	for i, sum := range v.tags.sums {
		if sum == [2]uint64{} {
			continue
		}
		from, to := int64(i)*v.tags.stretch, int64(i+1)*v.tags.stretch
		if i == 0 {
			from = math.MinInt64
		}
		if i == tagStretches-1 {
			to = math.MaxInt64
		}
		if err := v.nameTags(ctx, from, to); err != nil {
			return err
		}
		if len(v.report.Faults) == 0 {
			v.fault("tags", "", from, "the tags of decisions from this entry on, before entry %d, were changed", to)
		}
	}
	return nil
}

// nameTags reports the decisions of a stretch whose tags are not as derived. Of a
// decision that is itself damaged nothing can be derived; it was reported.
func (v *verifier) nameTags(ctx context.Context, from, to int64) error {
	stored, err := v.TagsIn(ctx, from, to)
	if err != nil {
		return err
	}
	got := map[int64][]rows.Tag{}
	for _, t := range stored {
		got[t.Leaf] = append(got[t.Leaf], t)
	}
	decisions, err := v.DecisionsIn(ctx, from, to)
	if err != nil {
		return err
	}
	for _, row := range decisions {
		tags := got[row.Leaf]
		delete(got, row.Leaf)
		want, err := derive(ctx, v.Queries, row)
		if err != nil {
			continue // reported with the decision
		}
		same := len(tags) == len(want.tags)
		for i := 0; same && i < len(tags); i++ {
			same = tags[i].Tag == want.tags[i] && tags[i].EvaluatedAt == want.row.EvaluatedAt
		}
		if !same {
			v.fault("tags", row.ID, row.Leaf, "the tags by which lists find the decision were changed; the entry is right")
		}
	}
	for leaf := range got {
		v.fault("tags", "", leaf, "tags were inserted for a decision that is not there")
	}
	return nil
}

// derive is the index of a decision as its entry has it.
func derive(ctx context.Context, q *rows.Queries, row rows.DecisionsInRow) (indexed, error) {
	stored, err := q.Entry(ctx, row.Leaf)
	if err != nil {
		return indexed{}, err
	}
	entry, err := entryOf(stored)
	if err != nil {
		return indexed{}, err
	}
	var d engine.Decision
	if err := json.Unmarshal(entry.Body, &d); err != nil {
		return indexed{}, err
	}
	dossier, err := inflate(row.Body)
	if err != nil {
		return indexed{}, err
	}
	sum := sha256.Sum256(dossier)
	return index(d, dossier, sum[:])
}
