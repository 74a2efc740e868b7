package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/store"
)

// rules is what judges in a server: it changes when a release comes into force, and
// when somebody asks for the files to be read again.
type rules struct {
	config  Config
	store   *store.Store
	clock   func() time.Time
	version string
	log     *slog.Logger

	lock   sync.Mutex       // one refresh at a time
	listed []engine.Release // of the file, the earliest first
	now    atomic.Pointer[ruling]
}

// ruling is what judges at one moment; its parts belong together.
type ruling struct {
	Standing  StandingPolicy
	Journal   *store.Journal
	Newest    *policy.Policy // the one in force, to ask it about itself
	Directory assembly.Directory
	releases  string // those it was made of
}

// current never waits.
func (r *rules) current() *ruling { return r.now.Load() }

// refresh loads the policy again if other releases are in force than before, or if
// files are to be read again. With an error what judged before goes on judging.
func (r *rules) refresh(ctx context.Context, files bool) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	at := r.clock()
	if files && r.fromFile() {
		list, err := readReleases(r.config.Policy.Releases)
		if err != nil {
			return err
		}
		slices.SortStableFunc(list, func(a, b engine.Release) int { return a.EffectiveFrom.Compare(b.EffectiveFrom) })
		r.listed = list
	}
	known, err := r.known(ctx, at)
	if err != nil {
		return err
	}
	before := r.now.Load()
	if before != nil && before.releases == known && !files {
		return nil
	}
	next := &ruling{releases: known}
	if next.Standing, err = r.open(ctx, at); err != nil {
		return err
	}
	last := next.Standing.Judge[len(next.Standing.Judge)-1]
	if p, ok := next.Standing.Policy.(*policy.Policy); ok {
		next.Newest = p
	} else if next.Newest, err = rebuiltPolicy(ctx, last, last.Settings, r.config.Limits.EvaluateTimeout.Duration, r.version); err != nil {
		return err
	}
	if next.Journal, err = r.store.Journal(ctx, next.Standing.Judge); err != nil {
		return err
	}
	if r.config.Directory != "" {
		if next.Directory, err = ReadDirectory(r.config.Directory); err != nil {
			return err
		}
	}
	r.now.Store(next)
	ref := next.Newest.Ref()
	r.log.InfoContext(ctx, "policy loaded", "name", ref.Name, "version", last.Version, "bundle", ref.BundleDigest, "judge", next.Journal.Judge())
	return nil
}

// known names the releases in force, by which a change is seen.
func (r *rules) known(ctx context.Context, at time.Time) (string, error) {
	if r.fromFile() {
		var names []string
		for _, one := range r.listed {
			if !one.EffectiveFrom.After(at) {
				names = append(names, one.Version)
			}
		}
		return fmt.Sprintf("%d %q", len(r.listed), names), nil
	}
	releases, err := r.store.Releases(ctx)
	if err != nil {
		return "", err
	}
	if len(releases) == 0 && r.config.Policy.Releases == ReleasesInJournal {
		return "", errors.New("the journal has no release, and policy.releases says that they are there: add one with vouch release add")
	}
	var names []string
	for _, one := range releases {
		if !one.EffectiveFrom.After(at) {
			names = append(names, one.Version)
		}
	}
	return fmt.Sprintf("%d %q", len(releases), names), nil
}

func (r *rules) fromFile() bool {
	return r.config.Policy.Releases != "" && r.config.Policy.Releases != ReleasesInJournal
}

func (r *rules) open(ctx context.Context, at time.Time) (StandingPolicy, error) {
	if !r.fromFile() {
		return OpenStandingPolicy(ctx, r.store, r.config.Judge(), at, r.version)
	}
	path := r.config.Policy.Releases
	judge, err := packedReleases(ctx, r.listed, r.config.Judge(), filepath.Dir(path), r.version)
	if err != nil {
		return StandingPolicy{}, fmt.Errorf("releases %s: %w", path, err)
	}
	// A release that is still to come must load, and judges nothing yet.
	judge = slices.DeleteFunc(judge, func(p engine.JudgePolicy) bool { return p.EffectiveFrom.After(at) })
	if len(judge) == 0 {
		return StandingPolicy{}, fmt.Errorf("releases %s: none was in force at %s", path, at.UTC().Format(time.RFC3339))
	}
	p, err := rebuiltJudge(ctx, judge, r.config.Limits.EvaluateTimeout.Duration, r.version)
	if err != nil {
		return StandingPolicy{}, fmt.Errorf("releases %s: %w", path, err)
	}
	return StandingPolicy{Policy: p, Judge: judge, settings: judge[len(judge)-1].Settings}, nil
}

// packedReleases packs what a journal keeps of the releases of a file.
func packedReleases(ctx context.Context, list []engine.Release, c PolicyConfig, folder, version string) (engine.Judge, error) {
	var judge engine.Judge
	for _, one := range list {
		bundles := c.Bundles
		if one.Bundle != "" {
			path := one.Bundle
			if !filepath.IsAbs(path) {
				path = filepath.Join(folder, path)
			}
			bundles = []string{path}
		}
		var settings []byte
		if one.Settings != nil {
			var err error
			if settings, err = json.Marshal(one.Settings); err != nil {
				return nil, fmt.Errorf("release %s: settings: %w", one.Version, err)
			}
		}
		opened, err := openBundles(ctx, bundles)
		if err != nil {
			return nil, err
		}
		p, err := policy.New(ctx, opened[0], policy.Options{Settings: settings, Overlays: opened[1:], Timeout: c.Timeout, EngineVersion: version})
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", one.Version, err)
		}
		packed, err := policy.Pack(opened...)
		if err != nil {
			return nil, err
		}
		judge = append(judge, engine.JudgePolicy{
			Version: one.Version, EffectiveFrom: one.EffectiveFrom, BundleDigest: p.Ref().BundleDigest, Bundle: packed, Settings: p.Settings(),
		})
	}
	return judge, nil
}

// watch keeps the rules up to date until ctx ends. A token on again has the files read.
func (r *rules) watch(ctx context.Context, every time.Duration, again <-chan struct{}) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	said := ""
	for {
		files := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-again:
			files, said = true, ""
		}
		err := r.refresh(ctx, files)
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			r.log.ErrorContext(ctx, "policy not loaded, the one before goes on", "error", strings.ReplaceAll(said, "\n", "; "))
		}
	}
}
