package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

type enabled struct {
	Enabled *bool `json:"enabled"`
}

// protection maps the classic protection of a branch, as it is now.
func (m *mapper) protection(rt route, raw json.RawMessage) error {
	var p struct {
		URL    string `json:"url"`
		Checks *struct {
			Contexts []string `json:"contexts"`
			Checks   []struct {
				Context string `json:"context"`
			} `json:"checks"`
		} `json:"required_status_checks"`
		Reviews *struct {
			DismissStale *bool `json:"dismiss_stale_reviews"`
			CodeOwners   *bool `json:"require_code_owner_reviews"`
			Count        *int  `json:"required_approving_review_count"`
			LastPush     *bool `json:"require_last_push_approval"`
			Bypass       *struct {
				Users []user `json:"users"`
				Teams []team `json:"teams"`
				Apps  []team `json:"apps"`
			} `json:"bypass_pull_request_allowances"`
		} `json:"required_pull_request_reviews"`
		Admins    *enabled `json:"enforce_admins"`
		Force     *enabled `json:"allow_force_pushes"`
		Deletions *enabled `json:"allow_deletions"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if rt.repo == "" || rt.name == "" {
		rt = routeOfURL(p.URL)
	}
	if rt.repo == "" || rt.name == "" {
		return errors.New("protection of an unknown branch: record it at repos/OWNER/NAME/branches/BRANCH/protection.json")
	}
	required := p.Reviews != nil
	s := engine.ProtectionFacts{PullRequestRequired: &required}
	zero := 0
	s.RequiredApprovals = &zero
	if r := p.Reviews; r != nil {
		if r.Count != nil {
			s.RequiredApprovals = r.Count
		} else {
			s.RequiredApprovals = nil
		}
		s.DismissStaleReviews, s.CodeOwnerReviews, s.RequireLastPushApproval = r.DismissStale, r.CodeOwners, r.LastPush
		if r.Bypass != nil {
			for _, u := range r.Bypass.Users {
				s.BypassActors = append(s.BypassActors, "user:"+u.Login)
			}
			for _, t := range r.Bypass.Teams {
				s.BypassActors = append(s.BypassActors, "team:"+t.Slug)
			}
			for _, t := range r.Bypass.Apps {
				s.BypassActors = append(s.BypassActors, "app:"+t.Slug)
			}
		}
	}
	if p.Checks != nil {
		s.RequiredChecks = nonEmpty(p.Checks.Contexts)
		if len(s.RequiredChecks) == 0 {
			for _, c := range p.Checks.Checks {
				s.RequiredChecks = append(s.RequiredChecks, nonEmpty([]string{c.Context})...)
			}
		}
	}
	if p.Admins != nil {
		s.AppliesToAdmins = p.Admins.Enabled
	}
	if p.Force != nil {
		s.AllowForcePushes = p.Force.Enabled
	}
	if p.Deletions != nil {
		s.AllowDeletions = p.Deletions.Enabled
	}
	m.observeProtection(time.Time{}, engine.ProtectionStateFact{Repository: rt.repo, Branch: rt.name, Kind: "branch_protection", State: &s})
	return nil
}

// unprotected records GitHub's answer that a branch has no classic protection.
// A plain "Not Found" would not say so.
func (m *mapper) unprotected(rt route) {
	no, zero := false, 0
	m.observeProtection(time.Time{}, engine.ProtectionStateFact{Repository: rt.repo, Branch: rt.name, Kind: "branch_protection",
		State: &engine.ProtectionFacts{PullRequestRequired: &no, RequiredApprovals: &zero}})
	m.cover(answerKinds()["protection"], rt, nil, extent{complete: true})
}

func (m *mapper) observeProtection(at time.Time, f engine.ProtectionStateFact) {
	subject := branchSubject(f.Repository, f.Branch)
	if f.Branch == "" {
		subject = engine.Subject{Type: "repository", ID: f.Repository}
	}
	m.snapshot(strings.Join(nonEmpty([]string{f.Kind, f.Repository, f.Branch, f.Name}), ":"), "protection.observed", at, nil, subject, f)
}

type team struct {
	Slug string `json:"slug"`
	Name string `json:"name"`
	ID   ident  `json:"id"`
}

func nonEmpty(all []string) []string {
	var kept []string
	for _, s := range all {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// rule is one rule of a ruleset; kinds that are not known here stay unread.
type rule struct {
	Type       string          `json:"type"`
	Parameters json.RawMessage `json:"parameters"`
	Source     string          `json:"ruleset_source"`
}

// rulesFacts sums up rules: where several say something, the strictest counts.
func rulesFacts(rules []rule) engine.ProtectionFacts {
	no, yes, none := false, true, 0
	s := engine.ProtectionFacts{PullRequestRequired: &no, RequiredApprovals: &none}
	for _, r := range rules {
		switch r.Type {
		case "pull_request":
			var p struct {
				Count      int  `json:"required_approving_review_count"`
				Stale      bool `json:"dismiss_stale_reviews_on_push"`
				CodeOwners bool `json:"require_code_owner_review"`
				LastPush   bool `json:"require_last_push_approval"`
			}
			if len(r.Parameters) > 0 && json.Unmarshal(r.Parameters, &p) != nil {
				s.RequiredApprovals = nil // there is a rule, but what it says cannot be read
			}
			s.PullRequestRequired = &yes
			if s.RequiredApprovals != nil && p.Count > *s.RequiredApprovals {
				s.RequiredApprovals = &p.Count
			}
			s.DismissStaleReviews = either(s.DismissStaleReviews, p.Stale)
			s.CodeOwnerReviews = either(s.CodeOwnerReviews, p.CodeOwners)
			s.RequireLastPushApproval = either(s.RequireLastPushApproval, p.LastPush)
		case "required_status_checks":
			var p struct {
				Checks []struct {
					Context string `json:"context"`
				} `json:"required_status_checks"`
			}
			if len(r.Parameters) == 0 || json.Unmarshal(r.Parameters, &p) != nil {
				continue
			}
			for _, c := range p.Checks {
				s.RequiredChecks = append(s.RequiredChecks, nonEmpty([]string{c.Context})...)
			}
		case "non_fast_forward":
			s.AllowForcePushes = &no
		case "deletion":
			s.AllowDeletions = &no
		}
	}
	return s
}

func either(a *bool, b bool) *bool {
	v := b || a != nil && *a
	return &v
}

// branchRules maps the active rules of all rulesets for one branch. Whom they
// bind does not show here, only in the rulesets.
func (m *mapper) branchRules(rt route, elements []json.RawMessage, x extent) (string, error) {
	if rt.repo == "" || rt.name == "" {
		return "", errors.New("rules of an unknown branch: record them at repos/OWNER/NAME/rules/branches/BRANCH.json")
	}
	var rules []rule
	for i, raw := range elements {
		var r rule
		if err := json.Unmarshal(raw, &r); err != nil {
			m.Fault(record(i), err)
			continue
		}
		rules = append(rules, r)
	}
	if len(rules) < len(elements) || !x.complete {
		return "", nil // a part of the rules would look weaker than they are
	}
	s := rulesFacts(rules)
	m.observeProtection(time.Time{}, engine.ProtectionStateFact{Repository: rt.repo, Branch: rt.name, Kind: "rules", State: &s})
	return "", nil
}

type ruleset struct {
	ID          ident  `json:"id"`
	Name        string `json:"name"`
	Target      string `json:"target"`
	Source      string `json:"source"`
	SourceType  string `json:"source_type"`
	Enforcement string `json:"enforcement"`
	Bypass      *[]struct {
		ID   ident  `json:"actor_id"`
		Type string `json:"actor_type"`
		Mode string `json:"bypass_mode"`
	} `json:"bypass_actors"`
	Conditions struct {
		Ref struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules     *[]rule `json:"rules"`
	UpdatedAt when    `json:"updated_at"`
}

// adminRole is the id of the repository role admin in a ruleset.
const adminRole = "5"

// facts is what an active ruleset enforces; one that is not active enforces
// nothing. Who may bypass it shows only to those who may write it.
func (r ruleset) facts() engine.ProtectionFacts {
	if r.Enforcement != "active" {
		return rulesFacts(nil)
	}
	var s engine.ProtectionFacts
	if r.Rules != nil {
		s = rulesFacts(*r.Rules)
	}
	if r.Bypass != nil {
		binds := true
		for _, a := range *r.Bypass {
			s.BypassActors = append(s.BypassActors, strings.Join(nonEmpty([]string{firstOf(a.Type, "unknown"), string(a.ID), a.Mode}), ":"))
			switch a.Type {
			case "OrganizationAdmin", "EnterpriseOwner":
				binds = false
			case "RepositoryRole":
				binds = binds && a.ID != adminRole
			}
		}
		s.AppliesToAdmins = &binds
	}
	return s
}

// branches are the branches a ruleset names, as patterns. ~DEFAULT_BRANCH stands
// for itself where the default branch is not known.
func (r ruleset) branches(defaultBranch string) []string {
	var all []string
	for _, include := range nonEmpty(r.Conditions.Ref.Include) {
		switch {
		case include == "~ALL":
			include = "*"
		case include == "~DEFAULT_BRANCH" && defaultBranch != "":
			include = defaultBranch
		}
		all = append(all, strings.TrimPrefix(include, "refs/heads/"))
	}
	return all
}

func (r ruleset) detail() string {
	detail := "ruleset " + string(r.ID) + ", enforcement " + r.Enforcement
	if r.SourceType != "" {
		detail += ", of " + strings.ToLower(r.SourceType) + " " + r.Source
	}
	if x := nonEmpty(r.Conditions.Ref.Exclude); len(x) > 0 {
		detail += ", without " + strings.Join(x, ", ")
	}
	return detail
}

// ruleset maps one ruleset; it has been as shown since updated_at. Items of a
// list carry no rules and tell nothing of the state.
func (m *mapper) ruleset(rt route, raw json.RawMessage) error {
	var r ruleset
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	return m.rulesetState(rt, r)
}

func (m *mapper) rulesetState(rt route, r ruleset) error {
	if r.Target != "" && r.Target != "branch" {
		m.Ignore("ruleset for " + r.Target)
		return nil
	}
	if rt.repo == "" && strings.EqualFold(r.SourceType, "Repository") {
		rt.repo = r.Source
	}
	if rt.repo == "" {
		rt.repo = r.Source // an organisation's
	}
	if r.ID == "" || rt.repo == "" || r.Enforcement == "" {
		return errors.New("ruleset without id, source or enforcement")
	}
	if r.Rules == nil {
		m.Ignore("ruleset without its rules")
		return nil
	}
	state := r.facts()
	for _, branch := range r.branches("") {
		m.observeProtection(r.UpdatedAt.Time, engine.ProtectionStateFact{Repository: rt.repo, Branch: branch, Kind: "ruleset",
			Name: r.Name, Action: r.Enforcement, State: &state, Detail: r.detail()})
	}
	return nil
}

// ruleSuite maps how one push or merge passed the rules; only a bypass is a
// fact of its own.
func (m *mapper) ruleSuite(rt route, raw json.RawMessage) error {
	var r struct {
		ID          ident  `json:"id"`
		ActorID     ident  `json:"actor_id"`
		Actor       string `json:"actor_name"`
		Before      string `json:"before_sha"`
		After       string `json:"after_sha"`
		Ref         string `json:"ref"`
		PushedAt    when   `json:"pushed_at"`
		Result      string `json:"result"`
		Evaluations []struct {
			Enforcement string `json:"enforcement"`
			Result      string `json:"result"`
			Type        string `json:"rule_type"`
		} `json:"rule_evaluations"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if r.Result != "bypass" {
		m.Ignore("rule suite " + r.Result)
		return nil
	}
	branch, ok := branchOf(r.Ref)
	if !ok {
		m.Ignore("rule suite of a tag")
		return nil
	}
	if rt.repo == "" || r.ID == "" || r.PushedAt.IsZero() {
		return errors.New("rule suite without repository, id or pushed_at: record it at repos/OWNER/NAME/rulesets/rule-suites.json")
	}
	f := engine.BypassFact{Repository: rt.repo, Branch: branch, Before: sha(r.Before), After: sha(r.After), Result: r.Result}
	for _, e := range r.Evaluations {
		if e.Result == "fail" && e.Enforcement == "active" && e.Type != "" {
			f.Rules = append(f.Rules, e.Type)
		}
	}
	id := "rule_suite:" + string(r.ID)
	if r.Evaluations == nil {
		id += ":listed" // a list does not tell the rules
	}
	actor := (&user{Login: r.Actor, ID: r.ActorID}).account()
	m.add(id, "protection.bypassed", r.PushedAt.Time, actor, branchSubject(rt.repo, branch), f)
	return nil
}

// branchProtectionRule maps a change of classic protection. The delivery shows
// the rule after it and what it replaced.
func (m *mapper) branchProtectionRule(d delivery, raw json.RawMessage) error {
	var w struct {
		Rule    map[string]json.RawMessage `json:"rule"`
		Changes map[string]struct {
			From json.RawMessage `json:"from"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	var name string
	var updated when
	if json.Unmarshal(w.Rule["name"], &name) != nil || name == "" || d.Repository.FullName == "" {
		return errors.New("branch protection rule without name or repository")
	}
	_ = updated.UnmarshalJSON(w.Rule["updated_at"])
	f := engine.ProtectionStateFact{Repository: d.Repository.FullName, Branch: name, Kind: "branch_protection", Action: d.Action}
	now := levels(w.Rule)
	switch d.Action {
	case "deleted":
		f.Before, updated = &now, when{}
	case "edited":
		before := maps.Clone(w.Rule)
		for k, v := range w.Changes {
			before[k] = v.From
		}
		was := levels(before)
		f.Before, f.After = &was, &now
	default:
		f.After = &now
	}
	m.changeProtection(d, updated.Time, f)
	return nil
}

// levels reads the rule of a delivery: levels off, non_admins, everyone.
func levels(rule map[string]json.RawMessage) engine.ProtectionFacts {
	text := func(key string) string {
		var s string
		if json.Unmarshal(rule[key], &s) != nil {
			return ""
		}
		return s
	}
	flag := func(key string) *bool {
		var b bool
		if len(rule[key]) == 0 || string(rule[key]) == "null" || json.Unmarshal(rule[key], &b) != nil {
			return nil
		}
		return &b
	}
	level := func(key string) *bool {
		s := text(key)
		if s == "" {
			return nil
		}
		on := s != "off"
		return &on
	}
	s := engine.ProtectionFacts{
		PullRequestRequired: level("pull_request_reviews_enforcement_level"),
		DismissStaleReviews: flag("dismiss_stale_reviews_on_push"), CodeOwnerReviews: flag("require_code_owner_review"),
		RequireLastPushApproval: flag("require_last_push_approval"), AppliesToAdmins: flag("admin_enforced"),
		AllowForcePushes: level("allow_force_pushes_enforcement_level"), AllowDeletions: level("allow_deletions_enforcement_level"),
	}
	var count int
	if len(rule["required_approving_review_count"]) > 0 && json.Unmarshal(rule["required_approving_review_count"], &count) == nil {
		if s.PullRequestRequired != nil && !*s.PullRequestRequired {
			count = 0 // kept by GitHub, but switched off
		}
		s.RequiredApprovals = &count
	}
	var checks []string
	if text("required_status_checks_enforcement_level") != "off" && len(rule["required_status_checks"]) > 0 &&
		json.Unmarshal(rule["required_status_checks"], &checks) == nil {
		s.RequiredChecks = nonEmpty(checks)
	}
	return s
}

func (m *mapper) changeProtection(d delivery, at time.Time, f engine.ProtectionStateFact) {
	if at.IsZero() {
		at = m.Observed()
	}
	subject := branchSubject(f.Repository, f.Branch)
	if f.Branch == "" {
		subject = engine.Subject{Type: "repository", ID: f.Repository}
	}
	id := strings.Join(nonEmpty([]string{f.Kind, f.Repository, f.Branch, f.Name, f.Action}), ":")
	m.snapshot(id, "protection.changed", at, d.Sender.account(), subject, f)
}

// repositoryRuleset maps a change of a ruleset.
func (m *mapper) repositoryRuleset(d delivery, raw json.RawMessage) error {
	var w struct {
		Ruleset ruleset `json:"repository_ruleset"`
		Changes struct {
			Enforcement *struct {
				From string `json:"from"`
			} `json:"enforcement"`
			Rules struct {
				Added   []rule `json:"added"`
				Deleted []rule `json:"deleted"`
				Updated []struct {
					Rule    rule `json:"rule"`
					Changes struct {
						Configuration struct {
							From string `json:"from"`
						} `json:"configuration"`
					} `json:"changes"`
				} `json:"updated"`
			} `json:"rules"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	r := w.Ruleset
	repo := d.Repository.FullName
	if repo == "" {
		repo = r.Source // an organisation's ruleset
	}
	if repo == "" || r.ID == "" {
		return errors.New("ruleset without id or source")
	}
	if r.Target != "" && r.Target != "branch" {
		m.Ignore("ruleset for " + r.Target)
		return nil
	}
	was := r
	if e := w.Changes.Enforcement; e != nil {
		was.Enforcement = e.From
	}
	if r.Rules != nil {
		replaced := map[string]json.RawMessage{}
		for _, u := range w.Changes.Rules.Updated {
			if from := u.Changes.Configuration.From; json.Valid([]byte(from)) {
				replaced[u.Rule.Type] = json.RawMessage(from)
			}
		}
		added := map[string]bool{}
		for _, a := range w.Changes.Rules.Added {
			added[a.Type] = true
		}
		old := append([]rule{}, w.Changes.Rules.Deleted...)
		for _, one := range *r.Rules {
			if from, ok := replaced[one.Type]; ok {
				one.Parameters = from
			}
			if !added[one.Type] {
				old = append(old, one)
			}
		}
		was.Rules = &old
	}
	now, before := r.facts(), was.facts()
	f := engine.ProtectionStateFact{Repository: repo, Kind: "ruleset", Name: r.Name, Action: d.Action, Detail: r.detail()}
	at := r.UpdatedAt.Time
	switch d.Action {
	case "deleted":
		f.Before, at = &now, time.Time{}
	case "edited":
		f.Before, f.After = &before, &now
	default:
		f.After = &now
	}
	branches := r.branches(d.Repository.DefaultBranch)
	if len(branches) == 0 {
		branches = []string{""}
	}
	for _, f.Branch = range branches {
		m.changeProtection(d, at, f)
	}
	return nil
}

// protectionSwitched maps the delivery that all classic protection of a
// repository was switched off or on again, to what it does not say.
func (m *mapper) protectionSwitched(d delivery, _ json.RawMessage) error {
	if d.Repository.FullName == "" {
		return fmt.Errorf("%s without repository", d.event)
	}
	f := engine.ProtectionStateFact{Repository: d.Repository.FullName, Kind: "branch_protection", Action: d.Action,
		Detail: "all branch protection " + d.Action}
	if d.Action == "disabled" {
		none := rulesFacts(nil)
		f.After = &none
	}
	m.changeProtection(d, time.Time{}, f)
	return nil
}
