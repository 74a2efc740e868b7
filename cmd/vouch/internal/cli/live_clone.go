package cli

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
)

// cloneFlags name local repositories.
func cloneFlags(flags *pflag.FlagSet) liveSystems {
	var c app.Clones
	flags.StringArrayVar(&c.Paths, "repo", nil, "read a clone with the git command, all of it unless --since is given: the folder; repeatable")
	flags.StringArrayVar(&c.Branches, "branch", nil, "with --repo, a branch that reaches production (default: the default branch); repeatable")
	flags.BoolVar(&c.Signatures, "verify-signatures", false, "with --repo, have Git verify signed commits with the keys on this machine")
	return func(ctx context.Context, s app.Surroundings) ([]collectors.Collector, error) {
		c.Whole, c.At = !flags.Changed("since"), s.Now
		return c.Collectors(ctx, s)
	}
}
