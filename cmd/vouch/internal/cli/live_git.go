package cli

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
)

// gitFlags name repositories and organisations on GitHub.
func gitFlags(flags *pflag.FlagSet) liveSystems {
	var g app.GitHub
	flags.StringSliceVar(&g.Repositories, "github", nil, "read a repository live: OWNER/NAME; repeatable")
	flags.StringSliceVar(&g.Organizations, "org", nil, "read an organisation live: its repositories, members and audit log; repeatable")
	flags.StringVar(&g.BaseURL, "base-url", "", "GitHub Enterprise Server or ghe.com tenant, such as https://github.example.com")
	flags.StringVar(&g.TokenFile, "token-file", "", "file with the token (default: the variables VOUCH_GITHUB_TOKEN, GITHUB_TOKEN)")
	flags.StringVar(&g.AppID, "app-id", "", "read as a GitHub App with this id")
	flags.StringVar(&g.AppKey, "app-key", "", "file with the private key of the app")
	return func(ctx context.Context, s app.Surroundings) ([]collectors.Collector, error) {
		return g.Collectors(ctx, s)
	}
}
