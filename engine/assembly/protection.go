package assembly

import (
	"slices"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// protect states the rules in force on a branch at an instant, by replaying what
// was read and what changed, and whether they were bypassed.
func (a *assembler) protect(repository, branch string, at time.Time, number int, shas []string, from time.Time, d *draft) {
	states, known, certain := a.rulesAt(repository, branch, at)
	if known {
		d.change.BranchProtection = merged(states)
	}
	if !known {
		d.scope.miss("github", "branch_protection", "the rules of "+repository+" at that time were not read")
	} else if !certain && !a.windowCovers("github", at) {
		d.scope.miss("github", "branch_protection", "the rules of "+repository+" were read later only, and no log covers the time in between")
	}
	bypassed := false
	for _, f := range a.bypasses[repository] {
		b := f.Data
		ours := (b.Number != nil && *b.Number == number && number > 0) || slices.Contains(shas, b.After)
		if !ours || f.OccurredAt.After(a.opts.At) {
			continue
		}
		bypassed = true
		if d.change.BranchProtection == nil {
			d.change.BranchProtection = &engine.BranchProtection{}
		}
		d.change.BranchProtection.Bypassed = ptr(true)
		d.change.BranchProtection.BypassActor = d.cast.account(f.Actor)
	}
	if !bypassed && known && (a.windowCovers("github", at) || a.readFact("github", "rule_suites", repository, 0) || a.readFact("github", "audit_log", repository, 0)) {
		d.change.BranchProtection.Bypassed = ptr(false)
	}
	a.protectionHistory(repository, branch, from, at, d)
}

// ruleName tells classic protection and the rulesets apart.
func ruleName(d engine.ProtectionStateFact) string { return d.Kind + " " + d.Name }

func covers(d engine.ProtectionStateFact, branch string) bool {
	return d.Branch == "" || matches(d.Branch, branch)
}

// rulesAt replays each rule to an instant: the last state before it, else what the
// first later change replaced, else the first later reading, which is certain only
// if nothing could have changed in between.
func (a *assembler) rulesAt(repository, branch string, at time.Time) (states []*engine.ProtectionFacts, known, certain bool) {
	type replay struct {
		state        *engine.ProtectionFacts
		seen, sealed bool // a state before the instant; one proven backwards
		later        bool // the first reading came after
	}
	byRule := map[string]*replay{}
	certain = true
	for _, f := range a.protections[repository] {
		if !covers(f.Data, branch) {
			continue
		}
		r := byRule[ruleName(f.Data)]
		if r == nil {
			r = &replay{}
			byRule[ruleName(f.Data)] = r
		}
		now := f.Data.State
		if f.Type == "protection.changed" {
			now = first(f.Data.After, f.Data.State)
		}
		switch {
		case !f.OccurredAt.After(at):
			if now == nil && f.Type == "protection.changed" && f.Data.Action != "deleted" && r.state != nil {
				continue // a change that does not say to what
			}
			r.state, r.seen = now, true
		case r.seen || r.sealed:
		case f.Type == "protection.changed" && f.Data.Before != nil:
			r.state, r.sealed = f.Data.Before, true
		case f.Type == "protection.changed" && f.Data.Action == "created":
			r.state, r.sealed = nil, true
		case f.Type == "protection.changed":
			r.sealed = true // it changed, and nobody knows from what
			certain = false
		default:
			r.state, r.sealed, r.later = now, true, true
		}
	}
	for _, name := range sortedKeys(byRule) {
		r := byRule[name]
		known = known || r.seen || r.sealed
		certain = certain && !r.later
		if r.state != nil {
			states = append(states, r.state)
		}
	}
	return states, known, certain
}

// merged is what several rules demand together: the strictest counts. No rule at
// all demands nothing.
func merged(states []*engine.ProtectionFacts) *engine.BranchProtection {
	out := &engine.BranchProtection{PullRequestRequired: ptr(false), RequiredApprovals: ptr(0)}
	or := func(a, b *bool) *bool {
		if a == nil || (b != nil && *b) {
			return b
		}
		return a
	}
	checks := map[string]bool{}
	for _, s := range states {
		out.PullRequestRequired = or(out.PullRequestRequired, s.PullRequestRequired)
		if s.RequiredApprovals != nil {
			out.RequiredApprovals = ptr(max(*out.RequiredApprovals, *s.RequiredApprovals))
			if *s.RequiredApprovals > 0 {
				out.PullRequestRequired = ptr(true)
			}
		}
		out.DismissStaleReviews = or(out.DismissStaleReviews, s.DismissStaleReviews)
		out.RequireLastPushApproval = or(out.RequireLastPushApproval, s.RequireLastPushApproval)
		if s.RequiredApprovals != nil && *s.RequiredApprovals > 0 || s.PullRequestRequired != nil && *s.PullRequestRequired || len(states) == 1 {
			out.AppliesToAdmins = or(out.AppliesToAdmins, s.AppliesToAdmins)
		}
		if s.AllowForcePushes != nil && (out.AllowForcePushes == nil || !*s.AllowForcePushes) {
			out.AllowForcePushes = s.AllowForcePushes
		}
		for _, c := range s.RequiredChecks {
			checks[c] = true
		}
	}
	out.RequiredChecks = sortedKeys(checks)
	return clone(out)
}

// protectionHistory lists what happened to the rules from a day before the change
// began until a day after it was merged.
func (a *assembler) protectionHistory(repository, branch string, from, at time.Time, d *draft) {
	from, to := from.Add(-24*time.Hour), at.Add(24*time.Hour)
	inside := func(t time.Time) bool { return !t.Before(from) && !t.After(to) && !t.After(a.opts.At) }
	for _, f := range a.protections[repository] {
		if f.Type != "protection.changed" || !inside(f.OccurredAt) || !covers(f.Data, branch) {
			continue
		}
		entry := map[string]any{"id": f.ID, "type": "changed", "at": f.OccurredAt}
		for key, value := range map[string]string{"actor": d.cast.account(f.Actor), "action": f.Data.Action, "kind": f.Data.Kind, "name": f.Data.Name, "detail": f.Data.Detail, "branch": f.Data.Branch} {
			if value != "" {
				entry[key] = value
			}
		}
		if f.Data.Before != nil {
			entry["before"] = clone(f.Data.Before)
		}
		if after := first(f.Data.After, f.Data.State); after != nil {
			entry["after"] = clone(after)
		}
		d.change.ProtectionEvents = append(d.change.ProtectionEvents, entry)
	}
	for _, f := range a.bypasses[repository] {
		if !inside(f.OccurredAt) {
			continue
		}
		entry := map[string]any{"id": f.ID, "type": "bypassed", "at": f.OccurredAt}
		for key, value := range map[string]string{"actor": d.cast.account(f.Actor), "after": f.Data.After, "branch": f.Data.Branch} {
			if value != "" {
				entry[key] = value
			}
		}
		if f.Data.Number != nil {
			entry["number"] = *f.Data.Number
		}
		if len(f.Data.Rules) > 0 {
			entry["rules"] = f.Data.Rules
		}
		d.change.ProtectionEvents = append(d.change.ProtectionEvents, entry)
	}
}
