package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// AddToken makes a token known, and writes to the log that it was made. Another one
// under the id or hash is ErrConflict.
func (s *Store) AddToken(ctx context.Context, t engine.Token) error {
	row, err := tokenRow(t)
	if err == nil {
		err = s.write(ctx, func(w *writing) error {
			known, err := w.CountToken(ctx, t.ID, t.Hash)
			if err == nil && known > 0 {
				err = engine.ErrConflict
			}
			if err != nil {
				return err
			}
			if err := w.InsertToken(ctx, row); err != nil {
				return err
			}
			return w.tokenAction(ctx, "ADD", t)
		})
	}
	if err != nil {
		return fmt.Errorf("add token %.100q: %w", t.ID, err)
	}
	return nil
}

func tokenRow(t engine.Token) (rows.InsertTokenParams, error) {
	for _, text := range []string{t.ID, t.Name, string(t.Role)} {
		if text == "" || len(text) > maxName || unstorable(text) || !utf8.ValidString(text) {
			return rows.InsertTokenParams{}, fmt.Errorf("a token needs id, name and role, in UTF-8 without NUL, at most %d bytes each", maxName)
		}
	}
	if _, err := rawDigest(t.Hash); err != nil {
		return rows.InsertTokenParams{}, fmt.Errorf("hash: %w", err)
	}
	if t.CreatedAt.IsZero() {
		return rows.InsertTokenParams{}, errors.New("a token needs the moment at which it was made")
	}
	row := rows.InsertTokenParams{ID: t.ID, Name: t.Name, Role: string(t.Role), Hash: t.Hash, CreatedAt: micros(t.CreatedAt)}
	if t.ExpiresAt != nil {
		row.ExpiresAt = optionalMicros(*t.ExpiresAt)
	}
	if t.RevokedAt != nil {
		row.RevokedAt = optionalMicros(*t.RevokedAt)
	}
	return row, nil
}

func optionalMicros(t time.Time) sql.NullInt64 { return sql.NullInt64{Int64: micros(t), Valid: true} }

// tokenAction writes to the log what was done with a token. All that a store knows
// of who did it is that it was somebody with the signing key; what came through the
// API has an action of its own beside this one.
func (w *writing) tokenAction(ctx context.Context, method string, t engine.Token) error {
	return w.action(ctx, engine.Action{
		At: fromMicros(w.now), Principal: w.signers[0].Name(), Role: engine.RoleAdmin, Method: method, Route: "token",
		Target: fmt.Sprintf("%s (%s, %s)", t.ID, t.Name, t.Role),
	})
}

// Tokens lists all tokens, the revoked and expired too, in the order in which they
// were made.
func (s *Store) Tokens(ctx context.Context) ([]engine.Token, error) {
	var found []rows.Token
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		found, err = rows.New(s.read).Tokens(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	list := make([]engine.Token, len(found))
	for i, row := range found {
		list[i] = tokenOf(row)
	}
	return list, nil
}

func tokenOf(row rows.Token) engine.Token {
	return engine.Token{
		ID: row.ID, Name: row.Name, Role: engine.Role(row.Role), Hash: row.Hash,
		CreatedAt: fromMicros(row.CreatedAt), ExpiresAt: optionalTime(row.ExpiresAt), RevokedAt: optionalTime(row.RevokedAt),
	}
}

// TokenByHash returns the token with a hash, expired or revoked or not; none is
// ErrNotFound.
func (s *Store) TokenByHash(ctx context.Context, hash string) (engine.Token, error) {
	var row rows.Token
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		row, err = rows.New(s.read).TokenByHash(ctx, hash)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = engine.ErrNotFound
	}
	if err != nil {
		return engine.Token{}, fmt.Errorf("look a token up: %w", err)
	}
	return tokenOf(row), nil
}

// RevokeToken ends a token at a moment, and writes to the log that it did. One that
// is revoked already stays as it is; an unknown one is ErrNotFound.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time) error {
	err := s.write(ctx, func(w *writing) error {
		row, err := w.Token(ctx, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return engine.ErrNotFound
		case err != nil:
			return err
		case row.RevokedAt.Valid:
			return nil
		}
		if err := w.RevokeToken(ctx, optionalMicros(at), id); err != nil {
			return err
		}
		return w.tokenAction(ctx, "REVOKE", tokenOf(row))
	})
	if err != nil {
		return fmt.Errorf("revoke token %.100q: %w", id, err)
	}
	return nil
}

// AddAction writes to the log what somebody changed through the API.
func (s *Store) AddAction(ctx context.Context, a engine.Action) error {
	err := s.write(ctx, func(w *writing) error { return w.action(ctx, a) })
	if err != nil {
		return fmt.Errorf("record an action of %s: %w", a.Principal, err)
	}
	return nil
}

// action appends an action; its ref is the request, or what it was about.
func (w *writing) action(ctx context.Context, a engine.Action) error {
	ref := a.Request
	if ref == "" {
		ref = a.Target
	}
	a.At = a.At.UTC()
	text, err := json.Marshal(a)
	if err == nil {
		text, err = canonicalJSON(text)
	}
	if err != nil {
		return err
	}
	_, err = w.append(ctx, ledger.Entry{Kind: ledger.KindAction, Ref: ref, Body: text})
	return err
}

// Actions returns at most limit of the actions behind a number of the log (-1: from
// the first), in their order.
func (s *Store) Actions(ctx context.Context, after int64, limit int) ([]engine.Action, error) {
	if limit <= 0 {
		limit = DefaultLimit
	}
	var found []rows.Entry
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		found, err = rows.New(s.read).Actions(ctx, after, int32(min(limit, maxPending))) //nolint:gosec // it is in range
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list actions: %w", err)
	}
	list := make([]engine.Action, len(found))
	for i, row := range found {
		entry, err := entryOf(row)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(entry.Body, &list[i]); err != nil {
			return nil, fmt.Errorf("entry %d, action %s: %w", row.Idx, row.Ref, err)
		}
		list[i].Index = row.Idx
	}
	return list, nil
}
