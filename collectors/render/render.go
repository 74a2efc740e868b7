// Package render turns what Render says into events: answers of its REST API,
// webhook deliveries and the CSV export of its audit log.
//
// Facts and traps of the source are those of https://api-docs.render.com and
// https://render.com/docs as of August 2026. Its enums are open: unknown names
// and fields never break a mapping. Values of environment variables, secret
// files, connection strings, commands and webhook secrets are never copied out
// of a payload: every field that enters an event is named in this package.
package render

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// system is the system of Render accounts and the source of its change facts.
const system = "render"

// Map reads one payload: an API answer (list or single object), an API error, a
// webhook delivery ({headers, payload}, {request: {headers, body}} or the bare
// payload) or the CSV export of the audit log. Where the body alone does not say
// which service or workspace it is about, the payload's URL or path does.
//
// A document that is none of these is counted as ignored, or is a Fault when it
// was recorded at a Render API path.
func Map(p collectors.Payload) collectors.Mapping {
	text := bytes.TrimSpace(collectors.Text(p.Bytes))
	if isAuditCSV(text) {
		return mapAuditCSV(p, text)
	}
	m := newMapping(p)
	doc, err := parse(text)
	switch doc := doc.(type) {
	case []any:
		m.list(doc)
	case map[string]any:
		m.single(doc)
	default:
		if err == nil {
			err = errors.New("neither a JSON object nor a list")
		}
		m.Fault("", fmt.Errorf("read JSON: %w", err))
	}
	return m.Mapping()
}

// mapping is the work on one payload.
type mapping struct {
	*collectors.Recorder
	place    place
	nextPage bool // the list goes on in another payload
	limit    int  // records a page could hold, 0 if not known
}

func newMapping(p collectors.Payload) *mapping {
	m := &mapping{Recorder: collectors.NewRecorder(p, system, system), place: locate(p), nextPage: p.NextPage}
	if u, err := url.Parse(p.URL); err == nil {
		m.limit, _ = strconv.Atoi(u.Query().Get("limit"))
	}
	return m
}

// list maps a list answer record by record and says that it was read.
func (m *mapping) list(items []any) {
	fact, service := m.place.fact(), m.place.service()
	var unknown []int
	broken := 0
	services := map[string]bool{}
	for i, item := range items {
		o, _ := item.(map[string]any)
		k, body := kindOf(o)
		if k == nil {
			unknown = append(unknown, i)
			continue
		}
		if fact == "" {
			fact = k.fact
		}
		if k == kindEvent {
			services[body.str("serviceId")] = true
		}
		if err := k.read(m, body); err != nil {
			broken++
			m.Fault(pointer(i, body), err)
		}
	}
	switch {
	case len(items) == 0 && m.place == place{}:
		m.Ignore("empty list at no API path")
		return
	case len(items) > 0 && len(unknown) == len(items):
		m.unrecognised(fmt.Sprintf("none of its %d records is known", len(items)))
		return
	}
	for _, i := range unknown {
		m.Fault(pointer(i, nil), errors.New("no record that Render's API is known to send"))
	}
	if service == "" && len(services) == 1 {
		for id := range services {
			service = id
		}
	}
	m.covered(fact, service, len(items), broken+len(unknown))
}

func (m *mapping) single(o object) {
	if isDelivery(o) {
		m.delivery(o)
		return
	}
	k, body := kindOf(o)
	if k == nil {
		m.unrecognised("its fields are those of no known answer")
		return
	}
	if err := k.read(m, body); err != nil {
		m.Fault(body.str("id"), err)
	}
}

// unrecognised documents are somebody else's, unless they lie at a Render path.
func (m *mapping) unrecognised(why string) {
	if m.place == (place{}) {
		m.Ignore("unrecognised document")
		return
	}
	m.Fault("", fmt.Errorf("no answer that Render's API is known to give: %s", why))
}

// covered records that a list was read to its end; broken records or a list
// that may have been cut leave it incomplete. A page that another one follows
// proves nothing by itself.
func (m *mapping) covered(fact, service string, records, broken int) {
	c := engine.CoverageFact{
		Status: "complete", Facts: []string{fact}, Service: service,
		Counts: &engine.CoverageFactCounts{Records: &records, Broken: &broken},
	}
	var reasons []string
	if broken > 0 {
		reasons = append(reasons, fmt.Sprintf("%d of %d records could not be read", broken, records))
	}
	if m.cut(fact, records) {
		reasons = append(reasons, fmt.Sprintf("a full page of %d records and no next page, not even an empty one: the list may be cut", records))
	}
	switch {
	case fact == "" || m.nextPage && len(reasons) == 0:
		return
	case len(reasons) > 0:
		c.Status, c.Facts, c.Missing, c.Reason = "incomplete", nil, []string{fact}, strings.Join(reasons, "; ")
	}
	m.cover(fact, c)
}

// cut: a list ends with a page that is not full. Pages hold what was asked for,
// by default 20, at most 100 (audit log: 1000); members and environment groups
// come in one piece.
func (m *mapping) cut(fact string, records int) bool {
	switch {
	case m.nextPage || fact == "members" || fact == "env_groups":
		return false
	case m.limit > 0:
		return records >= m.limit
	default:
		return records == 20 || records == 100 || records == 1000
	}
}

// cover files coverage under the dossier's sources that need the fact: members
// and the audit log tell of access, the audit log of the platform too.
func (m *mapping) cover(fact string, c engine.CoverageFact) {
	if fact != "members" {
		c.Source = "render"
		m.Cover(c)
	}
	if fact == "members" || fact == "audit_log" {
		c.Source = "iam"
		m.Cover(c)
	}
}

// apiError records that a fact could not be read.
func (m *mapping) apiError(o object) error {
	fact := m.place.fact()
	if fact == "" {
		m.Ignore("error answer at no API path")
		return nil
	}
	m.cover(fact, engine.CoverageFact{
		Status: "incomplete", Missing: []string{fact}, Service: m.place.service(),
		Reason: "Render answered: " + o.str("message"),
	})
	return nil
}

// pointer locates record i of a list.
func pointer(i int, o object) string {
	at := "/" + strconv.Itoa(i)
	if id := o.str("id"); id != "" {
		at += " (" + id + ")"
	}
	return at
}
