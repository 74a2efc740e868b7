// Package app wires the parts of Changevouch together. The commands, the server
// and the end-to-end tests all start here.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/rego"
	"github.com/changevouch/changevouch/schemas"
)

// PolicyConfig chooses a policy. The zero value is the built-in bundle with its
// own settings.
type PolicyConfig struct {
	Bundles  []string      // folders or tarballs, see openBundles; none is the built-in bundle
	Settings string        // a YAML or JSON file; empty for the bundle's own
	Timeout  time.Duration // of one evaluation; 0 is policy.DefaultTimeout
}

// OpenPolicy loads a policy for this version of the program.
func OpenPolicy(ctx context.Context, c PolicyConfig, version string) (*policy.Policy, error) {
	p, _, err := openPolicy(ctx, c, version)
	return p, err
}

// openPolicy returns the bundles too, the whole one first.
func openPolicy(ctx context.Context, c PolicyConfig, version string) (*policy.Policy, []policy.Bundle, error) {
	options := policy.Options{Timeout: c.Timeout, EngineVersion: version}
	if c.Timeout < 0 {
		return nil, nil, fmt.Errorf("a timeout of %v: it must be positive", c.Timeout)
	}
	if c.Settings != "" {
		text, err := readFile(c.Settings)
		if err != nil {
			return nil, nil, fmt.Errorf("settings: %w", err)
		}
		options.Settings = text
	}
	p, bundles, err := loadBundles(ctx, c.Bundles, options)
	if isSettingsError(err) {
		return nil, nil, fmt.Errorf("settings %s: %w", c.Settings, err)
	}
	return p, bundles, err
}

func isSettingsError(err error) bool {
	var settings *policy.SettingsError
	return errors.As(err, &settings)
}

func loadBundles(ctx context.Context, paths []string, options policy.Options) (*policy.Policy, []policy.Bundle, error) {
	bundles, err := openBundles(ctx, paths)
	if err != nil {
		return nil, nil, err
	}
	options.Overlays = bundles[1:]
	p, err := policy.New(ctx, bundles[0], options)
	if err != nil && !isSettingsError(err) {
		name := "built-in bundle"
		if len(paths) > 0 {
			name = "bundle " + strings.Join(paths, ", ")
		}
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, bundles, err
}

// openBundles reads bundles in the order in which they are laid over one
// another. The one that is whole (it has the package decision) comes first; when
// none is, that is the built-in bundle.
func openBundles(ctx context.Context, paths []string) ([]policy.Bundle, error) {
	var bundles []policy.Bundle
	whole := ""
	for _, path := range paths {
		b, err := openBundle(ctx, path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("bundle %s: %w", path, err)
		case !b.Whole():
			bundles = append(bundles, b)
		case whole != "":
			return nil, fmt.Errorf("bundles %s and %s are both whole policies: only one can judge", whole, path)
		default:
			whole = path
			bundles = slices.Insert(bundles, 0, b)
		}
	}
	if whole == "" {
		b, err := policy.ReadFolder(ctx, rego.Bundle)
		if err != nil {
			return nil, fmt.Errorf("built-in bundle: %w", err)
		}
		bundles = slices.Insert(bundles, 0, b)
	}
	return bundles, nil
}

func openBundle(ctx context.Context, path string) (policy.Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return policy.Bundle{}, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return policy.Bundle{}, plain(err)
	}
	if info.IsDir() {
		return policy.ReadFolder(ctx, os.DirFS(path))
	}
	return policy.ReadArchive(ctx, f)
}

// assemblyOptions are those of a policy's settings that concern the reading of
// evidence, and the periods that are asked for.
func assemblyOptions(text []byte, periods []string) (assembly.Options, error) {
	var settings struct {
		Skew          float64 `json:"clock_skew_seconds"`
		Documentation float64 `json:"emergency_documentation_hours"`
		Sequence      float64 `json:"sequence_window_hours"`
		Zone          string  `json:"business_timezone"`
	}
	if err := json.Unmarshal(text, &settings); err != nil {
		return assembly.Options{}, fmt.Errorf("settings: %w", err)
	}
	zone, err := time.LoadLocation(settings.Zone)
	if err != nil {
		return assembly.Options{}, fmt.Errorf("settings: business_timezone: %w", err)
	}
	var spans []assembly.Span
	for _, text := range periods {
		span, err := parsePeriod(text, zone)
		if err != nil {
			return assembly.Options{}, err
		}
		spans = append(spans, span)
	}
	return assembly.Options{
		Periods:       spans,
		Skew:          time.Duration(settings.Skew * float64(time.Second)),
		Documentation: time.Duration(settings.Documentation * float64(time.Hour)),
		Sequence:      time.Duration(settings.Sequence * float64(time.Hour)),
	}, nil
}

// readFile reads one document of a size that schemas would accept.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, schemas.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	if len(text) > schemas.MaxBytes {
		return nil, fmt.Errorf("%s: %w", path, errTooLarge)
	}
	return text, nil
}
