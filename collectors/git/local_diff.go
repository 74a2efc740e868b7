package git

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// What one commit may bring into events. A longer patch is left out, as GitHub
// does it; a longer list is cut and says so.
const (
	maxPatch       = 64 << 10
	maxCommitPatch = 1 << 20
	maxFiles       = 20000
)

// endOfDiff is echoed by git diff-tree, which takes no such line for a commit. No
// line of a diff begins with it, whatever the files hold.
const endOfDiff = "=end"

// diffArguments ask for files and patches in a form that no setting and no
// attribute of the repository changes. Without contents only names can be told.
func diffArguments(partial bool) []string {
	args := []string{"diff-tree", "--stdin", "-r", "--root", "--raw", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv",
		"--ignore-submodules=none", "--submodule=short", "-O/dev/null", "--no-relative"}
	if partial {
		return append(args, "--no-renames")
	}
	return append(args, "-M", "-l1000", "-p", "--text", "-U3", "--inter-hunk-context=0", "--diff-algorithm=default")
}

// files asks for what a commit changed against its first parent. complete is false
// when there is more than an event should hold.
func (d *dialogue) files(id string, parents []string) (files []engine.FileFacts, complete bool, err error) {
	question := id
	if len(parents) > 0 {
		question += " " + parents[0]
	}
	if err := d.ask(question + "\n" + endOfDiff); err != nil {
		return nil, false, err
	}
	p := diffParser{}
	if err := p.read(d.out); err != nil {
		return nil, false, d.failed(fmt.Errorf("files of commit %s: %w", id, err))
	}
	files, complete = p.result()
	return files, complete, nil
}

// diffParser reads the answer of git diff-tree --raw -p: a line a file, then a
// patch a file, in the same order.
type diffParser struct {
	entries []diffEntry
	current int  // whose patch is being read, counted from 1
	second  bool // of a file that became another kind of file, the second patch
	inHunk  bool
	bytes   int  // of all patches
	more    bool // there are more than maxFiles
}

type diffEntry struct {
	engine.FileFacts
	plus, minus int
	patch       bytes.Buffer
	cut, binary bool
	patched     bool // its patch was shown
}

// read takes lines up to the end mark. A line may be of any length.
func (p *diffParser) read(r *bufio.Reader) error {
	whole := true // the piece begins a line
	var kind byte
	for {
		piece, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("the answer of git ends early: %w", err)
		}
		if whole {
			if string(bytes.TrimSuffix(piece, []byte("\n"))) == endOfDiff {
				return nil
			}
			if kind, err = p.line(piece); err != nil {
				return err
			}
		}
		if kind != 0 {
			p.keep(piece)
		}
		whole = bytes.HasSuffix(piece, []byte("\n"))
	}
}

// line takes the beginning of a line and tells whether it is part of a patch.
func (p *diffParser) line(piece []byte) (byte, error) {
	switch {
	case p.inHunk && strings.IndexByte(" +-\\@", piece[0]) >= 0, p.current > 0 && bytes.HasPrefix(piece, []byte("@@ ")):
		p.inHunk = true
		if p.current > len(p.entries) {
			return 0, nil // of a file that is left out
		}
		e := &p.entries[p.current-1]
		switch piece[0] {
		case '+':
			e.plus++
		case '-':
			e.minus++
		}
		return piece[0], nil
	case bytes.HasPrefix(piece, []byte("diff --git ")):
		p.inHunk = false
		if i := p.current - 1; i >= 0 && i < len(p.entries) && p.entries[i].Status == "changed" && !p.second {
			p.second = true
			return 0, nil
		}
		p.second = false
		switch p.current++; {
		case p.current <= len(p.entries):
			p.entries[p.current-1].patched = true
		case !p.more:
			return 0, errors.New("git shows more patches than files")
		}
	case piece[0] == ':' && len(p.entries) == maxFiles:
		p.more = true
	case piece[0] == ':':
		e, err := parseRaw(string(bytes.TrimSuffix(piece, []byte("\n"))))
		if err != nil {
			return 0, err
		}
		p.entries = append(p.entries, e)
	}
	return 0, nil
}

func (p *diffParser) keep(piece []byte) {
	e := &p.entries[p.current-1]
	e.binary = e.binary || bytes.IndexByte(piece, 0) >= 0
	if e.cut || e.patch.Len()+len(piece) > maxPatch || p.bytes+len(piece) > maxCommitPatch {
		e.cut = true
		p.bytes -= e.patch.Len()
		e.patch = bytes.Buffer{}
		return
	}
	p.bytes += len(piece)
	e.patch.Write(piece)
}

func (p *diffParser) result() (files []engine.FileFacts, complete bool) {
	files = []engine.FileFacts{}
	for i := range p.entries {
		e := &p.entries[i]
		f := e.FileFacts
		if e.patched && !e.binary {
			f.Additions, f.Deletions = &e.plus, &e.minus
			if !e.cut {
				f.Patch = strings.ToValidUTF8(strings.TrimSuffix(e.patch.String(), "\n"), "\uFFFD")
			}
		}
		files = append(files, f)
	}
	return files, !p.more
}

var rawLine = regexp.MustCompile(`^:\d{6} \d{6} [0-9a-f]+ [0-9a-f]+ ([A-Z])\d*\t(.+)$`)

// statuses are Git's letters in GitHub's words.
var statuses = map[string]string{"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}

func parseRaw(line string) (diffEntry, error) {
	match := rawLine.FindStringSubmatch(line)
	if match == nil || statuses[match[1]] == "" {
		return diffEntry{}, fmt.Errorf("git shows a file as %q", line)
	}
	e := diffEntry{FileFacts: engine.FileFacts{Status: statuses[match[1]]}}
	paths := strings.Split(match[2], "\t")
	e.Path = unquote(paths[len(paths)-1])
	if len(paths) > 1 {
		e.PreviousPath = unquote(paths[0])
	}
	return e, nil
}

// unquote reads a path as Git writes it: in quotes, with C escapes, where it holds
// anything but plain letters. Bytes that are no UTF-8 are replaced.
func unquote(path string) string {
	if len(path) < 2 || path[0] != '"' || path[len(path)-1] != '"' {
		return strings.ToValidUTF8(path, "\uFFFD")
	}
	var b []byte
	for s := path[1 : len(path)-1]; s != ""; {
		if s[0] != '\\' || len(s) == 1 {
			b, s = append(b, s[0]), s[1:]
			continue
		}
		if len(s) >= 4 {
			if n, err := strconv.ParseUint(s[1:4], 8, 8); err == nil {
				b, s = append(b, byte(n)), s[4:]
				continue
			}
		}
		c := s[1]
		if i := strings.IndexByte("abtnvfr", c); i >= 0 {
			c = "\a\b\t\n\v\f\r"[i]
		}
		b, s = append(b, c), s[2:]
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
