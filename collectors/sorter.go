package collectors

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// sorter sorts more than memory holds: runs of limit bytes go to files in a folder
// of its own, and are merged as they are read. What never reaches the limit stays
// in memory.
type sorter[T any] struct {
	compare func(a, b T) int
	limit   int
	held    []T
	size    int
	dir     string
	runs    []*run[T]
}

// add takes one value of about so many bytes.
func (s *sorter[T]) add(v T, size int) error {
	s.held = append(s.held, v)
	if s.size += size; s.size < s.limit {
		return nil
	}
	if err := s.spill(); err != nil {
		return fmt.Errorf("sort events in %s: %w", cmp.Or(s.dir, os.TempDir()), err)
	}
	return nil
}

// spill writes what is held to a file.
func (s *sorter[T]) spill() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "vouch-sort-*"); err != nil {
			return err
		}
	}
	slices.SortStableFunc(s.held, s.compare)
	f, err := os.OpenFile(filepath.Join(s.dir, strconv.Itoa(len(s.runs))), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, &run[T]{order: len(s.runs), file: f})
	out := bufio.NewWriter(f)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, v := range s.held {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	clear(s.held)
	s.held, s.size = s.held[:0], 0
	return out.Flush()
}

// all yields every value in order, equal ones as they were added. It may be used
// once, and nothing may be added then.
func (s *sorter[T]) all() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		slices.SortStableFunc(s.held, s.compare)
		merged := merger[T]{compare: s.compare}
		for _, r := range append(s.runs, &run[T]{order: len(s.runs), held: s.held}) {
			more, err := r.start()
			if err != nil {
				yield(r.value, err)
				return
			}
			if more {
				merged.runs = append(merged.runs, r)
			}
		}
		heap.Init(&merged)
		for len(merged.runs) > 0 {
			least := merged.runs[0]
			if !yield(least.value, nil) {
				return
			}
			switch more, err := least.next(); {
			case err != nil:
				yield(least.value, fmt.Errorf("sort events in %s: %w", s.dir, err))
				return
			case more:
				heap.Fix(&merged, 0)
			default:
				heap.Pop(&merged)
			}
		}
	}
}

// close removes the files.
func (s *sorter[T]) close() error {
	var errs []error
	for _, r := range s.runs {
		errs = append(errs, r.file.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// run is one sorted stretch, in a file or in memory, and its next value.
type run[T any] struct {
	order int
	file  *os.File
	text  *json.Decoder
	held  []T
	value T
}

func (r *run[T]) start() (more bool, err error) {
	if r.file != nil {
		if _, err := r.file.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
		r.text = json.NewDecoder(bufio.NewReader(r.file))
	}
	return r.next()
}

func (r *run[T]) next() (more bool, err error) {
	if r.file == nil {
		if len(r.held) == 0 {
			return false, nil
		}
		r.value, r.held = r.held[0], r.held[1:]
		return true, nil
	}
	var v T
	if err := r.text.Decode(&v); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	r.value = v
	return true, nil
}

// merger is the heap of runs: the one with the least value is on top.
type merger[T any] struct {
	compare func(a, b T) int
	runs    []*run[T]
}

func (m *merger[T]) Len() int      { return len(m.runs) }
func (m *merger[T]) Swap(i, j int) { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *merger[T]) Less(i, j int) bool {
	return cmp.Or(m.compare(m.runs[i].value, m.runs[j].value), cmp.Compare(m.runs[i].order, m.runs[j].order)) < 0
}

func (m *merger[T]) Push(x any) {
	if r, ok := x.(*run[T]); ok {
		m.runs = append(m.runs, r)
	}
}

func (m *merger[T]) Pop() any {
	last := m.runs[len(m.runs)-1]
	m.runs = m.runs[:len(m.runs)-1]
	return last
}
