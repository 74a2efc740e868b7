package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/changevouch/changevouch/engine"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// Backup writes a journal to a file that only its owner may read. The file takes its
// name when a journal was made out of it again, elsewhere, and was found sound.
func Backup(ctx context.Context, s *store.Store, path string, keys []ledger.PublicKey) (ledger.Checkpoint, store.Report, error) {
	f, err := CreateFile(path)
	if err != nil {
		return ledger.Checkpoint{}, store.Report{}, err
	}
	defer f.Discard()
	if !f.temp {
		return ledger.Checkpoint{}, store.Report{}, fmt.Errorf("backup %s: it is no file, so it could not be verified", path)
	}
	if err := f.file.Chmod(0o600); err != nil {
		return ledger.Checkpoint{}, store.Report{}, fmt.Errorf("backup %s: %w", path, plain(err))
	}
	head, err := s.Backup(ctx, f)
	if err != nil {
		return head, store.Report{}, err
	}
	if err := f.Flush(); err != nil {
		return head, store.Report{}, fmt.Errorf("backup %s: %w", path, plain(err))
	}
	trial, err := os.MkdirTemp(filepath.Dir(path), ".vouch-verify-*")
	if err != nil {
		return head, store.Report{}, fmt.Errorf("verify the backup: %w", err)
	}
	defer os.RemoveAll(trial)
	report, err := Restore(ctx, "sqlite:"+filepath.Join(trial, "journal.db"), f.file.Name(), store.Verification{Keys: keys})
	if err != nil {
		return head, report, fmt.Errorf("verify the backup: %w", err)
	}
	return head, report, f.Commit()
}

// Restore makes a journal out of a backup file, see store.Restore.
func Restore(ctx context.Context, address, path string, how store.Verification) (store.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return store.Report{}, fmt.Errorf("restore %s: %w", path, plain(err))
	}
	defer f.Close()
	return store.Restore(ctx, address, f, how)
}

// RotateKey gives the journal a new key in the place of the old one, and returns the
// public halves, the newest first. The old key file is kept beside the new one, under
// a name that ends with the instant; the public halves are kept in KEY.pub.
func RotateKey(ctx context.Context, c JournalConfig, now time.Time) ([]ledger.PublicKey, error) {
	path, err := c.KeyFile()
	if err != nil {
		return nil, err
	}
	known, err := c.PublicKeys("")
	if err != nil {
		return nil, err
	}
	s, err := c.Change(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	next, err := ledger.NewKey(rand.Reader, known[0].Name())
	if err != nil {
		return nil, err
	}
	fresh, kept := path+".new", path+"."+now.UTC().Format("20060102T150405Z")
	if err := next.Save(fresh); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("a rotation was broken off: if vouch ledger verify --key %[1]s finds the journal sound, move %[1]s to %[2]s; otherwise remove it", fresh, path)
	} else if err != nil {
		return nil, err
	}
	known = append([]ledger.PublicKey{next.Public()}, known...)
	if err := savePublicKeys(path+".pub", known); err != nil {
		return nil, errors.Join(err, os.Remove(fresh))
	}
	if err := s.Rotate(ctx, next); err != nil {
		// Whether the database took it may be unknown: the new key must not be lost.
		return nil, fmt.Errorf("%w\nThe new key is kept as %s", err, fresh)
	}
	if err := os.Link(path, kept); err != nil {
		return nil, fmt.Errorf("the new key is %s: keep the old one elsewhere, and move the new one to %s: %w", fresh, path, err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, fmt.Errorf("the new key is %s: move it to %s: %w", fresh, path, err)
	}
	return known, nil
}

func savePublicKeys(path string, keys []ledger.PublicKey) error {
	f, err := CreateFile(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	for _, key := range keys {
		fmt.Fprintln(f, key) // an error of the disk is that of Commit
	}
	return f.Commit()
}

// Retention is how long the settings of a standing policy promise to keep records.
func (p StandingPolicy) Retention() (time.Duration, error) {
	var settings struct {
		Days float64 `json:"retention_days"`
	}
	if err := json.Unmarshal(p.settings, &settings); err != nil {
		return 0, fmt.Errorf("settings: %w", err)
	}
	if settings.Days <= 0 {
		return 0, errors.New("the settings of the policy have no retention_days: nothing says what may be removed")
	}
	return time.Duration(settings.Days * float64(24*time.Hour)), nil
}

// AddRelease packs a policy and makes it a release of the journal.
func AddRelease(ctx context.Context, s *store.Store, c PolicyConfig, release, by string, from time.Time, version string) (engine.ReleaseRecord, error) {
	_, kept, err := packedPolicy(ctx, c, version)
	if err != nil {
		return engine.ReleaseRecord{}, err
	}
	kept.Version, kept.EffectiveFrom = release, from
	return s.AddRelease(ctx, kept, by)
}

// ExportTiles writes the mirror of a journal's log into a folder, the checkpoint last;
// one that holds an older export is brought up to date.
func ExportTiles(ctx context.Context, s *store.Store, folder string) (files int, err error) {
	err = s.Export(ctx, func(name string, content []byte) error {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := CreateFile(path)
		if err != nil {
			return err
		}
		defer f.Discard()
		if _, err := f.Write(content); err != nil {
			return err
		}
		files++
		return f.Commit()
	})
	return files, err
}
