package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/schemas"
)

// Stdin is the argument that stands for standard input.
const Stdin = "-"

// Documents is a set of documents of one schema that can be read several times
// and is never held in memory as a whole: files, folders (every .json, .ndjson
// and .jsonl file below, sorted, without names that begin with a dot) and
// standard input.
type Documents struct {
	kind  schemas.Name
	args  []string
	stdin *os.File // a copy of standard input, removed on Close
	at    time.Time
	limit int64 // bytes of one document
}

// Document is the text of one document and where it stands. Err is set when a place
// could not be read; Text is then empty.
type Document struct {
	Origin string
	Line   int // of the first byte, counted from 1
	Text   []byte
	Err    error
}

// OpenDocuments prepares the arguments of a command line; "-" is stdin. A
// document without evaluated_at is given at, unless at is zero.
// Standard input is read to its end, or until ctx ends.
func OpenDocuments(ctx context.Context, kind schemas.Name, args []string, stdin io.Reader, at time.Time) (*Documents, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("no %s named: give files, folders, or - for standard input", kind)
	}
	d := &Documents{kind: kind, args: args, at: at, limit: schemas.MaxBytes}
	if !slices.Contains(args, Stdin) {
		return d, nil
	}
	if slices.Index(args, Stdin) != len(args)-1-slices.Index(reversed(args), Stdin) {
		return nil, errors.New("standard input (-) is named twice; it can be read once")
	}
	// Standard input is read twice, to check and to judge.
	spool, err := os.CreateTemp("", "vouch-stdin-*")
	if err != nil {
		return nil, fmt.Errorf("copy standard input: %w", err)
	}
	d.stdin = spool
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(spool, stdin)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done(): // nobody can stop a read: it is left to end by itself
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy standard input: %w", err), d.Close())
	}
	return d, nil
}

func reversed(args []string) []string {
	out := slices.Clone(args)
	slices.Reverse(out)
	return out
}

// Close removes what OpenDocuments created.
func (d *Documents) Close() error {
	if d.stdin == nil {
		return nil
	}
	return errors.Join(d.stdin.Close(), os.Remove(d.stdin.Name()))
}

// All yields every document in the order of the arguments. An argument that
// holds none yields a Document with Err.
func (d *Documents) All(ctx context.Context) iter.Seq[Document] {
	return func(yield func(Document) bool) {
		for _, arg := range d.args {
			found, more := 0, true
			deliver := func(doc Document) bool {
				found++
				if doc.Err == nil {
					doc.Text = withInstant(doc.Text, d.at)
				}
				more = yield(doc)
				return more
			}
			if err := d.walk(ctx, arg, deliver); err != nil && more {
				deliver(Document{Origin: arg, Err: err})
			}
			if found == 0 && more {
				deliver(Document{Origin: name(arg), Err: fmt.Errorf("no %s here", d.kind)})
			}
			if !more {
				return
			}
		}
	}
}

func name(arg string) string {
	if arg == Stdin {
		return "stdin"
	}
	return arg
}

// errEnough ends a walk whose reader wants no more.
var errEnough = errors.New("enough")

// walk delivers the documents of one argument.
func (d *Documents) walk(ctx context.Context, arg string, deliver func(Document) bool) error {
	if arg == Stdin {
		if _, err := d.stdin.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		return d.stream(ctx, "stdin", d.stdin, deliver)
	}
	info, err := os.Stat(arg)
	if err != nil {
		return plain(err)
	}
	switch {
	case info.Mode().IsRegular():
		return d.file(ctx, arg, deliver)
	case !info.IsDir():
		return errors.New("neither a file nor a folder: give - and its content on standard input")
	}
	err = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if !deliver(Document{Origin: path, Err: plain(err)}) {
				return errEnough
			}
			return nil
		case path != arg && strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || !isDocument(path):
			return nil
		}
		more := true
		err = d.file(ctx, path, func(doc Document) bool { more = deliver(doc); return more })
		if err != nil && more {
			more = deliver(Document{Origin: path, Err: err})
		}
		if !more {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// plain drops the path from a file error: the origin names it already.
func plain(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

func isDocument(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json", ".ndjson", ".jsonl":
		return true
	}
	return false
}

// file delivers the documents of one file: one a line, or the whole of it.
func (d *Documents) file(ctx context.Context, path string, deliver func(Document) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ndjson", ".jsonl":
		return d.lines(ctx, path, bufio.NewReader(f), deliver)
	}
	text, err := d.readAll(f)
	if err != nil {
		return err
	}
	deliver(Document{Origin: path, Line: 1, Text: text})
	return nil
}

func (d *Documents) readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, d.limit+1))
	if err != nil {
		return nil, plain(err)
	}
	if int64(len(text)) > d.limit {
		return nil, errTooLarge
	}
	return text, nil
}

var errTooLarge = fmt.Errorf("a document larger than %d MiB", schemas.MaxBytes>>20)

// lines delivers one document for each line that is not blank.
func (d *Documents) lines(ctx context.Context, origin string, r *bufio.Reader, deliver func(Document) bool) error {
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, err := d.readLine(r)
		if len(bytes.TrimSpace(text)) > 0 && !errors.Is(err, errTooLarge) {
			if !deliver(Document{Origin: origin, Line: n, Text: text}) {
				return nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errTooLarge):
			return fmt.Errorf("line %d: %w", n, err)
		case err != nil:
			return plain(err)
		}
	}
}

// readLine reads up to and without a line break, but no more than a document
// may have.
func (d *Documents) readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if int64(len(line)) > d.limit {
			return nil, errTooLarge
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(line, "\r\n"), err
		}
	}
}

// stream delivers the documents of a text of unknown layout: one a line, or
// several JSON values one after the other.
func (d *Documents) stream(ctx context.Context, origin string, r io.ReadSeeker, deliver func(Document) bool) error {
	perLine, err := d.isLines(bufio.NewReader(r))
	if err != nil {
		return fmt.Errorf("read %s: %w", origin, err)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s: %w", origin, err)
	}
	if perLine {
		return d.lines(ctx, origin, bufio.NewReader(r), deliver)
	}
	counter := &lineCounter{r: r, most: d.limit}
	dec := json.NewDecoder(counter)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := dec.InputOffset()
		counter.allow(start)
		var value json.RawMessage
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			// The strict reader says better what is wrong, and where.
			if _, err := r.Seek(start, io.SeekStart); err != nil {
				return fmt.Errorf("read %s: %w", origin, err)
			}
			text, err := d.readAll(r)
			if err != nil {
				return err
			}
			deliver(Document{Origin: origin, Line: counter.line(start), Text: text})
			return nil
		}
		if int64(len(value)) > d.limit {
			return errTooLarge
		}
		if !deliver(Document{Origin: origin, Line: counter.line(dec.InputOffset() - int64(len(value))), Text: value}) {
			return nil
		}
	}
}

// isLines reports whether the first line that is not blank is a whole JSON
// value, or the next begins another object: one document a line.
func (d *Documents) isLines(r *bufio.Reader) (bool, error) {
	var first []byte
	for {
		line, err := d.readLine(r)
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case first == nil && json.Valid(line):
			return true, nil
		case first == nil && line[0] != '{':
			return false, nil
		case first == nil:
			first = bytes.Clone(line)
		default:
			return len(first) > 1 && line[0] == '{', nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, errTooLarge) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// lineCounter remembers where line breaks were among the bytes that passed and
// were not asked for yet. It stops at a document that is too large.
type lineCounter struct {
	r      io.Reader
	passed int64
	most   int64 // bytes of one document
	limit  int64
	breaks []int64
	before int // breaks dropped
}

// allow lets one document pass that begins at an offset.
func (c *lineCounter) allow(start int64) { c.limit = max(c.passed, start+c.most+1) }

func (c *lineCounter) Read(p []byte) (int, error) {
	if c.passed > c.limit {
		return 0, errTooLarge
	}
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.breaks = append(c.breaks, c.passed+int64(i))
		}
	}
	c.passed += int64(n)
	return n, err
}

// line returns the line of an offset; offsets must not go back.
func (c *lineCounter) line(offset int64) int {
	i, _ := slices.BinarySearch(c.breaks, offset)
	c.before += i
	c.breaks = slices.Delete(c.breaks, 0, i)
	return c.before + 1
}

// withInstant adds evaluated_at to an object that has none.
func withInstant(text []byte, at time.Time) []byte {
	if at.IsZero() {
		return text
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return text
	}
	if _, ok := object["evaluated_at"]; ok {
		return text
	}
	i := bytes.IndexByte(text, '{') + 1
	field := `"evaluated_at":` + strconv.Quote(at.UTC().Format(time.RFC3339Nano))
	if len(object) > 0 {
		field += ","
	}
	return slices.Concat(text[:i], []byte(field), text[i:])
}

// Check validates every document and hands over what is wrong with each, in
// order, as "file:line:column: pointer: what is wrong"; nothing when it is
// right. It returns how many documents there are.
func (d *Documents) Check(ctx context.Context, checked func(faults []string)) (count int, err error) {
	check := func(_ context.Context, doc Document) []string { return d.faults(doc) }
	err = ordered(ctx, d.All(ctx), runtime.GOMAXPROCS(0), check, func(faults []string) error {
		count++
		checked(faults)
		return nil
	})
	return count, err
}

// faults lists what is wrong with one document.
func (d *Documents) faults(doc Document) []string {
	if doc.Err != nil {
		return []string{doc.Origin + ": " + doc.Err.Error()}
	}
	var out []string
	for _, f := range schemas.Validate(d.kind, doc.Text) {
		out = append(out, doc.place(f))
	}
	return out
}

// place writes a fault of the document the way editors understand it.
func (d Document) place(f schemas.Fault) string {
	if f.Line == 0 {
		if d.Line > 1 {
			return fmt.Sprintf("%s:%d: %s", d.Origin, d.Line, f)
		}
		return d.Origin + ": " + f.String()
	}
	f.Line += d.Line - 1
	return d.Origin + ":" + f.String()
}
