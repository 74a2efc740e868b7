package cli

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
)

// renderFlags name workspaces and services on Render.
func renderFlags(flags *pflag.FlagSet) liveSystems {
	var r app.Render
	flags.StringSliceVar(&r.Owners, "owner", nil, "read a workspace live, by its id tea-…; repeatable")
	flags.StringVar(&r.Organization, "organization", "", "read the audit log of the organisation org-… too")
	flags.StringSliceVar(&r.Services, "service", nil, "read one service live, by its id srv-…, without its workspace and therefore its audit log: never complete; repeatable")
	flags.StringVar(&r.BaseURL, "base-url", "", "address of the API (default: https://api.render.com/v1)")
	flags.StringVar(&r.TokenFile, "token-file", "", "file with the API key (default: the variables VOUCH_RENDER_API_KEY, RENDER_API_KEY)")
	return func(_ context.Context, s app.Surroundings) ([]collectors.Collector, error) {
		return r.Collectors(s)
	}
}
