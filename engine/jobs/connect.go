package jobs

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

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite" // also the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// connect opens connections of our own, and brings River's tables up to date.
func (q *Queue) connect(ctx context.Context, address string, config *river.Config) error {
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		db, err := openSQLite(path)
		if err != nil {
			return err
		}
		q.only = func(ctx context.Context) (func(), error) { return lockFile(ctx, path) }
		// Nobody else is told of new jobs; a query in this process costs little.
		config.FetchPollInterval = 250 * time.Millisecond
		return attach(ctx, q, riversqlite.New(db), config, func() { _ = db.Close() })
	}
	// An error may quote the address with its password.
	settings, err := pgxpool.ParseConfig(address)
	if err != nil {
		return errors.New("the address of the database cannot be read: it reads sqlite:PATH or postgres://USER@HOST/DATABASE")
	}
	settings.MaxConns = max(settings.MaxConns, connections)
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return err
	}
	q.lock = func(ctx context.Context, task string) (func(), error) { return lockTask(ctx, pool, task) }
	return attach(ctx, q, riverpgxv5.New(pool), config, pool.Close)
}

// connections to PostgreSQL at least: River listens on one, and each task that runs
// alone keeps one.
const connections = 10

// lockTask takes a lock of the database, which ends with its connection.
func lockTask(ctx context.Context, pool *pgxpool.Pool, task string) (func(), error) {
	connection, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	var mine bool
	if err := connection.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", "changevouch/"+task).Scan(&mine); err != nil || !mine {
		connection.Release()
		if err == nil {
			err = errHeld
		}
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := connection.Exec(ctx, "SELECT pg_advisory_unlock(hashtextextended($1, 0))", "changevouch/"+task); err != nil {
			_ = connection.Conn().Close(ctx) // what is left of it must not keep the lock
		}
		connection.Release()
	}, nil
}

// lockFile has one process at a time do the work of an SQLite journal: tasks that run
// alone are held only within a process. The lock is that of a file beside the journal,
// and ends with the process.
func lockFile(ctx context.Context, path string) (func(), error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path + "-serve"}).EscapedPath()+"?_txlock=exclusive&_pragma=busy_timeout(2000)")
	if err != nil {
		return nil, err
	}
	held, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		_ = db.Close()
		if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_BUSY {
			return nil, fmt.Errorf("another server works on %s: an SQLite journal has one, PostgreSQL as many as you like", path)
		}
		return nil, fmt.Errorf("lock %s-serve: %w", path, err)
	}
	return func() { _ = held.Rollback(); _ = db.Close() }, nil
}

// openSQLite takes one connection: writers of this process wait for each other, and
// those elsewhere for the lock.
func openSQLite(path string) (*sql.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no journal yet: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
		"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func attach[TTx any](ctx context.Context, q *Queue, driver riverdriver.Driver[TTx], config *river.Config, done func()) error {
	err := migrate(ctx, driver)
	if err == nil {
		var c *river.Client[TTx]
		if c, err = river.NewClient(driver, config); err == nil {
			q.client, q.exec, q.close = c, driver.GetExecutor(), done
			return nil
		}
	}
	done()
	return err
}

// migrate tries again: of several processes that start at once, one gets there first.
func migrate[TTx any](ctx context.Context, driver riverdriver.Driver[TTx]) error {
	const tries = 5
	var fault error
	for try := range tries {
		migrator, err := rivermigrate.New(driver, nil)
		if err != nil {
			return err
		}
		if _, fault = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); fault == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault
		case <-time.After(time.Duration(try+1) * 200 * time.Millisecond):
		}
	}
	return fmt.Errorf("prepare the tables: %w", fault)
}
