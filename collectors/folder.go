package collectors

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/changevouch/changevouch/engine"
)

// Folder is a Spool of files: one of events (NDJSON) for each collector and
// step, below a folder for each collector, and the cursors in a folder of their
// own with a dot in front. Each file appears whole or not at all, the events
// before their cursor, so that after a kill at any instant a step is at worst
// read again, and replaces itself.
type Folder struct {
	dir  string
	lock *os.File
	one  sync.Mutex
}

const (
	lockFile  = ".lock"
	cursorDir = ".cursors"
)

// OpenFolder opens or creates the spool in dir. One process at a time may hold
// it; Close ends that.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(filepath.Join(dir, cursorDir), 0o755); err != nil {
		return nil, fmt.Errorf("create the folder for events: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the folder for events: %w", err)
	}
	if err := tryLock(lock); err != nil {
		err = fmt.Errorf("folder %s: another process collects into it (%w): wait for it, or name another folder", dir, err)
		return nil, errors.Join(err, lock.Close())
	}
	return &Folder{dir: dir, lock: lock}, nil
}

// Close lets another process have the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// Cursor implements Spool.
func (f *Folder) Cursor(_ context.Context, name string) (json.RawMessage, error) {
	b, err := os.ReadFile(f.cursor(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the cursor of %s: %w", name, err)
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("the cursor of %s is damaged: remove %s to read everything again", name, f.cursor(name))
	}
	return b, nil
}

// Commit implements Spool.
func (f *Folder) Commit(ctx context.Context, name string, batch Batch) error {
	f.one.Lock()
	defer f.one.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := filepath.Join(f.dir, slug(name))
	segment := filepath.Join(dir, slug(batch.Step)+".ndjson")
	if len(batch.Events) == 0 {
		if err := os.Remove(segment); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep step %s: %w", batch.Step, err)
		}
	} else {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("keep step %s: %w", batch.Step, err)
		}
		var b bytes.Buffer
		if err := WriteNDJSON(&b, batch.Events); err != nil {
			return err
		}
		if err := replace(segment, b.Bytes()); err != nil {
			return fmt.Errorf("keep step %s: %w", batch.Step, err)
		}
	}
	if batch.Cursor == nil {
		return nil
	}
	if err := replace(f.cursor(name), batch.Cursor); err != nil {
		return fmt.Errorf("keep the cursor of %s: %w", name, err)
	}
	return nil
}

// cursor has no ending by which readers know events.
func (f *Folder) cursor(name string) string { return filepath.Join(f.dir, cursorDir, slug(name)) }

// replace writes a file that is either the old or the new one, whole and durable.
func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	if _, err = tmp.Write(content); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Chmod(0o644); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// slug is a name as every file system takes it: readable, and never that of
// another.
func slug(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		default:
			return '-'
		}
	}, name)
	sum := sha256.Sum256([]byte(name))
	return strings.TrimLeft(plain[:min(len(plain), 80)], ".-") + "-" + hex.EncodeToString(sum[:6])
}

// ReadEvents reads the events that a Folder holds, as Read reads recordings: one
// for each id, sorted, and nothing that is no event.
func ReadEvents(ctx context.Context, dir string) (Result, error) {
	return Read(ctx, []string{dir}, mapEvent)
}

// mapEvent reads what WriteNDJSON wrote.
func mapEvent(p Payload) Mapping {
	var e engine.Event
	if err := json.Unmarshal(p.Bytes, &e); err != nil {
		return Mapping{Faults: []Fault{{Path: p.Path, Err: fmt.Errorf("no event: %w", err)}}}
	}
	return Mapping{Events: []engine.Event{e}}
}
