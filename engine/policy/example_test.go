package policy_test

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
)

// A bundle is a folder that any OPA can read; os.DirFS gives one from disk.
var bundle = fstest.MapFS{
	".manifest":           {Data: []byte(`{"revision": "1", "rego_version": 1, "metadata": {"name": "example", "version": "1"}}`)},
	"catalogue/data.yaml": {Data: []byte(`{policy: {name: example, version: "1"}, controls: {PUSH: {rule: push, title: No push, clause: "4", severity: high, subjects: [change]}}}`)},
	"settings/data.yaml":  {Data: []byte(`{allowed: []}`)},
	"controls/push/push.rego": {Data: []byte(`package controls.push

default status := "pass"

status := "fail" if {
	input.change.kind == "direct_push"
	not input.change.repository in data.settings.allowed
}
`)},
	"decision/decision.rego": {Data: []byte(`package decision

document := {
	"schema": "decision/v1", "subject": input.subject, "evaluated_at": input.evaluated_at,
	"outcome": {"pass": "compliant", "fail": "non_compliant"}[data.controls.push.status],
	"classification": {"type": "normal", "scopes": [], "reasons": []},
	"risk": {"level": "low", "reasons": []},
	"findings": [{
		"control": "PUSH", "status": data.controls.push.status, "severity": "high", "title": "No push", "clause": "4",
		"message": $"The change arrived as {input.change.kind}.", "reasons": [], "evidence": ["/change/kind"],
		"policy_version": data.catalogue.policy.version,
	}],
}
`)},
}

const pushed = `{
	"schema": "dossier/v1", "evaluated_at": "2026-11-02T09:30:00Z", "subject": {"type": "change", "id": "c1"},
	"sources": {}, "people": [], "change": {"kind": "direct_push", "repository": "acme/shop"}
}`

func ExampleLoad() {
	ctx := context.Background()
	for _, settings := range []string{"", "allowed: [acme/shop]", "alowed: [acme/shop]"} {
		judge, err := policy.Load(ctx, bundle, policy.Options{Settings: []byte(settings)})
		if err != nil {
			fmt.Println(err)
			continue
		}
		decision, err := judge.Evaluate(ctx, []byte(pushed))
		fmt.Println(decision.Outcome, decision.Findings[0].Message, err)
	}
	// Output:
	// non_compliant The change arrived as direct_push. <nil>
	// compliant The change arrived as direct_push. <nil>
	// invalid settings
	//   1:1: /alowed: unknown field, did you mean allowed?
}

func ExamplePolicy_Evaluate() {
	ctx := context.Background()
	judge, err := policy.Load(ctx, bundle, policy.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = judge.Evaluate(ctx, []byte(`{"schema": "dossier/v1", "sources": {}, "people": [],
"evaluated_at": "yesterday", "subject": {"type": "change", "id": "c1"}, "change": {"knd": "direct_push"}}`))
	fmt.Println(errors.Is(err, engine.ErrInvalidInput))
	fmt.Println(err)
	// Output:
	// true
	// invalid dossier
	//   2:1: /evaluated_at: "yesterday" is no RFC 3339 instant with an offset, such as 2026-11-02T09:30:00Z
	//   2:73: /change: kind is missing
	//   2:84: /change/knd: unknown field, did you mean kind?
}
