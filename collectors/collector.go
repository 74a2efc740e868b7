package collectors

import (
	"context"
	"encoding/json"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Collector reads one live source, step by step, from the oldest step to the
// newest. One goroutine uses it at a time.
type Collector interface {
	// Name says what is read, such as "github.com/acme/shop". It is stable over
	// runs: cursors are kept under it.
	Name() string
	// Collect reads what happened in the window. Every finished step is handed to
	// commit with the cursor from which a later run goes on; an error of commit
	// ends the collection. The cursor is what the last successful commit held, nil
	// at first. The last step's events include one coverage.recorded for each
	// source that was read: what was seen, and what was not and why.
	Collect(ctx context.Context, window Window, cursor json.RawMessage, commit func(Batch) error) error
}

// Window is the time that a collection covers, both ends included, in UTC.
type Window struct {
	Since, Until time.Time
}

// Batch is what one step of a collection found. Step names it the same in every
// run: a step that is read again replaces what it found before, so a name that
// returns must never stand for less. Done and Total
// count steps for a progress line; Total is zero while nobody knows it.
type Batch struct {
	Step        string
	Events      []engine.Event
	Ignored     map[string]int
	Faults      []Fault
	Cursor      json.RawMessage
	Done, Total int

	checked   bool    // by Stages, before Run would
	conflicts []Fault // ids of which one step saw two versions
}

// Spool keeps what collectors found. Implementations are safe for concurrent use.
type Spool interface {
	// Cursor returns what the last Commit under this name held, nil if none did.
	Cursor(ctx context.Context, name string) (json.RawMessage, error)
	// Commit keeps the events and the cursor of a batch, both or neither. It
	// returns when they are durable.
	Commit(ctx context.Context, name string, batch Batch) error
}
