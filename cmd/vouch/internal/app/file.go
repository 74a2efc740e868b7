package app

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// File is a file under construction: it takes its name only when it is
// complete, so that nobody ever reads half of it. Something that exists and is
// no regular file (a pipe, a terminal) is written to directly.
type File struct {
	*bufio.Writer
	file *os.File
	path string
	temp bool
}

// CreateFile begins a file. Call Commit when all is written; Discard is always
// safe to call and does nothing after Commit.
func CreateFile(path string) (*File, error) {
	mode := os.FileMode(0o644)
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("write %s: it is a folder", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", path, plain(err))
		}
		return &File{Writer: bufio.NewWriter(f), file: f, path: path}, nil
	case err == nil:
		mode = info.Mode().Perm()
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, plain(err))
	}
	file := &File{Writer: bufio.NewWriter(f), file: f, path: path, temp: true}
	if err := f.Chmod(mode); err != nil {
		file.Discard()
		return nil, fmt.Errorf("write %s: %w", path, plain(err))
	}
	return file, nil
}

// Commit makes the file appear under its name.
func (f *File) Commit() error {
	err := f.Flush()
	if f.temp {
		err = errors.Join(err, f.file.Sync())
	}
	err = errors.Join(err, f.file.Close())
	if err == nil && f.temp {
		err = os.Rename(f.file.Name(), f.path)
	}
	if err != nil {
		f.Discard()
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	f.temp = false
	return nil
}

// Discard leaves what was there before.
func (f *File) Discard() {
	_ = f.file.Close() // closed twice after a failed Commit
	if f.temp {
		_ = os.Remove(f.file.Name())
		f.temp = false
	}
}
