package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// JournalConfig says where the journal is and which key signs it. The zero value is
// the journal in the user's state directory.
type JournalConfig struct {
	Store string // sqlite:PATH or postgres://…; empty is store.DefaultURL
	Key   string // a file; empty is PATH.key, or ledger.key in the user's state directory
}

// Address is the URL of the journal.
func (c JournalConfig) Address() (string, error) {
	if c.Store != "" {
		return c.Store, nil
	}
	return store.DefaultURL()
}

// KeyFile is the path of the signing key.
func (c JournalConfig) KeyFile() (string, error) {
	address, err := c.Address()
	if c.Key != "" || err != nil {
		return c.Key, err
	}
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		return path + ".key", nil
	}
	standard, err := store.DefaultURL()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(strings.TrimPrefix(standard, "sqlite:")), "ledger.key"), nil
}

// Read opens the journal without its key: what it holds can be read, by whoever may
// read the database.
func (c JournalConfig) Read(ctx context.Context) (*store.Store, error) {
	address, err := c.Address()
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, address, store.Options{})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w\nThe first vouch decide makes it; --store names another", err)
	case errors.Is(err, store.ErrOlderSchema):
		return nil, fmt.Errorf("%w\nvouch ledger checkpoint, given the key, does that", err)
	}
	return s, err
}

// Write opens the journal to record in it. A journal that is not there yet is made,
// and so is its key; a key that is missing for a journal that exists is not, because
// no other would fit.
func (c JournalConfig) Write(ctx context.Context) (*store.Store, error) {
	address, err := c.Address()
	if err != nil {
		return nil, err
	}
	key, err := c.key(ctx)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, address, store.Options{Key: key})
}

func (c JournalConfig) key(ctx context.Context) (*ledger.Key, error) {
	path, err := c.KeyFile()
	if err != nil {
		return nil, err
	}
	key, err := ledger.ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if s, err := c.Read(ctx); err == nil {
		defer s.Close()
		public, err := s.PublicKey(ctx)
		if err == nil {
			return nil, fmt.Errorf("%w: the journal %s is signed by %s, and there is no key file %s: name it with --key, or restore it", store.ErrKey, s.Place(), public, path)
		}
	}
	return ledger.OpenKey(path)
}

// PublicKeys are the keys by which the journal is checked: those of a file or, when
// none is named, the public half of the signing key and those before it, which a
// rotation leaves in KEY.pub. They never come out of the journal itself.
func (c JournalConfig) PublicKeys(file string) ([]ledger.PublicKey, error) {
	if file != "" {
		text, err := readFile(file)
		if err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
		keys, err := ledger.ParsePublicKeys(text)
		if err != nil {
			return nil, fmt.Errorf("public key %s: %w", file, err)
		}
		return keys, nil
	}
	path, err := c.KeyFile()
	if err != nil {
		return nil, err
	}
	key, err := ledger.ReadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no key to check with: --public-key names a file with the journal's public key (there is no key file %s)", path)
	}
	if err != nil {
		return nil, err
	}
	keys := []ledger.PublicKey{key.Public()}
	text, err := readFile(path + ".pub")
	if errors.Is(err, fs.ErrNotExist) {
		return keys, nil
	}
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	earlier, err := ledger.ParsePublicKeys(text)
	if err != nil {
		return nil, fmt.Errorf("public key %s.pub: %w", path, err)
	}
	for _, other := range earlier {
		if other.String() != keys[0].String() {
			keys = append(keys, other)
		}
	}
	return keys, nil
}

// Spool lets collectors keep their events and cursors in a journal.
func Spool(s *store.Store) collectors.Spool { return spool{s} }

type spool struct{ store *store.Store }

func (s spool) Cursor(ctx context.Context, name string) (json.RawMessage, error) {
	return s.store.Cursor(ctx, name)
}

func (s spool) Commit(ctx context.Context, name string, b collectors.Batch) error {
	var cursor *store.Cursor
	if b.Cursor != nil {
		cursor = &store.Cursor{Name: name, Value: b.Cursor}
	}
	_, err := s.store.AddEvents(ctx, b.Events, cursor)
	return err
}

// Change opens a journal that exists already, to record in it.
func (c JournalConfig) Change(ctx context.Context) (*store.Store, error) {
	s, err := c.Read(ctx)
	if err == nil {
		err = s.Close()
	}
	if err != nil && !errors.Is(err, store.ErrOlderSchema) {
		return nil, err
	}
	return c.Write(ctx)
}

// SigningKey reads the key; it makes none.
func (c JournalConfig) SigningKey() (*ledger.Key, error) {
	path, err := c.KeyFile()
	if err != nil {
		return nil, err
	}
	return ledger.ReadKey(path)
}
