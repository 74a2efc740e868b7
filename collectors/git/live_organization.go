package git

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/collectors"
)

// Organization collects who belongs to an organisation, what its apps may do and
// its audit log, as a mapper of access facts reads them.
func (g *GitHub) Organization(name string, m collectors.Mapper) (collectors.Collector, error) {
	if !isName(name) {
		return nil, fmt.Errorf("organisation %q: expected its name, such as acme", name)
	}
	return &organization{GitHub: g, org: name, mapper: m}, nil
}

type organization struct {
	*GitHub
	org    string
	mapper collectors.Mapper
}

// Name implements collectors.Collector.
func (o *organization) Name() string { return o.host() + "/" + o.org }

// Collect implements collectors.Collector.
func (o *organization) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	return collectors.Stages{
		Sources: []string{"iam"}, System: "github:" + o.org, Overlap: overlap,
		All: []collectors.Stage{{Name: "people", Read: o.people}, {Name: "audit", Read: o.audit}},
	}.Collect(ctx, w, cursor, commit)
}

// people reads who is a member, and in which role, now. Who has no second factor
// is shown to owners only.
func (o *organization) people(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	step := collectors.Step{Position: done, Batch: collectors.Batch{Step: stamp(w.Until)}}
	for _, list := range []struct{ ref, fact string }{
		{"members?role=admin", "members"}, {"members?role=member", "members"}, {"members?filter=2fa_disabled", "credentials"},
		{"outside_collaborators?", "members"}, {"invitations?", "members"}, {"installations?", "permissions"},
	} {
		_, err := o.each(ctx, "orgs/"+o.org+"/"+list.ref+"&per_page=100", func(a answer) (bool, error) {
			if a.refused() {
				noun, _, _ := strings.Cut(list.ref, "?")
				step.Gaps = append(step.Gaps, collectors.Gap{Source: "iam", Fact: list.fact,
					Reason: fmt.Sprintf("GitHub does not show %s of %s (HTTP %d). %s", noun, o.org, a.status, a.Grant)})
				return false, nil
			}
			o.add(&step, o.mapper, a)
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return commit(step)
}

// audit reads the audit log, oldest first. Only GitHub Enterprise has one.
func (o *organization) audit(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	query := url.Values{"phrase": {"created:>=" + stamp(w.Since)}, "include": {"all"}, "order": {"asc"}, "per_page": {"100"}}
	first := "orgs/" + o.org + "/audit-log?" + query.Encode()
	for ref := firstOf(position, first); ref != done; {
		a, err := o.get(ctx, ref)
		if err != nil {
			return err
		}
		if a.refused() && ref != first {
			ref = first // GitHub has forgotten the place
			continue
		}
		records, err := elements[struct {
			ID string `json:"_document_id"`
		}](a, "")
		if err != nil {
			return err
		}
		step := collectors.Step{Position: firstOf(a.next, done), Batch: collectors.Batch{Step: "none"}}
		if len(records) > 0 {
			step.Step = records[0].ID + "-" + records[len(records)-1].ID
		}
		o.addWindow(&step, o.mapper, a)
		if err := commit(step); err != nil {
			return err
		}
		ref = step.Position
	}
	return nil
}

// Repositories lists the repositories of an organisation that can be read,
// sorted, without archived ones.
func (g *GitHub) Repositories(ctx context.Context, org string) ([]string, error) {
	if !isName(org) {
		return nil, fmt.Errorf("organisation %q: expected its name, such as acme", org)
	}
	var names []string
	last, err := g.each(ctx, "orgs/"+org+"/repos?type=all&sort=full_name&per_page=100", func(a answer) (bool, error) {
		list, err := elements[struct {
			FullName string `json:"full_name"`
			Archived bool   `json:"archived"`
		}](a, "")
		for _, r := range list {
			if !r.Archived && r.FullName != "" {
				names = append(names, r.FullName)
			}
		}
		return true, err
	})
	switch {
	case err != nil:
		return nil, err
	case last.refused():
		return nil, fmt.Errorf("organisation %s cannot be read (HTTP %d): it does not exist, or not for these credentials. Grant Metadata: read (a classic token: repo)", org, last.status)
	case len(names) == 0:
		return nil, fmt.Errorf("organisation %s has no repository that these credentials may read", org)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
