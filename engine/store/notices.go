package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/changevouch/changevouch/engine/store/rows"
)

// ClaimNotice reports whether the caller is the first to claim a notification by
// its key, and so the one who sends it. It is durable when this returns.
func (s *Store) ClaimNotice(ctx context.Context, key string) (first bool, err error) {
	if key == "" || len(key) > maxName || unstorable(key) || !utf8.ValidString(key) {
		return false, errors.New("claim a notice: its key must be UTF-8 without NUL, and not empty or long")
	}
	claim := make([]byte, 16)
	if _, err := rand.Read(claim); err != nil {
		return false, fmt.Errorf("claim notice %s: %w", key, err)
	}
	// Tried again after a commit of which nobody knows, the claim tells whose it was.
	err = s.aside(ctx, func(q *rows.Queries) error {
		if err := q.InsertNotice(ctx, key, claim, micros(s.clock())); err != nil {
			return err
		}
		holder, err := q.NoticeClaim(ctx, key)
		first = bytes.Equal(holder, claim)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim notice %s: %w", key, err)
	}
	return first, nil
}

// ReleaseNotice gives a claim back, so that somebody may claim it again: for a
// notification of which nothing was sent.
func (s *Store) ReleaseNotice(ctx context.Context, key string) error {
	err := s.aside(ctx, func(q *rows.Queries) error { return q.DeleteNotice(ctx, key) })
	if err != nil {
		return fmt.Errorf("release notice %s: %w", key, err)
	}
	return nil
}
