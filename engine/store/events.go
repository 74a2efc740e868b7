package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// Cursor is where a collector goes on, kept under its name.
type Cursor struct {
	Name  string
	Value []byte
}

// AddEvents records events, and moves a cursor if one is given: both or neither.
// An event whose id is recorded already is the same fact and is not recorded
// again. It returns how many were new. New events are one entry of the log.
func (s *Store) AddEvents(ctx context.Context, events []engine.Event, cursor *Cursor) (int, error) {
	prepared, err := prepareEvents(events)
	if err != nil {
		return 0, err
	}
	if len(prepared) == 0 && cursor == nil {
		return 0, nil
	}
	added := 0
	err = s.write(ctx, func(w *writing) error {
		added = 0
		if cursor != nil {
			err := w.SetCursor(ctx, cursor.Name, append([]byte{}, cursor.Value...), w.now)
			if err != nil {
				return err
			}
		}
		var batch []preparedEvent
		for _, e := range prepared {
			_, err := w.EventLeaf(ctx, e.row.ID)
			switch {
			case errors.Is(err, sql.ErrNoRows):
				batch = append(batch, e)
			case err != nil:
				return err
			}
		}
		added = len(batch)
		return w.addBatch(ctx, batch)
	})
	if err != nil {
		return 0, fmt.Errorf("record %d events: %w", len(events), err)
	}
	return added, nil
}

type preparedEvent struct {
	row  rows.InsertEventParams
	text []byte
}

// prepareEvents writes events out, each id once.
func prepareEvents(events []engine.Event) ([]preparedEvent, error) {
	out := make([]preparedEvent, 0, len(events))
	seen := make(map[string]bool, len(events))
	for _, e := range events {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		text, err := e.Record()
		if err != nil {
			return nil, err
		}
		p, err := indexEvent(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// indexEvent derives the row of an event from its text.
func indexEvent(text []byte) (preparedEvent, error) {
	var e engine.Event
	if err := json.Unmarshal(text, &e); err != nil {
		return preparedEvent{}, fmt.Errorf("read event: %w", err)
	}
	if e.ID == "" || e.Schema != engine.EventSchema {
		return preparedEvent{}, fmt.Errorf("event %q: it has no id, or another schema than %s", e.ID, engine.EventSchema)
	}
	if slices.ContainsFunc([]string{e.ID, e.Source, e.Type, e.Subject.Type, e.Subject.ID, e.Evidence.Digest}, unstorable) {
		return preparedEvent{}, fmt.Errorf("event %q: a NUL character, which no database keeps", e.ID)
	}
	return preparedEvent{text: text, row: rows.InsertEventParams{
		ID: e.ID, Length: int64(len(text)), Source: e.Source, Type: e.Type,
		SubjectType: e.Subject.Type, SubjectID: e.Subject.ID, OccurredAt: micros(e.OccurredAt), Payload: e.Evidence.Digest,
	}}, nil
}

// maxBatch bounds the body of one events entry; more events are several entries.
const maxBatch = 4 << 20

// addBatch appends new events: one a line, in the order given.
func (w *writing) addBatch(ctx context.Context, batch []preparedEvent) error {
	for len(batch) > 0 {
		var body bytes.Buffer
		n := 0
		for n < len(batch) && (n == 0 || body.Len()+len(batch[n].text) < maxBatch) {
			batch[n].row.Start = int64(body.Len())
			body.Write(batch[n].text)
			body.WriteByte('\n')
			n++
		}
		sum := sha256.Sum256(body.Bytes())
		leaf, err := w.append(ctx, ledger.Entry{Kind: ledger.KindEvents, Ref: "sha256:" + hex.EncodeToString(sum[:]), Body: body.Bytes()})
		if err != nil {
			return err
		}
		for _, e := range batch[:n] {
			e.row.Leaf = leaf
			if err := w.InsertEvent(ctx, e.row); err != nil {
				return err
			}
		}
		batch = batch[n:]
	}
	return nil
}

// Cursor returns what was last kept under a name, nil if nothing was.
func (s *Store) Cursor(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		value, err = rows.New(s.read).Cursor(ctx, name)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cursor %s: %w", name, err)
	}
	return value, nil
}

// EventFilter chooses events; a zero field chooses all.
type EventFilter struct {
	From    int64 // entries of the log, from this index on
	To      int64 // entries of the log, before this index
	Source  string
	Type    string // coverage.recorded, say
	Subject engine.Subject
}

// Events hands over events as they were recorded, oldest entry first, one entry
// of the log in memory at a time. An error ends the sequence.
func (s *Store) Events(ctx context.Context, filter EventFilter) iter.Seq2[engine.Event, error] {
	return func(yield func(engine.Event, error) bool) {
		fail := func(err error) { yield(engine.Event{}, fmt.Errorf("read events: %w", s.explained(err))) }
		where, args := filter.where()
		leaf, start := filter.From-1, int64(math.MaxInt64)
		var held int64 = -1 // the entry whose body is in memory
		var body []byte
		for {
			list, err := s.eventPage(ctx, where, args, leaf, start)
			if err != nil {
				fail(err)
				return
			}
			for _, at := range list {
				if at.leaf != held {
					entry, err := s.Entry(ctx, at.leaf)
					if err != nil {
						fail(err)
						return
					}
					held, body = at.leaf, entry.Body
				}
				var e engine.Event
				if at.start < 0 || at.length < 0 || at.start+at.length > int64(len(body)) {
					fail(fmt.Errorf("entry %d is shorter than its events: verify the journal", at.leaf))
					return
				}
				if err := json.Unmarshal(body[at.start:at.start+at.length], &e); err != nil {
					fail(fmt.Errorf("entry %d: %w", at.leaf, err))
					return
				}
				if !yield(e, nil) {
					return
				}
				leaf, start = at.leaf, at.start
			}
			if len(list) < pageOfEvents {
				return
			}
		}
	}
}

const pageOfEvents = 1000

type eventPlace struct{ leaf, start, length int64 }

func (f EventFilter) where() (string, []any) {
	var b strings.Builder
	args := []any{}
	add := func(column, value string) {
		if value != "" {
			args = append(args, value)
			fmt.Fprintf(&b, " AND %s = $%d", column, len(args)+2)
		}
	}
	if f.To > 0 {
		args = append(args, f.To)
		b.WriteString(" AND leaf < $3")
	}
	add("source", f.Source)
	add("type", f.Type)
	add("subject_type", f.Subject.Type)
	add("subject_id", f.Subject.ID)
	return b.String(), args
}

// eventPage lists the places of events after one.
func (s *Store) eventPage(ctx context.Context, where string, args []any, leaf, start int64) ([]eventPlace, error) {
	query := fmt.Sprintf("SELECT leaf, start, length FROM events WHERE (leaf, start) > ($1, $2)%s ORDER BY leaf, start LIMIT %d", where, pageOfEvents)
	found, err := s.read.QueryContext(ctx, query, slices.Concat([]any{leaf, start}, args)...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []eventPlace
	for found.Next() {
		var at eventPlace
		if err := found.Scan(&at.leaf, &at.start, &at.length); err != nil {
			return nil, err
		}
		list = append(list, at)
	}
	return list, found.Err()
}
