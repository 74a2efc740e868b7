package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

func newTokenCommand(sys System) *cobra.Command {
	return newGroup("token", "Let people and programs use the HTTP API",
		newTokenCreateCommand(sys), newTokenListCommand(sys), newTokenRevokeCommand(sys))
}

// roleWords are the roles of tokens.
func roleWords() []string {
	var words []string
	for _, role := range httpapi.Roles() {
		words = append(words, string(role))
	}
	return words
}

func newTokenCreateCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var name, role, expires string
	cmd := &cobra.Command{
		Use:   "create --name NAME --role ROLE",
		Short: "Make a token, and show it once",
		Long: `Make a bearer token for the HTTP API. Standard output gets the token, this once: the
journal keeps its hash. Roles:

  viewer     reads decisions, subjects, deadlines and controls, and asks the gate
  auditor    reads everything, proofs and dossiers too, and replays decisions
  submitter  hands in events and dossiers to be judged, and asks policy and gate
  operator   what a submitter may, and adds waivers and attestations
  admin      everything

Who hands in events can hand in an approval: a pipeline that asks a gate is a viewer.`,
		Example: `  vouch token create --name ci --role viewer --expires 90d
  vouch token create --name 'audit 2026' --role auditor --expires 2027-01-31T00:00:00Z > token`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := sys.Now().UTC()
			switch {
			case strings.TrimSpace(name) == "":
				return errors.New("the token has no name: --name says whose it is, as audit entries show it")
			case role == "":
				return errors.New("the token has no role: --role is one of " + strings.Join(roleWords(), ", "))
			}
			if err := knownWord("role", role, roleWords()); err != nil {
				return err
			}
			ends, err := expiry(expires, now)
			if err != nil {
				return err
			}
			if !ends.After(now) {
				return fmt.Errorf("--expires %s: it would have expired already", expires)
			}
			token := httpapi.NewToken()
			kept := engine.Token{Name: name, Role: engine.Role(role), Hash: httpapi.TokenHash(token), CreatedAt: now, ExpiresAt: &ends}
			kept.ID = "tok_" + strings.TrimPrefix(kept.Hash, "sha256:")[:12]
			err = writing(cmd.Context(), journal, func(s *store.Store) error { return s.AddToken(cmd.Context(), kept) })
			if err != nil {
				return err
			}
			sys.tell("token %s of %s, %s, valid until %s; it is not shown again", kept.ID, name, role, ends.Format(time.RFC3339))
			_, err = fmt.Fprintln(sys.Stdout, token)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "whose it is, as audit entries show it")
	flags.StringVar(&role, "role", "", "what it may do ("+strings.Join(roleWords(), ", ")+")")
	flags.StringVar(&expires, "expires", "90d", "until when it is valid: RFC 3339, or for how long, such as 90d")
	addJournalFlags(cmd, &journal)
	return cmd
}

// expiry is when a token ends. There is none for ever.
func expiry(value string, now time.Time) (time.Time, error) {
	if span, err := schemas.ParseTimespan(value); err == nil {
		return now.Add(span), nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, fmt.Errorf("--expires %q is neither an RFC 3339 instant, such as 2027-01-31T00:00:00Z, nor a time span, such as 90d", value)
	}
	return at.UTC(), nil
}

// tokenState says whether a token lets somebody in.
func tokenState(t engine.Token, now time.Time) string {
	switch {
	case t.RevokedAt != nil:
		return "revoked"
	case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
		return "expired"
	}
	return "valid"
}

func newTokenListCommand(sys System) *cobra.Command {
	return newListCommand(sys, "List the tokens that were made, the expired and revoked too", `  vouch token list -o json`, "there is no token yet: vouch token create makes one",
		func(ctx context.Context, s *store.Store) (report.Grid, any, error) {
			list, err := s.Tokens(ctx)
			if err != nil {
				return report.Grid{}, nil, err
			}
			g := report.Grid{Headings: []string{"TOKEN", "NAME", "ROLE", "CREATED", "EXPIRES", "STATE"}, Outcome: -1, Gives: 1}
			for _, t := range list {
				g.Rows = append(g.Rows, []string{t.ID, t.Name, string(t.Role), t.CreatedAt.Format(time.RFC3339), instantOf(t.ExpiresAt), tokenState(t, sys.Now())})
			}
			return g, append([]engine.Token{}, list...), nil
		})
}

func newTokenRevokeCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a token at once",
		Example: `  vouch token revoke tok_6d1f0c3a9b2e`,
		Args:    oneArgument("the id of a token, such as tok_6d1f0c3a9b2e"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "vouch_") {
				return errors.New("this is a token itself, which nobody should type: name its id, see vouch token list")
			}
			now := sys.Now().UTC()
			return writing(cmd.Context(), journal, func(s *store.Store) error {
				list, err := s.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				i := slices.IndexFunc(list, func(t engine.Token) bool { return t.ID == args[0] })
				switch {
				case i < 0:
					return fmt.Errorf("there is no token %s: see vouch token list", args[0])
				case list[i].RevokedAt != nil:
					sys.tell("token %s was revoked before, at %s", args[0], instantOf(list[i].RevokedAt))
					return nil
				}
				if err := s.RevokeToken(cmd.Context(), args[0], now); err != nil {
					return err
				}
				sys.tell("token %s of %s is revoked", args[0], list[i].Name)
				return nil
			})
		},
	}
	addJournalFlags(cmd, &journal)
	return cmd
}
