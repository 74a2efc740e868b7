package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
)

// Judge evaluates every dossier, several at once, and hands over the
// judgements in the order of the dossiers. A dossier on which the evaluator
// gives no decision goes to undecided, with the reason; the others are judged
// nevertheless.
func Judge(ctx context.Context, policy engine.Policy, dossiers *Documents, judged func(report.Judgement) error, undecided func(error)) error {
	type answer struct {
		judgement report.Judgement
		err       error
	}
	evaluate := func(ctx context.Context, doc Document) answer {
		if doc.Err != nil {
			return answer{err: fmt.Errorf("%s: %w", doc.Origin, doc.Err)}
		}
		decision, err := policy.Evaluate(ctx, doc.Text)
		if err != nil {
			origin := doc.Origin
			if doc.Line > 1 {
				origin = fmt.Sprintf("%s:%d", doc.Origin, doc.Line)
			}
			return answer{err: fmt.Errorf("%s: %w", origin, err)}
		}
		return answer{judgement: report.Judgement{Decision: decision, Dossier: doc.Text}}
	}
	return ordered(ctx, dossiers.All(ctx), runtime.GOMAXPROCS(0), evaluate, func(a answer) error {
		if a.err == nil {
			return judged(a.judgement)
		}
		if ctx.Err() != nil && errors.Is(a.err, context.Canceled) {
			return ctx.Err()
		}
		undecided(a.err)
		return nil
	})
}
