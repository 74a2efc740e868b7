package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

const oktaRoles = "a token of an administrator who may view administrators: Super Administrator, or a custom role with okta.iam.read (scope okta.roles.read)"

// oktaHolders are the steps, in order: a list, and the lists below each of its
// elements, whose paths begin with each.
var oktaHolders = []struct {
	name  string
	list  oktaList
	each  string
	below []oktaList
}{
	{name: "1-users", list: oktaList{path: "api/v1/users", fact: "members", query: limit(200), needs: oktaReader + "okta.users.read)"}},
	{
		name: "2-administrators", list: oktaList{path: "api/v1/iam/assignees/users", fact: "permissions", query: limit(100), needs: oktaRoles},
		each: "api/v1/users", below: []oktaList{
			{path: "roles", fact: "permissions", needs: oktaRoles},
			{path: "factors", fact: "credentials", needs: "a token of an administrator who may view second factors (scope okta.factors.read)"},
		},
	},
	{name: "3-tokens", list: oktaList{path: "api/v1/api-tokens", fact: "credentials", query: limit(200),
		needs: "a token of an administrator who may view API tokens: Super Administrator where Read-only is refused (scope okta.apiTokens.read)"}},
	{
		name: "4-groups", list: oktaList{path: "api/v1/groups", fact: "permissions", query: limit(200), needs: oktaReader + "okta.groups.read)"},
		each: "api/v1/groups", below: []oktaList{{path: "users", fact: "permissions", query: limit(200), needs: oktaReader + "okta.groups.read)"}},
	},
	{
		name: "5-applications", list: oktaList{path: "api/v1/apps", fact: "permissions", query: limit(200), needs: oktaReader + "okta.apps.read)"},
		each: "api/v1/apps", below: []oktaList{{path: "users", fact: "permissions", query: url.Values{"limit": {"200"}, "expand": {"user"}}, needs: oktaReader + "okta.apps.read and okta.users.read)"}},
	},
}

func limit(n int) url.Values { return url.Values{"limit": {fmt.Sprint(n)}} }

// holders reads users, administrators with their roles and second factors, API
// tokens, members of groups and users of applications. Roles that are held through
// a group come with the administrator. The last reading of a day is kept.
func (o *Okta) holders(ctx context.Context, _ collectors.Window, position string, commit func(collectors.Step) error) error {
	for _, one := range oktaHolders {
		if one.name <= position {
			continue
		}
		parts := collectors.NewParts(one.name+"/"+o.now.Format(time.DateOnly), position, commit)
		var all []oktaElement
		_, err := o.pages(ctx, one.list, parts, func(p collectors.Payload) error {
			if one.each == "" {
				return parts.Take(Map(p))
			}
			found, err := oktaElements(p.Bytes)
			if err != nil {
				return fmt.Errorf("okta: %s answered no list", one.list.path)
			}
			all = append(all, found...)
			return nil
		})
		if err != nil {
			return err
		}
		if err := o.below(ctx, one.each, all, one.below, parts); err != nil {
			return err
		}
		if err := parts.End(one.name); err != nil {
			return err
		}
		position = one.name
	}
	return nil
}

// below reads the lists that belong to each element. A list that is refused once
// is not asked for again.
func (o *Okta) below(ctx context.Context, path string, all []oktaElement, lists []oktaList, parts *collectors.Parts) error {
	refused := map[string]bool{}
	for _, e := range all {
		if strings.Trim(e.ID, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "" || e.ID == "" {
			return fmt.Errorf("okta: %q below %s is no id", e.ID, path)
		}
		for _, list := range lists {
			name := list.path
			if refused[name] {
				continue
			}
			list.path = path + "/" + e.ID + "/" + name
			var err error
			refused[name], err = o.pages(ctx, list, parts, func(p collectors.Payload) error { return parts.Take(mapNamed(p, e.name())) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// oktaElement is one user, group or application of a list.
type oktaElement struct {
	ID      string `json:"id"`
	Label   string `json:"label"`
	Profile struct {
		Name string `json:"name"`
	} `json:"profile"`
}

// name is how people call a group or an application, "" of others.
func (e oktaElement) name() string {
	if e.Profile.Name != "" {
		return e.Profile.Name
	}
	return e.Label
}

// oktaElements reads a list, also where it is the value of an object.
func oktaElements(body []byte) ([]oktaElement, error) {
	var list []oktaElement
	if json.Unmarshal(body, &list) == nil {
		return list, nil
	}
	var wrapped struct {
		Value []oktaElement `json:"value"`
	}
	err := json.Unmarshal(body, &wrapped)
	return wrapped.Value, err
}
