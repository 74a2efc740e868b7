package storetest

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"testing"
)

// explain returns the plan of a query.
func explain(t *testing.T, d Database, db *sql.DB, query string, args []any) string {
	t.Helper()
	command := "EXPLAIN QUERY PLAN "
	if _, ok := d.(*Server); ok {
		command = "EXPLAIN "
	}
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if command == "EXPLAIN " {
		// Few rows: the planner would rather read them all. We ask whether it could
		// do otherwise.
		if _, err := tx.ExecContext(context.Background(), "SET LOCAL enable_seqscan = off"); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := tx.QueryContext(context.Background(), command+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var plan strings.Builder
	for rows.Next() {
		line := make([]any, len(columns))
		for i := range line {
			line[i] = new(sql.NullString)
		}
		if err := rows.Scan(line...); err != nil {
			t.Fatal(err)
		}
		text, _ := line[len(line)-1].(*sql.NullString)
		plan.WriteString(text.String + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

// A table read from end to end, or sorted, in the words of SQLite and PostgreSQL.
// SQLite says SCAN of an index it walks in order, and of the few rows of a page.
var walking = regexp.MustCompile(`(?m)^SCAN (t|d|x|s)( |$)(?:[^U\n]|U[^S\n])*$|Seq Scan on (tags|decisions|subjects)`)

func walks(plan string) bool { return walking.MatchString(plan) }
