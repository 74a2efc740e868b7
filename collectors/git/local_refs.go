package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// repositoryName is owner/name by the remote, else the name of the folder.
func (g clone) repositoryName(ctx context.Context) string {
	address, err := g.answer(ctx, "config", "--get", "remote."+g.remote(ctx)+".url")
	if name := remoteName(address); err == nil && name != "" {
		return name
	}
	if top, err := g.answer(ctx, "rev-parse", "--show-toplevel"); err == nil && top != "" {
		return filepath.Base(top)
	}
	return strings.TrimSuffix(filepath.Base(g.dir), ".git")
}

// remote is the remote that counts: origin, else the first by name.
func (g clone) remote(ctx context.Context) string {
	all, err := g.answer(ctx, "remote")
	remotes := strings.Fields(all)
	if err != nil || len(remotes) == 0 || slices.Contains(remotes, "origin") {
		return "origin"
	}
	return slices.Min(remotes)
}

var (
	scpAddress = regexp.MustCompile(`^(?:[^/@\s]+@)?([^/:\s]{2,}|\[[^\]]+\]):([^\s]+)$`)
	fullName   = regexp.MustCompile(`^[\w.~-]+(?:/[\w.~-]+)+$`)
)

// remoteName is the owner/name in the address of a remote, in every form that Git
// takes (git-clone, "GIT URLS"); "" for a path, which names no owner.
func remoteName(address string) string {
	place := ""
	if u, err := url.Parse(address); err == nil && u.Host != "" && u.Scheme != "file" {
		place = u.Path
	} else if match := scpAddress.FindStringSubmatch(address); match != nil && !strings.Contains(address, "://") {
		place = match[2]
	}
	name := strings.TrimSuffix(strings.Trim(path.Clean("/"+place), "/"), ".git")
	if !fullName.MatchString(name) {
		return ""
	}
	return name
}

// heads finds the branches by name, or the default branch.
func (g clone) heads(ctx context.Context, names []string) ([]Head, error) {
	remote := g.remote(ctx)
	standard := g.defaultBranch(ctx, remote)
	if len(names) == 0 {
		if standard == "" {
			return nil, errors.New("which branch is the default one is not known: name the branch")
		}
		names = []string{standard}
	}
	var out []Head
	for _, name := range names {
		head, err := g.head(ctx, remote, name)
		if err != nil {
			return nil, err
		}
		head.Default = head.Branch == standard
		if !slices.ContainsFunc(out, func(h Head) bool { return h.Branch == head.Branch }) {
			out = append(out, head)
		}
	}
	return out, nil
}

// defaultBranch is the remote's, as it was when it was cloned; else the usual one
// that there is; else the only branch, or the one checked out. "" if none.
func (g clone) defaultBranch(ctx context.Context, remote string) string {
	if ref, err := g.answer(ctx, "symbolic-ref", "--quiet", "refs/remotes/"+remote+"/HEAD"); err == nil {
		if branch, ok := strings.CutPrefix(ref, "refs/remotes/"+remote+"/"); ok {
			return branch
		}
	}
	for _, usual := range []string{"main", "master"} {
		if _, err := g.head(ctx, remote, usual); err == nil {
			return usual
		}
	}
	if ref, err := g.answer(ctx, "symbolic-ref", "--quiet", "HEAD"); err == nil {
		branch, _ := strings.CutPrefix(ref, "refs/heads/")
		return branch
	}
	return ""
}

// head finds a branch: as its remote has it, since what was not pushed has reached
// nothing; else as it is here.
func (g clone) head(ctx context.Context, remote, name string) (Head, error) {
	refs := []string{"refs/remotes/" + remote + "/" + name, "refs/heads/" + name}
	branch := name
	if strings.HasPrefix(name, "refs/") {
		refs, branch = []string{name}, strings.TrimPrefix(strings.TrimPrefix(name, "refs/heads/"), "refs/remotes/"+remote+"/")
	}
	for _, ref := range refs {
		if _, err := g.answer(ctx, "check-ref-format", ref); err != nil {
			return Head{}, fmt.Errorf("%q is no name of a branch", name)
		}
		id, err := g.answer(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
		if id = sha(id); err == nil && id != "" {
			return Head{Branch: branch, Ref: ref, SHA: id}, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Head{}, err
	}
	return Head{}, fmt.Errorf("there is no branch %q with a commit: git branch --all lists the branches", name)
}

// shallow lists the commits at which a shallow clone ends, nil for a whole one.
func (g clone) shallow(ctx context.Context) (map[string]bool, error) {
	if is, err := g.answer(ctx, "rev-parse", "--is-shallow-repository"); err != nil || is != "true" {
		return nil, err
	}
	list, err := g.talk(ctx, "rev-list", "--all", "HEAD", "--max-parents=0", "--")
	if err != nil {
		return nil, err
	}
	defer list.close()
	out := map[string]bool{}
	for {
		id, err := list.line()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out[id] = true
	}
}

// partial reports whether contents were left out when the repository was cloned.
func (g clone) partial(ctx context.Context) bool {
	found, err := g.answer(ctx, "config", "--get-regexp", `^(extensions\.partialclone|remote\..*\.(promisor|partialclonefilter))$`)
	return err == nil && found != ""
}

// span finds what of a branch belongs to a window: its newest commit in it, and the
// one below the oldest, both on the branch's own line. Without since and until the
// window has no beginning or no end; at is now. top is "" where nothing belongs to
// it, base where it reaches to the beginning.
//
// A commit bears any date its author likes. Only that of a commit with none later
// below it is believed to lie before the window; what is above belongs to it.
func (g clone) span(ctx context.Context, head string, since, until, at time.Time) (top, base string, err error) {
	if since.IsZero() && until.IsZero() {
		return head, "", nil
	}
	list, err := g.talk(ctx, "rev-list", "--first-parent", "--timestamp", head, "--")
	if err != nil {
		return "", "", err
	}
	defer list.close()
	var dated time.Time // of base
	for {
		line, err := list.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", "", err
		}
		stamp, id, _ := strings.Cut(line, " ")
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			return "", "", fmt.Errorf("git rev-list: %q", line)
		}
		date := time.Unix(seconds, 0)
		if top == "" && (until.IsZero() || !date.After(until)) {
			top = id
		}
		if base != "" && date.After(dated) && !date.After(at) {
			base = ""
		}
		if base == "" && date.Before(since) && !date.After(at) {
			base, dated = id, date
		}
	}
	if top == base {
		return "", "", nil
	}
	return top, base, nil
}

// beneath reports whether a commit is an ancestor of another.
func (g clone) beneath(ctx context.Context, id, of string) bool {
	if sha(id) == "" || of == "" {
		return false
	}
	_, err := g.answer(ctx, "merge-base", "--is-ancestor", id, of)
	return err == nil
}

// list lists the commits in top and in none of without, children before parents.
func (g clone) list(ctx context.Context, top string, without []string) (*dialogue, error) {
	args := []string{"rev-list", "--topo-order", top}
	for _, id := range without {
		if id != "" {
			args = append(args, "^"+id)
		}
	}
	return g.talk(ctx, append(args, "--")...)
}

// parents are those of a commit that is too large to read.
func (g clone) parents(ctx context.Context, id string) ([]string, error) {
	line, err := g.answer(ctx, "rev-list", "--parents", "--max-count=1", id, "--")
	if err != nil {
		return nil, err
	}
	return strings.Fields(line)[1:], nil
}

// verified is what Git makes of a signature: %G? in git-log's words.
type verified struct{ id, status, signer string }

var verdicts = map[string]string{
	"G": "good", "B": "bad", "U": "good, key of unknown validity", "X": "good, expired", "Y": "good, key expired",
	"R": "good, key revoked", "E": "not checked: the key is not here", "N": "unsigned",
}

func (v verified) words() string { return verdicts[v.status] }

// verified is true for a good signature, false for one that is not, nil for one
// that could not be checked.
func (v verified) verified() *bool {
	good := v.status == "G"
	if v.status == "E" || v.words() == "" {
		return nil
	}
	return &good
}

// verify asks for the signatures of commits.
func (g clone) verify(ctx context.Context, ids []string, alive func()) ([]verified, error) {
	var out []verified
	for part := range slices.Chunk(ids, 100) {
		args := append([]string{"log", "--no-walk=unsorted", "--no-color", "--no-show-signature", "--no-patch", "-z", "--format=%H %G? %GF"}, part...)
		text, err := g.answer(ctx, append(args, "--")...)
		if err != nil {
			return nil, err
		}
		for entry := range strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00") {
			fields := strings.Fields(entry)
			if len(fields) < 2 {
				return nil, fmt.Errorf("git log: %q", entry)
			}
			v := verified{id: fields[0], status: fields[1]}
			if len(fields) > 2 {
				v.signer = fields[2]
			}
			out = append(out, v)
		}
		alive()
	}
	return out, nil
}

// mailmap lists the names, each "Name <e-mail>", that the .mailmap of a commit
// takes for others.
func (g clone) mailmap(ctx context.Context, head string, names map[string]bool) ([]engine.MailmapFact, error) {
	if _, err := g.answer(ctx, "cat-file", "-e", head+":.mailmap"); err != nil {
		return nil, ctx.Err() // there is none
	}
	dir, err := g.answer(ctx, "rev-parse", "--absolute-git-dir")
	if err != nil {
		return nil, err
	}
	// From the repository's own folder, so that a file in the work tree does not count.
	inside := clone{dir: dir, env: g.env}
	d, err := inside.talk(ctx, "--git-dir="+dir, "-c", "mailmap.blob="+head+":.mailmap", "check-mailmap", "--stdin")
	if err != nil {
		return nil, err
	}
	defer d.close()
	var out []engine.MailmapFact
	for _, name := range slices.Sorted(mapKeys(names)) {
		before, ok := contact(name)
		if !ok {
			continue
		}
		if err := d.ask(name); err != nil {
			return nil, err
		}
		line, err := d.line()
		if err != nil {
			return nil, d.failed(err)
		}
		if after, ok := contact(line); ok && after != before {
			out = append(out, engine.MailmapFact{Name: before[0], Email: before[1], MappedName: after[0], MappedEmail: after[1]})
		}
	}
	return out, nil
}

// contact splits "Name <e-mail>"; not ok is what git check-mailmap would refuse.
func contact(s string) (parts [2]string, ok bool) {
	match := signedBy.FindStringSubmatch(s)
	if match == nil || match[2] == "" || strings.ContainsAny(s, "\n\r") {
		return parts, false
	}
	return [2]string{match[1], match[2]}, true
}
