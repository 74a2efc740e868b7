package app

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// mention is an account in the data of an event.
type mention struct {
	account engine.Account
	name    string
	part    string
}

// mentions finds the accounts in the data of an event: objects with a system and
// an account, whose commits are, and whose access was changed.
func mentions(e engine.Event) []mention {
	var data map[string]any
	if json.Unmarshal(e.Data, &data) != nil {
		return nil
	}
	var out []mention
	walkAccounts("", data, func(part string, fields map[string]any) {
		out = append(out, mention{account: engine.Account{
			System: text(fields["system"]), Account: text(fields["account"]), ID: text(fields["id"]), Kind: text(fields["kind"]), Email: text(fields["email"]),
		}, part: part})
	})
	switch e.Type {
	case "commit.recorded":
		out = append(out, signatures(data)...)
	case "access.changed":
		out = append(out, target(e, data)...)
	}
	return out
}

func walkAccounts(part string, v any, found func(string, map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			walkAccounts(part, element, found)
		}
	case map[string]any:
		if part != "" && text(v["system"]) != "" && text(v["account"]) != "" {
			found(part, v)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			walkAccounts(key, v[key], found)
		}
	}
}

// signatures are the people of a commit: the account that the source links, else
// the e-mail that the commit bears.
func signatures(data map[string]any) []mention {
	var out []mention
	add := func(part string, v any) {
		fields, _ := v.(map[string]any)
		m := mention{part: part, name: text(fields["name"])}
		switch email, account := text(fields["email"]), text(fields["account"]); {
		case account != "":
			m.account = engine.Account{System: "github", Account: account}
		case email != "":
			m.account = engine.Account{System: "git", Account: email}
		default:
			return
		}
		out = append(out, m)
	}
	add("author", data["author"])
	add("committer", data["committer"])
	authors, _ := data["co_authors"].([]any)
	for _, a := range authors {
		add("co-author", a)
	}
	return out
}

// target is the user whose access was changed. Roles and groups are nobody.
func target(e engine.Event, data map[string]any) []mention {
	fields, _ := data["target"].(map[string]any)
	if kind := text(fields["kind"]); kind != "" && kind != "user" && kind != "member" && kind != "account" {
		return nil
	}
	a := engine.Account{System: text(data["system"]), Account: text(fields["account"]), ID: text(fields["id"])}
	if a.System == "" {
		a.System = e.Provider
	}
	if a.Account == "" {
		return nil
	}
	return []mention{{account: a, name: text(fields["name"]), part: "target"}}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

var plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._@-]*$`)

// quote writes a text as YAML inside of brackets.
func quote(s string) string {
	if plainWord.MatchString(s) && !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	quoted, err := json.Marshal(s)
	if err != nil { // a text always encodes
		return s
	}
	return string(quoted)
}
