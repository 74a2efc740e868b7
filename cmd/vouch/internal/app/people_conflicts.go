package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
)

func (c *RollCall) conflict(kind, message string, people ...string) {
	c.found[message] = Conflict{Kind: kind, People: people, Message: message}
}

// persons: every person is listed once, and whoever answers for another is there.
func (c *RollCall) persons() {
	ids := map[string]int{}
	for _, p := range c.dir.People {
		ids[p.ID]++
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if ids[id] > 1 {
			c.conflict("person", fmt.Sprintf("%s is listed %d times: merge the entries", id, ids[id]), id)
		}
	}
	for _, p := range c.dir.People {
		switch {
		case p.Owner != "" && ids[p.Owner] == 0:
			c.conflict("owner", fmt.Sprintf("%s, the owner of %s, is no person of this directory", p.Owner, p.ID), p.ID)
		case p.Owner == p.ID && p.ID != "":
			c.conflict("owner", fmt.Sprintf("%s answers for itself: name a person as its owner", p.ID), p.ID)
		}
	}
}

// accounts: an account is one person's, and so is an e-mail, wherever it stands.
func (c *RollCall) accounts() {
	owners, mails := map[string][]string{}, map[string][]string{}
	add := func(to map[string][]string, key, id string) {
		if !slices.Contains(to[key], id) {
			to[key] = append(to[key], id)
		}
	}
	for _, p := range c.dir.People {
		for _, system := range slices.Sorted(maps.Keys(p.Accounts)) {
			for _, account := range p.Accounts[system] {
				account = strings.ToLower(account)
				add(owners, system+" account "+account, p.ID)
				if strings.Contains(account, "@") {
					add(mails, account, p.ID)
				}
			}
		}
	}
	reported := map[string]bool{}
	for _, account := range slices.Sorted(maps.Keys(owners)) {
		if people := owners[account]; len(people) > 1 {
			c.conflict("account", fmt.Sprintf("%s belongs to %s: an account is one person's; list a shared one as an entry of its own", account, strings.Join(people, " and ")), people...)
			_, mail, _ := strings.Cut(account, " account ")
			reported[mail] = true
		}
	}
	for _, mail := range slices.Sorted(maps.Keys(mails)) {
		if people := mails[mail]; len(people) > 1 && !reported[mail] {
			c.conflict("email", fmt.Sprintf("%s belongs to %s: an e-mail names one person in every system, so this one names nobody", mail, strings.Join(people, " and ")), people...)
		}
	}
}

// approvers: whoever approved, requested or stated something is in the directory.
func (c *RollCall) approvers() {
	check := func(name, what string, people ...string) {
		if name != "" && c.resolver.Named(name) == "" {
			c.conflict("approver", fmt.Sprintf("%s, who %s, is no person of this directory", name, what), people...)
		}
	}
	for _, p := range c.dir.People {
		check(p.ApprovedBy, "approved "+p.ID, p.ID)
		for _, a := range p.Authorised {
			check(a.ApprovedBy, "authorised "+p.ID, p.ID)
			if a.ApprovedBy != "" && c.resolver.Named(a.ApprovedBy) == p.ID {
				c.conflict("approver", fmt.Sprintf("%s authorised themselves", p.ID), p.ID)
			}
		}
	}
	for _, p := range c.dir.Procedures {
		check(p.ApprovedBy, "approved procedure "+p.ID)
	}
	for _, w := range c.dir.Waivers {
		check(w.RequestedBy, "requested waiver "+w.ID)
		check(w.ApprovedBy, "approved waiver "+w.ID)
	}
	for _, a := range c.dir.Attestations {
		check(a.MadeBy, "made attestation "+a.ID)
	}
	if c.dir.Policy != nil {
		check(c.dir.Policy.Reviewer, "reviewed the policy")
	}
}

// validity: the periods of a person end after they begin, and one system is in no
// two of them at once.
func (c *RollCall) validity() {
	for _, p := range c.dir.People {
		for i, a := range p.Authorised {
			if a.Until != nil && a.Until.Before(a.From) {
				c.conflict("validity", fmt.Sprintf("%s is authorised until %s, which is before %s", p.ID, stamp(*a.Until), stamp(a.From)), p.ID)
				continue
			}
			for _, b := range p.Authorised[i+1:] {
				if overlap(a, b) {
					c.conflict("validity", fmt.Sprintf("%s is authorised twice at once, from %s and from %s: which one ends it cannot be told", p.ID, stamp(a.From), stamp(b.From)), p.ID)
				}
			}
		}
	}
}

func overlap(a, b engine.Authorisation) bool {
	ends := func(x engine.Authorisation, y time.Time) bool { return x.Until != nil && !x.Until.After(y) }
	shared := len(a.Systems) == 0 || len(b.Systems) == 0 ||
		slices.ContainsFunc(a.Systems, func(s string) bool { return slices.Contains(b.Systems, s) })
	return shared && !ends(a, b.From) && !ends(b, a.From)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// roles: a role that is one that the policy asks for but in its spelling is a slip.
func (c *RollCall) roles(known []string) {
	spelling := strings.NewReplacer("-", "", "_", "", " ", "")
	bare := func(role string) string { return strings.TrimSuffix(spelling.Replace(strings.ToLower(role)), "s") }
	for _, p := range c.dir.People {
		for _, role := range p.Roles {
			meant := slices.IndexFunc(known, func(k string) bool { return bare(k) == bare(role) })
			if meant >= 0 && !slices.Contains(known, role) {
				c.conflict("role", fmt.Sprintf("%s has the role %s, which the policy does not know: did you mean %s?", p.ID, role, known[meant]), p.ID)
			}
		}
	}
}

// policyRoles are the roles that a policy asks for.
func policyRoles(p *policy.Policy) []string {
	var settings struct {
		Security    string              `json:"security_reviewer_role"`
		Attestation map[string][]string `json:"attestation_roles"`
	}
	if json.Unmarshal(p.Settings(), &settings) != nil {
		return nil // a policy of one's own may use the names for something else
	}
	roles := []string{settings.Security}
	for _, names := range settings.Attestation {
		roles = append(roles, names...)
	}
	slices.Sort(roles)
	roles = slices.DeleteFunc(slices.Compact(roles), func(s string) bool { return s == "" })
	return roles
}
