package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clone runs git in one repository. Nothing that the repository or its user
// configured runs or changes an answer: no hook, pager, filter, external diff,
// monitor, mailmap or replacement, and no network.
type clone struct {
	dir string
	env []string
}

// neutral are the settings that would run a program or change what Git shows.
var neutral = []string{
	"core.hooksPath=/dev/null", "core.fsmonitor=false", "core.pager=cat", "core.commitGraph=false", "core.quotePath=true",
	"core.attributesFile=/dev/null", "core.sshCommand=false", "core.askPass=", "credential.helper=", "protocol.allow=never",
	"diff.external=", "diff.noprefix=false", "diff.mnemonicPrefix=false", "diff.wsErrorHighlight=none", "diff.suppressBlankEmpty=false",
	"gpg.program=gpg", "gpg.openpgp.program=gpg", "gpg.ssh.program=ssh-keygen", "gpg.x509.program=gpgsm", "log.showSignature=false",
	"mailmap.file=/dev/null", "maintenance.auto=false", "gc.auto=0",
}

// quick is how long Git may take for what is not long.
const quick = time.Minute

// maxObject bounds a commit: its message counts, to the last trailer.
const maxObject = 4 << 20

// openClone finds the repository at a path, its work tree or its own folder.
func openClone(ctx context.Context, path string) (clone, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return clone{}, fmt.Errorf("a clone is read with the git command, which was not found: install git: %w", err)
	}
	dir, err := filepath.Abs(path)
	if err != nil {
		return clone{}, fmt.Errorf("repository %s: %w", path, err)
	}
	if info, err := os.Stat(dir); err != nil {
		return clone{}, fmt.Errorf("repository %w", err)
	} else if !info.IsDir() {
		return clone{}, fmt.Errorf("repository %s is a file: name the folder of the clone", path)
	}
	g := clone{dir: dir, env: environment()}
	if _, err := g.answer(ctx, "rev-parse", "--git-dir"); err != nil {
		return clone{}, fmt.Errorf("%s is no Git repository that can be read: %w", path, err)
	}
	return g, nil
}

// environment is that of this process without what steers Git: a hook, for one,
// points it at another repository.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES": // where safe.directory is
		case "LANG", "LANGUAGE":
			continue
		default:
			if strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "LC_") {
				continue
			}
		}
		env = append(env, entry)
	}
	return append(env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1",
		"GIT_ALLOW_PROTOCOL=none", "GIT_ATTR_NOSYSTEM=1", "GIT_GRAFT_FILE=/dev/null/none", "GIT_PAGER=cat")
}

func (g clone) command(ctx context.Context, args ...string) *exec.Cmd {
	var all []string
	for _, setting := range neutral {
		all = append(all, "-c", setting)
	}
	cmd := exec.CommandContext(ctx, "git", append(all, args...)...)
	cmd.Dir, cmd.Env = g.dir, g.env
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// answer runs a command that says one short thing and returns it without the
// line break at its end.
func (g clone) answer(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, quick)
	defer cancel()
	cmd := g.command(ctx, args...)
	var out, errs tail
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", failure(args[0], errs.String(), err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// failure is what Git said went wrong.
func failure(command, said string, err error) error {
	if said = strings.TrimSpace(said); said != "" {
		return fmt.Errorf("git %s: %s", command, said)
	}
	return fmt.Errorf("git %s: %w", command, err)
}

// tail keeps the last of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	const room = 1 << 20
	if t.Len()+len(p) > room {
		t.Reset()
	}
	if len(p) > room {
		t.Buffer.Write(p[len(p)-room:])
	} else {
		t.Buffer.Write(p)
	}
	return len(p), nil
}

// dialogue is a git process that answers one question after the other, or only
// speaks. One goroutine uses it.
type dialogue struct {
	ended  func() error // why the context ended, nil while it has not
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errs   tail
	cancel context.CancelFunc
	waited bool
	err    error
}

func (g clone) talk(ctx context.Context, args ...string) (*dialogue, error) {
	ctx, cancel := context.WithCancel(ctx)
	name := args[slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") && !strings.Contains(arg, "=") })]
	d := &dialogue{ended: func() error { return context.Cause(ctx) }, name: name, cmd: g.command(ctx, args...), cancel: cancel}
	d.cmd.Stderr = &d.errs
	in, err := d.cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, fmt.Errorf("git %s: %w", d.name, err)
	}
	out, err := d.cmd.StdoutPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("git %s: %w", d.name, err)
	}
	d.in, d.out = in, bufio.NewReaderSize(out, 64<<10)
	return d, nil
}

// ask sends a line.
func (d *dialogue) ask(line string) error {
	if _, err := io.WriteString(d.in, line+"\n"); err != nil {
		return d.failed(err)
	}
	return nil
}

// line is the next line of the answer, without its end; io.EOF after the last.
func (d *dialogue) line() (string, error) {
	line, err := d.out.ReadString('\n')
	if errors.Is(err, io.EOF) && line == "" {
		if err := d.wait(); err != nil {
			return "", err
		}
		return "", io.EOF
	}
	if err != nil {
		return "", d.failed(err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// failed tells an error of the process for the error of a pipe that it caused.
func (d *dialogue) failed(err error) error {
	if said := d.wait(); said != nil {
		return said
	}
	return fmt.Errorf("git %s: %w", d.name, err)
}

func (d *dialogue) wait() error {
	if d.waited {
		return d.err
	}
	d.waited = true
	_ = d.in.Close() // it may be closed already
	if err := d.cmd.Wait(); err != nil {
		d.err = failure(d.name, d.errs.String(), err)
		if cause := d.ended(); cause != nil {
			d.err = cause
		}
	}
	return d.err
}

// close ends the process.
func (d *dialogue) close() {
	d.cancel()
	_ = d.wait() // ended because it was told to
}

// tooLarge is a commit that is larger than any commit should be.
type tooLarge struct {
	id   string
	size int64
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("commit %s is %d bytes long, more than %d MiB: it was not read", e.id, e.size, maxObject>>20)
}

// object returns the bytes of a commit from git cat-file --batch.
func (d *dialogue) object(id string) ([]byte, error) {
	if err := d.ask(id); err != nil {
		return nil, err
	}
	head, err := d.line()
	if err != nil {
		return nil, d.failed(err)
	}
	fields := strings.Fields(head)
	if len(fields) != 3 || fields[0] != id || fields[1] != "commit" {
		return nil, fmt.Errorf("git cat-file: %s: the clone is damaged or lacks objects: git fsck tells more", head)
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return nil, fmt.Errorf("git cat-file: %s", head)
	}
	if size > maxObject {
		if _, err := io.CopyN(io.Discard, d.out, size+1); err != nil {
			return nil, d.failed(err)
		}
		return nil, &tooLarge{id, size}
	}
	raw := make([]byte, size+1)
	if _, err := io.ReadFull(d.out, raw); err != nil {
		return nil, d.failed(err)
	}
	return raw[:size], nil
}
