package app

import (
	"context"

	"github.com/changevouch/changevouch/engine"
)

// askGate answers for a server, which holds the key of Render so that no service needs
// one: a key opens all that its owner may do.
func (s *Server) askGate(ctx context.Context, q engine.GateQuestion) (engine.GateAnswer, error) {
	key, err := s.config.Render.Secret(s.options.LookupEnv)
	if err != nil {
		return engine.GateAnswer{}, err
	}
	found, err := FindDeploy(ctx, q, key, s.config.Render.URL, func(why string) { s.log.InfoContext(ctx, "gate waits", "why", why) })
	if err != nil {
		if ctx.Err() != nil {
			return engine.GateAnswer{}, ctx.Err()
		}
		s.log.WarnContext(ctx, "deploy not found for a gate", "about", q.About(), "error", err.Error())
	}
	gate, err := s.gate(ctx)
	if err != nil {
		return engine.GateAnswer{}, err
	}
	answer, err := gate.Ask(ctx, found)
	if err == nil {
		s.log.InfoContext(ctx, "gate", "about", answer.About, "outcome", answer.Outcome)
	}
	return answer, err
}
