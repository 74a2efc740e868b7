package schemas_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/schemas"
)

func ExampleValidate() {
	doc := []byte(`{
  "schema": "dossier/v1", "evaluated_at": "2026-11-02T09:30:00Z",
  "subject": {"type": "change", "id": "acme/shop#412"},
  "sources": {}, "people": [],
  "change": {"kind": "pull_request", "pull_reqest": {}}
}`)
	for _, fault := range schemas.Validate(schemas.Dossier, doc) {
		fmt.Println(fault)
	}
	// Output: 5:38: /change/pull_reqest: unknown field, did you mean pull_request?
}

func TestValidate(t *testing.T) {
	const head = `{"schema":"dossier/v1","evaluated_at":"2026-11-02T09:30:00Z","sources":{},"people":[],`
	const change = head + `"subject":{"type":"change","id":"x"},`
	deep := strings.Repeat(`[`, 70) + strings.Repeat(`]`, 70)
	tests := []struct {
		name   string
		schema schemas.Name
		doc    string
		want   []string
	}{
		{"valid", schemas.Dossier, change + `"change":{"kind":"pull_request"}}`, nil},
		{"byte order mark", schemas.Dossier, "\ufeff" + change + `"change":{"kind":"pull_request"}}`, nil},
		{"unknown field", schemas.Dossier, change + `"change":{"kind":"pull_request","pull_reqest":{}}}`,
			[]string{`/change/pull_reqest: unknown field, did you mean pull_request?`}},
		{"unknown field, none near", schemas.Dossier, change + `"change":{"kind":"pull_request","colour":1}}`,
			[]string{`/change/colour: unknown field`}},
		{"key with slash and tilde", schemas.Dossier, change + `"change":{"kind":"pull_request","a/b~c %":1}}`,
			[]string{`/change/a~1b~0c %: unknown field`}},
		{"all faults", schemas.Dossier, change + `"change":{"kind":1,"files":[{"path":"a","additions":"x"}],"pushh":{}}}`,
			[]string{
				`/change/kind: a text is expected, found the number 1`,
				`/change/files/0/additions: a whole number is expected, found "x"`,
				`/change/pushh: unknown field, did you mean push?`,
			}},
		{"body missing", schemas.Dossier, head + `"subject":{"type":"deployment","id":"x"}}`,
			[]string{`deployment is missing (subject.type is deployment)`}},
		{"foreign body", schemas.Dossier, change + `"change":{"kind":"pull_request"},"period":{}}`,
			[]string{`/period: not allowed here (subject.type is change)`}},
		{"subject type unknown", schemas.Dossier, head + `"subject":{"type":"changes","id":"x"},"change":{"kind":"pull_request"}}`,
			[]string{`/subject/type: "changes" is none of change, deployment, finding, access_review, alert, policy_review, posture, retention, period, did you mean change?`}},
		{"subject missing", schemas.Dossier, head + `"change":{"kind":"pull_request"}}`, []string{`subject is missing`}},
		{"null", schemas.Dossier, change + `"change":{"kind":"pull_request","push":null}}`,
			[]string{`/change/push: null is not allowed: an absent fact is an absent key, so leave it out`}},
		{"empty text", schemas.Dossier, change + `"change":{"kind":""}}`,
			[]string{`/change/kind: the text is empty: leave the key out when the fact is not known`}},
		{"no instant", schemas.Dossier, strings.Replace(change, "T09", " 09", 1) + `"change":{"kind":"pull_request"}}`,
			[]string{`/evaluated_at: "2026-11-02 09:30:00Z" is no RFC 3339 instant with an offset, such as 2026-11-02T09:30:00Z`}},
		{"instant beyond OPA's reckoning", schemas.Dossier, strings.Replace(change, "2026", "2600", 1) + `"change":{"kind":"pull_request"}}`,
			[]string{`/evaluated_at: "2600-11-02T09:30:00Z" is no RFC 3339 instant with an offset, such as 2026-11-02T09:30:00Z`}},
		{"wrong version", schemas.Dossier, strings.Replace(change, "/v1", "/v9", 1) + `"change":{"kind":"pull_request"}}`,
			[]string{`/schema: "dossier/v1" is expected, found "dossier/v9"`}},
		{"not an object", schemas.Dossier, `[]`, []string{`an object is expected, found a list`}},
		{"duplicate key", schemas.Dossier, `{"schema":1,"schema":2}`, []string{`/schema: the key appears twice in one object`}},
		{"duplicate key, escaped", schemas.Dossier, `{"schema":1,"sch\u0065ma":2}`, []string{`/schema: the key appears twice in one object`}},
		{"trailing text", schemas.Dossier, `{} x`, []string{`something stands behind the end of the document: one JSON value is expected`}},
		{"two documents", schemas.Dossier, `{}{}`, []string{`something stands behind the end of the document: one JSON value is expected`}},
		{"empty", schemas.Dossier, " \n", []string{`empty document`}},
		{"cut off", schemas.Dossier, `{"people": [`, []string{`/people/0: the document ends where a value is expected`}},
		{"cut off text", schemas.Dossier, `{"people": "a`, []string{`/people: the string has no end`}},
		{"cut off escape", schemas.Dossier, `{"people": "a\`, []string{`/people: the string has no end`}},
		{"bad UTF-8", schemas.Dossier, "{\"schema\": \"\xff\"}", []string{`/schema: the string is not valid UTF-8`}},
		{"lone surrogate", schemas.Dossier, `{"schema": "\ud800"}`, []string{`/schema: no valid escape in a string`}},
		{"control character", schemas.Dossier, "{\"schema\": \"\x01\"}", []string{`/schema: a control character inside a string must be escaped`}},
		{"trailing comma", schemas.Dossier, `{"schema": 1,}`, []string{`a key in double quotes is expected, found "}"`}},
		{"bad number", schemas.Dossier, `{"schema": 01}`, []string{`/schema: "01" is no JSON number`}},
		{"huge number", schemas.Dossier, `{"schema": 1e9999}`, []string{`/schema: the number "1e9999" is out of range`}},
		{"tiny number", schemas.Dossier, `{"schema": 1e-999999999}`, []string{`/schema: the number "1e-999999999" is out of range`}},
		{"number that readers round", schemas.Dossier, `{"schema": 9007199254740993}`, []string{`/schema: the number "9007199254740993" has more digits than JSON readers keep: write it as a text`}},
		{"not a number", schemas.Dossier, `{"schema": NaN}`, []string{`/schema: a JSON value is expected, found "N"`}},
		{"too deep", schemas.Dossier, deep, []string{strings.Repeat("/0", 65) + `: nested more than 64 deep`}},
		{"event of unknown type", schemas.Event, `{"schema":"event/v1","id":"a:b","source":"git","provider":"github","type":"change.revewed","occurred_at":"2026-11-02T09:30:00Z","observed_at":"2026-11-02T09:30:00Z","subject":{"type":"x","id":"y"},"data":{},"evidence":{"digest":"sha256:0","media_type":"x","trust":"file"}}`,
			[]string{`/type: "change.revewed" is none of `, `/evidence/digest: "sha256:0" does not match ^sha256:[0-9a-f]{64}$`}},
		{"event data", schemas.Event, `{"schema":"event/v1","id":"a:b","source":"git","provider":"github","type":"branch.pushed","occurred_at":"2026-11-02T09:30:00Z","observed_at":"2026-11-02T09:30:00Z","subject":{"type":"x","id":"y"},"data":{"branche":"main"},"evidence":{"digest":"sha256:` + strings.Repeat("0", 64) + `","media_type":"x","trust":"file"}}`,
			[]string{`/data: after is missing (type is branch.pushed)`, `/data: branch is`, `/data: repository is`, `/data/branche: unknown field, did you mean branch?`}},
		{"decision policy", schemas.Decision, `{"schema":"decision/v1","id":"dec_` + strings.Repeat("0", 32) + `","subject":{"type":"change","id":"x"},"evaluated_at":"2026-11-02T09:30:00Z","outcome":"compliant","classification":{"type":"normal","scopes":[],"reasons":[]},"risk":{"level":"low","reasons":[]},"findings":[],"policy":{"name":"x"},"input_digest":"sha256:` + strings.Repeat("0", 64) + `"}`,
			[]string{`/policy: bundle_digest is missing`, `/policy: engine is missing`, `/policy: settings_digest is missing`, `/policy: version is missing`}},
		{"directory person", schemas.Directory, `{"people":[{"id":"ana","kind":"employe"}]}`,
			[]string{`/people/0/kind: "employe" is none of employee, contractor, bot, agent, system, did you mean employee?`}},
		{"settings", schemas.Settings, `{"min_aprovals":2,"retention_days":30}`,
			[]string{`/min_aprovals: unknown field, did you mean min_approvals?`, `/retention_days: the number 30 is less than 365`}},
		{"settings formats", schemas.Settings, `{"business_timezone":"Mars/Olympus","holidays":["25.12.2026"],"risk":{"high":{"H1":"("}}}`,
			[]string{`/business_timezone: "Mars/Olympus" is no valid timezone`, `/holidays/0: "25.12.2026" is no valid date`, `/risk/high/H1: "(" is no valid regex`}},
		{"no such schema", "dosier", `{}`, []string{`no schema named "dosier"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, fault := range schemas.Validate(test.schema, []byte(test.doc)) {
				if fault.Line == 0 && test.name != "no such schema" {
					t.Errorf("%s has no line", fault)
				}
				fault.Line = 0
				got = append(got, fault.String())
			}
			match := len(got) == len(test.want)
			for i := range test.want {
				match = match && strings.HasPrefix(got[i], test.want[i])
			}
			if !match {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestParseYAML(t *testing.T) {
	tests := []struct {
		name, text string
		want       string   // JSON
		faults     []string // with positions
	}{
		{"settings", "min_approvals: 2\nholidays: [2026-12-25]\nx: {y: 1.5, z: yes, w: true}\n", `{"holidays":["2026-12-25"],"min_approvals":2,"x":{"w":true,"y":1.5,"z":"yes"}}`, nil},
		{"json", `{"a": [1, "b"]}`, `{"a":[1,"b"]}`, nil},
		{"null", "a:\nb: ~\n", "", []string{"1:3: /a: null is not allowed", "2:4: /b: null is not allowed"}},
		{"alias", "a: &x [1]\nb: *x\n", "", []string{"2:4: /b: anchors and aliases"}},
		{"merge", "b:\n  <<: {a: 1}\n", "", []string{"2:3: /b: a key must be plain text"}},
		{"duplicate", "a: 1\na: 2\n", "", []string{"2:1: /a: the key appears twice"}},
		{"two documents", "a: 1\n---\nb: 1\n", "", []string{"1:1: more than one document"}},
		{"infinity", "a: .inf\n", "", []string{"1:4: /a: \".inf\" with tag !!float cannot be read"}},
		{"tag", "a: !mine x\n", "", []string{"1:4: /a: \"x\" with tag !mine cannot be read"}},
		{"syntax", "a: [1\n", "", []string{"1:1: no valid YAML"}},
		{"empty", "", "", []string{"1:1: empty document"}},
		{"only a comment", "# nothing\n", "", []string{"1:1: empty document"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, faults := schemas.ParseYAML([]byte(test.text))
			if len(faults) != len(test.faults) {
				t.Fatalf("faults %v, want %v", faults, test.faults)
			}
			for i, f := range faults {
				if !strings.HasPrefix(f.String(), test.faults[i]) {
					t.Errorf("fault %q, want %q", f, test.faults[i])
				}
			}
			if doc == nil {
				return
			}
			got, err := json.Marshal(doc.Value())
			if err != nil || string(got) != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
}

func TestYAMLFaultsHavePlaces(t *testing.T) {
	doc, faults := schemas.ParseYAML([]byte("vuln_sla_days:\n  # ü\n  critcal: 7\nmin_approvals: none\n"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := []string{
		"3:3: /vuln_sla_days/critcal: unknown field, did you mean critical?",
		`4:1: /min_approvals: a whole number is expected, found "none"`,
	}
	for i, f := range doc.Validate(schemas.Settings) {
		if i >= len(want) || f.String() != want[i] {
			t.Errorf("fault %q", f)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"pull_request", "push", "merged_content_shas", "files"}
	for word, want := range map[string]string{
		"pull_reqest": "pull_request", "PullRequest": "pull_request", "psuh": "push", "file": "files", "x": "", "": "", "colour": "",
	} {
		if got := schemas.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// FuzzValidate holds Parse to encoding/json: what Parse accepts, the standard
// library reads as the same value.
func FuzzValidate(f *testing.F) {
	for _, seed := range []string{
		`{"schema":"dossier/v1"}`, `[1,-0.0,2e3,"\ud83d\ude00\n"]`, `{"a":{"a":null}}`, "\xff", `{"a":1,"a":2}`, `"\u00zz"`, `1e400`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range schemas.Names() {
			for _, fault := range schemas.Validate(name, text) {
				if fault.Message == "" {
					t.Error("a fault without a message")
				}
			}
		}
		doc, faults := schemas.Parse(text)
		if len(faults) > 0 {
			return
		}
		var want any
		if err := json.Unmarshal(trimBOM(text), &want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		again, err := json.Marshal(doc.Value())
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(again, &got); err != nil || !reflect.DeepEqual(plain(got), plain(want)) {
			t.Fatalf("read %v, encoding/json reads %v", got, want)
		}
	})
}

func trimBOM(text []byte) []byte { return []byte(strings.TrimPrefix(string(text), "\ufeff")) }

// plain takes the sign off zero, which Parse drops.
func plain(v any) any {
	switch v := v.(type) {
	case float64:
		return v + 0
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte("a: [1, {b: c}]\n"))
	f.Add([]byte("a: &x {<<: *x}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, faults := schemas.ParseYAML(text)
		if (doc == nil) != (len(faults) > 0) {
			t.Fatalf("document %v with faults %v", doc, faults)
		}
		if doc != nil {
			doc.Validate(schemas.Settings)
		}
	})
}

func TestParseTimespan(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond} {
		if got, err := schemas.ParseTimespan(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "0s", "-5m", "5", "d", "-1d", "1d-25h", "2 days", "1.5d", "1h2d", "99999d", "65000d2500000h"} {
		if got, err := schemas.ParseTimespan(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
