package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

// Query asks for any document under data, as OPA's Data API does
// (https://www.openpolicyagent.org/docs/rest-api#data-api).
type Query struct {
	Path    string // slash-separated and escaped, as in a URL; empty is all of data
	Input   []byte // JSON; nil is no input
	Strict  bool   // an error of a built-in is an error, not undefined
	Metrics bool   // measure more (OPA: instrument)
}

// Answer is what a Query found.
type Answer struct {
	Result  json.RawMessage // nil: undefined
	Metrics map[string]any
}

// QueryError is a query that has no answer, in the words of OPA's REST API, also
// where OPA calls internal what is the asker's fault.
type QueryError struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Errors  []json.RawMessage `json:"errors,omitempty"`
}

func (e *QueryError) Error() string { return e.Code + ": " + e.Message }

// Codes of a QueryError: the question is wrong, or its evaluation failed.
const (
	QueryInvalid  = "invalid_parameter"
	QueryInternal = "internal_error"
)

// Query answers from the rules, data and settings of the policy. It judges nothing:
// the input may be anything. The error is a *QueryError, or that of the context.
func (p *Policy) Query(ctx context.Context, q Query) (answer Answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			answer, err = Answer{}, &QueryError{Code: QueryInternal, Message: fmt.Sprintf("the evaluator failed: %v", r)}
		}
	}()
	m := metrics.New()
	m.Timer(metrics.ServerHandler).Start()
	options := []rego.EvalOption{rego.EvalMetrics(m), rego.EvalInstrument(q.Metrics), rego.EvalInterQueryBuiltinValueCache(p.patterns)}
	m.Timer(metrics.RegoInputParse).Start()
	if q.Input != nil {
		input, err := readInput(q.Input)
		if err != nil {
			return Answer{}, &QueryError{Code: QueryInvalid, Message: "malformed input document: " + err.Error()}
		}
		options = append(options, rego.EvalParsedInput(input))
	}
	m.Timer(metrics.RegoInputParse).Stop()
	prepared, err := p.queries.prepared(ctx, q, m)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	found, err := prepared.Eval(ctx, options...)
	m.Timer(metrics.ServerHandler).Stop()
	if err != nil {
		if ctx.Err() != nil {
			return Answer{}, context.Cause(ctx)
		}
		return Answer{}, evaluationError(err)
	}
	answer.Metrics = m.All()
	if len(found) == 0 {
		return answer, nil
	}
	answer.Result, err = json.Marshal(found[0].Expressions[0].Value)
	if err != nil {
		return Answer{}, &QueryError{Code: QueryInternal, Message: err.Error()}
	}
	return answer, nil
}

// Query is that of the newest release.
func (r *Releases) Query(ctx context.Context, q Query) (Answer, error) {
	return r.history[len(r.history)-1].policy.Query(ctx, q)
}

func readInput(text []byte) (ast.Value, error) {
	var v any
	if err := util.UnmarshalJSON(text, &v); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(v)
}

// evaluationError says what OPA's server says.
func evaluationError(err error) *QueryError {
	if !topdown.IsError(err) {
		return &QueryError{Code: QueryInternal, Message: err.Error()}
	}
	out := &QueryError{Code: QueryInternal, Message: "error(s) occurred while evaluating query"}
	if fault, ok := errors.AsType[*topdown.Error](err); ok {
		if text, err := json.Marshal(fault); err == nil {
			out.Errors = append(out.Errors, text)
		}
	}
	return out
}

// queries keeps what was prepared, by path.
type queries struct {
	compiler *ast.Compiler
	store    storage.Store
	lock     sync.Mutex
	kept     map[string]*rego.PreparedEvalQuery
}

// mostQueries bounds what is kept: paths come from outside.
const mostQueries = 256

func (k *queries) prepared(ctx context.Context, q Query, m metrics.Metrics) (*rego.PreparedEvalQuery, error) {
	name := fmt.Sprint(q.Strict, q.Metrics, " ", q.Path)
	k.lock.Lock()
	known := k.kept[name]
	k.lock.Unlock()
	hits := m.Counter(metrics.ServerQueryCacheHit)
	if known != nil {
		hits.Incr()
		return known, nil
	}
	asked, err := dataQuery(q.Path)
	if err != nil {
		return nil, &QueryError{Code: QueryInternal, Message: "invalid_parameter: invalid path: " + err.Error()}
	}
	prepared, err := rego.New(
		rego.ParsedQuery(asked),
		rego.Compiler(k.compiler),
		rego.Store(k.store),
		rego.Metrics(m),
		rego.Instrument(q.Metrics),
		rego.StrictBuiltinErrors(q.Strict),
		rego.StackTraces(true),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, &QueryError{Code: QueryInternal, Message: err.Error()}
	}
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.kept == nil || len(k.kept) >= mostQueries {
		k.kept = map[string]*rego.PreparedEvalQuery{}
	}
	k.kept[name] = &prepared
	return &prepared, nil
}

// dataQuery reads a path as OPA does: it must be one reference.
func dataQuery(path string) (ast.Body, error) {
	ref, err := dataRef(path)
	if err != nil {
		return nil, err
	}
	query, err := ast.ParseBody(ref.String())
	switch {
	case err != nil:
		return nil, errors.New("failed to parse query")
	case len(query) != 1:
		return nil, errors.New("complex query")
	}
	if term, ok := query[0].Terms.(*ast.Term); !ok || !ast.TermValueIs[ast.Ref](term) {
		return nil, errors.New("complex query")
	}
	return query, nil
}

// dataRef reads the elements: they are unescaped, and numbers are indexes.
func dataRef(path string) (ast.Ref, error) {
	ref := ast.Ref{ast.DefaultRootDocument}
	for element := range strings.SplitSeq(path, "/") {
		if element == "" {
			continue
		}
		if plain, err := url.PathUnescape(element); err == nil {
			element = plain
		}
		if strings.Contains(element, `"`) {
			return nil, fmt.Errorf("invalid ref term '%s'", element)
		}
		if n, ok := util.Atoi64(element); ok {
			ref = append(ref, ast.InternedTerm(n))
		} else {
			ref = append(ref, ast.InternedTerm(element))
		}
	}
	return ref, nil
}
