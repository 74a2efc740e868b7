package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/policy"
)

func newPolicyFmtCommand(sys System) *cobra.Command {
	var diff, fail, list, write bool
	cmd := &cobra.Command{
		Use:   "fmt PATH...",
		Short: "Lay out Rego files in the standard way",
		Long: `Lay out Rego files in the standard way, that of opa fmt. PATH is a file, a folder
or - for standard input, which is written to standard output. Files are
rewritten and named, unless --diff, --list or --fail asks only to look; --write
rewrites them all the same.

Exit codes: 0 done · 2 with --fail, some file is not laid out · 1 an error.`,
		Example: `  vouch policy fmt rego
  vouch policy fmt --fail --diff rego`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no Rego named: give files, folders, or - for standard input")
			}
			write = write || !diff && !fail && !list
			files, err := regoFiles(cmd.Context(), args)
			if err != nil {
				return err
			}
			changed := 0
			for _, path := range files {
				before, after, err := formatted(sys, path)
				if err != nil {
					return err
				}
				if path == app.Stdin && !diff && !fail && !list {
					if _, err := sys.Stdout.Write(after); err != nil {
						return err
					}
					continue
				}
				if bytes.Equal(before, after) {
					continue
				}
				changed++
				if diff {
					fmt.Fprint(sys.Stdout, udiff.Unified(path, path+" (laid out)", string(before), string(after)))
				} else {
					fmt.Fprintln(sys.Stdout, path)
				}
				if write && path != app.Stdin {
					if err := rewrite(path, after); err != nil {
						return err
					}
				}
			}
			if fail && changed > 0 {
				return exit(exitNonCompliant)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&diff, "diff", "d", false, "show what would change")
	flags.BoolVar(&fail, "fail", false, "exit 2 when some file is not laid out")
	flags.BoolVarP(&list, "list", "l", false, "only name the files that would change")
	flags.BoolVarP(&write, "write", "w", false, "rewrite files although --diff, --list or --fail is given")
	return cmd
}

// regoFiles lists the Rego files below the arguments, each once, in order. An
// argument without any is an error.
func regoFiles(ctx context.Context, args []string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	for _, arg := range args {
		if arg == app.Stdin {
			files = append(files, arg)
			continue
		}
		found := 0
		err := filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case entry.IsDir() && path != arg && strings.HasPrefix(entry.Name(), "."):
				return fs.SkipDir
			case entry.IsDir() || path != arg && !strings.HasSuffix(path, ".rego"):
				return nil
			}
			found++
			if !seen[path] {
				seen[path] = true
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if found == 0 {
			return nil, fmt.Errorf("%s holds no Rego files", arg)
		}
	}
	return files, nil
}

func formatted(sys System, path string) (before, after []byte, err error) {
	if path == app.Stdin {
		before, err = io.ReadAll(sys.Stdin)
	} else {
		before, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, nil, err
	}
	after, err = policy.Format(path, before)
	return before, after, err
}

func rewrite(path string, text []byte) error {
	f, err := app.CreateFile(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}
