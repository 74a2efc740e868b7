package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// Tile returns the first width hashes of a tile of the log, the content of
// ledger.TilePath. The log must have grown that far: ErrNotFound. What it returns
// never changes.
func (s *Store) Tile(ctx context.Context, level int, index int64, width int) ([]byte, error) {
	if level < 0 || index < 0 || width < 1 || width > ledger.TileWidth {
		return nil, fmt.Errorf("tile of level %d: %w", level, engine.ErrNotFound)
	}
	var content []byte
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		q := rows.New(tx)
		head, err := q.Ledger(ctx)
		if err != nil {
			return err
		}
		nodes := head.Size // of that level
		for range level {
			nodes /= ledger.TileWidth
		}
		if index > nodes/ledger.TileWidth || index*ledger.TileWidth+int64(width) > nodes {
			return engine.ErrNotFound
		}
		content, err = tiles(ctx, q)(level, index, width)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("tile %s: %w", ledger.TilePath(level, index, width), err)
	}
	return content, nil
}
