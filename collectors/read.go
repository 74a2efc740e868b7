package collectors

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// MaxFileSize bounds one recorded file, after decompression.
const MaxFileSize = 64 << 20

// Result is what a reading found: Found events, sorted by (occurred_at, id), one
// for each id. Conflicts lists ids of which sources gave different versions; which
// one was kept depends on the versions alone, not on their order.
type Result struct {
	Found     int
	Events    []engine.Event // not of ReadInto
	Ignored   map[string]int
	Faults    []Fault
	Conflicts []Fault
	Files     int
}

// runSize is how many bytes of events a reading holds before they go to a file.
const runSize = 8 << 20

// Read maps the recorded payloads below paths: files and folders with .json,
// .ndjson, .jsonl and .csv, the first and the last also as .gz. A path that
// cannot be read is an error naming it; a record that cannot be read is a Fault
// and the others still come out. Finding no payload at all is an error. A symbolic
// link that leaves its folder is a Fault.
func Read(ctx context.Context, paths []string, m Mapper) (Result, error) {
	var events []engine.Event
	r, err := read(ctx, paths, m, runSize, func(e engine.Event) error {
		events = append(events, e)
		return nil
	})
	r.Events = events
	return r, err
}

// ReadInto is Read for more events than memory holds: it writes them to w, one a
// line. Until everything is read they are in files in the folder for temporary
// files, and nothing is written.
func ReadInto(ctx context.Context, w io.Writer, paths []string, m Mapper) (Result, error) {
	out := bufio.NewWriter(w)
	r, err := read(ctx, paths, m, runSize, func(e engine.Event) error {
		out.Write(encode(e))
		if err := out.WriteByte('\n'); err != nil {
			return fmt.Errorf("write events: %w", err)
		}
		return ctx.Err()
	})
	if err != nil {
		return r, err
	}
	if err := out.Flush(); err != nil {
		return r, fmt.Errorf("write events: %w", err)
	}
	return r, nil
}

func read(ctx context.Context, paths []string, m Mapper, runSize int, take func(engine.Event) error) (_ Result, err error) {
	r := reading{mapper: m, ignored: map[string]int{}, found: sorter[found]{limit: runSize, compare: compareIDs}}
	defer func() { err = errors.Join(err, r.found.close()) }()
	for _, p := range slices.Sorted(slices.Values(paths)) {
		if err := r.path(ctx, p); err != nil {
			return Result{}, err
		}
	}
	if r.files == 0 {
		return Result{}, fmt.Errorf("no recorded payload (.json, .ndjson, .jsonl, .csv, .json.gz, .csv.gz) in %s", strings.Join(paths, ", "))
	}
	return r.result(ctx, take)
}

type reading struct {
	mapper  Mapper
	files   int
	found   sorter[found]
	ignored map[string]int
	faults  []Fault
	// the latest instants that any event names
	observed, occurred time.Time
}

// found is an event and the file it came from.
type found struct {
	Event engine.Event
	Path  string
}

func (r *reading) path(ctx context.Context, p string) error {
	info, err := os.Stat(p)
	if err != nil {
		return fmt.Errorf("read recorded payloads: %w", err)
	}
	if !info.IsDir() {
		if !isRecorded(p) {
			return fmt.Errorf("read recorded payloads: %s is no .json, .ndjson, .jsonl, .csv, .json.gz or .csv.gz file", p)
		}
		// The user named this very file: a link may point where it likes.
		f, err := os.Open(p)
		if err != nil {
			return fmt.Errorf("read recorded payloads: %w", err)
		}
		defer f.Close()
		return r.file(ctx, filepath.ToSlash(p), f, func(name string) bool {
			_, err := os.Stat(filepath.Join(filepath.Dir(p), name))
			return err == nil
		})
	}
	return r.folder(ctx, p)
}

func (r *reading) folder(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("read recorded payloads: %w", err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		full := path.Join(filepath.ToSlash(dir), name)
		switch {
		case err != nil:
			return fmt.Errorf("read recorded payloads: %s: %w", full, err)
		case d.IsDir():
			return nil
		case !isRecorded(name):
			r.ignored["file *"+path.Ext(name)]++
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := root.Stat(filepath.FromSlash(name))
			if err != nil || !target.Mode().IsRegular() {
				r.faults = append(r.faults, Fault{Path: full, Err: errors.New("symbolic link to something outside the folder, or to no file: not followed")})
				return nil
			}
		} else if !d.Type().IsRegular() {
			r.ignored["special file"]++
			return nil
		}
		f, err := root.Open(filepath.FromSlash(name))
		if err != nil {
			return fmt.Errorf("read recorded payloads: %w", err)
		}
		defer f.Close()
		return r.file(ctx, full, f, func(sibling string) bool {
			_, err := root.Stat(filepath.FromSlash(path.Join(path.Dir(name), sibling)))
			return err == nil
		})
	})
}

const csvType = "text/csv"

// isRecorded tells recorded payloads by their name.
func isRecorded(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{".json", ".ndjson", ".jsonl", ".csv", ".json.gz", ".csv.gz"},
		func(end string) bool { return strings.HasSuffix(name, end) })
}

// file maps one file; exists tells whether its folder has a file of some name.
func (r *reading) file(ctx context.Context, name string, f io.Reader, exists func(string) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.files++
	b, err := contents(name, f)
	if err != nil {
		if _, disk := errors.AsType[*fs.PathError](err); disk {
			return fmt.Errorf("read recorded payloads: %s: %w", name, err)
		}
		r.faults = append(r.faults, Fault{Path: name, Err: err})
		return nil
	}
	if len(bytes.TrimSpace(b)) == 0 {
		r.faults = append(r.faults, Fault{Path: name, Err: errors.New("empty file: a recorded answer has a body")})
		return nil
	}
	p := Payload{Path: name, MediaType: "application/json", Trust: engine.TrustFile}
	if stem, n, end, ok := page(path.Base(name)); ok {
		p.NextPage = exists(pageName(stem, n+1, end))
		if n > 1 && !exists(pageName(stem, n-1, end)) {
			r.faults = append(r.faults, Fault{Path: name, Err: fmt.Errorf("page %d of the list is missing", n-1)})
		}
	}
	switch lower := strings.ToLower(name); {
	case isCoverage(name):
		p.Bytes = b
		return r.take(name, mapCoverage(p))
	case strings.HasSuffix(lower, ".ndjson"), strings.HasSuffix(lower, ".jsonl"):
		n := 0
		for line := range bytes.Lines(b) {
			n++
			if p.Bytes = bytes.TrimSpace(line); len(p.Bytes) == 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			m := r.mapper(p)
			for i := range m.Faults {
				m.Faults[i].Record = strings.TrimSpace("line " + strconv.Itoa(n) + " " + m.Faults[i].Record)
			}
			if err := r.take(name, m); err != nil {
				return err
			}
		}
		return nil
	case strings.HasSuffix(strings.TrimSuffix(lower, ".gz"), ".csv"):
		p.Bytes, p.MediaType = b, csvType
		return r.take(name, r.mapper(p))
	default:
		p.Bytes = b
		return r.take(name, r.mapper(p))
	}
}

// page splits the file name of a recorded answer: reviews.json is page 1 of
// reviews, reviews.page-2.json its second.
func page(base string) (stem string, n int, end string, ok bool) {
	for _, end := range []string{".json", ".json.gz"} {
		stem, found := strings.CutSuffix(base, end)
		if !found {
			continue
		}
		if i := strings.LastIndex(stem, ".page-"); i > 0 {
			if n, err := strconv.Atoi(stem[i+len(".page-"):]); err == nil && n > 1 {
				return stem[:i], n, end, true
			}
		}
		return stem, 1, end, true
	}
	return "", 0, "", false
}

func pageName(stem string, n int, end string) string {
	if n == 1 {
		return stem + end
	}
	return stem + ".page-" + strconv.Itoa(n) + end
}

// contents reads at most MaxFileSize bytes, decompressed.
func contents(name string, f io.Reader) ([]byte, error) {
	if strings.HasSuffix(strings.ToLower(name), ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		f = z
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(b) > MaxFileSize {
		return nil, fmt.Errorf("larger than %d MiB: split the recording", MaxFileSize>>20)
	}
	return b, nil
}

func (r *reading) take(name string, m Mapping) error {
	for kind, n := range m.Ignored {
		r.ignored[kind] += n
	}
	r.faults = append(r.faults, m.Faults...)
	for _, e := range m.Events {
		r.observed, r.occurred = last(r.observed, e.ObservedAt), last(r.occurred, e.OccurredAt)
		if err := r.found.add(found{Event: e, Path: name}, eventSize(e)); err != nil {
			return err
		}
	}
	return nil
}

// eventSize is about what an event takes in memory.
func eventSize(e engine.Event) int { return len(e.Data) + 1000 }

// result goes through the versions of each id, and hands the one that is kept to
// take, in order.
func (r *reading) result(ctx context.Context, take func(engine.Event) error) (_ Result, err error) {
	kept := sorter[engine.Event]{limit: r.found.limit, compare: compareEvents}
	defer func() { err = errors.Join(err, kept.close()) }()
	var conflicts []Fault
	settle := func(versions []found) error {
		if len(versions) == 0 {
			return nil
		}
		best, differ := choose(versions)
		conflicts = append(conflicts, differ...)
		return kept.add(best, eventSize(best))
	}
	var versions []found
	for f, err := range r.found.all() {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return Result{}, err
		}
		f.Event = r.date(f.Event)
		if err := validate(f.Event); err != nil {
			r.faults = append(r.faults, Fault{Path: f.Path, Record: f.Event.ID, Err: err})
			continue
		}
		if len(versions) > 0 && versions[0].Event.ID != f.Event.ID {
			if err := settle(versions); err != nil {
				return Result{}, err
			}
			clear(versions)
			versions = versions[:0]
		}
		versions = append(versions, f)
	}
	if err := settle(versions); err != nil {
		return Result{}, err
	}
	n := 0
	for e, err := range kept.all() {
		if err == nil {
			err = take(e)
		}
		if err != nil {
			return Result{}, err
		}
		n++
	}
	return Result{
		Found: n, Conflicts: sortFaults(conflicts), Files: r.files, Ignored: r.ignored, Faults: sortFaults(r.faults),
	}, nil
}

// date gives payloads that speak of no instant (an empty list, a branch
// protection, the commits of a pull request with their authors' clocks) the
// latest instant of the whole reading: they were recorded with it.
func (r *reading) date(e engine.Event) engine.Event {
	observed := r.observed
	if observed.IsZero() {
		observed = r.occurred
	}
	if e.OccurredAt.IsZero() {
		e.OccurredAt = observed
	}
	if e.ObservedAt.IsZero() {
		e.ObservedAt = last(observed, e.OccurredAt)
	}
	return e
}

func last(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func compareFaults(a, b Fault) int {
	return cmpAll(strings.Compare(a.Path, b.Path), strings.Compare(a.Record, b.Record), strings.Compare(a.Err.Error(), b.Err.Error()))
}

// sortFaults sorts faults, each once.
func sortFaults(all []Fault) []Fault {
	slices.SortFunc(all, compareFaults)
	return slices.CompactFunc(all, func(a, b Fault) bool { return compareFaults(a, b) == 0 })
}

func cmpAll(results ...int) int {
	for _, c := range results {
		if c != 0 {
			return c
		}
	}
	return 0
}
