package iam

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// entraDecisions translates what a reviewer may say in Microsoft Graph. NotReviewed
// and DontKnow decide nothing.
var entraDecisions = map[string]string{"approve": "keep", "deny": "remove"}

// isEntraDecision tells an accessReviewInstanceDecisionItem of Microsoft Graph.
func isEntraDecision(n node) bool { return n.has("decision") && n.has("accessReviewId") }

var laterPage = regexp.MustCompile(`\.page-[0-9]+\.json(\.gz)?$`)

// entraReview maps the decision items of access reviews: the answer to GET
// …/accessReviews/definitions/{id}/instances/{id}/decisions, whole. Several pages
// must be put into one list first: a review is complete when no item waits, which
// one page cannot tell. When the review began stands in instance, which
// $expand=instance($expand=definition) adds; without it the first decision counts.
func (b *builder) entraReview(doc node, items []node) {
	if next := doc.key("@odata.nextLink").str(""); next != "" || laterPage.MatchString(b.path) {
		b.fault("", errors.New("one page of the decisions of a review: put the values of all pages into one list, since a review may wait for a decision on another"))
		return
	}
	reviews := map[string]*review{}
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		if err := entraDecided(reviews, n); err != nil {
			b.fault(b.where, err)
		}
	}
	for id, v := range reviews {
		if !v.asOf.IsZero() {
			continue
		}
		delete(reviews, id)
		b.fault("review "+v.id, errors.New("nothing says when it began: export it with $expand=instance($expand=definition)"))
	}
	b.addReviews(reviews)
}

func entraDecided(reviews map[string]*review, n node) error {
	id, account := n.str("accessReviewId"), n.first("principal.userPrincipalName", "target.userPrincipalName", "principal.displayName", "principal.id")
	if id == "" || account == "" {
		return errors.New("no decision of a review: accessReviewId or principal is absent")
	}
	v := reviews[id]
	if v == nil {
		v = &review{id: id, name: n.str("instance.definition.displayName"), system: "entra"}
		for _, began := range []string{"instance.startDateTime", "instance.startDate"} {
			if t := n.when(began); t != nil {
				v.asOf = *t
			}
		}
		reviews[id] = v
	}
	at := n.when("reviewedDateTime")
	if at != nil && (v.asOf.IsZero() || at.Before(v.asOf)) {
		v.asOf = *at
	}
	v.take(account, n.first("reviewedBy.userPrincipalName", "reviewedBy.displayName"), entraDecisions[strings.ToLower(n.str("decision"))], at)
	return nil
}
