package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/policy"
)

// Roll is what a check of a directory found.
type Roll struct {
	People    int        `json:"people"`
	Accounts  int        `json:"accounts"`
	Events    int        `json:"events"`
	Conflicts []Conflict `json:"conflicts"`
	Unlinked  []Unlinked `json:"unlinked"`
}

// Conflict is something in a directory that cannot be right. Kind is person,
// account, email, owner, approver, validity or role.
type Conflict struct {
	Kind    string   `json:"kind"`
	People  []string `json:"people"`
	Message string   `json:"message"`
}

// Unlinked is an account that acted in events and belongs to nobody in the
// directory. Hint says who it may be, Line is YAML to paste.
type Unlinked struct {
	System  string    `json:"system"`
	Account string    `json:"account"`
	ID      string    `json:"id,omitempty"`
	Email   string    `json:"email,omitempty"`
	Name    string    `json:"name,omitempty"`
	Kind    string    `json:"kind,omitempty"`
	Events  int       `json:"events"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Where   []Place   `json:"where"`
	Hint    string    `json:"hint,omitempty"`
	Line    string    `json:"line"`

	seen string // the event counted last
}

// Place is in which part of which events an account stands; Example is the subject
// of one of them.
type Place struct {
	Type    string `json:"type"`
	Part    string `json:"part"`
	Events  int    `json:"events"`
	Example string `json:"example"`
}

// OpenRollCall begins the check of a directory: what is wrong with it by itself,
// given the roles that a policy asks for.
func OpenRollCall(path string, p *policy.Policy) (*RollCall, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	dir, err := assembly.DecodeDirectory(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c := &RollCall{dir: dir, resolver: dir.Resolver(), unlinked: map[string]*Unlinked{}, hints: map[string]string{}, found: map[string]Conflict{}}
	c.persons()
	c.accounts()
	c.approvers()
	c.validity()
	c.roles(policyRoles(p))
	return c, nil
}

// RollCall checks a directory, and events against it.
type RollCall struct {
	dir      assembly.Directory
	resolver assembly.Resolver
	unlinked map[string]*Unlinked
	hints    map[string]string   // lower-case e-mail -> what a mailmap says
	found    map[string]Conflict // by message
	events   int
}

// Events checks the accounts of events. Faults are handed over, see ReadEvents.
func (c *RollCall) Events(ctx context.Context, docs *Documents, fault func(string)) error {
	return eachEvent(ctx, docs, fault, c.event)
}

// Roll is what was found, in order.
func (c *RollCall) Roll() Roll {
	r := Roll{People: len(c.dir.People), Events: c.events, Conflicts: []Conflict{}, Unlinked: []Unlinked{}}
	for _, p := range c.dir.People {
		for _, accounts := range p.Accounts {
			r.Accounts += len(accounts)
		}
	}
	r.Conflicts = slices.AppendSeq(r.Conflicts, maps.Values(c.found))
	slices.SortFunc(r.Conflicts, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Message, b.Message))
	})
	for _, u := range c.unlinked {
		u.Hint = c.hint(*u)
		u.Line = line(*u)
		slices.SortFunc(u.Where, func(a, b Place) int {
			return cmp.Or(b.Events-a.Events, strings.Compare(a.Type, b.Type), strings.Compare(a.Part, b.Part))
		})
		r.Unlinked = append(r.Unlinked, *u)
	}
	slices.SortFunc(r.Unlinked, func(a, b Unlinked) int {
		return cmp.Or(b.Events-a.Events, strings.Compare(a.System, b.System), strings.Compare(a.Account, b.Account))
	})
	return r
}

// event takes down every account that the event names.
func (c *RollCall) event(e engine.Event) {
	c.events++
	if e.Actor != nil {
		c.account(*e.Actor, "", "actor", e)
	}
	if e.Type == "identity.mapped" {
		c.mapped(e)
		return
	}
	for _, m := range mentions(e) {
		c.account(m.account, m.name, m.part, e)
	}
}

// account takes one account down, and checks that its id, its name and its e-mail
// are one person's.
func (c *RollCall) account(a engine.Account, name, part string, e engine.Event) {
	if c.resolver.Tool(a.Account) || c.resolver.Tool(a.Email) {
		return
	}
	c.contradiction(a)
	if c.resolver.Person(a) != "" {
		return
	}
	key := a.System + " " + strings.ToLower(cmp.Or(a.Account, a.ID, a.Email))
	u := c.unlinked[key]
	if u == nil {
		u = &Unlinked{System: a.System, Account: cmp.Or(a.Account, a.ID, a.Email), First: e.OccurredAt, Last: e.OccurredAt}
		c.unlinked[key] = u
	}
	u.ID, u.Email, u.Name, u.Kind = cmp.Or(u.ID, a.ID), cmp.Or(u.Email, a.Email), cmp.Or(u.Name, name), cmp.Or(u.Kind, a.Kind)
	if u.seen != e.ID {
		u.seen = e.ID
		u.Events++
	}
	if e.OccurredAt.Before(u.First) {
		u.First = e.OccurredAt
	}
	if e.OccurredAt.After(u.Last) {
		u.Last = e.OccurredAt
	}
	i := slices.IndexFunc(u.Where, func(p Place) bool { return p.Type == e.Type && p.Part == part })
	if i < 0 {
		i = len(u.Where)
		u.Where = append(u.Where, Place{Type: e.Type, Part: part, Example: e.Subject.ID})
	}
	u.Where[i].Events++
	u.Where[i].Example = min(u.Where[i].Example, e.Subject.ID)
}

// contradiction: what should be one person is several.
func (c *RollCall) contradiction(a engine.Account) {
	by := map[string]string{} // person -> how
	for _, part := range []struct {
		how string
		a   engine.Account
	}{
		{"its id " + a.ID, engine.Account{System: a.System, ID: a.ID}},
		{"its name", engine.Account{System: a.System, Account: a.Account}},
		{"its e-mail " + a.Email, engine.Account{System: "email", Email: a.Email}},
	} {
		if id := c.resolver.Person(part.a); id != "" && by[id] == "" {
			by[id] = part.how
		}
	}
	if len(by) < 2 {
		return
	}
	people := slices.Sorted(maps.Keys(by))
	var parts []string
	for _, id := range people {
		parts = append(parts, fmt.Sprintf("%s by %s", id, by[id]))
	}
	c.conflict("account", fmt.Sprintf("%s account %s is %s: correct the directory", a.System, cmp.Or(a.Account, a.ID), strings.Join(parts, " and ")), people...)
}

// mapped keeps what a repository's mailmap says of an e-mail.
func (c *RollCall) mapped(e engine.Event) {
	var f engine.MailmapFact
	if e.Decode(&f) != nil || f.Email == "" || f.MappedEmail == "" || strings.EqualFold(f.Email, f.MappedEmail) {
		return
	}
	hint := fmt.Sprintf("the mailmap of %s takes it for %s", f.Repository, f.MappedEmail)
	if id := c.resolver.Person(engine.Account{System: "git", Account: f.MappedEmail}); id != "" {
		hint += ", who is " + id
	}
	key := strings.ToLower(f.Email)
	c.hints[key] = max(c.hints[key], hint)
}

// hint says who an account may be. It is for people: nobody is linked by it.
func (c *RollCall) hint(u Unlinked) string {
	if u.System == "github" && u.ID == "10137" || u.Account == "ghost" {
		return "GitHub's stand-in for accounts that were deleted: whose it was cannot be told"
	}
	if hint := c.hints[strings.ToLower(cmp.Or(u.Email, u.Account))]; hint != "" {
		return hint
	}
	var named []string
	for _, p := range c.dir.People {
		if u.Name != "" && strings.EqualFold(p.Name, u.Name) {
			named = append(named, p.ID)
		}
	}
	if len(named) == 0 {
		return ""
	}
	return fmt.Sprintf("it goes by the name %s, like %s", u.Name, strings.Join(named, ", "))
}

// line is an entry of people for an account of which nothing else is known. Of
// when they were authorised only the organisation knows.
func line(u Unlinked) string {
	kind := "employee"
	if u.Kind == "bot" || u.Kind == "agent" {
		kind = u.Kind
	} else if strings.HasSuffix(u.Account, "[bot]") {
		kind = "bot"
	}
	system, accounts := u.System, []string{u.Account}
	if u.ID != "" && u.ID != u.Account {
		accounts = append(accounts, u.ID)
	}
	if local, ok := strings.CutSuffix(u.Account, "@users.noreply.github.com"); ok {
		system = "github"
		id, login, both := strings.Cut(local, "+")
		if accounts = []string{id}; both {
			accounts = []string{login, id}
		}
	}
	switch system {
	case "github", "git", "render":
	case "email":
		system = "git"
	default:
		system = "iam"
	}
	id, _, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(accounts[0], "[bot]")), "@")
	quoted := make([]string, len(accounts))
	for i, a := range accounts {
		quoted[i] = quote(a)
	}
	return fmt.Sprintf("- {id: %s, kind: %s, accounts: {%s: [%s]}}", quote(id), kind, system, strings.Join(quoted, ", "))
}
