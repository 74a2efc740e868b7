package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// Migrations only ever go forward, and a published one never changes.
//
//go:embed migrations
var migrations embed.FS

// provider knows the migrations of the dialect.
func (s *Store) provider(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations/"+s.dialect.name())
	if err != nil {
		return nil, err
	}
	if s.dialect.name() == "sqlite" {
		return goose.NewProvider(goose.DialectSQLite3, db, folder)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, folder, goose.WithSessionLocker(locker))
}

// migrate brings the schema up to date, or without a key makes sure that it is.
func (s *Store) migrate(ctx context.Context) error {
	if !s.writes() {
		return s.current(ctx)
	}
	p, err := s.provider(s.db)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		have, want, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("read the schema's version: %w", err)
		case have > want:
			return newer(have, want)
		case have == want:
			return nil
		}
		// Of two processes that begin at once, one may find its work done.
		if _, err := p.Up(ctx); err != nil && (attempt == 3 || ctx.Err() != nil) {
			return fmt.Errorf("bring the schema from version %d to %d: %w", have, want, err)
		}
	}
}

func newer(have, want int64) error {
	return fmt.Errorf("%w: its schema is version %d, this one knows %d: use a newer vouch", ErrNewerSchema, have, want)
}

// current makes sure that a journal which is only read has today's schema.
func (s *Store) current(ctx context.Context) error {
	p, err := s.provider(s.read)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	want := sources[len(sources)-1].Version
	var have sql.NullInt64
	// goose's own reading would make its table first.
	err = s.read.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&have)
	switch {
	case err != nil && s.dialect.again(err):
		return err
	case err != nil:
		return fmt.Errorf("this is no journal: %w", err)
	case have.Int64 > want:
		return newer(have.Int64, want)
	case have.Int64 < want:
		return fmt.Errorf("%w: its schema is version %d, this one wants %d: open it once with its signing key, to bring it up to date", ErrOlderSchema, have.Int64, want)
	}
	return nil
}

// found writes the head of an empty log. The key that comes first stays.
func (s *Store) found(ctx context.Context) error {
	tree := ledger.Tree{}
	note, err := ledger.Checkpoint{Origin: s.key.Name(), Root: tree.Root()}.Sign(s.key)
	if err != nil {
		return err
	}
	var public string
	err = s.patiently(ctx, func(ctx context.Context) error {
		q := rows.New(s.db)
		err := q.CreateLedger(ctx, rows.CreateLedgerParams{
			Origin: s.key.Name(), Edge: []byte{}, Checkpoint: note, PublicKey: s.key.Public().String(), RecordedAt: micros(s.clock()),
		})
		if err != nil {
			return err
		}
		head, err := q.Ledger(ctx)
		public = head.PublicKey
		if errors.Is(err, sql.ErrNoRows) {
			return errors.New("the head of the log cannot be written")
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.fits(public)
}
