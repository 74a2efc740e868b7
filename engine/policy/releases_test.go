package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
)

// dated makes the tiny bundle name decisive moments: T-1 is decided at the
// merge, T-2 at the first deployment, where there is one.
var dated = document(`
document := object.union(good, {"outcome": outcome, "findings": [
	object.union(finding("T-1", data.controls.t_1.status), {"decisive_at": input.change.pull_request.merged_at}),
	object.union(finding("T-2", status), {"decisive_at": input.change.deployments[0].started_at}),
]})

status := "pass" if count(data.settings.holidays) == 0

status := "fail" if count(data.settings.holidays) > 0

outcome := "non_compliant" if "fail" in {status, data.controls.t_1.status}

outcome := "compliant" if {status, data.controls.t_1.status} == {"pass"}
` + good)

func releasesOf(t *testing.T, text string) (*policy.Releases, error) {
	t.Helper()
	list, err := policy.ParseReleases([]byte(text))
	if err != nil {
		return nil, err
	}
	return policy.NewReleases(list, func(bundle string, settings []byte) (*policy.Policy, error) {
		if bundle != "" {
			return nil, fmt.Errorf("no bundle %s", bundle)
		}
		return policy.Load(t.Context(), tiny(dated), policy.Options{Settings: settings})
	})
}

func TestReleases(t *testing.T) {
	const history = `
- version: "2.0"
  effective_from: 2026-11-10T12:00:00Z
  settings: {min_approvals: 2, holidays: ["2026-12-25"]}
- version: "1.0"
  effective_from: 2026-01-01T00:00:00Z
`
	r, err := releasesOf(t, history)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, merged, deployed string
		want                   string
	}{
		{"all under 1.0", "2026-11-10T11:00:00Z", "2026-11-10T11:59:59Z", "compliant 1.0: T-1 pass 1.0, T-2 pass 1.0"},
		{"deployed under 2.0", "2026-11-10T11:00:00Z", "2026-11-10T12:00:00Z", "non_compliant 1.0 2.0: T-1 pass 1.0, T-2 fail 2.0"},
		{"another zone", "2026-11-10T12:30:00+01:00", "2026-11-10T11:30:00Z", "compliant 1.0: T-1 pass 1.0, T-2 pass 1.0"},
		{"all under 2.0", "2026-11-10T12:00:00Z", "2026-11-11T12:00:00Z", "non_compliant 2.0: T-1 fail 2.0, T-2 fail 2.0"},
		{"before all history", "2020-11-10T12:00:00Z", "2020-11-11T12:00:00Z", "compliant 1.0: T-1 pass 1.0, T-2 pass 1.0"},
	}
	ids := map[string]string{}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(dossier, `"pull_request": {`, fmt.Sprintf(`"deployments": [{"started_at": %q}], "pull_request": {"merged_at": %q, `, test.deployed, test.merged), 1)
			d, err := r.Evaluate(t.Context(), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			got := d.Outcome
			for _, ref := range d.Policy {
				got += " " + ref.Version
			}
			sep := ": "
			for _, f := range d.Findings {
				got += sep + f.Control + " " + f.Status + " " + f.PolicyVersion
				sep = ", "
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if other, twice := ids[d.ID]; twice || d.InputDigest == "" {
				t.Errorf("id %s is that of %q", d.ID, other)
			}
			ids[d.ID] = test.name
		})
	}
	if _, err := r.Evaluate(t.Context(), []byte("{}")); !errors.Is(err, engine.ErrInvalidInput) {
		t.Errorf("error %v", err)
	}
	if _, err := r.Evaluate(t.Context(), []byte(dossier)); !errors.Is(err, engine.ErrUndecided) { // no merge: undefined
		t.Errorf("error %v", err)
	}
}

func TestReleasesRefused(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"none":             {"[]", "fewer than 1 entries"},
		"same moment":      {`[{version: "1", effective_from: "2026-01-01T00:00:00Z"}, {version: "2", effective_from: "2026-01-01T01:00:00+01:00"}]`, "1 and 2 take effect at the same moment"},
		"same version":     {`[{version: "1", effective_from: "2026-01-01T00:00:00Z"}, {version: "1", effective_from: "2026-02-01T00:00:00Z"}]`, "version 1 appears twice"},
		"misspelt":         {`[{version: "1", effectiv_from: "2026-01-01T00:00:00Z"}]`, "/0/effectiv_from: unknown field, did you mean effective_from?"},
		"unknown setting":  {`[{version: "1", effective_from: "2026-01-01T00:00:00Z", settings: {min_aprovals: 1}}]`, "release 1: invalid settings"},
		"no such bundle":   {`[{version: "1", effective_from: "2026-01-01T00:00:00Z", bundle: old}]`, "release 1: no bundle old"},
		"version a number": {`[{version: 1.0, effective_from: "2026-01-01T00:00:00Z"}]`, "/0/version: a text is expected, found the number 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := releasesOf(t, test.text)
			wantError(t, err, test.want)
		})
	}
}

// A decision by another version says something else, also where bundle and settings are
// the same, so it is another decision.
func TestReleasesID(t *testing.T) {
	text := []byte(strings.Replace(dossier, `"pull_request": {`, `"deployments": [{"started_at": "2026-11-10T11:00:00Z"}], "pull_request": {"merged_at": "2026-11-10T10:00:00Z", `, 1))
	alone, err := policy.Load(t.Context(), tiny(dated), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	judges := map[string]engine.Policy{"no release": alone}
	for _, version := range []string{"1.0", "1.1"} {
		r, err := releasesOf(t, fmt.Sprintf("[{version: %q, effective_from: 2026-01-01T00:00:00Z}]", version))
		if err != nil {
			t.Fatal(err)
		}
		judges[version] = r
	}
	ids := map[string]string{}
	for name, judge := range judges {
		d, err := judge.Evaluate(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := ids[d.ID]; twice {
			t.Errorf("%s and %s gave decision %s", name, other, d.ID)
		}
		ids[d.ID] = name
	}
}
