package app

import (
	"context"
	"iter"
	"sync"
)

// window is how many items per worker may be under way at once.
const window = 4

// ordered does the work on every item, on several goroutines, and hands the
// results to emit in the order of the items. At most window*workers items are
// held, however many there are. An error of emit, or the end of ctx, stops it
// all; when ordered returns, its goroutines have ended. emit is never called
// concurrently.
func ordered[T, R any](ctx context.Context, items iter.Seq[T], workers int, work func(context.Context, T) R, emit func(R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	type job struct {
		item T
		done chan R
	}
	jobs := make(chan job)
	queue := make(chan job, window*workers)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(jobs)
		defer close(queue)
		for item := range items {
			j := job{item, make(chan R, 1)}
			select {
			case queue <- j:
			case <-ctx.Done():
				return
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	})
	for range workers {
		group.Go(func() {
			for j := range jobs {
				j.done <- work(ctx, j.item)
			}
		})
	}
	err := func() error {
		for j := range queue {
			select {
			case r := <-j.done:
				if err := emit(r); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return ctx.Err()
	}()
	cancel()
	group.Wait()
	return err
}
