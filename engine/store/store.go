// Package store keeps events, dossiers, decisions and policy releases in one
// database, SQLite or PostgreSQL, and keeps them honest: whatever is written is
// an entry of a signed Merkle log (package ledger) in the same transaction.
//
// The tables entries and dossiers hold the exact bytes; every other table is an
// index that can be derived from them. Verify derives it again and compares.
//
// A Store is safe for concurrent use, and so is a database for several processes
// on several machines: writers take turns at the head of the log, so there is
// one order without gaps. What a method of a Store acknowledged is durable.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// What errors of a Store can be.
var (
	// ErrNewerSchema: a newer program wrote the database.
	ErrNewerSchema = errors.New("the database was written by a newer program")
	// ErrOlderSchema: an older program wrote the database, and without its key it
	// cannot be brought up to date.
	ErrOlderSchema = errors.New("the database was written by an older program")
	// ErrKey: the journal is signed by another key, or there is none to sign with.
	ErrKey = errors.New("wrong signing key")
)

// Options of Open; the zero value reads and cannot write.
type Options struct {
	// Key signs what is written. It must be the key of the journal; the first one
	// that opens an empty journal is.
	Key *ledger.Key
	// Clock gives recorded_at; nil is the clock of the machine.
	Clock func() time.Time
	// Patience is how long to wait for a database that is locked, restarting or out
	// of reach when the context sets no earlier end; 0 means 30 seconds.
	Patience time.Duration
}

// Store is an open journal.
type Store struct {
	db       *sql.DB // writes; of SQLite one connection
	read     *sql.DB
	dialect  dialect
	place    string // for messages; without a password
	key      *ledger.Key
	clock    func() time.Time
	patience time.Duration
	restores bool // may be written without a key
	made     bool // the file was not there before
}

// writes says whether there are connections to write with.
func (s *Store) writes() bool { return s.key != nil || s.restores }

// dialect is what differs between databases.
type dialect interface {
	name() string
	// again reports whether the same transaction may succeed when it is tried again.
	again(err error) bool
	// explain says in other words what an error of the database means, if it knows.
	explain(err error) string
}

// DefaultURL is the journal in the user's state directory.
func DefaultURL() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the default journal: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return "sqlite:" + filepath.Join(state, "changevouch", "journal.db"), nil
}

// Open opens the journal at sqlite:PATH or postgres://…. With a key, a missing
// SQLite file is made, readable by its owner alone, and an older schema is brought
// up to date; without one, the journal must be there and is only read.
func Open(ctx context.Context, address string, options Options) (*Store, error) {
	s := &Store{key: options.Key, clock: options.Clock, patience: options.Patience}
	if err := s.connect(address); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", s.place, err), s.Close())
	}
	return s, nil
}

// connect sets up the connections; none is made yet.
func (s *Store) connect(address string) error {
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.patience <= 0 {
		s.patience = 30 * time.Second
	}
	var err error
	path, isSQLite := strings.CutPrefix(address, "sqlite:")
	switch {
	case isSQLite && path != "":
		s.place = path
		err = s.openSQLite(path)
	case strings.HasPrefix(address, "postgres://"), strings.HasPrefix(address, "postgresql://"):
		s.place = withoutPassword(address)
		err = s.openPostgres(address)
	default:
		return fmt.Errorf("journal %q: the address reads sqlite:PATH or postgres://USER@HOST/DATABASE", withoutPassword(address))
	}
	if err != nil {
		return fmt.Errorf("open journal %s: %w", s.place, err)
	}
	return nil
}

func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, ":")
		return scheme + ":…"
	}
	query := u.Query()
	if query.Has("password") {
		query.Set("password", "xxxxx")
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}

// prepare brings the schema up to date and makes sure that the key fits.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.patiently(ctx, s.migrate); err != nil {
		return err
	}
	head, err := rows.New(s.read).Ledger(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows) && s.key == nil:
		return nil // nothing was ever written
	case errors.Is(err, sql.ErrNoRows):
		return s.found(ctx)
	case err != nil:
		return s.explained(err)
	case s.key != nil:
		return s.fits(head.PublicKey)
	}
	return nil
}

// fits says whether the journal, which tells its public key, is signed by ours.
func (s *Store) fits(public string) error {
	switch {
	case s.key == nil:
		return fmt.Errorf("%w: the journal was opened without a key, to be read", ErrKey)
	case public != s.key.Public().String():
		return fmt.Errorf("%w: the journal is signed by %s, the key given is %s: give the journal's key, or rotate it", ErrKey, public, s.key.Public())
	}
	return nil
}

// Close closes the connections. Running calls end with an error.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.db, s.read} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Place says where the journal is, without a password.
func (s *Store) Place() string { return s.place }

// patiently tries again, with pauses, what failed because the database was
// locked, restarting or out of reach, until patience or the context ends.
func (s *Store) patiently(ctx context.Context, try func(context.Context) error) error {
	began, pause := time.Now(), 2*time.Millisecond
	for {
		err := try(ctx)
		if err == nil || ctx.Err() != nil || !s.dialect.again(err) {
			return s.explained(err)
		}
		if waited := time.Since(began); waited+pause > s.patience {
			return away{fmt.Errorf("gave up after %s: %w", waited.Round(time.Second), s.explained(err))}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", s.explained(err), context.Cause(ctx))
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Second)
	}
}

// away makes an error one that says engine.ErrAway, in its own words.
type away struct{ error }

// Unwrap implements what errors.Is and errors.As ask for.
func (a away) Unwrap() []error { return []error{a.error, engine.ErrAway} }

// explained puts what an error of the database means before it.
func (s *Store) explained(err error) error {
	if err == nil {
		return nil
	}
	if text := s.dialect.explain(err); text != "" {
		return fmt.Errorf("%s: %w", text, err)
	}
	return err
}

// snapshot runs reads that see one moment of the journal.
func (s *Store) snapshot(ctx context.Context, do func(tx *sql.Tx) error) error {
	return s.patiently(ctx, func(ctx context.Context) error {
		tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.isolation()})
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		return do(tx)
	})
}

// isolation of snapshots: SQLite has no other.
func (s *Store) isolation() sql.IsolationLevel {
	if s.dialect.name() == "sqlite" {
		return sql.LevelDefault
	}
	return sql.LevelRepeatableRead
}
