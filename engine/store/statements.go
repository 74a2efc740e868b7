package store

import (
	"context"
	"database/sql"

	"github.com/changevouch/changevouch/engine/store/rows"
)

// statements is a transaction to which queries are given. SQLite reads a
// statement anew each time, so there a transaction reads each once; the driver of
// PostgreSQL remembers by itself.
func (s *Store) statements(tx *sql.Tx) rows.DBTX {
	if s.dialect.name() == "sqlite" {
		return &remembering{Tx: tx, known: map[string]*sql.Stmt{}}
	}
	return tx
}

// remembering keeps the prepared statements of a transaction, which end with it.
type remembering struct {
	*sql.Tx
	known map[string]*sql.Stmt
}

func (r *remembering) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if known, ok := r.known[query]; ok {
		return known, nil
	}
	statement, err := r.PrepareContext(ctx, query)
	if err == nil {
		r.known[query] = statement
	}
	return statement, err
}

func (r *remembering) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	statement, err := r.prepared(ctx, query) //nolint:sqlclosecheck // it ends with the transaction
	if err != nil {
		return nil, err
	}
	return statement.ExecContext(ctx, args...)
}

func (r *remembering) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := r.prepared(ctx, query) //nolint:sqlclosecheck // it ends with the transaction
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

func (r *remembering) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	statement, err := r.prepared(ctx, query) //nolint:sqlclosecheck // it ends with the transaction
	if err != nil {
		return r.Tx.QueryRowContext(ctx, query, args...) // it fails in the same way, and the row says so
	}
	return statement.QueryRowContext(ctx, args...)
}
