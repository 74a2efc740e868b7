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
	"time"

	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/rego"
	"github.com/changevouch/changevouch/schemas"
)

// PolicyConfig chooses a policy. The zero value is the built-in bundle with its
// own settings.
type PolicyConfig struct {
	Bundle   string        // a folder or a tarball; empty for the built-in bundle
	Settings string        // a YAML or JSON file; empty for the bundle's own
	Timeout  time.Duration // of one evaluation; 0 is policy.DefaultTimeout
}

// OpenPolicy loads a policy for this version of the program.
func OpenPolicy(ctx context.Context, c PolicyConfig, version string) (*policy.Policy, error) {
	options := policy.Options{Timeout: c.Timeout, EngineVersion: version}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("a timeout of %v: it must be positive", c.Timeout)
	}
	if c.Settings != "" {
		text, err := readFile(c.Settings)
		if err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
		options.Settings = text
	}
	p, err := openBundle(ctx, c.Bundle, options)
	var settings *policy.SettingsError
	switch {
	case errors.As(err, &settings):
		return nil, fmt.Errorf("settings %s: %w", c.Settings, err)
	case err != nil && c.Bundle != "":
		return nil, fmt.Errorf("bundle %s: %w", c.Bundle, err)
	case err != nil:
		return nil, fmt.Errorf("built-in bundle: %w", err)
	}
	return p, nil
}

func openBundle(ctx context.Context, path string, options policy.Options) (*policy.Policy, error) {
	if path == "" {
		return policy.Load(ctx, rego.Bundle, options)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, plain(err)
	}
	if info.IsDir() {
		return policy.Load(ctx, os.DirFS(path), options)
	}
	return policy.LoadTarball(ctx, f, options)
}

// clockSkew is the tolerance between two systems' clocks that the settings name.
func clockSkew(p *policy.Policy) (time.Duration, error) {
	var settings struct {
		Seconds float64 `json:"clock_skew_seconds"`
	}
	if err := json.Unmarshal(p.Settings(), &settings); err != nil {
		return 0, fmt.Errorf("settings: clock_skew_seconds: %w", err)
	}
	return time.Duration(settings.Seconds * float64(time.Second)), nil
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
