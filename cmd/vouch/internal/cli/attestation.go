package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

func newAttestationCommand(sys System) *cobra.Command {
	return newGroup("attestation", "Keep what people state about things that no machine can see",
		newAttestationAddCommand(sys), newAttestationListCommand(sys))
}

// attestationFlags describe an attestation.
type attestationFlags struct {
	statementFlags
	attestation engine.Attestation
	made, valid string
	evidence    []string
}

func newAttestationAddCommand(sys System) *cobra.Command {
	var f attestationFlags
	cmd := &cobra.Command{
		Use:   "add --control ID --subject SUBJECT --statement TEXT --made-by PERSON",
		Short: "Record an attestation: the next decide takes it into account",
		Long: `Record what a person states about something that no machine can see, such as that TLS
was tested after a change. What could never count is refused with the reason: a control
that is verified and not attested, a person who has not one of the roles that the
setting attestation_roles names, is not authorised in the directory, or wrote or
deployed the change.

Who added it and when is an entry of the ledger. Under the id of another it takes the
place of that one, which stays in the ledger.`,
		Example: `  vouch attestation add --control CM-6.3 --subject acme/shop#412 --statement 'TLS 1.3 is served' \
    --made-by carol --role security-reviewer --evidence https://wiki.acme.example/tls --directory directory.yaml
  vouch attestation add --file attestations.yaml --directory directory.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := f.own(cmd.Flags(), "id", "control", "subject", "statement", "made-by", "role", "made-at", "valid-until", "evidence", "independence", "supersedes")
			if err != nil {
				return err
			}
			list, err := f.attestations(sys)
			if err != nil {
				return err
			}
			return f.record(cmd.Context(), sys, list)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.attestation.ID, "id", "", "its id (default: one is made up)")
	flags.StringVar(&f.attestation.Control, "control", "", "control that it is for")
	flags.StringVar(&f.attestation.Subject, "subject", "", "what it is about, such as acme/shop#412, or a pattern, acme/shop#*")
	flags.StringVar(&f.attestation.Statement, "statement", "", "what was seen")
	flags.StringVar(&f.attestation.MadeBy, "made-by", "", "who states it")
	flags.StringVar(&f.attestation.Role, "role", "", "in which role (default: any that may)")
	flags.StringVar(&f.made, "made-at", "", "instant (RFC 3339) at which it was stated (default: now)")
	flags.StringVar(&f.valid, "valid-until", "", "instant (RFC 3339) until which it holds, or how long after it was made, such as 90d (default: for good)")
	flags.StringArrayVar(&f.evidence, "evidence", nil, "where it can be seen, URI or URI=SHA256 with the digest of what is there; repeatable")
	flags.StringVar(&f.attestation.Independence, "independence", "", "of whom the person is independent, in words")
	flags.StringVar(&f.attestation.Supersedes, "supersedes", "", "id of the attestation that this one takes back")
	f.declare(cmd, "attestations")
	return cmd
}

// attestations are those of the file, or the one of the flags.
func (f *attestationFlags) attestations(sys System) ([]engine.Attestation, error) {
	if f.file != "" {
		list, err := app.ReadAttestations(f.file)
		return list, badFile(sys, f.file, err)
	}
	a := f.attestation
	var err error
	if a.MadeAt, err = atOr("made-at", f.made, sys.Now()); err != nil {
		return nil, err
	}
	if a.ValidUntil, err = later("valid-until", f.valid, *a.MadeAt); err != nil {
		return nil, err
	}
	for _, text := range f.evidence {
		one := map[string]any{"uri": text}
		// A URI may have an equals sign of its own; a digest has 64 digits.
		if i := strings.LastIndexByte(text, '='); i >= 0 && len(text)-i-1 == 64 {
			one = map[string]any{"uri": text[:i], "sha256": text[i+1:]}
		}
		a.Evidence = append(a.Evidence, one)
	}
	if a.ID == "" {
		a.ID = nameOf("att-", *a.MadeAt, a.Control, a.Subject, a.MadeBy)
	}
	return []engine.Attestation{a}, nil
}

func (f *attestationFlags) record(ctx context.Context, sys System, list []engine.Attestation) error {
	return f.add(ctx, sys, func(s app.Statements) error {
		id := func(a engine.Attestation) string { return a.ID }
		check := func(a engine.Attestation) ([]schemas.Fault, error) { return s.CheckAttestation(ctx, a) }
		if err := checkAll(sys, f.statementFlags, "attestation", list, id, check); err != nil {
			return err
		}
		for _, a := range list {
			if err := s.AddAttestation(ctx, a, f.by); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(sys.Stdout, "attestation %s of %s for %s, made by %s\n", report.Printable(a.ID),
				report.Printable(a.Control), report.Printable(a.Subject), report.Printable(a.MadeBy)); err != nil {
				return err
			}
		}
		return nil
	})
}

type attestationView struct {
	engine.Attestation
	addedBy
}

func newAttestationListCommand(sys System) *cobra.Command {
	return newListCommand(sys, "List the attestations of the journal, as they stand", `  vouch attestation list -o json`, "no attestation: vouch attestation add records one",
		func(ctx context.Context, s *store.Store) (report.Grid, any, error) {
			list, err := s.Attestations(ctx)
			if err != nil {
				return report.Grid{}, nil, err
			}
			actions, err := app.Added(ctx, s, ledger.KindAttestation)
			if err != nil {
				return report.Grid{}, nil, err
			}
			g := report.Grid{Headings: []string{"ID", "CONTROL", "SUBJECT", "MADE BY", "ROLE", "MADE AT", "UNTIL", "ADDED BY", "STATEMENT"}, Outcome: -1, Gives: 8}
			views := []attestationView{}
			for _, a := range list {
				v := attestationView{a, addedOf(actions, a.ID)}
				views = append(views, v)
				g.Rows = append(g.Rows, []string{a.ID, a.Control, a.Subject, a.MadeBy, a.Role, instantOf(a.MadeAt), instantOf(a.ValidUntil), v.By, a.Statement})
			}
			return g, views, nil
		})
}
