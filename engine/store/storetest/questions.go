package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// filters are the questions of vouch decisions list, each with what it chooses,
// said another way.
func filters() map[string]struct {
	filter engine.DecisionFilter
	want   func(d engine.Decision, latest bool) bool
} {
	status := func(d engine.Decision, control string, statuses ...string) bool {
		return slices.ContainsFunc(d.Findings, func(f engine.Finding) bool {
			return (control == "" || f.Control == control) && slices.Contains(statuses, f.Status)
		})
	}
	has := func(d engine.Decision, person string) bool {
		return slices.Contains(slices.Concat(d.Parties.Authors, d.Parties.Approvers, d.Parties.Deployers), person)
	}
	number := func(d engine.Decision) (n int) {
		_, text, _ := strings.Cut(d.Subject.ID, "#")
		if _, err := fmt.Sscan(text, &n); err != nil {
			panic(err)
		}
		return n
	}
	type question = struct {
		filter engine.DecisionFilter
		want   func(d engine.Decision, latest bool) bool
	}
	from, to := Epoch.Add(20*time.Minute), Epoch.Add(40*time.Minute)
	return map[string]question{
		"all":     {engine.DecisionFilter{}, func(engine.Decision, bool) bool { return true }},
		"latest":  {engine.DecisionFilter{Latest: true}, func(_ engine.Decision, latest bool) bool { return latest }},
		"outcome": {engine.DecisionFilter{Outcomes: []string{"unknown"}}, func(d engine.Decision, _ bool) bool { return d.Outcome == "unknown" }},
		"outcomes": {engine.DecisionFilter{Outcomes: []string{"unknown", "pending"}}, func(d engine.Decision, _ bool) bool {
			return d.Outcome == "unknown" || d.Outcome == "pending"
		}},
		"class": {engine.DecisionFilter{Classes: []string{"emergency"}}, func(d engine.Decision, _ bool) bool { return d.Classification.Type == "emergency" }},
		"risk":  {engine.DecisionFilter{Risks: []string{"high"}}, func(d engine.Decision, _ bool) bool { return d.Risk.Level == "high" }},
		"control, any status": {engine.DecisionFilter{Controls: []string{"CM-1.1"}}, func(d engine.Decision, _ bool) bool {
			return true
		}},
		"control and status": {engine.DecisionFilter{Controls: []string{"CM-1.1", "CM-9.9"}, Statuses: []string{"fail", "waived"}}, func(d engine.Decision, _ bool) bool {
			return status(d, "CM-1.1", "fail", "waived")
		}},
		"control without that status": {engine.DecisionFilter{Controls: []string{"CM-1.2"}, Statuses: []string{"fail"}}, func(engine.Decision, bool) bool { return false }},
		"status":                      {engine.DecisionFilter{Statuses: []string{"fail"}}, func(d engine.Decision, _ bool) bool { return status(d, "", "fail") }},
		"person":                      {engine.DecisionFilter{Persons: []string{"mia"}}, func(d engine.Decision, _ bool) bool { return has(d, "mia") }},
		"repository": {engine.DecisionFilter{Repositories: []string{"acme/repo3"}}, func(d engine.Decision, _ bool) bool {
			return strings.HasPrefix(d.Subject.ID, "acme/repo3#")
		}},
		"service": {engine.DecisionFilter{Services: []string{"srv-api"}}, func(d engine.Decision, _ bool) bool { return number(d)%len(services) == 1 }},
		"type":    {engine.DecisionFilter{Types: []string{"finding"}}, func(engine.Decision, bool) bool { return false }},
		"time": {engine.DecisionFilter{From: from, To: to}, func(d engine.Decision, _ bool) bool {
			at, err := time.Parse(time.RFC3339, d.EvaluatedAt)
			return err == nil && !at.Before(from) && at.Before(to)
		}},
		"text of the subject": {engine.DecisionFilter{Text: "ACME/repo3#23"}, func(d engine.Decision, _ bool) bool { return d.Subject.ID == "acme/repo3#23" }},
		"text of the title":   {engine.DecisionFilter{Text: "speed renewal 17"}, func(d engine.Decision, _ bool) bool { return number(d) == 17 }},
		"text, half a word":   {engine.DecisionFilter{Text: "renew"}, func(engine.Decision, bool) bool { return false }},
		"everything at once": {
			engine.DecisionFilter{
				Outcomes: []string{"compliant", "non_compliant"}, Classes: []string{"normal", "standard"}, Persons: []string{"mia", "jonas"}, From: from,
				Repositories: []string{"acme/repo1", "acme/repo10"}, Text: "part", Types: []string{"change"}, Controls: []string{"CM-2.1"}, Statuses: []string{"pass"}, Latest: true,
			},
			func(d engine.Decision, latest bool) bool {
				at, err := time.Parse(time.RFC3339, d.EvaluatedAt)
				n := number(d) % 20
				return err == nil && latest && (d.Outcome == "compliant" || d.Outcome == "non_compliant") && d.Classification.Type != "emergency" &&
					(has(d, "mia") || has(d, "jonas")) && !at.Before(from) && (n == 1 || n == 10)
			},
		},
	}
}

func testQuestions(t *testing.T, d Database) {
	ctx := t.Context()
	s := Open(t, d.Fresh(t), store.Options{})
	j := journal(t, s)
	const subjects = 90
	var all []engine.Judgement
	for n := range subjects {
		all = append(all, Judged(Judge(), n, 0, 0))
	}
	for n := 0; n < subjects; n += 3 {
		all = append(all, Judged(Judge(), n, 1, 1))
	}
	if err := j.AppendAll(ctx, all); err != nil {
		t.Fatal(err)
	}
	newest := map[string]string{}
	for _, one := range all {
		newest[one.Decision.Subject.ID] = one.Decision.ID
	}
	some := 0
	for name, question := range filters() {
		var want []string
		for _, one := range all {
			if question.want(one.Decision, newest[one.Decision.Subject.ID] == one.Decision.ID) {
				want = append(want, one.Decision.ID)
			}
		}
		if len(want) > 0 {
			some++
		}
		for _, limit := range []int{7, 1000} {
			got := listAll(t, s, question.filter, limit)
			if !slices.IsSortedFunc(got, func(a, b engine.DecisionSummary) int {
				if c := b.EvaluatedAt.Compare(a.EvaluatedAt); c != 0 {
					return c
				}
				return int(b.Index - a.Index)
			}) {
				t.Errorf("%s: out of order", name)
			}
			var ids []string
			for _, one := range got {
				ids = append(ids, one.ID)
				if one.Latest != (newest[one.Subject.ID] == one.ID) {
					t.Errorf("%s: latest of %s is %v", name, one.ID, one.Latest)
				}
			}
			slices.Sort(ids)
			slices.Sort(want)
			if diff := cmp.Diff(want, ids); diff != "" {
				t.Errorf("%s, %d at a time: %s", name, limit, diff)
			}
		}
	}
	if some < 15 {
		t.Errorf("only %d questions have answers", some)
	}
	testPages(t, s, j)
	testSubjects(t, s, newest)
	if _, err := s.List(ctx, engine.DecisionFilter{}, "nonsense", 1); err == nil {
		t.Error("took nonsense for a cursor")
	}
	if page, err := s.List(ctx, engine.DecisionFilter{Text: " #/ "}, "", 1); err == nil {
		t.Errorf("found no words in %v", page)
	}
}

func listAll(t *testing.T, s *store.Store, filter engine.DecisionFilter, limit int) []engine.DecisionSummary {
	t.Helper()
	var list []engine.DecisionSummary
	for after := ""; ; {
		page, err := s.List(t.Context(), filter, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if list = append(list, page.Decisions...); page.Next == "" {
			return list
		}
		if len(page.Decisions) != limit {
			t.Fatalf("a page of %d, not %d, that is not the last", len(page.Decisions), limit)
		}
		after = page.Next
	}
}

// testPages records between two pages: nothing is shown twice or left out.
func testPages(t *testing.T, s *store.Store, j *store.Journal) {
	t.Helper()
	before := listAll(t, s, engine.DecisionFilter{Persons: []string{"ada"}}, 1000)
	first, err := s.List(t.Context(), engine.DecisionFilter{Persons: []string{"ada"}}, "", 5)
	if err != nil {
		t.Fatal(err)
	}
	newer := Judged(Judge(), 2, 5, 0) // ada wrote it
	if err := j.Append(t.Context(), newer.Dossier, newer.Decision); err != nil {
		t.Fatal(err)
	}
	second, err := s.List(t.Context(), engine.DecisionFilter{Persons: []string{"ada"}}, first.Next, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, one := range slices.Concat(first.Decisions, second.Decisions) {
		got = append(got, one.ID)
	}
	for _, one := range before {
		want = append(want, one.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func testSubjects(t *testing.T, s *store.Store, newest map[string]string) {
	t.Helper()
	ctx := t.Context()
	var subjects []engine.DecisionSummary
	for after := (engine.Subject{}); ; {
		page, err := s.Subjects(ctx, engine.SubjectFilter{}, after, 11)
		if err != nil {
			t.Fatal(err)
		}
		if subjects = append(subjects, page...); len(page) < 11 {
			break
		}
		after = page[10].Subject
	}
	if len(subjects) != len(newest) || !slices.IsSortedFunc(subjects, func(a, b engine.DecisionSummary) int { return strings.Compare(a.Subject.ID, b.Subject.ID) }) {
		t.Errorf("%d subjects, not %d, or out of order", len(subjects), len(newest))
	}
	wantDue := 0
	for _, one := range subjects {
		if one.Subject.ID != "acme/repo2#2" && newest[one.Subject.ID] != one.ID {
			t.Errorf("latest on %s is %s, not %s", one.Subject.ID, one.ID, newest[one.Subject.ID])
		}
		if one.NextEvaluationAt != nil {
			wantDue++
		}
	}
	pending, err := s.Subjects(ctx, engine.SubjectFilter{Type: "change", Outcome: engine.OutcomePending}, engine.Subject{}, 1000)
	if err != nil || len(pending) != wantDue || wantDue == 0 {
		t.Errorf("%d subjects are pending, not %d, %v", len(pending), wantDue, err)
	}
	for _, outcome := range outcomes {
		var want, got []engine.DecisionSummary
		for _, one := range subjects {
			if one.Outcome == outcome {
				want = append(want, one)
			}
		}
		for after := (engine.Subject{}); ; {
			page, err := s.Subjects(ctx, engine.SubjectFilter{Type: "change", Outcome: outcome}, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, page...); len(page) < 3 {
				break
			}
			after = page[2].Subject
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, in pages: %s", outcome, diff)
		}
		if other, err := s.Subjects(ctx, engine.SubjectFilter{Type: "deployment", Outcome: outcome}, engine.Subject{}, 3); err != nil || len(other) > 0 {
			t.Errorf("deployments that are %s: %v, %v", outcome, other, err)
		}
	}
	var due []engine.DecisionSummary
	for after := (*engine.DecisionSummary)(nil); ; {
		page, err := s.Deadlines(ctx, engine.SubjectFilter{}, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if due = append(due, page...); len(page) < 3 {
			break
		}
		after = &page[2]
	}
	if len(due) != wantDue || !slices.IsSortedFunc(due, func(a, b engine.DecisionSummary) int { return a.NextEvaluationAt.Compare(*b.NextEvaluationAt) }) {
		t.Errorf("%d deadlines, not %d, or out of order", len(due), wantDue)
	}
	soon, err := s.Deadlines(ctx, engine.SubjectFilter{DueBefore: *due[1].NextEvaluationAt}, nil, 10)
	if err != nil || len(soon) != 1 {
		t.Errorf("due before the second: %v, %v", soon, err)
	}
}

// testIndexes asks the database how it would answer.
func testIndexes(t *testing.T, d Database) {
	ctx := t.Context()
	address := d.Fresh(t)
	s := Open(t, address, store.Options{})
	j := journal(t, s)
	var all []engine.Judgement
	for n := range 150 {
		all = append(all, Judged(Judge(), n, 0, 0))
	}
	if err := j.AppendAll(ctx, all); err != nil {
		t.Fatal(err)
	}
	db := raw(t, address)
	vandal{t, db}.analyze()
	place := engine.DecisionFilter{}
	first, err := s.List(ctx, place, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, question := range filters() {
		for _, after := range []string{"", first.Next} {
			query, args, err := s.Query(ctx, question.filter, after, 10)
			if err != nil {
				t.Fatal(err)
			}
			if plan := explain(t, d, db, query, args); walks(plan) {
				t.Errorf("%s walks through a whole table:\n%s", name, plan)
			}
		}
	}
}

func (v vandal) analyze() {
	v.t.Helper()
	if _, err := v.db.ExecContext(context.Background(), "ANALYZE"); err != nil {
		v.t.Fatal(err)
	}
}

func testReleases(t *testing.T, d Database) {
	ctx := t.Context()
	at := &clock{Epoch}
	s := Open(t, d.Fresh(t), store.Options{Clock: at.read})
	policy := func(version string, from time.Time, settings string) engine.JudgePolicy {
		return engine.JudgePolicy{Version: version, EffectiveFrom: from, BundleDigest: "sha256:b", Bundle: []byte("b"), Settings: []byte(settings)}
	}
	first := policy("1.0.0", Epoch.Add(-100*24*time.Hour), `{"a":1}`) // before all history
	added, err := s.AddRelease(ctx, first, "mia")
	if err != nil || added.AddedBy != "mia" || added.AddedAt.IsZero() {
		t.Fatal(added, err)
	}
	if got, err := s.AddRelease(ctx, policy("1.1.0", Epoch.Add(-time.Hour), `{}`), "mia"); !errors.Is(err, engine.ErrPast) {
		t.Errorf("in the past: %+v, %v", got, err)
	}
	second := policy("1.1.0", Epoch.Add(time.Hour), `{"a":2}`)
	if _, err := s.AddRelease(ctx, second, "ada"); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct {
		policy engine.JudgePolicy
		by     string
		err    error
	}{
		"in the past":           {policy("1.2.0", Epoch.Add(-time.Hour), `{}`), "mia", engine.ErrPast},
		"before another":        {policy("1.2.0", Epoch.Add(time.Minute), `{}`), "mia", engine.ErrPast},
		"together with another": {policy("1.2.0", second.EffectiveFrom, `{}`), "mia", engine.ErrPast},
		"version taken":         {policy("1.1.0", Epoch.Add(2*time.Hour), `{}`), "mia", engine.ErrConflict},
		"nobody":                {policy("1.2.0", Epoch.Add(2*time.Hour), `{}`), "", nil},
		"no moment":             {policy("1.2.0", time.Time{}, `{}`), "mia", nil},
		"no settings":           {policy("1.2.0", Epoch.Add(2*time.Hour), ``), "mia", nil},
	} {
		if got, err := s.AddRelease(ctx, bad.policy, bad.by); err == nil || bad.err != nil && !errors.Is(err, bad.err) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	again, err := s.AddRelease(ctx, first, "eve")
	if err != nil || again != added {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	list, err := s.Releases(ctx)
	if err != nil || len(list) != 2 || list[0] != added || list[1].Version != "1.1.0" {
		t.Errorf("releases: %+v, %v", list, err)
	}
	back, err := s.Policy(ctx, list[1])
	if diff := cmp.Diff(second, back); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	entry, err := s.Entry(ctx, added.Index)
	if err != nil || !strings.Contains(string(entry.Body), `"added_by":"mia"`) {
		t.Errorf("entry: %s, %v", entry.Body, err)
	}
}

func testStatements(t *testing.T, d Database) {
	ctx := t.Context()
	s := Open(t, d.Fresh(t), store.Options{})
	expires := Epoch.Add(time.Hour)
	waiver := engine.Waiver{ID: "w1", Controls: []string{"CM-1.1"}, Subject: "acme/shop#1", ApprovedBy: "ada", ExpiresAt: &expires}
	revoked := waiver
	revoked.RevokedAt = &Epoch
	other := waiver
	other.ID = "w0"
	for _, w := range []engine.Waiver{waiver, waiver, revoked, other} {
		if err := s.AddWaiver(ctx, w, ""); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Waivers(ctx)
	if diff := cmp.Diff([]engine.Waiver{other, revoked}, got); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	head, _, err := s.Head(ctx)
	if err != nil || head.Size != 3 {
		t.Errorf("%+v, %v: the same waiver twice is one entry", head, err)
	}
	// Who added something stands beside it, once.
	for range 2 {
		if err := s.AddAttestation(ctx, engine.Attestation{ID: "a1", Control: "CM-1.2"}, "mia"); err != nil {
			t.Fatal(err)
		}
	}
	actions, err := s.Actions(ctx, -1, 0)
	if err != nil || len(actions) != 1 || actions[0].Principal != "mia" || actions[0].Target != "a1" || actions[0].Route != "attestation" || actions[0].Index != 4 {
		t.Errorf("%+v, %v", actions, err)
	}
	if err := s.AddAttestation(ctx, engine.Attestation{}, ""); err == nil {
		t.Error("recorded an attestation without id")
	}
}
