package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
)

// OpenJudge loads what judges dossiers: one policy or, when a releases file is
// named, a history of them. A bundle path in that file is relative to the file;
// a release that names none takes the bundles of c.
func OpenJudge(ctx context.Context, c PolicyConfig, releases, version string) (engine.Policy, error) {
	if releases == "" {
		return OpenPolicy(ctx, c, version)
	}
	if c.Settings != "" {
		return nil, fmt.Errorf("releases %s: each release has its own settings, so there is no place for %s", releases, c.Settings)
	}
	list, err := readReleases(releases)
	if err != nil {
		return nil, err
	}
	options := policy.Options{Timeout: c.Timeout, EngineVersion: version}
	judge, err := policy.NewReleases(list, func(bundle string, settings []byte) (*policy.Policy, error) {
		bundles := c.Bundles
		if bundle != "" {
			if !filepath.IsAbs(bundle) {
				bundle = filepath.Join(filepath.Dir(releases), bundle)
			}
			bundles = []string{bundle}
		}
		options.Settings = settings
		p, _, err := loadBundles(ctx, bundles, options)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("releases %s: %w", releases, err)
	}
	return judge, nil
}

// readReleases reads the releases of a file, in its order.
func readReleases(path string) ([]engine.Release, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("releases: %w", err)
	}
	list, err := policy.ParseReleases(text)
	if err != nil {
		return nil, fmt.Errorf("releases %s: %w", path, err)
	}
	return list, nil
}
