package iam

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

func isAccessReview(body []byte) bool { return bytes.HasPrefix(body, []byte("review_id,")) }

// review is one access review of one system, put together from its rows.
type review struct {
	id, name, system string
	asOf, last       time.Time
	open             int // rows without a decision
	entries          []string
}

// decisions are the words that decide: an empty cell, no_response and delegated
// do not.
var decisions = []string{"keep", "change", "remove"}

// accessReview maps an exported access review, one row for each account and
// entitlement (columns by name: review_id, review_name, system, account,
// population_as_of, period_start, reviewer_email, decision, decision_at). One
// record for each review and system comes out. It is completed with its last
// decision, and not at all while a row waits for one: no answer is no keep.
func (b *builder) accessReview(body []byte) {
	reviews := map[string]*review{}
	b.table(body, func(row node) error { return reviewed(reviews, row) })
	b.addReviews(reviews)
}

func (b *builder) addReviews(reviews map[string]*review) {
	for _, key := range slices.Sorted(maps.Keys(reviews)) {
		b.addReview(reviews[key])
	}
}

// reviewed adds a row to its review.
func reviewed(reviews map[string]*review, r node) error {
	id, system, account := r.str("review_id"), strings.ToLower(r.str("system")), r.str("account")
	if id == "" || system == "" || account == "" {
		return errors.New("no row of a review: review_id, system or account is absent")
	}
	asOf := r.when("population_as_of")
	if asOf == nil {
		asOf = day(r.str("period_start"))
	}
	if asOf == nil {
		return errors.New("neither population_as_of nor period_start says when the accounts were listed")
	}
	key := id + "/" + system
	v := reviews[key]
	if v == nil {
		v = &review{id: id, name: r.str("review_name"), system: system, asOf: *asOf}
		reviews[key] = v
	}
	v.take(account, r.str("reviewer_email"), strings.ToLower(r.str("decision")), r.when("decision_at"))
	return nil
}

// take adds what was decided of one account, or that nothing was.
func (v *review) take(account, reviewer, decision string, at *time.Time) {
	if !slices.Contains(decisions, decision) || at == nil {
		v.open++
		return
	}
	if at.After(v.last) {
		v.last = *at
	}
	v.entries = append(v.entries, "| "+strings.Join([]string{cell(account), cell(reviewer), decision}, " | ")+" |")
}

// day reads a date without a time.
func day(s string) *time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if t = collectors.Instant(t); err != nil || t.IsZero() {
		return nil
	}
	return &t
}

// cell is a text that ends no cell of a table.
func cell(s string) string { return strings.NewReplacer("|", "/", "\n", " ", "\r", " ").Replace(s) }

func (b *builder) addReview(v *review) {
	slices.Sort(v.entries)
	f := engine.IssueFact{
		Key: v.id + "/" + v.system, Kind: "access_review", Title: v.name, State: "open", CreatedAt: v.asOf,
		Sections: map[string]string{
			"system": v.system, "entries": "| holder | reviewer | decision |\n|---|---|---|\n" + strings.Join(v.entries, "\n"),
			"undecided": fmt.Sprint(v.open),
		},
	}
	at := v.asOf
	if !v.last.IsZero() {
		at = v.last
		if v.open == 0 {
			f.State, f.CompletedAt, f.ClosedAt = "closed", &v.last, &v.last
		}
	}
	b.add(engine.Event{
		ID: "iam:access_review:" + f.Key + ":" + b.rec.Stamp(), Source: "issues", Type: "issue.recorded", OccurredAt: at,
		Subject: engine.Subject{Type: "issue", ID: f.Key}, Data: engine.Facts(f),
	})
}
