package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/store"
)

// Record is what a journal has on record. Whoever asks it again and again has only what
// is new read, at the price of keeping all events in memory. It may be used by several
// at once.
type Record struct {
	store *store.Store

	lock    sync.Mutex
	size    int64 // entries of the log that were read
	events  []engine.Event
	settled map[engine.Subject]settled
}

// settled is a dossier of which the journal was seen to need no other decision.
type settled struct {
	content  [sha256.Size]byte
	judge    string
	decision string
}

// NewRecord reads nothing yet.
func NewRecord(s *store.Store) *Record {
	return &Record{store: s, settled: map[engine.Subject]settled{}}
}

// Events are all events, in the order in which they were recorded. Nobody may change them.
func (r *Record) Events(ctx context.Context) ([]engine.Event, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	head, _, err := r.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Size != r.size {
		removed, err := r.store.LastRetention(ctx)
		if err != nil {
			return nil, err
		}
		from, events := r.size, r.events
		if removed >= r.size || head.Size < r.size { // or a backup took its place
			from, events = 0, nil
		}
		for e, err := range r.store.Events(ctx, store.EventFilter{From: from, To: head.Size}) {
			if err != nil {
				return nil, err
			}
			events = append(events, e)
		}
		r.size, r.events = head.Size, events
	}
	return slices.Clip(r.events), nil
}

// Directory is a directory with the waivers and attestations of the journal; of one id
// the journal's counts.
func (r *Record) Directory(ctx context.Context, dir assembly.Directory) (assembly.Directory, error) {
	waivers, err := r.store.Waivers(ctx)
	if err != nil {
		return dir, err
	}
	attestations, err := r.store.Attestations(ctx)
	if err != nil {
		return dir, err
	}
	dir.Waivers = replaced(dir.Waivers, waivers, func(w engine.Waiver) string { return w.ID })
	dir.Attestations = replaced(dir.Attestations, attestations, func(a engine.Attestation) string { return a.ID })
	return dir, nil
}

// replaced adds what was recorded to what a file says; of one id the record counts.
func replaced[T any](file, recorded []T, id func(T) string) []T {
	out := slices.DeleteFunc(slices.Clone(file), func(v T) bool {
		return slices.ContainsFunc(recorded, func(r T) bool { return id(r) == id(v) })
	})
	return append(out, recorded...)
}

// latest is the decision that stands on each subject.
func (r *Record) latest(ctx context.Context) (map[engine.Subject]engine.DecisionSummary, error) {
	out := map[engine.Subject]engine.DecisionSummary{}
	err := EachSubject(ctx, r.store, engine.SubjectFilter{}, func(s engine.DecisionSummary) error {
		out[s.Subject] = s
		return nil
	})
	return out, err
}

// isSettled reports whether a dossier says what it said when it was settled, and the
// same decision of the same judge stands on it, whose deadline has not passed.
func (r *Record) isSettled(d engine.Dossier, content [sha256.Size]byte, judge string, latest map[engine.Subject]engine.DecisionSummary) bool {
	stands, decided := latest[d.Subject]
	r.lock.Lock()
	defer r.lock.Unlock()
	was, known := r.settled[d.Subject]
	return decided && known && was == settled{content, judge, stands.ID} && !d.EvaluatedAt.Before(stands.EvaluatedAt) &&
		(stands.NextEvaluationAt == nil || d.EvaluatedAt.Before(*stands.NextEvaluationAt))
}

// settle notes that a dossier needs no other decision than the one that stands.
func (r *Record) settle(subject engine.Subject, content [sha256.Size]byte, judge string, latest map[engine.Subject]engine.DecisionSummary) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.settled[subject] = settled{content, judge, latest[subject].ID}
}

// contentOf is a digest of what a dossier says, no matter when one looked: of all but
// evaluated_at and the windows that sources cover. Compare store.Journal.Due.
func contentOf(d engine.Dossier) ([sha256.Size]byte, error) {
	d.EvaluatedAt = time.Time{}
	if d.Subject.Type != "period" {
		d.Sources = maps.Clone(d.Sources)
		for name, source := range d.Sources {
			source.From, source.To = nil, nil
			d.Sources[name] = source
		}
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(d); err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(text.Bytes()), nil
}
