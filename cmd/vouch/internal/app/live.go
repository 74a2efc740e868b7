package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// Surroundings is what a live collector may use of the process it runs in.
type Surroundings struct {
	LookupEnv func(string) (string, bool) // credentials
	Notice    func(string)                // told of every wait
	Now       time.Time                   // when the collection began
	Prefix    string                      // of the names of flags, "" or such as "git-"
}

// flag is the name of a flag as the person who reads a message would write it.
func (s Surroundings) flag(name string) string { return "--" + s.Prefix + name }

// Live says where a live collection goes: into the spool or the folder that is named.
// Without either the events are written to Out as they come, and nothing is
// remembered. A dry run reads everything and keeps nothing.
type Live struct {
	Window collectors.Window
	Spool  collectors.Spool
	Folder string
	Out    io.Writer
	DryRun bool
}

// Collect runs collectors one after the other, and the next although one failed:
// they read different things. step is told of every finished step.
func (l Live) Collect(ctx context.Context, all []collectors.Collector, step func(name string, b collectors.Batch)) ([]collectors.Summary, error) {
	spool, done, err := l.open()
	if err != nil {
		return nil, err
	}
	var summaries []collectors.Summary
	var faults []error
	for _, c := range all {
		s, err := collectors.Run(ctx, c, l.Window, spool, func(b collectors.Batch) { step(c.Name(), b) })
		summaries = append(summaries, s)
		if err != nil {
			faults = append(faults, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return summaries, errors.Join(append(faults, done())...)
}

func (l Live) open() (spool collectors.Spool, done func() error, err error) {
	done = func() error { return nil }
	if l.Spool != nil {
		return l.Spool, done, nil
	}
	if l.Folder == "" {
		out := l.Out
		if l.DryRun {
			out = io.Discard
		}
		return collectors.NewStream(out), done, nil
	}
	folder, err := collectors.OpenFolder(l.Folder)
	if err != nil {
		return nil, nil, err
	}
	if l.DryRun {
		return rehearsal{folder}, folder.Close, nil
	}
	return folder, folder.Close, nil
}

// rehearsal is a spool that knows its cursors and keeps nothing.
type rehearsal struct{ collectors.Spool }

func (rehearsal) Commit(context.Context, string, collectors.Batch) error { return nil }

// token returns the first secret found: the content of a file, or of variables.
func token(s Surroundings, file string, variables ...string) (string, error) {
	if file != "" {
		text, err := readSecret(file)
		if err != nil {
			return "", fmt.Errorf("token file: %w", err)
		}
		return text, nil
	}
	for _, name := range variables {
		if v, _ := s.LookupEnv(name); v != "" {
			return v, nil
		}
	}
	return "", nil
}

// readSecret reads a file that holds one secret and nothing else.
func readSecret(path string) (string, error) {
	text, err := readFile(path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}
