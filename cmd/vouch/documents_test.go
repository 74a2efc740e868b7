package main_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updateDocs = flag.Bool("update-docs", false, "write the real output of commands into the documents")

// TestDocuments runs what the documents at the top of the project tell people
// to run, in order, in one shell per document:
//
//   - a block fenced as console holds commands after "$ " (continued after "> ")
//     and their output; a line "..." stands for any lines
//   - a block fenced as sh holds commands that succeed; their output is free
//   - a block after the comment <!-- not run: REASON --> is only read
//
// The shell starts in a copy of the project, a clone with one commit, so a command
// may write files there. `make demo` is run for real; for any other target of make,
// which would run this test again, only its existence is checked.
func TestDocuments(t *testing.T) {
	root := repository(t)
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/vouch")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	documents, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, path := range documents {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			examples, err := parseDocument(string(text))
			if err != nil {
				t.Fatalf("%s:%v", name, err)
			}
			outputs := runExamples(t, root, bin, examples)
			changed := false
			lines := strings.Split(string(text), "\n")
			for i, e := range slices.Backward(examples) {
				if matches(e.output, outputs[i]) {
					continue
				}
				if *updateDocs && e.prompt && !slices.Contains(e.output, elision) {
					lines = slices.Replace(lines, e.end-len(e.output), e.end, outputs[i]...)
					changed = true
					continue
				}
				t.Errorf("%s:%d: %s\n%s", name, e.line, e.command, difference(e.output, outputs[i]))
			}
			if changed {
				if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

const elision = "..."

// example is a command of a document. Its output lines end before line end,
// counted from zero.
type example struct {
	line    int // of the command, from 1
	command string
	prompt  bool // shown after "$ ", with its output
	output  []string
	end     int
}

// parseDocument returns the examples of a Markdown document. An error begins
// with the number of the line.
func parseDocument(text string) ([]example, error) {
	const fence, exempt = "```", "<!-- not run: "
	var (
		examples []example
		language string
		opened   int // line of the open fence, 0 outside
		before   string
	)
	for i, line := range strings.Split(text, "\n") {
		number := i + 1
		if opened == 0 {
			if after, ok := strings.CutPrefix(line, fence); ok {
				opened, language = number, after
				if strings.HasPrefix(before, exempt) {
					language = "exempt"
				}
				if language == "sh" {
					examples = append(examples, example{line: number})
				}
			}
			if line != "" {
				before = line
			}
			continue
		}
		if line == fence {
			if language == "console" && (len(examples) == 0 || examples[len(examples)-1].line < opened) {
				return nil, fmt.Errorf("%d: a console block without a command: begin commands with \"$ \"", opened)
			}
			opened, before = 0, ""
			continue
		}
		switch language {
		case "sh":
			examples[len(examples)-1].command += line + "\n"
		case "console":
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				examples = append(examples, example{line: number, command: command, prompt: true, end: number})
				continue
			}
			if len(examples) == 0 || examples[len(examples)-1].line < opened {
				return nil, fmt.Errorf("%d: output without a command: begin commands with \"$ \"", number)
			}
			last := &examples[len(examples)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok && len(last.output) == 0 {
				last.command += "\n" + more
			} else {
				last.output = append(last.output, strings.TrimRight(line, " "))
			}
			last.end = number
		}
	}
	if opened > 0 {
		return nil, fmt.Errorf("%d: this block has no end", opened)
	}
	return examples, nil
}

// runExamples runs the commands in one shell and returns the output lines of
// each. A block of plain commands that fails puts out why.
func runExamples(t *testing.T, root, bin string, examples []example) [][]string {
	t.Helper()
	if len(examples) == 0 {
		return nil
	}
	dir := t.TempDir()
	err := walk(root, func(name string) {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, append([]string{"add", "--"}, texts...), {"commit", "-q", "--allow-empty", "-m", "Begin"}} {
		git := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
		git.Dir = dir
		if out, err := git.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	if err := os.Symlink(bin, filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}

	// The mark before each command keeps $? for `echo $?`.
	const mark = "\x1e"
	var script strings.Builder
	script.WriteString(`trap 'kill $(jobs -p) 2>/dev/null' EXIT
make() {
	case $1 in
	demo) command make -s -C "$PROJECT" build >/dev/null 2>&1; command make -s -C "$PROJECT" demo ;;
	*) command make -n -C "$PROJECT" "$@" >/dev/null ;;
	esac
}
`)
	for i, e := range examples {
		fmt.Fprintf(&script, "{ status=$?; printf '%s%d\\n'; (exit $status); }\n", mark, i)
		if e.prompt {
			fmt.Fprintln(&script, e.command)
		} else {
			fmt.Fprintf(&script, "text=$( (set -e\n%s) 2>&1 ); code=$?\n[ $code = 0 ] || printf '%%s\\nexit status %%d\\n' \"$text\" $code\n", e.command)
		}
	}
	// A document may begin servers, and wait for what they do, but not for ever.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script.String())
	shell.WaitDelay = time.Second
	shell.Dir = dir
	shell.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "VOUCH_") || strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=")
	}), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "NO_COLOR=1", "TERM=dumb", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "TZ=UTC", "PWD="+dir, "PROJECT="+root)
	out, err := shell.CombinedOutput()
	if exit := (*exec.ExitError)(nil); ctx.Err() != nil || (err != nil && !errors.As(err, &exit)) {
		t.Fatalf("bash: %v %v\n%s", err, ctx.Err(), out)
	}

	outputs := make([][]string, len(examples))
	for _, section := range bytes.Split(out, []byte(mark))[1:] {
		number, text, _ := strings.Cut(string(section), "\n")
		i, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("output of the shell: %v", err)
		}
		text = strings.TrimSuffix(text, "\n")
		if text != "" {
			for line := range strings.SplitSeq(text, "\n") {
				outputs[i] = append(outputs[i], strings.TrimRight(line, " "))
			}
		}
	}
	return outputs
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

// matches reports whether the real output is the shown one, where a shown line
// "..." stands for any number of lines.
func matches(shown, output []string) bool {
	if len(shown) == 0 {
		return len(output) == 0
	}
	if shown[0] != elision {
		return len(output) > 0 && shown[0] == output[0] && matches(shown[1:], output[1:])
	}
	for i := range len(output) + 1 {
		if matches(shown[1:], output[i:]) {
			return true
		}
	}
	return false
}

// difference tells people why matches said no.
func difference(shown, output []string) string {
	if !slices.Contains(shown, elision) {
		return "shown (-) and real (+) output differ; -update-docs writes the real one:\n" + cmp.Diff(shown, output)
	}
	fits := 0
	for fits < len(shown) && matches(append(slices.Clone(shown[:fits+1]), elision), output) {
		fits++
	}
	text := "the real output goes on after what is shown"
	if fits < len(shown) {
		text = fmt.Sprintf("the real output lacks, in its place, the shown line\n%s", shown[fits])
	}
	return text + "\nreal output:\n" + strings.Join(output, "\n")
}

func TestParseDocument(t *testing.T) {
	const document = "# Title\n" +
		"```console\n$ vouch eval \\\n> dossier.json\nok  \n$ echo $?\n0\n```\n" +
		"```sh\nmake test\nmake lint\n```\n" +
		"<!-- not run: needs an account -->\n```console\n$ vouch collect git\n```\n" +
		"```json\n$ this is no command\n```\n"
	want := []example{
		{line: 3, command: "vouch eval \\\ndossier.json", prompt: true, output: []string{"ok"}, end: 5},
		{line: 6, command: "echo $?", prompt: true, output: []string{"0"}, end: 7},
		{line: 9, command: "make test\nmake lint\n"},
	}
	got, err := parseDocument(document)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(example{})); diff != "" {
		t.Error(diff)
	}
	for text, fault := range map[string]string{
		"```console\nvouch eval\n```\n": "2: output without a command",
		"```console\n```\n":             "1: a console block without a command",
		"\n```sh\nvouch eval\n":         "2: this block has no end",
	} {
		if _, err := parseDocument(text); err == nil || !strings.HasPrefix(err.Error(), fault) {
			t.Errorf("parseDocument(%q): got error %v, want %q", text, err, fault)
		}
	}
}

func TestRunExamples(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "fact.txt"), []byte("a fact\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := runExamples(t, root, t.TempDir(), []example{
		{command: "cat fact.txt; echo noise >&2", prompt: true},
		{command: "word=kept; false", prompt: true},
		{command: "echo $? $word", prompt: true},
		{command: "echo nobody sees this\n"},
		{command: "echo cause\nfalse\necho never\n"},
		{command: "printf unfinished", prompt: true},
		{command: "pwd | grep -c " + root, prompt: true},
	})
	want := [][]string{{"a fact", "noise"}, nil, {"1 kept"}, nil, {"cause", "exit status 1"}, {"unfinished"}, {"0"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatches(t *testing.T) {
	tests := []struct {
		shown, output string
		want          bool
	}{
		{"a b", "a b", true},
		{"a b", "a", false},
		{"a", "a b", false},
		{"", "a", false},
		{"a ... d", "a b c d", true},
		{"a ...", "a", true},
		{"... d", "a b", false},
		{"... b ...", "a b c", true},
	}
	for _, tt := range tests {
		if got := matches(strings.Fields(tt.shown), strings.Fields(tt.output)); got != tt.want {
			t.Errorf("matches(%q, %q) = %t", tt.shown, tt.output, got)
		}
	}
}

func TestDifference(t *testing.T) {
	tests := []struct{ shown, output, want string }{
		{"a", "b", "shown (-) and real (+)"},
		{"a ... c d", "a b c e", "shown line\nd\n"},
		{"a ... c", "a b c d", "goes on"},
	}
	for _, tt := range tests {
		if got := difference(strings.Fields(tt.shown), strings.Fields(tt.output)); !strings.Contains(got, tt.want) {
			t.Errorf("difference(%q, %q) = %q, want %q in it", tt.shown, tt.output, got, tt.want)
		}
	}
}
