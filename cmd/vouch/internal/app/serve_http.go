package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/schemas"
)

// Handler is the HTTP side of the server. The context ends what it does by itself, such
// as fetching the keys of issuers.
func (s *Server) Handler(ctx context.Context) (http.Handler, error) {
	hooks, err := s.webhooks()
	if err != nil {
		return nil, err
	}
	oidc, err := s.oidc(ctx)
	if err != nil {
		return nil, err
	}
	var told func(httpapi.DecisionLogEntry)
	if s.decisionLog != nil {
		told = s.decisionLog.Add
	}
	limits := s.config.Limits
	return httpapi.New(httpapi.Config{
		Version: s.options.Version, Journal: s.store, Rules: s.apiRules, Replay: apiReplay(s.store, s.options.Version),
		AddEvents: s.addEvents, AddWaiver: s.addWaiver, AddAttestation: s.addAttestation, Sources: s.coverage, Gate: s.askGate,
		OIDC: oidc, Webhooks: hooks, Delivered: s.delivered,
		Ready: map[string]func(context.Context) error{"journal": s.journalReady, "background work": s.queueReady},
		Limits: httpapi.Limits{
			BodyBytes: limits.BodyBytes, RequestsPerMinute: limits.RequestsPerMinute, Concurrent: limits.Concurrent, Timeout: limits.EvaluateTimeout.Duration,
		},
		DecisionLog: told, Registry: s.metrics.registry, Log: s.log, Clock: s.clock,
	})
}

// openDecisionLog begins to copy evaluations to a sink, where one is configured.
func (s *Server) openDecisionLog() (*httpapi.DecisionLog, error) {
	c := s.config.DecisionLog
	if c.URL == "" {
		return nil, nil
	}
	var token string
	if c.TokenFile != "" {
		var err error
		if token, err = readSecret(c.TokenFile); err != nil {
			return nil, fmt.Errorf("decision log: token: %w", err)
		}
	}
	return httpapi.OpenDecisionLog(httpapi.DecisionLogConfig{
		Address: c.URL, Token: token, Folder: c.BufferDir, Labels: map[string]string{"engine": "changevouch", "version": s.options.Version},
		Log: s.log, Registry: s.metrics.registry,
	})
}

// decisionLogGrace is how long the last entries may take to arrive; the others are
// sent after the next start.
const decisionLogGrace = 5 * time.Second

func (s *Server) closeDecisionLog() error {
	if s.decisionLog == nil {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), decisionLogGrace)
	defer done()
	return s.decisionLog.Close(ctx)
}

func (s *Server) apiRules() httpapi.Rules {
	now := s.rules.current()
	return apiRules(now.Standing.Policy, now.Newest, now.Journal)
}

// addEvents records what was handed in. Of what the server hears or reads itself it
// takes nobody's word: whoever may hand in events could approve changes with them.
func (s *Server) addEvents(ctx context.Context, events []engine.Event) (int, error) {
	var faults []schemas.Fault
	for i, e := range events {
		if system := s.sources.hears(e); system != "" && len(faults) < schemas.MaxFaults {
			pointer := "/provider"
			if len(events) > 1 {
				pointer = fmt.Sprintf("/%d/provider", i)
			}
			faults = append(faults, schemas.Fault{Pointer: pointer, Message: "this server hears of " + system + " itself, and takes nobody else's word for what happened there"})
		}
	}
	if len(faults) > 0 {
		return 0, &engine.InputError{Faults: faults}
	}
	added, err := s.store.AddEvents(ctx, events, nil)
	if err != nil || added == 0 {
		return added, err
	}
	s.queue.Nudge(taskFollow)
	return added, nil
}

// delivered has a delivery worked on soon. Should it be lost, somebody looks anyway.
func (s *Server) delivered(context.Context) error {
	s.queue.Nudge(taskDeliveries)
	return nil
}

// Who made a statement is in the entry of the request, see httpapi.

func (s *Server) addWaiver(ctx context.Context, w engine.Waiver) error {
	return s.statements().AddWaiver(ctx, w, "")
}

func (s *Server) addAttestation(ctx context.Context, a engine.Attestation) error {
	return s.statements().AddAttestation(ctx, a, "")
}

func (s *Server) statements() Statements {
	now := s.rules.current()
	return Statements{Store: s.store, Policy: now.Newest, Directory: now.Directory, Now: s.clock().UTC()}
}

// coverage tells how completely each source was read.
func (s *Server) coverage(ctx context.Context) (any, error) {
	return JournalSources(ctx, s.store)
}

func (s *Server) webhooks() (map[string]httpapi.Webhook, error) {
	out := map[string]httpapi.Webhook{}
	secrets, err := ReadSecrets(s.config.GitHub.WebhookSecretFiles)
	if err != nil {
		return nil, fmt.Errorf("github: webhook: %w", err)
	}
	if len(secrets) > 0 {
		out["github"] = githubWebhook(secrets)
	}
	if secrets, err = ReadSecrets(s.config.Render.WebhookSecretFiles); err != nil {
		return nil, fmt.Errorf("render: webhook: %w", err)
	}
	if len(secrets) > 0 {
		if out["render"], err = renderWebhook(secrets); err != nil {
			return nil, fmt.Errorf("render: %w", err)
		}
	}
	return out, nil
}

func (s *Server) oidc(ctx context.Context) (*httpapi.OIDC, error) {
	if len(s.config.OIDC) == 0 {
		return nil, nil
	}
	var issuers []httpapi.Issuer
	for _, one := range s.config.OIDC {
		roles := map[string]engine.Role{}
		for value, role := range one.Roles {
			roles[value] = engine.Role(role)
		}
		issuers = append(issuers, httpapi.Issuer{
			Issuer: one.Issuer, Audience: one.Audience, JWKSURL: one.JWKSURL, PrincipalClaim: one.PrincipalClaim, RoleClaim: one.RoleClaim, Roles: roles,
		})
	}
	return httpapi.NewOIDC(ctx, issuers, &http.Client{Timeout: 10 * time.Second})
}

func (s *Server) journalReady(ctx context.Context) error {
	_, _, err := s.store.Head(ctx)
	return err
}

func (s *Server) queueReady(ctx context.Context) error {
	_, err := s.queue.Count(ctx)
	return err
}

// Serve listens and works until the context ends, and then finishes what was accepted.
// listening is told the addresses when requests are taken.
func (s *Server) Serve(ctx context.Context, listening func(api, metrics net.Addr)) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	handler, err := s.Handler(background)
	if err != nil {
		return err
	}
	api, err := httpapi.Listen(ctx, httpapi.Listening{
		Address: s.config.Listen, Certificate: s.config.TLS.CertificateFile, Key: s.config.TLS.KeyFile, BehindProxy: s.config.BehindProxy,
	})
	if err != nil {
		return err
	}
	defer api.Close()
	var metricsAddress net.Addr
	if address := s.config.Metrics.Listen; address != "" {
		var by net.ListenConfig
		metrics, err := by.Listen(ctx, "tcp", address)
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		metricsAddress = metrics.Addr()
		if err := s.metrics.registry.Register(gauges{s}); err != nil {
			return errors.Join(err, metrics.Close())
		}
		s.group.Go(func() {
			if err := httpapi.Serve(background, metrics, httpapi.Metrics(s.metrics.registry), httpapi.Serving{Log: s.log}); err != nil {
				s.log.ErrorContext(ctx, "metrics", "error", err.Error())
			}
		})
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	listening(api.Addr(), metricsAddress)
	served := httpapi.Serve(ctx, api, handler, httpapi.Serving{Log: s.log})
	cancel()
	last, done := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer done()
	return errors.Join(served, s.Stop(last))
}

// stopGrace is how long background work may take to end when the server stops.
const stopGrace = 20 * time.Second
