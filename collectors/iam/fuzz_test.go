package iam_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
)

// short keeps the first elements of the lists of a JSON document: small seeds
// make a fast fuzzer.
func short(b []byte) []byte {
	var doc any
	if json.Unmarshal(b, &doc) != nil {
		return b
	}
	cut := func(v any) any {
		if l, ok := v.([]any); ok && len(l) > 2 {
			return l[:2]
		}
		return v
	}
	if m, ok := doc.(map[string]any); ok {
		for k, v := range m {
			m[k] = cut(v)
		}
	}
	out, err := json.Marshal(cut(doc))
	if err != nil {
		return b
	}
	return out
}

// FuzzMap: whatever comes in, Map does not panic, says the same again, and gives
// only events that their schema allows.
func FuzzMap(f *testing.F) {
	for _, name := range []string{
		"aws-cloudtrail/events/identity-center-and-network.json", "aws-cloudtrail/events/rule-tests-iam.json",
		"aws-cloudtrail/events/aws-docs-examples.json", "aws-iam-snapshot/credential-report.csv", "linked-scenario/access-review-export.csv",
		"aws-iam-snapshot/account-authorization-details.json", "entra/graph-directoryaudits.json", "gcp-audit/entries-list.json",
		"gcp-audit/cloudaudit.googleapis.com/activity/2024/01/01/000000_005959_S0.json", "github/audit-log/page-1.json",
		"github/snapshot/graphql-members-with-role.json", "github/snapshot/rest-repo-collaborators.json", "github/webhooks/installation.created.json",
		"google-workspace/reports/admin.json", "google-workspace/snapshot/users-list.json", "okta/system-log/page-1.json",
		"okta/snapshot/factors.json", "okta/snapshot/user-roles.json", "linked-scenario/render-audit-logs.json", "linked-scenario/snapshots/render-members.json",
	} {
		b, err := os.ReadFile(filepath.Join(payloads, filepath.FromSlash(name)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, short(b))
	}
	f.Add("orgs/acme/members.json", []byte(`[]`))
	f.Add("x", []byte(`{"message":"no","documentation_url":""}`))
	f.Fuzz(func(t *testing.T, path string, b []byte) {
		p := collectors.Payload{Path: path, Bytes: b}
		m := iam.Map(p)
		for _, e := range m.Events {
			valid(t, e)
		}
		again := iam.Map(p)
		if !bytes.Equal(engine.Facts(m.Events), engine.Facts(again.Events)) || len(m.Faults) != len(again.Faults) {
			t.Error("the same bytes say something else the second time")
		}
		iam.Link(m.Events)
	})
}
