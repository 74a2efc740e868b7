package git

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// The types in this file are GitHub's own shapes, as far as they are needed.

// ident is an id: a number in REST, sometimes a string.
type ident string

func (i *ident) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err == nil {
		*i = ident(n)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	*i = ident(s)
	return nil
}

// when is an instant that never fails: one that cannot be read is absent, and
// whoever needs it says so.
type when struct{ time.Time }

func (w *when) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(bytes.TrimSpace(b))
	}
	w.Time, _ = collectors.ParseInstant(s)
	return nil
}

func (w when) ptr() *time.Time {
	if w.IsZero() {
		return nil
	}
	t := w.Time
	return &t
}

// later is the later of two instants.
func later(a, b when) when {
	if b.After(a.Time) {
		return b
	}
	return a
}

type user struct {
	Login    string `json:"login"`
	ID       ident  `json:"id"`
	Type     string `json:"type"`
	Typename string `json:"__typename"` // GraphQL
	RoleName string `json:"role_name"`
}

// account is the account of u, nil if there is none. GraphQL names bots without
// the suffix that REST gives them.
func (u *user) account() *engine.Account {
	if u == nil || u.Login == "" {
		return nil
	}
	a := &engine.Account{System: "github", Account: u.Login, ID: string(u.ID), Kind: strings.ToLower(u.Type)}
	if u.Typename != "" {
		a.Kind = strings.ToLower(u.Typename)
		if u.Typename == "Bot" && !strings.HasSuffix(u.Login, "[bot]") && u.Login != "Copilot" {
			a.Account += "[bot]"
		}
	}
	return a
}

// orGhost is the account of u, or GitHub's stand-in for a deleted one.
func (u *user) orGhost() *engine.Account {
	if a := u.account(); a != nil {
		return a
	}
	return &engine.Account{System: "github", Account: "ghost", ID: "10137"}
}

type repository struct {
	ID            ident  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	PushedAt      when   `json:"pushed_at"`
	UpdatedAt     when   `json:"updated_at"`
	URL           string `json:"url"`
}

type label struct {
	Name string `json:"name"`
}

// UnmarshalJSON takes a label's object or its bare name.
func (l *label) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &l.Name) == nil {
		return nil
	}
	var o struct {
		Name string `json:"name"`
	}
	err := json.Unmarshal(b, &o)
	l.Name = o.Name
	return err
}

func labelNames(labels []label) []string {
	var names []string
	for _, l := range labels {
		if l.Name != "" {
			names = append(names, l.Name)
		}
	}
	return names
}

var shaPattern = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// sha returns s as events hold it, "" if it is no full object id.
func sha(s string) string {
	if s = strings.ToLower(s); shaPattern.MatchString(s) {
		return s
	}
	return ""
}

// branchOf strips refs/heads/; ok is false for tags and other refs.
func branchOf(ref string) (branch string, ok bool) {
	if b, found := strings.CutPrefix(ref, "refs/heads/"); found {
		return b, b != ""
	}
	return ref, ref != "" && !strings.HasPrefix(ref, "refs/")
}

func pullSubject(repo string, number int) engine.Subject {
	return engine.Subject{Type: "pull_request", ID: repo + "#" + strconv.Itoa(number)}
}

func issueSubject(repo string, number int) engine.Subject {
	return engine.Subject{Type: "issue", ID: repo + "#" + strconv.Itoa(number)}
}

func commitSubject(sha string) engine.Subject { return engine.Subject{Type: "commit", ID: sha} }

func branchSubject(repo, branch string) engine.Subject {
	return engine.Subject{Type: "branch", ID: repo + ":" + branch}
}
