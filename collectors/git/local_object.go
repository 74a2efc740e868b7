package git

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// object is a commit as Git stores it (gitformat-commit: headers, an empty line,
// the message).
type object struct {
	tree              string
	parents           []string
	author, committer stamped
	message           string
	signature         string // "pgp", "ssh", "x509", or "" for none
}

type stamped struct {
	name, email string
	at          time.Time
}

var identity = regexp.MustCompile(`^(.*?) ?<([^>]*)> ?(?:(-?\d{1,18})(?: [+-]\d+)?)?`)

// parseObject reads the bytes of a commit. What is not there or makes no sense is
// left out: Git itself stores commits with broken headers.
func parseObject(raw []byte) object {
	var o object
	head, message, _ := bytes.Cut(raw, []byte("\n\n"))
	encoding, last := "", ""
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		if len(line) > 0 && line[0] == ' ' { // continues the header before
			if last == "gpgsig" && o.signature == "" {
				o.signature = signatureKind(line)
			}
			continue
		}
		key, value, _ := bytes.Cut(line, []byte(" "))
		last = string(key)
		switch last {
		case "tree":
			o.tree = sha(string(value))
		case "parent":
			if p := sha(string(value)); p != "" {
				o.parents = append(o.parents, p)
			}
		case "author":
			o.author = parseIdent(value)
		case "committer":
			o.committer = parseIdent(value)
		case "encoding":
			encoding = string(value)
		case "gpgsig", "gpgsig-sha256":
			last, o.signature = "gpgsig", signatureKind(value)
		}
	}
	for _, s := range []*string{&o.author.name, &o.author.email, &o.committer.name, &o.committer.email} {
		*s = decode([]byte(*s), encoding)
	}
	o.message = decode(message, encoding)
	return o
}

func parseIdent(line []byte) stamped {
	match := identity.FindSubmatch(line)
	if match == nil {
		return stamped{name: string(line)}
	}
	i := stamped{name: string(bytes.TrimSpace(match[1])), email: string(bytes.TrimSpace(match[2]))}
	if seconds, err := strconv.ParseInt(string(match[3]), 10, 64); err == nil {
		i.at = collectors.Instant(time.Unix(seconds, 0))
	}
	return i
}

func signatureKind(line []byte) string {
	switch {
	case bytes.Contains(line, []byte("BEGIN SSH")):
		return "ssh"
	case bytes.Contains(line, []byte("BEGIN PGP")):
		return "pgp"
	case bytes.Contains(line, []byte("BEGIN SIGNED MESSAGE")):
		return "x509"
	}
	return ""
}

// decode gives UTF-8. Of other encodings only Latin-1 is told; their own
// letters are lost, the rest stays.
func decode(text []byte, encoding string) string {
	switch strings.ToLower(strings.ReplaceAll(encoding, "_", "-")) {
	case "iso-8859-1", "iso8859-1", "latin1", "latin-1", "iso-8859-15", "windows-1252", "cp1252":
		var b strings.Builder
		for _, c := range text {
			b.WriteRune(rune(c))
		}
		return strings.ReplaceAll(b.String(), "\x00", "")
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(text), "\uFFFD"), "\x00", "")
}

func (i stamped) facts() engine.SignatureFacts {
	f := engine.SignatureFacts{Name: i.name, Email: i.email}
	if !i.at.IsZero() {
		f.At = &i.at
	}
	return f
}

var (
	mergedPull   = regexp.MustCompile(`^Merge pull request #(\d{1,9}) from `)
	squashedPull = regexp.MustCompile(` \(#(\d{1,9})\)$`)
)

// fact is the commit as an event tells it. Numbers is the pull request that its
// subject names: a hint, since anybody can write it.
func (o object) fact(repository, id string) engine.CommitFact {
	committer := o.committer.facts()
	f := engine.CommitFact{
		Repository: repository, SHA: id, TreeSHA: o.tree, Parents: o.parents, Message: o.message,
		Author: o.author.facts(), Committer: &committer, CoAuthors: coAuthors(o.message), Trailers: trailerMap(o.message),
		Verification: "unsigned",
	}
	if o.signature != "" {
		f.Verification = o.signature + " signature, not verified"
	}
	subject, _, _ := strings.Cut(o.message, "\n")
	for _, hint := range []*regexp.Regexp{mergedPull, squashedPull} {
		if match := hint.FindStringSubmatch(strings.TrimSpace(subject)); match != nil && f.Numbers == nil {
			if n, err := strconv.Atoi(match[1]); err == nil && n > 0 {
				f.Numbers = []int{n}
			}
		}
	}
	if len(o.parents) < 2 {
		no := false
		f.MergeFromBase = &no
	}
	return f
}
