package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// AddRelease makes an immutable policy version known, with its bundle and
// settings. It must take effect after this moment, since decisions on what
// happened before may be out already, and after every other release; only the
// first of a journal may name any moment, because there was no release before it.
// Adding the same again changes nothing.
func (s *Store) AddRelease(ctx context.Context, p engine.JudgePolicy, addedBy string) (engine.ReleaseRecord, error) {
	release := engine.ReleaseRecord{
		Version: p.Version, EffectiveFrom: p.EffectiveFrom.UTC().Truncate(time.Microsecond),
		BundleDigest: p.BundleDigest, SettingsDigest: engine.Digest(p.Settings), AddedBy: addedBy,
	}
	if _, _, err := judgeBody(engine.Judge{p}); err != nil {
		return engine.ReleaseRecord{}, err
	}
	if p.Version == "" || p.EffectiveFrom.IsZero() || addedBy == "" {
		return engine.ReleaseRecord{}, errors.New("a release needs a version, the moment from which it is in force, and who adds it")
	}
	err := s.write(ctx, func(w *writing) error {
		history, err := releases(ctx, w.Queries)
		if err != nil {
			return err
		}
		for _, other := range history {
			switch {
			case other.Version == release.Version && other.EffectiveFrom.Equal(release.EffectiveFrom) &&
				other.BundleDigest == release.BundleDigest && other.SettingsDigest == release.SettingsDigest:
				release = other
				return nil
			case other.Version == release.Version:
				return fmt.Errorf("version %s is %w, by %s: give the new one another version", release.Version, engine.ErrConflict, other.AddedBy)
			case !other.EffectiveFrom.Before(release.EffectiveFrom):
				return fmt.Errorf("%w: version %s is in force from %s on, so %s must begin later", engine.ErrPast, other.Version, other.EffectiveFrom.Format(time.RFC3339), release.Version)
			}
		}
		now := fromMicros(w.now)
		if len(history) > 0 && !release.EffectiveFrom.After(now) {
			return fmt.Errorf("%w: %s would be in force from %s on, now it is %s", engine.ErrPast, release.Version, release.EffectiveFrom.Format(time.RFC3339), now.Format(time.RFC3339))
		}
		if err := w.keep(ctx, ledger.KindBundle, p.BundleDigest, p.Bundle); err != nil {
			return err
		}
		if err := w.keep(ctx, ledger.KindSettings, release.SettingsDigest, p.Settings); err != nil {
			return err
		}
		body, err := json.Marshal(release)
		if err != nil {
			return err
		}
		release.AddedAt = now
		release.Index, err = w.append(ctx, ledger.Entry{Kind: ledger.KindRelease, Ref: release.Version, Body: body})
		if err != nil {
			return err
		}
		return w.InsertRelease(ctx, release.Version, micros(release.EffectiveFrom), release.Index)
	})
	if err != nil {
		return engine.ReleaseRecord{}, fmt.Errorf("add release %s: %w", p.Version, err)
	}
	return release, nil
}

// Releases lists all releases, by the moment from which they are in force.
func (s *Store) Releases(ctx context.Context) ([]engine.ReleaseRecord, error) {
	var list []engine.ReleaseRecord
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		list, err = releases(ctx, rows.New(s.read))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list releases: %w", err)
	}
	return list, nil
}

func releases(ctx context.Context, q *rows.Queries) ([]engine.ReleaseRecord, error) {
	found, err := q.Releases(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]engine.ReleaseRecord, len(found))
	for i, row := range found {
		entry, err := entryOf(rows.Entry{Idx: row.Leaf, Kind: ledger.KindRelease, Ref: row.Version, Body: row.Body})
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(entry.Body, &list[i]); err != nil {
			return nil, fmt.Errorf("release %s: %w", row.Version, err)
		}
		list[i].AddedAt, list[i].Index = fromMicros(row.RecordedAt), row.Leaf
	}
	return list, nil
}

// Policy returns a release with its bundle and settings.
func (s *Store) Policy(ctx context.Context, r engine.ReleaseRecord) (engine.JudgePolicy, error) {
	p := engine.JudgePolicy{Version: r.Version, EffectiveFrom: r.EffectiveFrom, BundleDigest: r.BundleDigest}
	var err error
	if p.Bundle, err = s.latest(ctx, ledger.KindBundle, r.BundleDigest); err != nil {
		return p, fmt.Errorf("release %s: %w", r.Version, err)
	}
	if p.Settings, err = s.latest(ctx, ledger.KindSettings, r.SettingsDigest); err != nil {
		return p, fmt.Errorf("release %s: %w", r.Version, err)
	}
	return p, nil
}

// AddWaiver records a waiver and, where by is not empty, an action that says who
// added it. A waiver that is revoked, or otherwise changed, is recorded again under
// its id: the newest entry counts, the others stay.
func (s *Store) AddWaiver(ctx context.Context, waiver engine.Waiver, by string) error {
	return s.state(ctx, ledger.KindWaiver, waiver.ID, waiver, by)
}

// AddAttestation records an attestation, as AddWaiver does a waiver.
func (s *Store) AddAttestation(ctx context.Context, attestation engine.Attestation, by string) error {
	return s.state(ctx, ledger.KindAttestation, attestation.ID, attestation, by)
}

// Waivers lists the waivers as they stand, by id.
func (s *Store) Waivers(ctx context.Context) ([]engine.Waiver, error) {
	return stated[engine.Waiver](ctx, s, ledger.KindWaiver)
}

// Attestations lists the attestations as they stand, by id.
func (s *Store) Attestations(ctx context.Context) ([]engine.Attestation, error) {
	return stated[engine.Attestation](ctx, s, ledger.KindAttestation)
}

// state appends an entry unless the newest of the kind under the ref says the same.
func (s *Store) state(ctx context.Context, kind, ref string, v any, by string) error {
	text, err := json.Marshal(v)
	if err == nil {
		text, err = canonicalJSON(text)
	}
	if err == nil && ref == "" {
		err = errors.New("it has no id")
	}
	if err == nil && unstorable(ref) {
		err = fmt.Errorf("%w: its id has a NUL character, which no database keeps", engine.ErrQuestion)
	}
	if err != nil {
		return fmt.Errorf("record %s %s: %w", kind, ref, err)
	}
	err = s.write(ctx, func(w *writing) error {
		entry := ledger.Entry{Kind: kind, Ref: ref, Body: text}
		index, err := w.LatestEntry(ctx, kind, ref)
		switch {
		case err == nil:
			row, err := w.Entry(ctx, index)
			if err != nil {
				return err
			}
			before, err := entryOf(row)
			if err != nil {
				return err
			}
			if string(before.Body) == string(text) {
				return nil
			}
			entry.Supersedes = ref
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if _, err = w.append(ctx, entry); err != nil || by == "" {
			return err
		}
		return w.action(ctx, engine.Action{At: fromMicros(w.now), Principal: by, Role: engine.RoleOperator, Method: "ADD", Route: kind, Target: ref})
	})
	if err != nil {
		return fmt.Errorf("record %s %s: %w", kind, ref, err)
	}
	return nil
}

// stated lists the newest entry of every ref of a kind.
func stated[T any](ctx context.Context, s *Store, kind string) ([]T, error) {
	var found []rows.Entry
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		found, err = rows.New(s.read).EntriesOfKind(ctx, kind)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind, err)
	}
	var list []T
	for i, row := range found {
		if i+1 < len(found) && found[i+1].Ref == row.Ref {
			continue
		}
		entry, err := entryOf(row)
		if err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(entry.Body, &v); err != nil {
			return nil, fmt.Errorf("entry %d, %s %s: %w", row.Idx, kind, row.Ref, err)
		}
		list = append(list, v)
	}
	return list, nil
}
