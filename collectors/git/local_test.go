package git

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// workshop is a repository in the making; every commit is a minute after the last.
type workshop struct {
	t    testing.TB
	dir  string
	at   time.Time
	name string
	mail string
}

func newWorkshop(t testing.TB, name string) *workshop {
	t.Helper()
	w := &workshop{t: t, dir: filepath.Join(t.TempDir(), name), at: time.Date(2026, 11, 10, 9, 0, 0, 0, time.UTC), name: "Alice", mail: "alice@acme.example"}
	w.run("", "init", "--quiet", "--initial-branch=main", w.dir)
	return w
}

// run runs git as the person whose turn it is, and returns what it says.
func (w *workshop) run(stdin string, args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	if args[0] != "init" && args[0] != "clone" {
		cmd.Dir = w.dir
	}
	date := w.at.Format(time.RFC3339)
	cmd.Env = append(environment(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_ALLOW_PROTOCOL=file", "HOME="+w.t.TempDir(),
		"GIT_AUTHOR_NAME="+w.name, "GIT_AUTHOR_EMAIL="+w.mail, "GIT_AUTHOR_DATE="+date,
		"GIT_COMMITTER_NAME="+w.name, "GIT_COMMITTER_EMAIL="+w.mail, "GIT_COMMITTER_DATE="+date)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *workshop) write(path, text string) {
	w.t.Helper()
	full := filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// commit commits everything and returns the id.
func (w *workshop) commit(message string) string {
	w.t.Helper()
	w.at = w.at.Add(time.Minute)
	w.run("", "add", "--all")
	w.run(message, "commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-")
	return w.run("", "rev-parse", "HEAD")
}

// merge merges a branch with a commit of its own and returns the id.
func (w *workshop) merge(branch, message string) string {
	w.t.Helper()
	w.at = w.at.Add(time.Minute)
	w.run("", "merge", "--quiet", "--no-ff", "--no-edit", "-m", message, branch)
	return w.run("", "rev-parse", "HEAD")
}

var until = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// collection is what a collection of a clone gave.
type collection struct {
	events  []engine.Event
	batches []collectors.Batch
	faults  []collectors.Fault
	cursor  json.RawMessage
}

func collect(t testing.TB, dir string, o LocalOptions, since time.Time, cursor json.RawMessage) collection {
	t.Helper()
	c, err := tryCollect(t.Context(), dir, o, since, cursor)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.events {
		for _, fault := range schemas.Validate(schemas.Event, engine.Facts(e)) {
			t.Errorf("%s: %v", e.ID, fault)
		}
	}
	return c
}

func tryCollect(ctx context.Context, dir string, o LocalOptions, since time.Time, cursor json.RawMessage) (collection, error) {
	var c collection
	if o.At.IsZero() {
		o.At = until
	}
	l, err := OpenLocal(ctx, dir, o)
	if err != nil {
		return c, err
	}
	err = l.Collect(ctx, collectors.Window{Since: since, Until: until}, cursor, func(b collectors.Batch) error {
		c.batches = append(c.batches, b)
		c.events = append(c.events, b.Events...)
		c.faults = append(c.faults, b.Faults...)
		if b.Cursor != nil {
			c.cursor = b.Cursor
		}
		return nil
	})
	return c, err
}

// of decodes the events of one type by subject.
func of[T any](t testing.TB, c collection, kind string) map[string]T {
	t.Helper()
	out := map[string]T{}
	for _, e := range c.events {
		if e.Type != kind {
			continue
		}
		var fact T
		if err := e.Decode(&fact); err != nil {
			t.Fatal(err)
		}
		out[e.Subject.ID] = fact
	}
	return out
}

func TestLocalCommits(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.run("", "remote", "add", "origin", "git@github.com:acme/shop.git")
	w.write("app.go", "package app\n")
	root := w.commit("Begin\n")
	w.run("", "switch", "--quiet", "--create", "feature")
	w.name, w.mail = "Bob", "bob@acme.example"
	w.write("app.go", "package app\n\nvar x = 1\n")
	w.write("infra/tls/a b.conf", "min = 1.2\n")
	side := w.commit("Say x\n\nWith care.\n\nCo-authored-by: Carol <7+carol@users.noreply.github.com>\nSigned-off-by: Bob <bob@acme.example>\nClaude-Session: none\n")
	w.run("", "switch", "--quiet", "main")
	w.name, w.mail = "Alice", "alice@acme.example"
	w.write("README.md", "Shop\n")
	direct := w.commit("Describe the shop (#11)")
	merge := w.merge("feature", "Merge pull request #12 from acme/feature\n\nSay x")
	w.run("", "mv", "app.go", "main.go")
	w.run("", "rm", "--quiet", "README.md")
	if err := os.Symlink("main.go", filepath.Join(w.dir, "link")); err != nil {
		t.Fatal(err)
	}
	w.write("logo.png", "\x89PNG\x00\x01")
	last := w.commit("Move things")

	c := collect(t, w.dir, LocalOptions{}, time.Time{}, nil)
	commits := of[engine.CommitFact](t, c, "commit.recorded")
	if len(commits) != 5 {
		t.Fatalf("%d commits, want 5", len(commits))
	}
	when := time.Date(2026, 11, 10, 9, 2, 0, 0, time.UTC)
	bob := engine.SignatureFacts{Name: "Bob", Email: "bob@acme.example", At: &when}
	no := false
	want := engine.CommitFact{
		Repository: "acme/shop", SHA: side, TreeSHA: w.run("", "rev-parse", side+"^{tree}"), Parents: []string{root}, Author: bob, Committer: &bob,
		CoAuthors:    []engine.SignatureFacts{{Name: "Carol", Email: "7+carol@users.noreply.github.com", Account: "carol"}},
		Message:      "Say x\n\nWith care.\n\nCo-authored-by: Carol <7+carol@users.noreply.github.com>\nSigned-off-by: Bob <bob@acme.example>\nClaude-Session: none\n",
		Trailers:     map[string]string{"co-authored-by": "Carol <7+carol@users.noreply.github.com>", "signed-off-by": "Bob <bob@acme.example>", "claude-session": "none"},
		Verification: "unsigned", MergeFromBase: &no,
	}
	if diff := cmp.Diff(want, commits[side]); diff != "" {
		t.Errorf("the commit on the side branch (-want +got):\n%s", diff)
	}
	if got := commits[merge].Parents; !cmp.Equal(got, []string{direct, side}) {
		t.Errorf("parents of the merge: %v", got)
	}
	for id, want := range map[string][]int{merge: {12}, direct: {11}, side: nil} {
		if got := commits[id].Numbers; !cmp.Equal(got, want) {
			t.Errorf("commit %s hints at %v, want %v", id, got, want)
		}
	}

	lists := of[engine.FileListFact](t, c, "change.files_listed")
	if _, listed := lists[side]; listed || len(lists) != 4 {
		t.Errorf("%d lists of files, of the side branch: %v", len(lists), listed)
	}
	one, two, zero := 1, 2, 0
	wantFiles := map[string][]engine.FileFacts{
		merge: {
			{Path: "app.go", Status: "modified", Additions: &two, Deletions: &zero, Patch: "@@ -1 +1,3 @@\n package app\n+\n+var x = 1"},
			{Path: "infra/tls/a b.conf", Status: "added", Additions: &one, Deletions: &zero, Patch: "@@ -0,0 +1 @@\n+min = 1.2"},
		},
		last: {
			{Path: "README.md", Status: "removed", Additions: &zero, Deletions: &one, Patch: "@@ -1 +0,0 @@\n-Shop"},
			{Path: "link", Status: "added", Additions: &one, Deletions: &zero, Patch: "@@ -0,0 +1 @@\n+main.go\n\\ No newline at end of file"},
			{Path: "logo.png", Status: "added"},
			{Path: "main.go", PreviousPath: "app.go", Status: "renamed", Additions: &zero, Deletions: &zero},
		},
	}
	for id, want := range wantFiles {
		if diff := cmp.Diff(want, lists[id].Files); diff != "" || !lists[id].Complete {
			t.Errorf("files of %s (-want +got), complete %v:\n%s", commits[id].Message, lists[id].Complete, diff)
		}
	}

	yes := true
	heads := of[engine.BranchHeadFact](t, c, "branch.observed")
	if diff := cmp.Diff(map[string]engine.BranchHeadFact{"acme/shop:main": {Repository: "acme/shop", Branch: "main", SHA: last, DefaultBranch: &yes}}, heads); diff != "" {
		t.Errorf("the branch (-want +got):\n%s", diff)
	}
	for _, e := range c.events {
		raw := exec.CommandContext(t.Context(), "git", "-C", w.dir, "cat-file", "commit", e.Subject.ID)
		if e.Type != "commit.recorded" {
			continue
		}
		if bytes, err := raw.Output(); err != nil || engine.Digest(bytes) != e.Evidence.Digest {
			t.Errorf("the evidence of %s is not the commit itself: %v", e.ID, err)
		}
		if e.Actor != nil {
			t.Errorf("%s names an actor, but Git knows none: %v", e.ID, e.Actor)
		}
	}
}

func TestLocalCoverage(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.commit("Begin")
	c := collect(t, w.dir, LocalOptions{}, time.Time{}, nil)
	got := of[engine.CoverageFact](t, c, "coverage.recorded")["shop"]
	from, n := time.Date(2026, 11, 10, 9, 1, 0, 0, time.UTC), 1
	want := engine.CoverageFact{
		Source: "git", Status: "incomplete", From: &from, To: &until, Repository: "shop",
		Missing: unknown, Reason: unknownWhy, Counts: &engine.CoverageFactCounts{Records: &n},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

// A date is what its author wrote: what lies above a commit of the window belongs
// to it, whatever it says.
func TestLocalWindow(t *testing.T) {
	w := newWorkshop(t, "shop")
	day := func(d int) time.Time { return time.Date(2026, 11, d, 12, 0, 0, 0, time.UTC) }
	var ids []string
	for i, at := range []time.Time{day(1), day(5), day(6), day(2), day(8), day(30)} {
		w.at = at.Add(-time.Minute)
		ids = append(ids, w.commit(fmt.Sprint(i)))
	}
	for name, test := range map[string]struct {
		since, until time.Time
		want         []string
	}{
		"everything":                 {time.Time{}, time.Time{}, ids},
		"since the fifth":            {day(5), time.Time{}, ids[1:]},
		"a backdated one is no gap":  {day(6), time.Time{}, ids[2:]},
		"up to the sixth":            {time.Time{}, day(6), ids[:4]},
		"between":                    {day(5), day(6), ids[1:4]},
		"nothing so late":            {day(31), day(31), ids[5:]},
		"nothing so early":           {time.Time{}, day(1).Add(-time.Hour), nil},
		"one dated after it is read": {day(9), time.Time{}, ids[5:]},
	} {
		l, err := OpenLocal(t.Context(), w.dir, LocalOptions{At: until})
		if err != nil {
			t.Fatal(err)
		}
		var c collection
		window := collectors.Window{Since: test.since, Until: test.until}
		if window.Until.IsZero() {
			window.Until = until
		}
		if err := l.Collect(t.Context(), window, nil, func(b collectors.Batch) error { c.events = append(c.events, b.Events...); return nil }); err != nil {
			t.Fatal(err)
		}
		got := of[engine.CommitFact](t, c, "commit.recorded")
		for _, id := range test.want {
			if _, ok := got[id]; !ok {
				t.Errorf("%s: commit %s is missing", name, w.run("", "log", "-1", "--format=%s %cI", id))
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %d commits, want %d", name, len(got), len(test.want))
		}
		for _, e := range c.events {
			if e.OccurredAt.After(until) {
				t.Errorf("%s: %s happened after it was read", name, e.ID)
			}
		}
	}
}

// A later collection goes on where one ended, and begins anew where history was
// rewritten.
func TestLocalCursor(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.commit("one")
	first := collect(t, w.dir, LocalOptions{}, time.Time{}, nil)
	two := w.commit("two")
	second := collect(t, w.dir, LocalOptions{}, time.Time{}, first.cursor)
	if got := of[engine.CommitFact](t, second, "commit.recorded"); len(got) != 1 || got[two].SHA != two {
		t.Errorf("the second collection read %d commits, want the new one", len(got))
	}
	w.run("", "reset", "--quiet", "--hard", "HEAD~1")
	w.commit("another two")
	third := collect(t, w.dir, LocalOptions{}, time.Time{}, second.cursor)
	if got := of[engine.CommitFact](t, third, "commit.recorded"); len(got) != 2 {
		t.Errorf("after a rewrite %d commits were read, want both", len(got))
	}
	if _, err := tryCollect(t.Context(), w.dir, LocalOptions{}, time.Time{}, json.RawMessage("[")); err == nil || !strings.Contains(err.Error(), "cursor") {
		t.Errorf("a broken cursor: %v", err)
	}
}

func TestLocalBranches(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.commit("one")
	w.run("", "switch", "--quiet", "--create", "release/1.x")
	patch := w.commit("patch")
	w.run("", "switch", "--quiet", "main")
	w.commit("two")
	clone := filepath.Join(t.TempDir(), "clone")
	w.run("", "clone", "--quiet", w.dir, clone)
	three := w.commit("three, which the clone has not")

	head := func(dir string, branches ...string) string {
		l, err := OpenLocal(t.Context(), dir, LocalOptions{Branches: branches})
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, h := range l.Heads() {
			out = append(out, fmt.Sprintf("%s %s %v", h.Branch, h.Ref, h.Default))
		}
		return strings.Join(out, ", ")
	}
	for name, test := range map[string]struct{ got, want string }{
		"here":               {head(w.dir), "main refs/heads/main true"},
		"a clone":            {head(clone), "main refs/remotes/origin/main true"},
		"a branch":           {head(clone, "release/1.x"), "release/1.x refs/remotes/origin/release/1.x false"},
		"two":                {head(w.dir, "main", "release/1.x", "main"), "main refs/heads/main true, release/1.x refs/heads/release/1.x false"},
		"a ref":              {head(clone, "refs/heads/main"), "main refs/heads/main true"},
		"none such":          {head(w.dir, "mian"), `repository ` + w.dir + `: there is no branch "mian" with a commit: git branch --all lists the branches`},
		"an option":          {head(w.dir, "--all"), `repository ` + w.dir + `: there is no branch "--all" with a commit: git branch --all lists the branches`},
		"no name":            {head(w.dir, "main~1"), `repository ` + w.dir + `: "main~1" is no name of a branch`},
		"a name with a line": {head(w.dir, "ma\nin"), `repository ` + w.dir + `: "ma\nin" is no name of a branch`},
	} {
		if test.got != test.want {
			t.Errorf("%s: %s\nwant %s", name, test.got, test.want)
		}
	}
	got := of[engine.CommitFact](t, collect(t, w.dir, LocalOptions{Branches: []string{"main", "release/1.x"}}, time.Time{}, nil), "commit.recorded")
	if len(got) != 4 || got[patch].SHA == "" || got[three].SHA == "" {
		t.Errorf("two branches gave %d commits, want 4", len(got))
	}
}

func TestLocalRefuses(t *testing.T) {
	empty := newWorkshop(t, "empty")
	file := filepath.Join(empty.dir, "file")
	empty.write("file", "")
	for name, test := range map[string]struct{ path, want string }{
		"nothing":       {filepath.Join(empty.dir, "no"), "no such file"},
		"a file":        {file, "is a file: name the folder of the clone"},
		"no repository": {t.TempDir(), "is no Git repository"},
		"no commit":     {empty.dir, "there is no branch"},
	} {
		if _, err := OpenLocal(t.Context(), test.path, LocalOptions{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := OpenLocal(t.Context(), empty.dir, LocalOptions{}); err == nil || !strings.Contains(err.Error(), "install git") {
		t.Errorf("without git: %v", err)
	}
}

func TestLocalShallow(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.write("a", "a\n")
	w.commit("one")
	w.write("b", "b\n")
	bottom := w.commit("two")
	w.write("c", "c\n")
	top := w.commit("three")
	clone := filepath.Join(t.TempDir(), "shop")
	w.run("", "clone", "--quiet", "--depth=2", "file://"+w.dir, clone)
	c := collect(t, clone, LocalOptions{}, time.Time{}, nil)
	lists := of[engine.FileListFact](t, c, "change.files_listed")
	if _, listed := lists[bottom]; listed || len(lists[top].Files) != 1 {
		t.Errorf("lists of files: %v; the lowest commit cannot be compared", lists)
	}
	if got := of[engine.CommitFact](t, c, "commit.recorded"); len(got) != 2 || len(got[bottom].Parents) != 1 {
		t.Errorf("commits: %v", got)
	}
	coverage := of[engine.CoverageFact](t, c, "coverage.recorded")["shop"]
	if !strings.Contains(strings.Join(coverage.Missing, " "), "commits") || !strings.Contains(coverage.Reason, "--unshallow") {
		t.Errorf("coverage of a shallow clone: %+v", coverage)
	}
}

func TestLocalPartial(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.run("", "config", "uploadpack.allowFilter", "true")
	w.write("a", "a\n")
	w.commit("one")
	w.write("a", "b\n")
	top := w.commit("two")
	clone := filepath.Join(t.TempDir(), "shop")
	w.run("", "clone", "--quiet", "--bare", "--filter=blob:none", "file://"+w.dir, clone)
	c := collect(t, clone, LocalOptions{}, time.Time{}, nil)
	want := []engine.FileFacts{{Path: "a", Status: "modified"}}
	if diff := cmp.Diff(want, of[engine.FileListFact](t, c, "change.files_listed")[top].Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if coverage := of[engine.CoverageFact](t, c, "coverage.recorded")["shop"]; !strings.Contains(strings.Join(coverage.Missing, " "), "patches") {
		t.Errorf("coverage of a partial clone: %+v", coverage)
	}
}

// Nothing in a repository or in the user's settings runs or changes what is read.
func TestLocalHostile(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.write("a.sql", "select 1;\n")
	w.commit("one")
	trap := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "trap")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+trap+"\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(".gitattributes", "*.sql -diff diff=trap\n")
	w.write("a.sql", "drop table orders;\n=end\n")
	w.write("--output=x", "option\n")
	w.write("new\nline\t\"q\"\xff", "odd\n")
	w.write(".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ./s\n\tignore = all\n")
	w.write("long.txt", strings.Repeat("x", 200<<10)+"\n")
	hostile := w.commit("two\n\ncommit 3\x1b[31m")
	w.run("", "update-index", "--add", "--cacheinfo", "160000,"+hostile+",s")
	w.at = w.at.Add(time.Minute)
	w.run("", "commit", "--quiet", "-m", "three")
	three := w.run("", "rev-parse", "HEAD")
	for _, setting := range []string{"diff.external", "diff.trap.textconv", "core.pager", "core.fsmonitor", "gpg.program", "core.sshCommand", "diff.trap.command"} {
		w.run("", "config", setting, script)
	}
	w.run("", "config", "diff.noprefix", "true")
	w.run("", "config", "color.ui", "always")
	w.run("", "config", "log.showSignature", "true")
	w.run("", "replace", three, hostile)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_EXTERNAL_DIFF", script)

	c := collect(t, w.dir, LocalOptions{Signatures: true}, time.Time{}, nil)
	if _, err := os.Stat(trap); err == nil {
		t.Error("a program that the repository names was run")
	}
	files := map[string]engine.FileFacts{}
	for _, f := range of[engine.FileListFact](t, c, "change.files_listed")[hostile].Files {
		files[f.Path] = f
	}
	if got := files["a.sql"].Patch; got != "@@ -1 +1,2 @@\n-select 1;\n+drop table orders;\n+=end" {
		t.Errorf("an attribute hides a patch: %q", got)
	}
	if f := files["long.txt"]; f.Patch != "" || f.Additions == nil || *f.Additions != 1 {
		t.Errorf("a long line: %d bytes of patch, additions %v", len(f.Patch), f.Additions)
	}
	for _, name := range []string{"--output=x", "new\nline\t\"q\"\uFFFD"} {
		if files[name].Status != "added" {
			t.Errorf("file %q: %+v", name, files[name])
		}
	}
	if got := of[engine.FileListFact](t, c, "change.files_listed")[three].Files; len(got) != 1 || got[0].Path != "s" {
		t.Errorf("a submodule that asks to be ignored: %+v", got)
	}
	commits := of[engine.CommitFact](t, c, "commit.recorded")
	if len(commits) != 3 || commits[three].Message != "three\n" {
		t.Errorf("commits: %v", commits)
	}
}

func TestLocalMailmap(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.mail = "alice@home.example"
	w.write(".mailmap", "Alice A <alice@acme.example> <alice@home.example>\n")
	w.commit("one")
	w.name, w.mail = "Bob", "bob@home.example"
	w.commit("two")
	w.write(".mailmap", "Mallory <mallory@evil.example> <bob@home.example>\n") // not committed
	got := of[engine.MailmapFact](t, collect(t, w.dir, LocalOptions{}, time.Time{}, nil), "identity.mapped")
	want := map[string]engine.MailmapFact{"alice@home.example": {Repository: "shop", Name: "Alice", Email: "alice@home.example", MappedName: "Alice A", MappedEmail: "alice@acme.example"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mailmap (-want +got):\n%s", diff)
	}
}

func TestLocalSignatures(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Fatal("ssh-keygen is needed to sign a commit")
	}
	w := newWorkshop(t, "shop")
	plain := w.commit("one")
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", w.mail, "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	allowed := filepath.Join(t.TempDir(), "allowed")
	if err := os.WriteFile(allowed, append([]byte(w.mail+" "), public...), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("", "config", "gpg.format", "ssh")
	w.run("", "config", "user.signingKey", key)
	w.run("", "config", "gpg.ssh.allowedSignersFile", allowed)
	w.at = w.at.Add(time.Minute)
	w.run("", "commit", "--quiet", "--allow-empty", "--gpg-sign", "-m", "two")
	signed := w.run("", "rev-parse", "HEAD")

	commits := of[engine.CommitFact](t, collect(t, w.dir, LocalOptions{}, time.Time{}, nil), "commit.recorded")
	if commits[plain].Verification != "unsigned" || commits[signed].Verification != "ssh signature, not verified" || commits[signed].Verified != nil {
		t.Errorf("without keys: %q, %q", commits[plain].Verification, commits[signed].Verification)
	}
	for _, e := range collect(t, w.dir, LocalOptions{Signatures: true}, time.Time{}, nil).events {
		if !strings.Contains(e.ID, ":signature:") {
			continue
		}
		var fact engine.CommitFact
		if err := e.Decode(&fact); err != nil {
			t.Fatal(err)
		}
		if fact.SHA != signed || fact.Verified == nil || !*fact.Verified || fact.Verification != "good" || fact.Signer == "" {
			t.Errorf("signature: %+v", fact)
		}
		return
	}
	t.Error("no signature was verified")
}

func TestLocalEnds(t *testing.T) {
	w := newWorkshop(t, "shop")
	w.commit("one")
	ctx, cancel := context.WithCancel(t.Context())
	l, err := OpenLocal(ctx, w.dir, LocalOptions{At: until})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = l.Collect(ctx, collectors.Window{Until: until}, nil, func(collectors.Batch) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("after the end: %v", err)
	}
	full := fmt.Errorf("the disk is full")
	if l, err = OpenLocal(t.Context(), w.dir, LocalOptions{At: until}); err != nil {
		t.Fatal(err)
	}
	if err := l.Collect(t.Context(), collectors.Window{Until: until}, nil, func(collectors.Batch) error { return full }); err == nil || !strings.Contains(err.Error(), full.Error()) {
		t.Errorf("a commit that fails: %v", err)
	}
}

func TestRemoteName(t *testing.T) {
	for address, want := range map[string]string{
		"git@github.com:acme/shop.git":                      "acme/shop",
		"github.com:acme/shop":                              "acme/shop",
		"https://github.com/acme/shop.git":                  "acme/shop",
		"https://github.com/acme/shop/":                     "acme/shop",
		"https://x-access-token:ghs_1@github.com/acme/shop": "acme/shop",
		"ssh://git@github.com/acme/shop.git":                "acme/shop",
		"ssh://git@ssh.github.com:443/acme/shop.git":        "acme/shop",
		"git://github.com/acme/shop.git":                    "acme/shop",
		"git@github.com:/acme/shop.git":                     "acme/shop",
		"https://ghe.acme.example/platform/shop.git":        "platform/shop",
		"git@gitlab.com:acme/web/shop.git":                  "acme/web/shop",
		"gh:acme/shop":                                      "acme/shop",
		"/srv/git/acme/shop.git":                            "",
		"file:///srv/git/acme/shop.git":                     "",
		"../shop":                                           "",
		"C:\\git\\shop":                                     "",
		"C:/git/shop":                                       "",
		"":                                                  "",
		"https://github.com/acme/sh op":                     "",
		"https://github.com/../../x":                        "",
	} {
		if got := remoteName(address); got != want {
			t.Errorf("remoteName(%q) = %q, want %q", address, got, want)
		}
	}
}

func FuzzParseObject(f *testing.F) {
	f.Add([]byte("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n"))
	f.Add([]byte("parent x\nauthor <>\nencoding latin1\ngpgsig -----BEGIN SSH SIGNATURE-----\n x\n\n\xe9\n\nCo-authored-by: B <b@c>"))
	f.Add([]byte("author A <a@b> 99999999999999999999 +0000"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fact := parseObject(raw).fact("acme/shop", strings.Repeat("a", 40))
		if back := engine.Facts(fact); !json.Valid(back) || bytes.Contains(back, []byte(`\u0000`)) {
			t.Errorf("%s", back)
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add([]byte(":100644 100644 aa bb M\ta\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n=end\n"))
	f.Add([]byte(":100644 120000 aa bb T\ta\n:0 0 a b R100\t\"a\\tb\"\tc\n\ndiff --git a b\ndiff --git a b\n@@ x\n+\n=end\n"))
	f.Add([]byte("diff --git a b\n@@ x\n=end\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		p := diffParser{}
		if p.read(bufio.NewReaderSize(bytes.NewReader(answer), 16)) != nil {
			return
		}
		files, _ := p.result()
		for _, file := range files {
			if file.Path == "" || file.Status == "" {
				t.Errorf("%+v", file)
			}
		}
	})
}
