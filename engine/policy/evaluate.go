package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// Evaluate implements engine.Policy. A dossier is checked against its schema
// first (*engine.InputError has every fault); a verdict that is undefined, of
// unknown shape or incomplete (see verdict) is engine.ErrUndecided. It never
// panics.
func (p *Policy) Evaluate(ctx context.Context, dossier []byte) (engine.Decision, error) {
	doc, err := read(dossier)
	if err != nil {
		return engine.Decision{}, err
	}
	decision, err := p.judge(ctx, doc)
	if err != nil {
		return engine.Decision{}, err
	}
	return seal(decision, doc, p.ref), nil
}

// read parses a dossier and holds it to its schema.
func read(dossier []byte) (*schemas.Document, error) {
	doc, faults := schemas.Parse(dossier)
	if len(faults) == 0 {
		faults = doc.Validate(schemas.Dossier)
	}
	if len(faults) > 0 {
		return nil, &engine.InputError{Faults: faults}
	}
	return doc, nil
}

// judge asks the rules and holds their answer to its promises; the envelope is
// still empty.
func (p *Policy) judge(ctx context.Context, doc *schemas.Document) (decision engine.Decision, err error) {
	defer func() {
		if r := recover(); r != nil {
			decision, err = engine.Decision{}, undecided("the evaluator failed: %v", r)
		}
	}()
	document, err := p.ask(ctx, doc.Value())
	if err != nil {
		return engine.Decision{}, err
	}
	if decision, err = decode(document); err != nil {
		return engine.Decision{}, err
	}
	if err := p.verdict(doc.Value(), decision); err != nil {
		return engine.Decision{}, err
	}
	return decision, nil
}

// seal puts a verdict into its envelope.
func seal(d engine.Decision, doc *schemas.Document, refs ...engine.PolicyRef) engine.Decision {
	d.Policy = refs
	d.InputDigest = sha256Of(doc.Canonical())
	d.ID = decisionID(d)
	return d
}

// ask evaluates the entrypoint and returns its one document.
func (p *Policy) ask(ctx context.Context, input any) (any, error) {
	value, err := ast.InterfaceToValue(input)
	if err != nil {
		return nil, undecided("read the dossier: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	results, err := p.query.Eval(ctx, rego.EvalParsedInput(value), rego.EvalInterQueryBuiltinValueCache(p.patterns))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: the evaluation was stopped: %w", engine.ErrUndecided, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("%w: %w", engine.ErrUndecided, err)
	case len(results) == 0:
		return nil, undecided("%s is undefined for this dossier", entrypoint)
	case len(results) > 1 || len(results[0].Expressions) != 1:
		return nil, undecided("%s has several answers", entrypoint)
	}
	return results[0].Expressions[0].Value, nil
}

// decode reads the document strictly: a field that a decision does not have is
// an error, not lost.
func decode(document any) (engine.Decision, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return engine.Decision{}, undecided("%s cannot be written: %v", entrypoint, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var decision engine.Decision
	if err := decoder.Decode(&decision); err != nil {
		return engine.Decision{}, undecided("%s has not the shape of a decision: %v", entrypoint, err)
	}
	return decision, nil
}

// decisionID derives the id from what was judged and what judged it: of a history also
// the versions, which findings quote, since two may have the same bundle and settings.
func decisionID(d engine.Decision, versions ...string) string {
	sum := sha256.New()
	sum.Write([]byte(d.InputDigest))
	for _, ref := range d.Policy {
		sum.Write([]byte(ref.BundleDigest + ref.SettingsDigest))
	}
	for _, version := range versions {
		sum.Write([]byte("\x00" + version))
	}
	return "dec_" + hex.EncodeToString(sum.Sum(nil))[:32]
}

func sha256Of(text []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(text))
}

func undecided(format string, args ...any) error {
	return fmt.Errorf("%w: %s", engine.ErrUndecided, fmt.Sprintf(format, args...))
}
