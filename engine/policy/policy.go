// Package policy judges dossiers with OPA. It is the only package that imports
// OPA.
//
// A policy is a plain OPA bundle. Load compiles it strictly and hermetically:
// nothing of the network, the clock, the environment or chance can reach a
// rule, a misspelt field of the dossier does not compile, and a built-in error
// is an error. Evaluate asks data.decision.document, which holds every field of
// a decision but its envelope: id, policy and input_digest, which stock OPA
// cannot know, are added here.
package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
	"github.com/open-policy-agent/opa/v1/version"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// entrypoint is the one document that is asked for.
const entrypoint = "data.decision.document"

// DefaultTimeout bounds an evaluation that nobody else bounds.
const DefaultTimeout = 30 * time.Second

// Options of a policy; the zero value is the bundle as it is.
type Options struct {
	// Settings, in YAML or JSON, are merged over data.settings of the bundle.
	Settings []byte
	// Overlays are further bundles: packages and data of one's own.
	Overlays []Bundle
	// Timeout of one evaluation; 0 means DefaultTimeout. A shorter deadline of
	// the context counts too.
	Timeout time.Duration
	// EngineVersion is the version of the program, for PolicyRef.Engine.
	EngineVersion string
}

// Policy is a loaded bundle. It is immutable and safe for concurrent use.
type Policy struct {
	query    rego.PreparedEvalQuery
	ref      engine.PolicyRef
	settings map[string]any
	defaults map[string]any // of the bundle
	given    map[string]any // what the settings say
	controls []Control
	index    map[string]Control // by id
	timeout  time.Duration
	patterns cache.InterQueryValueCache
	queries  *queries
}

var _ engine.Policy = (*Policy)(nil)

// Load is New for a bundle folder, such as os.DirFS("rego").
func Load(ctx context.Context, fsys fs.FS, options Options) (*Policy, error) {
	bundle, err := ReadFolder(ctx, fsys)
	if err != nil {
		return nil, err
	}
	return New(ctx, bundle, options)
}

// New compiles and prepares a bundle. Its tests (_test.rego) are left out. The
// error names files and lines, and is a *SettingsError when the settings are at
// fault.
func New(ctx context.Context, bundle Bundle, options Options) (*Policy, error) {
	var sources []source
	for _, b := range append([]Bundle{bundle}, options.Overlays...) {
		sources = append(sources, source{files: b.files.withoutTests()})
	}
	built, err := build(sources, options.Settings)
	if err != nil {
		return nil, err
	}
	return built.policy(ctx, options)
}

// policy compiles and prepares what was built.
func (b *built) policy(ctx context.Context, options Options) (*Policy, error) {
	compiler, err := b.compile(ctx)
	if err != nil {
		return nil, err
	}
	p := &Policy{settings: b.settings, patterns: patterns(ctx), defaults: b.defaults, given: b.given, timeout: options.Timeout, index: map[string]Control{}}
	if p.timeout <= 0 {
		p.timeout = DefaultTimeout
	}
	if p.controls, err = readControls(b.data, b.modules); err != nil {
		return nil, err
	}
	for _, control := range p.controls {
		p.index[control.ID] = control
	}
	if p.ref, err = b.reference(options); err != nil {
		return nil, err
	}
	if len(compiler.GetRules(ast.MustParseRef(entrypoint))) == 0 {
		return nil, fmt.Errorf("the bundle has no rule %s: there is nothing to ask", entrypoint)
	}
	p.query, err = rego.New(
		rego.Query(entrypoint),
		rego.Compiler(compiler),
		rego.Store(b.store),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare policy: %w", err)
	}
	p.queries = &queries{compiler: compiler, store: b.store}
	return p, nil
}

// patterns keeps what globs and regular expressions compile to. A bundle has
// some hundreds, and OPA by itself keeps only a hundred of each.
func patterns(ctx context.Context) cache.InterQueryValueCache {
	most := 10_000
	return cache.NewInterQueryValueCache(ctx, &cache.Config{
		InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &most},
	})
}

// Ref identifies the bundle, the settings and the engine.
func (p *Policy) Ref() engine.PolicyRef { return p.ref }

// Controls lists the catalogue by id. It is shared: do not change it.
func (p *Policy) Controls() []Control { return p.controls }

// Settings returns the effective settings as canonical JSON, the bytes behind
// PolicyRef.SettingsDigest.
func (p *Policy) Settings() []byte {
	text, _ := schemas.Canonical(p.settings) // written once before, in Load
	return text
}

// source is one bundle; prefix goes before file names in messages. A draft
// takes the place of packages below it.
type source struct {
	files  fileset
	prefix string
	draft  bool
}

// built is a parsed bundle, settings and overlays included.
type built struct {
	layer
	store    storage.Store
	settings map[string]any
	defaults map[string]any // of the bundle
	given    map[string]any // what the settings say
	digest   string
	compiled *ast.Compiler // by compile
}

// build parses sources and lays each over those before it.
func build(sources []source, settings []byte) (*built, error) {
	var layers []layer
	var files []fileset
	for _, s := range sources {
		if len(s.files) == 0 {
			return nil, errors.New("read bundle: it holds neither rego nor data")
		}
		parsed, err := parse(s.files, s.prefix)
		if err != nil {
			return nil, err
		}
		parsed.draft = s.draft
		layers, files = append(layers, parsed), append(files, s.files)
	}
	joined, err := join(layers)
	if err != nil {
		return nil, err
	}
	defaults, _ := joined.data["settings"].(map[string]any)
	effective, given, err := applySettings(defaults, settings)
	if err != nil {
		return nil, err
	}
	joined.data["settings"] = effective
	// Values are read by every evaluation and never written: keep them in the
	// form in which rules read them.
	store := inmem.NewFromObjectWithOpts(joined.data, inmem.OptReturnASTValuesOnRead(true))
	return &built{layer: joined, store: store, settings: effective, defaults: defaults, given: given, digest: digest(files)}, nil
}

// compile checks all modules together, strictly, against the data they will see.
func (b *built) compile(ctx context.Context) (*ast.Compiler, error) {
	err := storage.Txn(ctx, b.store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		compiler, err := b.compiler(ctx, txn)
		if err != nil {
			return err
		}
		if compiler.Compile(b.modules); compiler.Failed() {
			return &CompileError{Errors: compiler.Errors}
		}
		b.compiled = compiler
		return nil
	})
	return b.compiled, err
}

// compiler is set up to compile against the data of a transaction.
func (b *built) compiler(ctx context.Context, txn storage.Transaction) (*ast.Compiler, error) {
	types, err := inputTypes()
	if err != nil {
		return nil, err
	}
	return ast.NewCompiler().
		WithCapabilities(capabilities()).
		WithStrict(true).
		WithSchemas(types).
		WithUseTypeCheckAnnotations(true).
		WithDefaultRegoVersion(ast.RegoV1).
		WithPathConflictsCheck(storage.NonEmpty(ctx, b.store, txn)), nil
}

// reference names the bundle. The rules stamp data.catalogue.policy on their
// findings, so it must be what the manifest says.
func (b *built) reference(options Options) (engine.PolicyRef, error) {
	said := func(key string) string {
		text, _ := b.manifest.Metadata[key].(string)
		return text
	}
	row, _ := lookup(b.data, []string{"catalogue", "policy"}).(map[string]any)
	for _, key := range []string{"name", "version"} {
		if said(key) == "" {
			return engine.PolicyRef{}, fmt.Errorf(".manifest has no metadata.%s: a policy needs a name and a version", key)
		}
		if row[key] != said(key) {
			return engine.PolicyRef{}, fmt.Errorf("data.catalogue.policy.%s is %v, .manifest says %q: they must agree", key, row[key], said(key))
		}
	}
	settings, err := schemas.Canonical(b.settings)
	if err != nil {
		return engine.PolicyRef{}, fmt.Errorf("data.settings: %w", err)
	}
	engineVersion := options.EngineVersion
	if engineVersion == "" {
		engineVersion = "devel"
	}
	return engine.PolicyRef{
		Name: said("name"), Version: said("version"),
		BundleDigest: b.digest, SettingsDigest: sha256Of(settings),
		Engine: engine.EngineInfo{Name: "changevouch", Version: engineVersion, OPAVersion: version.Version},
	}, nil
}

// CompileError lists everything that keeps a bundle from compiling, each with
// file and line.
type CompileError struct {
	Errors ast.Errors
}

func (e *CompileError) Error() string {
	lines := []string{"the policy does not compile"}
	for _, err := range e.Errors {
		lines = append(lines, "  "+strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	return strings.Join(lines, "\n")
}
