package policy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
)

// acmeDossiers are those of the recorded sample organisation: a month of
// production, every type of subject.
func acmeDossiers(b *testing.B) [][]byte {
	b.Helper()
	files, err := filepath.Glob("../../cmd/vouch/testdata/acme/dossiers/*.json")
	if err != nil || len(files) == 0 {
		b.Fatalf("no dossiers: %v", err)
	}
	dossiers := make([][]byte, len(files))
	for i, file := range files {
		if dossiers[i], err = os.ReadFile(file); err != nil {
			b.Fatal(err)
		}
	}
	return dossiers
}

// judge answers dossier i, as often as asked.
type judge func(i int) error

// ours is Evaluate: bytes in, a checked and sealed decision out.
func ours(b *testing.B, dossiers [][]byte) judge {
	b.Helper()
	p := builtInPolicy(b)
	return func(i int) error {
		_, err := p.Evaluate(b.Context(), dossiers[i])
		return err
	}
}

// bareOPA is the least that a Go program does which embeds OPA and nothing
// else: the same bundle, prepared once, in the quickest of OPA's stores; an
// input that was parsed beforehand; no look at the answer.
func bareOPA(b *testing.B, dossiers [][]byte) judge {
	b.Helper()
	query, err := rego.New(
		rego.Query("data.decision.document"),
		rego.LoadBundle(builtIn),
		rego.StoreReadAST(true),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	inputs := make([]any, len(dossiers))
	for i, text := range dossiers {
		if err := json.Unmarshal(text, &inputs[i]); err != nil {
			b.Fatal(err)
		}
	}
	return func(i int) error {
		results, err := query.Eval(b.Context(), rego.EvalInput(inputs[i]))
		if err == nil && len(results) != 1 {
			b.Fatal("undefined")
		}
		return err
	}
}

// BenchmarkEvaluate: one op is one decision.
func BenchmarkEvaluate(b *testing.B) {
	dossiers := acmeDossiers(b)
	run(b, len(dossiers), ours(b, dossiers))
}

func BenchmarkBareOPA(b *testing.B) {
	dossiers := acmeDossiers(b)
	run(b, len(dossiers), bareOPA(b, dossiers))
}

func run(b *testing.B, dossiers int, answer judge) {
	b.Helper()
	pass(b, dossiers, answer) // what is made once
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := answer(i % dossiers); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

// pass judges every dossier once and returns what that allocated.
func pass(b *testing.B, dossiers int, answer judge) (bytes, objects uint64) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range dossiers {
		if err := answer(i); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// BenchmarkOverhead is what Evaluate costs beyond bare OPA, in percent. One op is
// ten passes over all dossiers. The two take turns on each dossier, so that a
// busy machine slows both, and of each dossier's times the median counts.
func BenchmarkOverhead(b *testing.B) {
	dossiers := acmeDossiers(b)
	answers := [2]judge{ours(b, dossiers), bareOPA(b, dossiers)}
	var bytes, objects [2]uint64
	for who, answer := range answers {
		pass(b, len(dossiers), answer) // what is made once
		bytes[who], objects[who] = pass(b, len(dossiers), answer)
	}
	times := [2][][]time.Duration{make([][]time.Duration, len(dossiers)), make([][]time.Duration, len(dossiers))}
	for b.Loop() {
		for n := range 10 * len(dossiers) {
			i := n % len(dossiers)
			for turn := range answers {
				who := (turn + n/len(dossiers)) % 2 // the second finds the caches warm
				start := time.Now()
				if err := answers[who](i); err != nil {
					b.Fatal(err)
				}
				times[who][i] = append(times[who][i], time.Since(start))
			}
		}
	}
	over := func(ours, bare float64) float64 { return 100 * (ours/bare - 1) }
	b.ReportMetric(0, "ns/op") // of both together: says nothing
	b.ReportMetric(over(medians(times[0]), medians(times[1])), "%time")
	b.ReportMetric(over(float64(bytes[0]), float64(bytes[1])), "%bytes")
	b.ReportMetric(over(float64(objects[0]), float64(objects[1])), "%allocs")
}

// medians adds up the median of each row.
func medians(rows [][]time.Duration) (sum float64) {
	for _, row := range rows {
		slices.Sort(row)
		sum += float64(row[len(row)/2])
	}
	return sum
}

// BenchmarkLoad is the start of a program: read, compile and prepare the bundle.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		builtInPolicy(b)
	}
}

// BenchmarkCases judges all cases: the median of a dossier, and how much dearer a
// whole change is than one judged by five controls only (which read everything
// that the others share). One op is one pass over all cases.
func BenchmarkCases(b *testing.B) {
	dossiers := caseDossiers(b)
	answer := ours(b, dossiers)
	five := asked(b, dossiers, five)
	pass(b, len(dossiers), answer) // what is made once
	whole, part := make([][]time.Duration, len(dossiers)), make([][]time.Duration, len(dossiers))
	for b.Loop() {
		for i := range dossiers {
			whole[i] = append(whole[i], timed(b, answer, i))
			part[i] = append(part[i], timed(b, five, i))
		}
	}
	all := make([]time.Duration, len(dossiers))
	for i, row := range whole {
		slices.Sort(row)
		all[i] = row[len(row)/2]
	}
	slices.Sort(all)
	b.ReportMetric(0, "ns/op") // of both together: says nothing
	b.ReportMetric(float64(all[len(all)/2])/1e6, "ms/median")
	b.ReportMetric(float64(all[len(all)*99/100])/1e6, "ms/p99")
	b.ReportMetric(medians(whole)/medians(part), "x/five")
}

var five = []string{"CM-2.6", "CM-4.A.1", "CM-4.B.1", "CM-4.C.1", "CM-4.D.1"}

// BenchmarkControls is the time of each control beyond what all share
// (classification, risk), per change among the cases; of the five dearest.
func BenchmarkControls(b *testing.B) {
	dossiers := caseDossiers(b)
	var ids []string
	for _, c := range builtInPolicy(b).Controls() {
		ids = append(ids, c.ID)
	}
	shared := asked(b, dossiers, nil)
	spent := map[string]time.Duration{}
	answers := map[string]judge{}
	for _, id := range ids {
		answers[id] = asked(b, dossiers, []string{id})
	}
	judged := 0
	for b.Loop() {
		for i := 0; i < len(dossiers); i += 5 { // of every kind some
			judged++
			base := timed(b, shared, i)
			for _, id := range ids {
				spent[id] += timed(b, answers[id], i) - base
			}
		}
	}
	slices.SortFunc(ids, func(x, y string) int { return int(spent[y] - spent[x]) })
	b.ReportMetric(0, "ns/op")
	for _, id := range ids[:5] {
		b.ReportMetric(float64(spent[id].Microseconds())/float64(judged), "µs/"+id)
	}
}

func timed(b *testing.B, answer judge, i int) time.Duration {
	b.Helper()
	start := time.Now()
	if err := answer(i); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// asked evaluates classification, risk and the findings of some controls.
func asked(b *testing.B, dossiers [][]byte, controls []string) judge {
	b.Helper()
	ids, err := json.Marshal(append([]string{}, controls...))
	if err != nil {
		b.Fatal(err)
	}
	query, err := rego.New(
		rego.Query(`x := [data.classification.document, data.risk.document, [f | some id in `+string(ids)+`; f := data.decision.own[id]]]`),
		rego.LoadBundle(builtIn),
		rego.StoreReadAST(true),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	inputs := make([]any, len(dossiers))
	for i, text := range dossiers {
		if err := json.Unmarshal(text, &inputs[i]); err != nil {
			b.Fatal(err)
		}
	}
	return func(i int) error {
		_, err := query.Eval(b.Context(), rego.EvalInput(inputs[i]))
		return err
	}
}

// caseDossiers are the changes among the cases.
func caseDossiers(b *testing.B) [][]byte {
	b.Helper()
	books, err := filepath.Glob("../../testdata/cases/*.json")
	if err != nil || len(books) == 0 {
		b.Fatalf("no cases: %v", err)
	}
	var dossiers [][]byte
	for _, book := range books {
		text, err := os.ReadFile(book)
		if err != nil {
			b.Fatal(err)
		}
		var cases []struct{ Settings, Releases, Dossier json.RawMessage }
		if err := json.Unmarshal(text, &cases); err != nil {
			b.Fatal(err)
		}
		for _, c := range cases {
			if c.Settings == nil && c.Releases == nil && bytes.Contains(c.Dossier, []byte(`"change": {`)) {
				dossiers = append(dossiers, c.Dossier)
			}
		}
	}
	return dossiers
}
