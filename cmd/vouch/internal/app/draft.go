package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/rego"
)

// DraftConfig names policy in the making.
type DraftConfig struct {
	Paths    []string // folders or Rego files
	Bundles  []string // what it is laid over, see PolicyConfig
	Settings string   // a YAML or JSON file; empty for the bundles' own
}

// OpenDraft prepares policy for checks and tests. Without paths it is the
// built-in bundle itself.
func OpenDraft(ctx context.Context, c DraftConfig) (policy.Draft, error) {
	base, err := openBundles(ctx, c.Bundles)
	if err != nil {
		return policy.Draft{}, err
	}
	d := policy.Draft{Base: base}
	for _, path := range c.Paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return d, fmt.Errorf("policy %s: %w", path, plain(err))
		case info.IsDir():
			d.Sources = append(d.Sources, policy.Source{Name: filepath.Clean(path), FS: os.DirFS(path)})
		default:
			folder := filepath.Dir(path)
			d.Sources = append(d.Sources, policy.Source{Name: folder, FS: os.DirFS(folder), Only: filepath.Base(path)})
		}
	}
	if len(c.Paths) == 0 {
		d.Sources = []policy.Source{{Name: "built-in", FS: rego.Bundle}}
	}
	if c.Settings != "" {
		text, err := readFile(c.Settings)
		if err != nil {
			return d, fmt.Errorf("settings: %w", err)
		}
		d.Settings = text
	}
	return d, nil
}
