package collectors

import (
	"context"

	"github.com/changevouch/changevouch/engine"
)

// ReadWithin is Read with room for so many bytes of events in memory.
func ReadWithin(ctx context.Context, paths []string, m Mapper, size int) (Result, error) {
	var events []engine.Event
	r, err := read(ctx, paths, m, size, func(e engine.Event) error {
		events = append(events, e)
		return nil
	})
	r.Events = events
	return r, err
}
