package assembly

import (
	"slices"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// month is a period in which the change went live.
var month = Span{From: at("2026-11-01T00:00:00Z"), To: at("2026-12-01T00:00:00Z")}

// periodOf is the dossier of a period, judged when it is over.
func periodOf(t *testing.T, span Span, events ...[]engine.Event) engine.Dossier {
	t.Helper()
	dossiers, _ := Assemble(slices.Concat(events...), directory(t), Options{At: at("2026-12-10T00:00:00Z"), Periods: []Span{span}})
	i := slices.IndexFunc(dossiers, func(d engine.Dossier) bool { return d.Subject.Type == "period" })
	if i < 0 {
		t.Fatal("no period")
	}
	if faults := schemas.Validate(schemas.Dossier, engine.Facts(dossiers[i])); len(faults) > 0 {
		t.Error(faults)
	}
	same(t, "id", dossiers[i].Subject.ID, span.String())
	return dossiers[i]
}

func TestGapsOfAPeriod(t *testing.T) {
	window := func(id, source, repository, status, from, to string, missing ...string) engine.Event {
		return cover(id, to, engine.CoverageFact{Source: source, System: "", Repository: repository, Status: status, From: on(from), To: on(to), Missing: missing, Reason: map[bool]string{true: "403"}[status != "complete"]})
	}
	const first, third, fifth, last = "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", "2026-11-05T00:00:00Z", "2026-12-01T00:00:00Z"
	whole := window("w", "render", "", "complete", first, last)
	for name, c := range map[string]struct {
		events []engine.Event
		gaps   []string
	}{
		"read whole":                  {[]engine.Event{whole}, nil},
		"never read":                  {nil, []string{"render " + first + " " + last}},
		"read in parts that touch":    {[]engine.Event{window("b", "render", "", "complete", third, last), window("a", "render", "", "complete", first, third)}, nil},
		"a hole":                      {[]engine.Event{window("a", "render", "", "complete", first, third), window("b", "render", "", "complete", fifth, last)}, []string{"render " + third + " " + fifth}},
		"begun late":                  {[]engine.Event{window("a", "render", "", "complete", third, last)}, []string{"render " + first + " " + third}},
		"ended early":                 {[]engine.Event{window("a", "render", "", "complete", first, fifth)}, []string{"render " + fifth + " " + last}},
		"deployments forbidden":       {[]engine.Event{window("a", "render", "", "incomplete", first, last, "deploys")}, []string{"render " + first + " " + last + " 403"}},
		"failed for reasons unknown":  {[]engine.Event{window("a", "render", "", "unavailable", first, last)}, []string{"render " + first + " " + last + " 403"}},
		"no audit log on this plan":   {[]engine.Event{window("a", "render", "", "incomplete", first, last, "audit_log")}, nil},
		"a hole that was read again":  {[]engine.Event{window("a", "render", "", "unavailable", third, fifth), whole}, nil},
		"two repositories, one holed": {[]engine.Event{whole, window("a", "github", "acme/shop", "complete", first, last), window("b", "github", "acme/survey", "complete", first, third)}, []string{"github (acme/survey) " + third + " " + last}},
		"all repositories at once":    {[]engine.Event{whole, window("a", "github", "", "complete", first, fifth), window("b", "github", "acme/survey", "complete", fifth, last)}, nil},
		"issues are no change":        {[]engine.Event{whole, window("a", "issues", "", "complete", first, third)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, g := range periodOf(t, month, change(), c.events).Period.Gaps {
				text := g.Source + " " + g.Start.Format(time.RFC3339) + " " + g.End.Format(time.RFC3339)
				if g.Reason != "" {
					text += " " + g.Reason
				}
				got = append(got, text)
			}
			same(t, "gaps", got, c.gaps)
		})
	}
}

func TestDeploymentsOfAPeriod(t *testing.T) {
	until := cover("r", "2026-12-01T00:00:00Z", engine.CoverageFact{Source: "render", Status: "complete", From: on("2026-09-01T00:00:00Z"), To: on("2026-12-01T00:00:00Z")})
	same(t, "reconciled", periodOf(t, month, change(), []engine.Event{until}).Period.MissingInLedger, []any{})
	same(t, "read from", *periodOf(t, month, change(), []engine.Event{until}).Sources["render"].From, month.From)
	same(t, "deployments unread", periodOf(t, month, change()).Period.MissingInLedger, []any(nil))

	options := Options{At: at("2026-12-10T00:00:00Z"), Periods: []Span{month, {From: month.To, To: month.To.AddDate(0, 1, 0)}}}
	unaccounted := newAssembler(append(change(), until), directory(t), options).periodDossiers(nil)
	same(t, "no change carries it", unaccounted[0].Period.MissingInLedger, []any{"dep-live"})
	same(t, "read up to there only", unaccounted[1].Period.MissingInLedger, []any(nil))
}
