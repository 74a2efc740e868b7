// Package httpapi answers over HTTP: it judges and records dossiers, takes events and
// webhooks, and tells what was decided. It knows the journal and the policy only by
// what it asks of them.
//
// New builds the handler: who may call what is the table in access.go, and a route
// that is not in it cannot be built. Serve and Listen are the way to the network.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
)

// Config is what the handler is made of. Journal and Rules are required; a part that
// is nil makes its routes answer 501.
type Config struct {
	// Version of the program, as the OpenAPI document and GET /v1/data?provenance name it.
	Version string
	// Journal is where everything is kept; *store.Store is one.
	Journal Journal
	// Rules returns what judges now. It is called once for each request, so that a
	// reload takes effect with the next one and never in the middle of one.
	Rules func() Rules
	// AddEvents records normalised events, and returns how many were new. What they
	// are about is to be judged afterwards; AddEvents sees to that.
	AddEvents func(ctx context.Context, events []engine.Event) (int, error)
	// AddWaiver and AddAttestation record one, if it keeps the rules for it; where it
	// breaks them the error is an *engine.InputError. The body was checked against its
	// schema before.
	AddWaiver      func(ctx context.Context, w engine.Waiver) error
	AddAttestation func(ctx context.Context, a engine.Attestation) error
	// Replay makes a recorded decision again. It is not recorded.
	Replay func(ctx context.Context, id string) (Replayed, error)
	// Gate answers whether something may go ahead now. Nothing of that is recorded.
	Gate func(ctx context.Context, q engine.GateQuestion) (engine.GateAnswer, error)
	// Sources tells how completely each source was read: any JSON list.
	Sources func(ctx context.Context) (any, error)

	// OIDC verifies JSON Web Tokens; nil takes the journal's own tokens only.
	OIDC *OIDC

	// Webhooks verify deliveries, by source: github, render. Of a source that is not
	// here nothing is taken (404).
	Webhooks map[string]Webhook
	// Delivered is told after a delivery is durable, before it is answered: it must
	// not wait for work to be done. Its error is logged; the delivery is kept anyway.
	Delivered func(ctx context.Context) error

	// Ready checks by name what must work before requests are sent here. The names of
	// those that fail are told to everybody, their errors to the log.
	Ready map[string]func(ctx context.Context) error

	// DecisionLog is told of every evaluation; nil tells nobody. It must not wait.
	DecisionLog func(DecisionLogEntry)
	// Registry gets the metrics of requests; nil measures nothing.
	Registry prometheus.Registerer
	Limits   Limits
	// Log gets one record a request. It never holds a token, a body or a header.
	Log *slog.Logger
	// Clock is the time by which tokens expire and deliveries arrive; nil is the
	// machine's.
	Clock func() time.Time
}

// Limits bound what one client can cost. A zero field is its default.
type Limits struct {
	BodyBytes         int64         // of a request, unpacked; 16 MiB
	DeliveryBytes     int64         // of a webhook; 25 MiB, the most that GitHub sends
	RequestsPerMinute int           // of one principal; 6000
	Concurrent        int           // requests being answered at once; 64
	Timeout           time.Duration // of one request, or of one line of a batch; 30 s
	BodyTimeout       time.Duration // in which a body, or the next line of a batch, must come; 30 s
}

func (l Limits) filled() Limits {
	for _, field := range []struct {
		value    *int64
		standard int64
	}{{&l.BodyBytes, 16 << 20}, {&l.DeliveryBytes, 25 << 20}, {(*int64)(&l.Timeout), int64(30 * time.Second)}, {(*int64)(&l.BodyTimeout), int64(30 * time.Second)}} {
		if *field.value <= 0 {
			*field.value = field.standard
		}
	}
	if l.RequestsPerMinute <= 0 {
		l.RequestsPerMinute = 6000
	}
	if l.Concurrent <= 0 {
		l.Concurrent = 64
	}
	return l
}

// Rules is what judges at one moment. Its parts belong together.
type Rules struct {
	Policy   engine.Policy
	Recorder Recorder         // records decisions of this policy, as those of its judge
	Data     Data             // answers /v1/data; nil does not
	Controls func() []Control // the catalogue, by id
	Revision string           // the digest of the bundle
	Name     string           // of the policy
	Engine   string           // version of OPA
}

// Recorder records decisions with their dossiers: all or none, durable when it
// returns. *store.Journal is one.
type Recorder interface {
	AppendAll(ctx context.Context, list []engine.Judgement) error
}

// Journal is what the API asks of the place where everything is kept; *store.Store
// answers. Errors are those of package engine.
type Journal interface {
	List(ctx context.Context, filter engine.DecisionFilter, after string, limit int) (engine.DecisionPage, error)
	Decision(ctx context.Context, id string) (engine.DecisionRecord, error)
	Dossier(ctx context.Context, digest string) ([]byte, error)
	History(ctx context.Context, subject engine.Subject) ([]engine.DecisionRecord, error)
	Subjects(ctx context.Context, filter engine.SubjectFilter, after engine.Subject, limit int) ([]engine.DecisionSummary, error)
	Deadlines(ctx context.Context, filter engine.SubjectFilter, after *engine.DecisionSummary, limit int) ([]engine.DecisionSummary, error)
	Releases(ctx context.Context) ([]engine.ReleaseRecord, error)
	Waivers(ctx context.Context) ([]engine.Waiver, error)
	Attestations(ctx context.Context) ([]engine.Attestation, error)
	Checkpoint(ctx context.Context) ([]byte, error)
	Tile(ctx context.Context, level int, index int64, width int) ([]byte, error)
	ProveInclusion(ctx context.Context, index int64) (ledger.Inclusion, error)
	TokenByHash(ctx context.Context, hash string) (engine.Token, error)
	AddDelivery(ctx context.Context, d engine.Delivery) (added bool, err error)
	AddAction(ctx context.Context, a engine.Action) error
}

// Control is a row of the catalogue.
type Control struct {
	ID          string              `json:"id"`
	Title       string              `json:"title"`
	Clause      string              `json:"clause"`
	Severity    string              `json:"severity"`
	Subjects    []string            `json:"subjects"`
	Aliases     []string            `json:"aliases,omitempty"`
	Frameworks  map[string][]string `json:"frameworks,omitempty"`
	Description string              `json:"description,omitempty"`
	Implemented bool                `json:"implemented" doc:"false: no rule of the policy answers it"`
}

// Replayed is a decision that was made again.
type Replayed struct {
	ID        string          `json:"id"`
	Same      bool            `json:"same" doc:"the bytes are the same"`
	Different []string        `json:"different,omitempty" doc:"where they differ, as JSON pointers with both values"`
	Again     engine.Decision `json:"again"`
}

// server is a Config at work.
type server struct {
	Config
	mux     *http.ServeMux
	api     huma.API
	slots   chan struct{}
	inbox   chan struct{}
	limit   func(http.Handler) http.Handler
	measure func(route string, status int, took time.Duration)
}

// New builds the handler. It is safe for concurrent use.
func New(c Config) (http.Handler, error) {
	s, err := newServer(c)
	if err != nil {
		return nil, err
	}
	return s.guarded(), nil
}

// OpenAPI is the OpenAPI 3.1 document of the API, in YAML.
func OpenAPI(version string) ([]byte, error) {
	s, err := newServer(Config{Version: version, Journal: (Journal)(nil), Rules: func() Rules { return Rules{} }})
	if err != nil {
		return nil, err
	}
	return s.api.OpenAPI().YAML()
}

func newServer(c Config) (*server, error) {
	if c.Rules == nil {
		return nil, errors.New("httpapi: no rules to judge by")
	}
	c.Limits = c.Limits.filled()
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{
		Config: c, mux: http.NewServeMux(),
		slots: make(chan struct{}, c.Limits.Concurrent),
		inbox: make(chan struct{}, 4*c.Limits.Concurrent),
	}
	s.limit = s.limiter()
	var err error
	if s.measure, err = measured(c.Registry); err != nil {
		return nil, err
	}
	s.api = humago.New(s.mux, s.document())
	s.judging()
	s.gate()
	s.decisions()
	s.subjects()
	s.catalogue()
	s.records()
	s.ledger()
	s.data()
	s.webhooks()
	s.health()
	s.specification()
	return s, s.complete()
}

// document is how huma is set up: nothing but JSON, no pages that load scripts from
// elsewhere, no misspelt parameter.
func (s *server) document() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Changevouch", Version: s.Version,
				Description: "Judges production changes against policy and keeps what it decided.\n\n" +
					"Every call but health and webhooks needs a bearer token; x-roles names the roles that may make it. " +
					"Errors are problem documents (RFC 9457); errors[].location is where the fault is, body/ followed by a JSON pointer. " +
					"The documents event/v1, dossier/v1 and decision/v1 are defined by the JSON Schemas of the project.",
				License: &huma.License{Name: "MIT", Identifier: "MIT"},
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "A token of vouch token create, or a JSON Web Token of a configured issuer."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// operation describes a route; its roles come from the table.
func operation(id, method, path, summary string) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Extensions: map[string]any{}, Responses: map[string]*huma.Response{}}
	if may, ok := access[method+" "+path]; ok {
		op.Extensions["x-roles"] = may.names()
		if may&anybody == 0 {
			op.Security = []map[string][]string{{"token": {}}}
		}
	}
	return op
}

// plain adds a route that reads and writes for itself, and its description.
func (s *server) plain(op huma.Operation, handle http.HandlerFunc) {
	s.mux.HandleFunc(op.Method+" "+op.Path, handle)
	s.describe(op)
}

// describe adds a description whose errors are problem documents.
func (s *server) describe(op huma.Operation) {
	op.Responses["default"] = &huma.Response{Description: "Error", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/ErrorModel"}},
	}}
	s.api.OpenAPI().AddOperation(&op)
}

// complete makes sure that every route is in the table and every row is a route.
func (s *server) complete() error {
	described := map[string]bool{}
	for path, item := range s.api.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch,
			http.MethodDelete: item.Delete, http.MethodHead: item.Head, http.MethodOptions: item.Options, http.MethodTrace: item.Trace,
		} {
			if op == nil {
				continue
			}
			described[method+" "+path] = true
			if _, ok := access[method+" "+path]; !ok {
				return fmt.Errorf("httpapi: %s %s is in no row of the access table: nobody could be let in", method, path)
			}
		}
	}
	for route := range access {
		if !described[route] {
			return fmt.Errorf("httpapi: the access table speaks of %s, which is no route", route)
		}
	}
	return nil
}
