package iam

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// causeWindow is how long after an assignment Identity Center's own work may come.
const causeWindow = 15 * time.Minute

// Link joins what single records cannot say, over all access events at hand:
//
//   - the records that Identity Center writes in consequence of an assignment
//     name that assignment in caused_by. Those without one within 15 minutes
//     lose the mark: they stand for themselves;
//   - a session that only its caller has named gets the actor who was handed
//     its key, along the whole chain, with confidence correlated;
//   - what Okta did by itself names the person's act of the same transaction.
//
// The result depends on the set of events, not on their order, so Link belongs
// before assembly: stored events stay as their records made them. Other events
// pass through; the argument is not changed.
func Link(events []engine.Event) []engine.Event {
	out := slices.Clone(events)
	var acts []*act
	for i := range out {
		if out[i].Type != "access.changed" || out[i].Source != "iam" {
			continue
		}
		a := &act{event: &out[i]}
		if json.Unmarshal(out[i].Data, &a.fact) == nil {
			acts = append(acts, a)
		}
	}
	slices.SortFunc(acts, func(a, b *act) int {
		return cmp.Or(a.event.OccurredAt.Compare(b.event.OccurredAt), cmp.Compare(a.event.ID, b.event.ID))
	})
	linkAssignments(acts)
	linkSessions(acts)
	linkTransactions(acts)
	for _, a := range acts {
		if a.linked {
			a.event.Data = engine.Facts(a.fact)
		}
	}
	return out
}

// act is an access event with its fact taken out.
type act struct {
	event  *engine.Event
	fact   engine.AccessFact
	linked bool
}

func (a *act) changes(name string) bool { return strings.HasSuffix(a.fact.Change, ":"+name) }

func (a *act) operation() string {
	if a.fact.Permission == nil {
		return ""
	}
	return a.fact.Permission.Operation
}

func linkAssignments(acts []*act) {
	names := map[string]string{} // permission set ARN to name
	for _, a := range acts {
		if a.changes("CreatePermissionSet") && a.fact.Target != nil {
			names[a.fact.Target.Account] = a.fact.Target.Name
		}
	}
	var causes []*act
	for _, a := range acts {
		if a.fact.Outcome == "success" && (a.changes("CreateAccountAssignment") || a.changes("DeleteAccountAssignment") || a.changes("ProvisionPermissionSet")) {
			causes = append(causes, a)
		}
	}
	for _, a := range acts {
		rest, ok := strings.CutPrefix(a.fact.CausedBy, ssoCausePrefix)
		if !ok {
			continue
		}
		account, set, _ := strings.Cut(rest, ":")
		a.fact.CausedBy, a.linked = "", true
		for _, c := range slices.Backward(causes) {
			after := a.event.OccurredAt.Sub(c.event.OccurredAt)
			if after >= 0 && after <= causeWindow && c.explains(a, account, set, names) {
				a.fact.CausedBy = c.event.ID
				break
			}
		}
	}
}

// explains tells whether an assignment accounts for work on a role in an
// account. An assignment names its permission set by ARN only: where the name
// of that ARN is not known, account, direction and time decide.
func (a *act) explains(work *act, account, set string, names map[string]string) bool {
	arn := a.fact.Permission
	if arn == nil {
		return false
	}
	provision := a.changes("ProvisionPermissionSet")
	id := arn.ID
	if provision && a.fact.Target != nil {
		id = a.fact.Target.Account
	}
	name := names[id]
	if name != "" && set != "" && name != set {
		return false
	}
	if provision {
		return name != "" || arn.Scope == "account "+account
	}
	return arn.Scope == "account "+account && (work.operation() == opRemove) == a.changes("DeleteAccountAssignment")
}

// linkSessions follows session keys back to who was handed them. Sorted by
// time, a chain resolves link by link.
func linkSessions(acts []*act) {
	issuer := map[string]*act{}
	for _, a := range acts {
		if from := issuer[a.fact.CredentialID]; from != nil && a.fact.CredentialID != "" && callerNamed(a.fact) && from.event.Actor != nil {
			who := *from.event.Actor
			a.event.Actor = &who
			a.fact.ActorKind, a.fact.Confidence, a.linked = from.fact.ActorKind, "correlated", true
			a.fact.Via = cmp.Or(a.fact.Via, "session")
		}
		if a.fact.IssuedID != "" && a.fact.Outcome == "success" && (a.fact.Kind == "role_assumption" || a.fact.Kind == "break_glass_use") {
			issuer[a.fact.IssuedID] = a
		}
	}
}

// callerNamed tells a session whose name proves nothing.
func callerNamed(f engine.AccessFact) bool {
	return f.Confidence == "none" || f.Confidence == "session_name" && f.ActorKind == "unknown"
}

func linkTransactions(acts []*act) {
	first := map[string]*act{}
	for _, a := range acts {
		if id := a.fact.TransactionID; a.event.Provider == "okta" && id != "" && a.fact.ActorKind == "human" && first[id] == nil {
			first[id] = a
		}
	}
	for _, a := range acts {
		cause := first[a.fact.TransactionID]
		if a.event.Provider == "okta" && a.fact.ActorKind == "service" && a.fact.CausedBy == "" && cause != nil {
			a.fact.CausedBy, a.linked = cause.event.ID, true
		}
	}
}
