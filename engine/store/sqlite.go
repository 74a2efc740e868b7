package store

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

type sqliteDialect struct{ path string }

func (sqliteDialect) name() string { return "sqlite" }

// openSQLite connects to a file: one connection that writes, so that writers of
// this process wait in a queue instead of knocking at the lock, and some that read.
func (s *Store) openSQLite(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	s.dialect = sqliteDialect{path}
	if s.writes() {
		if s.made, err = createPrivate(path); err != nil {
			return err
		}
		s.db, err = sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)"))
		if err != nil {
			return err
		}
		s.db.SetMaxOpenConns(1)
	} else if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no journal yet: %w", err)
	}
	s.read, err = sql.Open("sqlite", sqliteDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		return err
	}
	s.read.SetMaxOpenConns(8)
	return nil
}

func sqliteDSN(path string, params ...string) string {
	params = append(params, "_pragma=busy_timeout(2000)", "_pragma=foreign_keys(1)")
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(params, "&")
}

// createPrivate makes an empty file that only its owner can read, if there is
// none; SQLite gives its other files the same mode.
func createPrivate(path string) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// unmake removes a file that openSQLite made, once it is closed. Of other databases
// there is nothing to remove.
func (s *Store) unmake() error {
	if !s.made {
		return nil
	}
	var errs []error
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.place + end); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (sqliteDialect) again(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

func (d sqliteDialect) explain(err error) string {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process keeps the database locked"
	case sqlite3.SQLITE_FULL:
		return "no space left for " + d.path + ", nothing was written: free some and try again"
	case sqlite3.SQLITE_READONLY:
		return d.path + " or its folder cannot be written"
	case sqlite3.SQLITE_CANTOPEN:
		return d.path + " cannot be opened: it needs to be a file that may be read and written, in a folder that may be written"
	case sqlite3.SQLITE_IOERR:
		return "the disk failed to read or write " + d.path + ", nothing was recorded"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return d.path + " is damaged or no SQLite database: restore a backup"
	}
	return ""
}

// sqliteCode is the primary result code, 0 when the error is not SQLite's.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}
