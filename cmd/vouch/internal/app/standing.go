package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/store"
)

// StandingPolicy is the policy that judges for a journal, with all that the journal
// keeps of it so that its decisions can be made again.
type StandingPolicy struct {
	engine.Policy
	Judge    engine.Judge
	settings []byte // those by which evidence is read
}

// OpenStandingPolicy opens what judges at an instant: the journal's releases that are
// in force then or were before or, while it has none, the policy that c chooses.
func OpenStandingPolicy(ctx context.Context, s *store.Store, c PolicyConfig, at time.Time, version string) (StandingPolicy, error) {
	releases, err := s.Releases(ctx)
	if err != nil {
		return StandingPolicy{}, err
	}
	if len(releases) == 0 {
		p, kept, err := packedPolicy(ctx, c, version)
		if err != nil {
			return StandingPolicy{}, err
		}
		return StandingPolicy{Policy: p, Judge: engine.Judge{kept}, settings: p.Settings()}, nil
	}
	if len(c.Bundles) > 0 || c.Settings != "" {
		return StandingPolicy{}, errStandingReleases(releases)
	}
	// A release that is still to come judges nothing yet.
	past := slices.DeleteFunc(slices.Clone(releases), func(r engine.ReleaseRecord) bool { return r.EffectiveFrom.After(at) })
	if len(past) == 0 {
		return StandingPolicy{}, errNoRelease(releases, at)
	}
	var judge engine.Judge
	for _, r := range past {
		kept, err := s.Policy(ctx, r)
		if err != nil {
			return StandingPolicy{}, err
		}
		judge = append(judge, kept)
	}
	p, err := rebuiltJudge(ctx, judge, c.Timeout, version)
	if err != nil {
		return StandingPolicy{}, err
	}
	return StandingPolicy{Policy: p, Judge: judge, settings: judge[len(judge)-1].Settings}, nil
}

func errStandingReleases(releases []engine.ReleaseRecord) error {
	return fmt.Errorf("the journal judges by its releases (the newest is %s): add another with vouch release add, in place of --bundle and --settings", releases[len(releases)-1].Version)
}

func errNoRelease(releases []engine.ReleaseRecord, at time.Time) error {
	return fmt.Errorf("no release was in force at %s: the first, %s, is from %s on", at.Format(time.RFC3339), releases[0].Version, releases[0].EffectiveFrom.Format(time.RFC3339))
}

// packedPolicy loads a policy, and packs what a journal keeps of it.
func packedPolicy(ctx context.Context, c PolicyConfig, version string) (*policy.Policy, engine.JudgePolicy, error) {
	p, bundles, err := openPolicy(ctx, c, version)
	if err != nil {
		return nil, engine.JudgePolicy{}, err
	}
	packed, err := policy.Pack(bundles...)
	if err != nil {
		return nil, engine.JudgePolicy{}, err
	}
	ref := p.Ref()
	return p, engine.JudgePolicy{Version: ref.Version, BundleDigest: ref.BundleDigest, Bundle: packed, Settings: p.Settings()}, nil
}

// rebuiltJudge loads a judge out of what a journal kept of it.
func rebuiltJudge(ctx context.Context, judge engine.Judge, timeout time.Duration, version string) (engine.Policy, error) {
	if len(judge) == 1 && judge[0].EffectiveFrom.IsZero() {
		return rebuiltPolicy(ctx, judge[0], judge[0].Settings, timeout, version)
	}
	var list []engine.Release
	for i, p := range judge {
		list = append(list, engine.Release{Version: p.Version, EffectiveFrom: p.EffectiveFrom, Bundle: strconv.Itoa(i), Settings: json.RawMessage(p.Settings)})
	}
	return policy.NewReleases(list, func(bundle string, settings []byte) (*policy.Policy, error) {
		i, err := strconv.Atoi(bundle)
		if err != nil {
			return nil, err
		}
		return rebuiltPolicy(ctx, judge[i], settings, timeout, version)
	})
}

// rebuiltPolicy loads one policy of a judge, and makes sure that it is the same.
func rebuiltPolicy(ctx context.Context, kept engine.JudgePolicy, settings []byte, timeout time.Duration, version string) (*policy.Policy, error) {
	bundles, err := policy.Unpack(ctx, kept.Bundle)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", kept.BundleDigest, err)
	}
	p, err := policy.New(ctx, bundles[0], policy.Options{Settings: settings, Overlays: bundles[1:], Timeout: timeout, EngineVersion: version})
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", kept.BundleDigest, err)
	}
	ref := p.Ref()
	if want := engine.Digest(kept.Settings); ref.BundleDigest != kept.BundleDigest || ref.SettingsDigest != want {
		return nil, errors.Join(
			fmt.Errorf("policy %s is kept as bundle %s with settings %s", kept.Version, kept.BundleDigest, want),
			fmt.Errorf("loaded it is bundle %s with settings %s", ref.BundleDigest, ref.SettingsDigest))
	}
	return p, nil
}
