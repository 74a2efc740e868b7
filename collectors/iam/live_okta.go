package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

const (
	// oktaReach is how long Okta keeps its log.
	oktaReach = 90 * 24 * time.Hour
	// oktaLag is how long a record may take to show up: Okta names none, minutes
	// are seen.
	oktaLag = 5 * time.Minute
	// oktaOverlap is read again in the next run: a query with an end may miss
	// records that arrive late.
	oktaOverlap = 2 * time.Hour
	// oktaStretch is how much of the log is asked for at once.
	oktaStretch = 7 * 24 * time.Hour
)

// Okta collects one Okta organisation: system log, users, who has administrator
// roles and with which second factors, API tokens, who is in which group and who
// may use which application.
type Okta struct {
	http *http.Client
	base *url.URL
	now  time.Time
}

// NewOkta makes a collector with an API token. Service says how to reach the
// organisation; its Base, such as https://acme.okta.com, must be set, its
// Authorize is set here. A token has the rights of who made it: a Read-only
// Administrator's reads everything but roles, second factors and API tokens.
func NewOkta(token string, s collectors.Service) (*Okta, error) {
	if s.Base == nil || s.Base.Host == "" {
		return nil, errors.New("okta: no address of an organisation, such as https://acme.okta.com")
	}
	if token = strings.TrimSpace(token); token == "" || strings.ContainsAny(token, " \t\r\n") {
		return nil, errors.New("okta: no API token: set VOUCH_OKTA_TOKEN")
	}
	s.Authorize = func(r *http.Request) error {
		r.Header.Set("Authorization", "SSWS "+token)
		return nil
	}
	return &Okta{http: collectors.NewClient(s), base: s.Base}, nil
}

// Name implements collectors.Collector.
func (o *Okta) Name() string { return "okta/" + o.base.Host }

// oktaList is one list of the API, the fact that it is, and the least that opens
// it: the role of the token's maker, and the scope where OAuth is used instead.
type oktaList struct {
	path, fact string
	query      url.Values
	needs      string
}

const oktaReader = "a token of a Read-only Administrator (scope "

// Collect implements collectors.Collector.
func (o *Okta) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	a, err := collectors.Ask(ctx, o.http, o.base.JoinPath("api/v1/users").String()+"?limit=1")
	if err != nil {
		return fmt.Errorf("okta: %w", err)
	}
	if o.now = a.At; a.Status == http.StatusUnauthorized {
		reason := "Okta answered 401: the token is not accepted; it ends with the account of its maker, and after 30 days without use"
		c := engine.CoverageFact{Source: "iam", System: o.system(), Status: "unavailable", From: &w.Since, To: &w.Until, Reason: reason}
		return errors.Join(commit(statement("okta", "unavailable/"+w.Since.Format(time.RFC3339), o.now, c)), errors.New(reason))
	}
	if settled := o.now.Add(-oktaLag); w.Until.After(settled) {
		w.Until = settled
	}
	if floor := o.now.Add(-oktaReach); w.Since.Before(floor) {
		if cursor == nil {
			if err := commit(statement("okta", "reach", o.now, engine.CoverageFact{
				Source: "iam", System: o.system(), Status: "incomplete", From: &w.Since, To: &floor, Missing: []string{"access_events"},
				Reason: "Okta keeps its log for 90 days: for what was before, read an export (vouch collect iam --from)",
			})); err != nil {
				return err
			}
		}
		w.Since = floor
	}
	if !w.Until.After(w.Since) {
		return fmt.Errorf("okta: nothing to read between %s and %s: records show up after %s, and for 90 days", w.Since.Format(time.RFC3339), w.Until.Format(time.RFC3339), oktaLag)
	}
	stages := collectors.Stages{
		Sources: []string{"iam"}, System: o.system(), Overlap: oktaOverlap,
		All: []collectors.Stage{{Name: "holders", Read: o.holders}, {Name: "log", Read: o.log}},
	}
	return stages.Collect(ctx, w, cursor, commit)
}

func (o *Okta) system() string { return "okta:" + o.base.Host }

// pages reads a list to its last page. Where Okta refuses it, the gap is taken;
// refused means that it would refuse others of the kind too.
func (o *Okta) pages(ctx context.Context, list oktaList, parts *collectors.Parts, take func(collectors.Payload) error) (refused bool, err error) {
	next := o.base.JoinPath(list.path)
	next.RawQuery = list.query.Encode()
	asked := map[string]bool{}
	for page := 1; ; page++ {
		a, err := collectors.Ask(ctx, o.http, next.String())
		if err != nil {
			return false, fmt.Errorf("okta: %w", err)
		}
		if a.Refused() {
			return a.Status != http.StatusNotFound, parts.Take(collectors.Mapping{}, collectors.Gap{Source: "iam", Fact: list.fact,
				Reason: fmt.Sprintf("Okta answered %d to %s: needs %s", a.Status, next.Path, list.needs)})
		}
		asked[next.String()] = true
		following := nextLink(a.Header)
		name := list.path
		if page > 1 {
			name += ".page-" + strconv.Itoa(page)
		}
		p := collectors.Payload{
			Path: "okta/" + o.base.Host + "/" + name + ".json", Bytes: a.Body, ObservedAt: a.At,
			MediaType: "application/json", Trust: engine.TrustAPIRead, URL: a.URL, NextPage: following != "",
		}
		if err := take(p); err != nil {
			return false, err
		}
		if following == "" {
			return false, nil
		}
		if next, err = o.base.Parse(following); err != nil || next.Scheme != o.base.Scheme || next.Host != o.base.Host {
			return false, fmt.Errorf("okta: the next page of %s is not at %s", list.path, o.base.Host)
		}
		if asked[next.String()] {
			return false, fmt.Errorf("okta: the pages of %s go round in circles", list.path)
		}
	}
}

// nextLink is the address of the next page (RFC 8288), "" on the last one. Okta
// sends one Link header for each relation.
func nextLink(h http.Header) string {
	for _, header := range h.Values("Link") {
		for link := range strings.SplitSeq(header, ",") {
			target, relation, _ := strings.Cut(link, ">")
			if strings.Contains(relation, `rel="next"`) {
				return strings.TrimPrefix(strings.TrimSpace(target), "<")
			}
		}
	}
	return ""
}

// log reads the system log in stretches. The position is the instant reached.
func (o *Okta) log(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	from := w.Since
	if position != "" {
		at, err := time.Parse(time.RFC3339Nano, position)
		if err != nil {
			return fmt.Errorf("the cursor names no instant: %q", position)
		}
		from = at
	}
	for from.Before(w.Until) {
		to := from.Add(oktaStretch)
		if to.After(w.Until) {
			to = w.Until
		}
		// Named by its whole window: a later run with another one may find less, and
		// must not replace it.
		parts := collectors.NewParts(from.UTC().Format(time.RFC3339Nano)+"/"+to.UTC().Format(time.RFC3339Nano), position, commit)
		records := oktaList{path: "api/v1/logs", fact: "access_events", needs: oktaReader + "okta.logs.read)", query: url.Values{
			"since": {from.UTC().Format("2006-01-02T15:04:05.000Z")}, "until": {to.UTC().Format("2006-01-02T15:04:05.000Z")},
			"sortOrder": {"ASCENDING"}, "limit": {"1000"},
		}}
		_, err := o.pages(ctx, records, parts, func(p collectors.Payload) error {
			return parts.TakeWindow(Map(p), "access_events", "iam")
		})
		if err != nil {
			return err
		}
		position = to.UTC().Format(time.RFC3339Nano)
		if err := parts.End(position); err != nil {
			return err
		}
		from = to
	}
	return nil
}
