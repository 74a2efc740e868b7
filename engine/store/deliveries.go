package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// aside runs one transaction on tables beside the log: it neither waits for those
// who write to the log nor keeps them waiting, where the database allows that. do
// may run several times, as with write.
func (s *Store) aside(ctx context.Context, do func(q *rows.Queries) error) error {
	if s.key == nil {
		return s.fits("")
	}
	return s.patiently(ctx, func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if err := do(rows.New(s.statements(tx))); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// AddDelivery keeps a webhook delivery until its events are recorded. It is durable
// when this returns. The same delivery again, by source and id, is not kept twice:
// added is then false.
func (s *Store) AddDelivery(ctx context.Context, d engine.Delivery) (added bool, err error) {
	digest, packed, err := packDelivery(d)
	if err == nil {
		err = s.aside(ctx, func(q *rows.Queries) error {
			n, err := q.InsertDelivery(ctx, rows.InsertDeliveryParams{
				Source: d.Source, ID: d.ID, Event: d.Event, ReceivedAt: micros(d.ReceivedAt), Digest: digest,
			})
			if added = n > 0; err != nil || !added {
				return err
			}
			return q.InsertPayload(ctx, digest, packed)
		})
	}
	if err != nil {
		return false, fmt.Errorf("keep delivery %s %.100q: %w", d.Source, d.ID, err)
	}
	return added, nil
}

// packDelivery returns the digest of a payload and the payload compressed.
func packDelivery(d engine.Delivery) (digest, packed []byte, err error) {
	for _, text := range []string{d.Source, d.ID, d.Event} {
		if len(text) > maxName || unstorable(text) || !utf8.ValidString(text) {
			return nil, nil, fmt.Errorf("%.60q is no name: it must be UTF-8 without NUL, at most %d bytes", text, maxName)
		}
	}
	if d.Source == "" || d.ID == "" || d.ReceivedAt.IsZero() {
		return nil, nil, errors.New("a delivery needs a source, an id and when it was received")
	}
	if got := engine.Digest(d.Payload); got != d.Digest {
		return nil, nil, fmt.Errorf("the digest of its payload is %s, not %.80q", got, d.Digest)
	}
	if digest, err = rawDigest(d.Digest); err != nil {
		return nil, nil, err
	}
	packed, err = deflate(d.Payload)
	return digest, packed, err
}

// maxName bounds the names of deliveries, tokens and notices.
const maxName = 1024

// PendingDeliveries returns at most limit of the deliveries whose events are still
// to be recorded, those received first before the others. A payload that is damaged
// is an error that names its delivery.
func (s *Store) PendingDeliveries(ctx context.Context, limit int) ([]engine.Delivery, error) {
	var found []rows.PendingDeliveriesRow
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		found, err = rows.New(s.read).PendingDeliveries(ctx, int32(min(max(limit, 1), maxPending))) //nolint:gosec // it is in range
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list pending deliveries: %w", err)
	}
	list := make([]engine.Delivery, len(found))
	for i, row := range found {
		payload, err := inflate(row.Body)
		if digest := engine.Digest(payload); err == nil && digest != fmt.Sprintf("sha256:%x", row.Digest) {
			err = fmt.Errorf("its payload was changed: its digest is %s", digest)
		}
		if err != nil {
			return nil, fmt.Errorf("pending delivery %s %s: %w", row.Source, row.ID, err)
		}
		list[i] = engine.Delivery{
			Source: row.Source, ID: row.ID, Event: row.Event, ReceivedAt: fromMicros(row.ReceivedAt),
			Digest: engine.Digest(payload), Payload: payload,
		}
	}
	return list, nil
}

// maxPending bounds what PendingDeliveries holds in memory.
const maxPending = 10_000

// FinishDelivery says that the events of a delivery are recorded or, with a fault,
// why there can be none; it is not pending any more. Who comes second changes
// nothing. An unknown delivery is ErrNotFound.
func (s *Store) FinishDelivery(ctx context.Context, source, id, fault string) error {
	fault = strings.ReplaceAll(strings.ToValidUTF8(fault, "\uFFFD"), "\x00", "\uFFFD")
	err := s.aside(ctx, func(q *rows.Queries) error {
		n, err := q.FinishDelivery(ctx, optionalMicros(s.clock()), nullable(fault), source, id)
		if err != nil || n > 0 {
			return err
		}
		if n, err = q.HasDelivery(ctx, source, id); err == nil && n == 0 {
			err = engine.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("finish delivery %s %s: %w", source, id, err)
	}
	return nil
}
