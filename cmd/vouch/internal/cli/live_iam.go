package cli

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
)

// iamFlags name an AWS account and Okta organisations.
func iamFlags(flags *pflag.FlagSet) liveSystems {
	var a app.Access
	flags.BoolVar(&a.AWS, "aws", false, "read the AWS account of the usual credentials live: CloudTrail, credential report, policies")
	flags.StringVar(&a.Profile, "profile", "", "profile of the AWS configuration files")
	flags.StringSliceVar(&a.Regions, "region", nil, "AWS region to read; repeatable (default: all that every account has)")
	flags.StringSliceVar(&a.Okta, "okta", nil, "read an Okta organisation live, such as https://acme.okta.com; repeatable")
	flags.StringVar(&a.TokenFile, "token-file", "", "file with the Okta API token (default: the variable VOUCH_OKTA_TOKEN)")
	return func(ctx context.Context, s app.Surroundings) ([]collectors.Collector, error) {
		return a.Collectors(ctx, s)
	}
}
