package policy_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
)

// sample is a dossier of middle size and a policy to judge it.
func sample(b *testing.B) []byte {
	b.Helper()
	text, err := os.ReadFile("testdata/dossiers/nr-01.json")
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// bareOPA is what a Go program does that embeds OPA and nothing else: the same
// bundle, prepared once, a dossier in, the document out.
func bareOPA(b *testing.B) func([]byte) error {
	b.Helper()
	query, err := rego.New(
		rego.Query("data.decision.document"),
		rego.LoadBundle(builtIn),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return func(dossier []byte) error {
		var input any
		if err := json.Unmarshal(dossier, &input); err != nil {
			return err
		}
		results, err := query.Eval(context.Background(), rego.EvalInput(input))
		if err == nil && len(results) != 1 {
			b.Fatal("undefined")
		}
		return err
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p, dossier := builtInPolicy(b), sample(b)
	if _, err := p.Evaluate(b.Context(), dossier); err != nil { // compiles the schema, once
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Evaluate(b.Context(), dossier); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareOPA(b *testing.B) {
	bare, dossier := bareOPA(b), sample(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := bare(dossier); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOverhead runs both in turn, so that a busy machine slows both, and
// reports what Evaluate costs beyond bare OPA, in percent (less than nothing
// when it is faster).
func BenchmarkOverhead(b *testing.B) {
	p, bare, dossier := builtInPolicy(b), bareOPA(b), sample(b)
	if _, err := p.Evaluate(b.Context(), dossier); err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := p.Evaluate(b.Context(), dossier); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if err := bare(dossier); err != nil {
			b.Fatal(err)
		}
		ours += middle.Sub(start)
		theirs += time.Since(middle)
	}
	b.ReportMetric(100*(float64(ours)/float64(theirs)-1), "overhead-%")
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		builtInPolicy(b)
	}
}
