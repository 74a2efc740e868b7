package assembly

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// platforms are the accounts under which the platforms themselves act. An entry
// of the directory for the same account goes before them.
var platforms = []engine.Person{
	{ID: "github", Kind: "system", Accounts: map[string][]string{
		"github": {"github", "github-merge-queue[bot]", "web-flow"}, "git": {"noreply@github.com"},
	}},
	{ID: "render", Kind: "system", Accounts: map[string][]string{"render": {"render", "system"}}},
}

// tools are the e-mails under which AI tools sign trailers: they name no person
// (controls.md 4.4).
var tools = []string{"noreply@anthropic.com", "cursoragent@cursor.com", "copilot@users.noreply.github.com"}

// noreply is GitHub's private e-mail: id+login@ or the old login@.
var noreply = regexp.MustCompile(`(?i)^(?:\d+\+)?([a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\[bot\])?)@users\.noreply\.github\.com$`)

// roster resolves accounts to persons.
type roster struct {
	people map[string]engine.Person
	owner  map[string]map[string]string // system -> lower-case account -> person
	mails  map[string]string            // e-mail -> person, "" when several claim it
	tools  map[string]bool
}

func newRoster(dir Directory) roster {
	r := roster{people: map[string]engine.Person{}, owner: map[string]map[string]string{}, mails: map[string]string{}, tools: map[string]bool{}}
	for _, mail := range slices.Concat(tools, dir.ToolTrailers) {
		r.tools[strings.ToLower(mail)] = true
	}
	for _, p := range dir.People {
		r.people[p.ID] = p
		for system, accounts := range p.Accounts {
			for _, account := range accounts {
				r.claim(system, account, p.ID)
			}
		}
	}
	for _, p := range platforms {
		p.Accounts = maps.Clone(p.Accounts)
		for system, accounts := range p.Accounts {
			p.Accounts[system] = slices.DeleteFunc(slices.Clone(accounts), func(account string) bool {
				return r.owner[system][strings.ToLower(account)] != ""
			})
			for _, account := range p.Accounts[system] {
				r.claim(system, account, p.ID)
			}
		}
		if _, taken := r.people[p.ID]; !taken {
			r.people[p.ID] = p
		}
	}
	return r
}

func (r roster) claim(system, account, id string) {
	if account == "" {
		return
	}
	key := strings.ToLower(account)
	if r.owner[system] == nil {
		r.owner[system] = map[string]string{}
	}
	r.owner[system][key] = id
	if strings.Contains(key, "@") {
		if other, taken := r.mails[key]; taken && other != id {
			id = ""
		}
		r.mails[key] = id
	}
}

// find resolves one account: its immutable id first, then its name, then its
// e-mail. Names compare without case; an e-mail names one person everywhere, a
// login only in its own system. "" = nobody in the directory.
func (r roster) find(a engine.Account) string {
	systems := []string{a.System}
	if a.System != "github" && a.System != "git" && a.System != "render" {
		systems = append(systems, "iam")
	}
	for _, system := range systems {
		for _, name := range []string{a.ID, a.Account} {
			if id := r.owner[system][strings.ToLower(name)]; name != "" && id != "" {
				return id
			}
		}
	}
	for _, mail := range []string{a.Account, a.Email} {
		if id := r.mails[strings.ToLower(mail)]; id != "" {
			return id
		}
		if login := noreply.FindStringSubmatch(mail); login != nil {
			if id := r.owner["github"][strings.ToLower(login[1])]; id != "" {
				return id
			}
		}
	}
	if at := strings.LastIndexAny(a.Account, "/:"); at >= 0 && len(systems) > 1 {
		return r.find(engine.Account{System: a.System, Account: a.Account[at+1:]})
	}
	return ""
}

// named finds a person by id or by any account, as records of people name them.
func (r roster) named(name string) string {
	if _, ok := r.people[name]; ok {
		return name
	}
	for _, system := range []string{"github", "render", "iam", "git"} {
		if id := r.owner[system][strings.ToLower(name)]; id != "" {
			return id
		}
	}
	return r.mails[strings.ToLower(name)]
}

// isTool reports whether a trailer's e-mail names a tool.
func (r roster) isTool(mail string) bool {
	mail = strings.ToLower(mail)
	if _, rest, found := strings.Cut(mail, "+"); found && strings.HasSuffix(mail, "@users.noreply.github.com") {
		return r.tools[rest] || r.tools[mail]
	}
	return r.tools[mail]
}

// cast is everybody who appears in one dossier.
type cast struct {
	roster  roster
	aliases map[string]map[string]map[string]bool // person -> system -> spellings
	names   map[string]bool                       // accounts as the dossier writes them
}

func newCast(r roster) *cast {
	return &cast{roster: r, aliases: map[string]map[string]map[string]bool{}, names: map[string]bool{}}
}

// account records that the account appears and returns how the dossier writes it:
// as its source does. Where that name would be read as another person's, it is
// written as its immutable id, or with its system in front.
func (c *cast) account(a *engine.Account) string {
	if a == nil || (a.Account == "" && a.ID == "" && a.Email == "") {
		return ""
	}
	name := first(a.Account, a.Email, a.ID)
	id := c.roster.find(*a)
	if id == "" {
		if c.roster.named(name) != "" && !strings.Contains(name, "@") {
			name = a.System + ":" + name
		}
		c.names[name] = true
		return name
	}
	if other := c.roster.owner[a.System][strings.ToLower(name)]; other != "" && other != id {
		name = a.ID
	}
	c.add(id, a.System, name)
	return name
}

func (c *cast) add(id, system, name string) {
	if _, known := c.roster.people[id]; !known {
		return
	}
	if c.aliases[id] == nil {
		c.aliases[id] = map[string]map[string]bool{}
	}
	if name != "" {
		if c.aliases[id][system] == nil {
			c.aliases[id][system] = map[string]bool{}
		}
		c.aliases[id][system][name] = true
		c.names[name] = true
	}
	if owner := c.roster.people[id].Owner; owner != "" && c.aliases[owner] == nil {
		c.add(owner, "", "")
	}
}

// member records a person whom a record names by id or by any account.
func (c *cast) member(name string) string {
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	if id := c.roster.named(name); id != "" {
		c.add(id, "", "")
	}
	if name != "" {
		c.names[name] = true
	}
	return name
}

// signature resolves the author or committer of a commit: the account that the
// source links, else the account to which the directory or GitHub's private
// e-mail leads, else the bare e-mail, which names nobody.
func (c *cast) signature(s *engine.SignatureFacts) string {
	if s == nil {
		return ""
	}
	if s.Account != "" {
		return c.account(&engine.Account{System: "github", Account: s.Account})
	}
	if login := noreply.FindStringSubmatch(s.Email); login != nil {
		return c.account(&engine.Account{System: "github", Account: login[1]})
	}
	if id := c.roster.mails[strings.ToLower(s.Email)]; id != "" {
		if logins := c.roster.people[id].Accounts["github"]; len(logins) > 0 {
			return c.account(&engine.Account{System: "github", Account: logins[0]})
		}
		return c.account(&engine.Account{System: "git", Account: s.Email})
	}
	name := first(s.Email, s.Name)
	if name != "" {
		c.names[name] = true
	}
	return name
}

// person is the id behind a name that the cast has written, "" if none.
func (c *cast) person(name string) string {
	if name == "" {
		return ""
	}
	return first(c.roster.owner["github"][strings.ToLower(name)], c.roster.named(name))
}

func (c *cast) join(other *cast) {
	for id, systems := range other.aliases {
		c.add(id, "", "")
		for system, names := range systems {
			for name := range names {
				c.add(id, system, name)
			}
		}
	}
	maps.Copy(c.names, other.names)
}

// list is everybody of the cast, sorted by id, each with all known accounts and
// the spellings that this dossier uses.
func (c *cast) list() []engine.Person {
	out := []engine.Person{}
	for _, id := range sortedKeys(c.aliases) {
		p := clone(c.roster.people[id])
		for _, system := range sortedKeys(c.aliases[id]) {
			for _, name := range sortedKeys(c.aliases[id][system]) {
				if !slices.Contains(p.Accounts[system], name) {
					if p.Accounts == nil {
						p.Accounts = map[string][]string{}
					}
					p.Accounts[system] = append(p.Accounts[system], name)
				}
			}
		}
		for system := range p.Accounts {
			if len(p.Accounts[system]) == 0 {
				delete(p.Accounts, system)
			}
		}
		out = append(out, p)
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
