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
// roles and with which second factors, API tokens.
type Okta struct {
	http *http.Client
	base *url.URL
	now  time.Time
}

// NewOkta makes a collector with an API token. Service says how to reach the
// organisation; its Base, such as https://acme.okta.com, must be set, its
// Authorize is set here. A token has the rights of who made it: see
// oktaPermissions for whose is enough.
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

// oktaPermissions is the least that works, fact by fact. With OAuth instead of a
// token these are the scopes okta.logs.read, okta.users.read, okta.roles.read,
// okta.factors.read and okta.apiTokens.read.
var oktaPermissions = map[string]string{
	"access_events": "a token of a Read-only Administrator",
	"members":       "a token of a Read-only Administrator",
	"permissions":   "a token of an administrator who may view administrators (Super Administrator, or a custom role with okta.iam.read)",
	"credentials":   "a token of an administrator who may view factors and API tokens (Super Administrator where Read-only is refused)",
}

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
				Reason: "Okta keeps its log for 90 days: for what was before, read an export with --from",
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

// pages reads a list to its last page. Where Okta refuses it, the gap is taken.
func (o *Okta) pages(ctx context.Context, path string, query url.Values, fact string, parts *collectors.Parts, take func(collectors.Payload) error) error {
	next := o.base.JoinPath(path)
	next.RawQuery = query.Encode()
	asked := map[string]bool{}
	for page := 1; ; page++ {
		a, err := collectors.Ask(ctx, o.http, next.String())
		if err != nil {
			return fmt.Errorf("okta: %w", err)
		}
		if a.Refused() {
			return parts.Take(collectors.Mapping{}, collectors.Gap{Source: "iam", Fact: fact,
				Reason: fmt.Sprintf("Okta answered %d to %s: needs %s", a.Status, next.Path, oktaPermissions[fact])})
		}
		asked[next.String()] = true
		following := nextLink(a.Header)
		name := path
		if page > 1 {
			name += ".page-" + strconv.Itoa(page)
		}
		p := collectors.Payload{
			Path: "okta/" + o.base.Host + "/" + name + ".json", Bytes: a.Body, ObservedAt: a.At,
			MediaType: "application/json", Trust: engine.TrustAPIRead, URL: a.URL, NextPage: following != "",
		}
		if err := take(p); err != nil {
			return err
		}
		if following == "" {
			return nil
		}
		if next, err = o.base.Parse(following); err != nil || next.Scheme != o.base.Scheme || next.Host != o.base.Host {
			return fmt.Errorf("okta: the next page of %s is not at %s", path, o.base.Host)
		}
		if asked[next.String()] {
			return fmt.Errorf("okta: the pages of %s go round in circles", path)
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

// holders reads users, administrators with their roles and second factors, and
// API tokens. The last reading of a day is kept.
func (o *Okta) holders(ctx context.Context, _ collectors.Window, position string, commit func(collectors.Step) error) error {
	for _, one := range []struct {
		name, path, fact string
		limit            string
	}{
		{"1-users", "api/v1/users", "members", "200"},
		{"2-administrators", "api/v1/iam/assignees/users", "permissions", "100"},
		{"3-tokens", "api/v1/api-tokens", "credentials", "200"},
	} {
		if one.name <= position {
			continue
		}
		parts := collectors.NewParts(one.name+"/"+o.now.Format(time.DateOnly), position, commit)
		var admins []string
		err := o.pages(ctx, one.path, url.Values{"limit": {one.limit}}, one.fact, parts, func(p collectors.Payload) error {
			if one.name != "2-administrators" {
				return parts.Take(Map(p))
			}
			var list struct {
				Value []struct {
					ID string `json:"id"`
				} `json:"value"`
			}
			if err := json.Unmarshal(p.Bytes, &list); err != nil {
				return fmt.Errorf("okta: %s answered no list", one.path)
			}
			for _, u := range list.Value {
				admins = append(admins, u.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range admins {
			if err := o.administrator(ctx, id, parts); err != nil {
				return err
			}
		}
		if err := parts.End(one.name); err != nil {
			return err
		}
		position = one.name
	}
	return nil
}

func (o *Okta) administrator(ctx context.Context, id string, parts *collectors.Parts) error {
	if strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "" || id == "" {
		return fmt.Errorf("okta: %q is no id of a user", id)
	}
	for _, list := range []struct{ name, fact string }{{"roles", "permissions"}, {"factors", "credentials"}} {
		if err := o.pages(ctx, "api/v1/users/"+id+"/"+list.name, nil, list.fact, parts, func(p collectors.Payload) error { return parts.Take(Map(p)) }); err != nil {
			return err
		}
	}
	return nil
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
		query := url.Values{
			"since": {from.UTC().Format("2006-01-02T15:04:05.000Z")}, "until": {to.UTC().Format("2006-01-02T15:04:05.000Z")},
			"sortOrder": {"ASCENDING"}, "limit": {"1000"},
		}
		err := o.pages(ctx, "api/v1/logs", query, "access_events", parts, func(p collectors.Payload) error {
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
