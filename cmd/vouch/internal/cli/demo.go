package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

func newDemoCommand(sys System) *cobra.Command {
	var f evalFlags
	var keep string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Judge a recorded month of an invented company",
		Long: `Collect, assemble and judge the recorded month of an invented company. Nothing
outside this program is read. The exit code is 0 when all could be judged,
whatever the verdicts.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), sys, f, keep) },
	}
	cmd.Flags().StringVar(&keep, "keep", "", "write the recordings to this new folder and leave them there")
	f.declare(cmd)
	return cmd
}

func demo(ctx context.Context, sys System, f evalFlags, keep string) error {
	work, err := os.MkdirTemp("", "vouch-demo-*")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(work)
	folder := keep
	if folder == "" {
		folder = filepath.Join(work, "acme")
	}
	sample, err := app.OpenSample(folder)
	if err != nil {
		return err
	}
	events, err := sample.Events(ctx)
	if err != nil {
		return err
	}
	dir, err := app.ReadDirectory(sample.Directory())
	if err != nil {
		return err
	}
	policy, err := app.OpenPolicy(ctx, f.policy, sys.Version)
	if err != nil {
		return err
	}
	dossiers, _, err := app.Assemble(ctx, events, dir, policy, sample.At)
	if err != nil {
		return err
	}
	file := filepath.Join(work, "dossiers.ndjson")
	if err := writeDossiers(file, dossiers); err != nil {
		return err
	}
	docs, err := app.OpenDocuments(ctx, schemas.Dossier, []string{file}, sys.Stdin, time.Time{})
	if err != nil {
		return err
	}
	defer docs.Close()

	// The words around the table are for people only.
	words := io.Discard
	if slices.Equal(f.outputs, []string{"table"}) {
		words = sys.Stdout
	}
	fmt.Fprintf(words, "A month at Acme Surveys, an invented company: %s became %s, judged as of %s.\n\n",
		plural(len(events), "event"), plural(len(dossiers), "dossier"), sample.At.Format(time.RFC3339))
	summary, err := judge(ctx, sys, policy, docs, f)
	if err != nil {
		return err
	}
	if err := f.verdict(summary); exitCode(err) == exitError {
		return err
	}
	fmt.Fprint(words, tryNext(sample, keep != ""))
	return nil
}

// tryNext names commands that do by hand what the demo did.
func tryNext(sample app.Sample, kept bool) string {
	folder := sample.Folder
	first := ""
	if !kept {
		folder = "acme"
		first = "  vouch demo --keep acme\n"
	}
	return fmt.Sprintf(`
Try next:
%[1]s  vouch collect git --from %[2]s/github -o git.ndjson
  vouch collect render --from %[2]s/render -o render.ndjson
  vouch collect iam --from %[2]s/iam -o iam.ndjson
  vouch assemble --events git.ndjson,render.ndjson,iam.ndjson --directory %[2]s/directory.yaml --at %[3]s --out dossiers
  vouch eval dossiers
  vouch eval --explain dossiers/change-acme-survey-411.json
`, first, folder, sample.At.Format(time.RFC3339))
}

// writeDossiers writes one dossier a line to a new file.
func writeDossiers(path string, dossiers []engine.Dossier) error {
	f, err := app.CreateFile(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := app.WriteDossiers(f, dossiers); err != nil {
		return err
	}
	return f.Commit()
}
