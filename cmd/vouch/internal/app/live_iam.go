package app

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/iam"
)

// Access names what is read about access: the AWS account that the usual
// credentials open (variables, profile, role), and Okta organisations with an API
// token from the file or from VOUCH_OKTA_TOKEN.
type Access struct {
	AWS       bool
	Profile   string
	Regions   []string
	Okta      []string // addresses, such as https://acme.okta.com
	TokenFile string
}

// Collectors gives one collector for each account and organisation.
func (a Access) Collectors(ctx context.Context, s Surroundings) ([]collectors.Collector, error) {
	if !a.AWS && (len(a.Regions) > 0 || a.Profile != "") {
		return nil, fmt.Errorf("%s and %s say which part of AWS to read: add %s", s.flag("region"), s.flag("profile"), s.flag("aws"))
	}
	var all []collectors.Collector
	if a.AWS {
		var options []func(*config.LoadOptions) error
		if a.Profile != "" {
			options = append(options, config.WithSharedConfigProfile(a.Profile))
		}
		c, err := config.LoadDefaultConfig(ctx, options...)
		if err != nil {
			return nil, fmt.Errorf("aws: %w", err)
		}
		account, err := iam.ConnectAWS(ctx, c, iam.AWSOptions{Regions: a.Regions, Notice: s.Notice})
		if err != nil {
			return nil, err
		}
		all = append(all, account)
	}
	for _, address := range a.Okta {
		base, err := baseURL(address)
		if err != nil {
			return nil, err
		}
		secret, err := token(s, a.TokenFile, "VOUCH_OKTA_TOKEN")
		if err != nil {
			return nil, err
		}
		if secret == "" {
			return nil, fmt.Errorf("no credentials for Okta: set VOUCH_OKTA_TOKEN, or name a file with %s", s.flag("token-file"))
		}
		okta, err := iam.NewOkta(secret, collectors.Service{Base: base, Notice: s.Notice})
		if err != nil {
			return nil, err
		}
		all = append(all, okta)
	}
	return all, nil
}
