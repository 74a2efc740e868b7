package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

// strict is the smallest policy there is.
type strict struct{ err error }

func (p strict) Evaluate(_ context.Context, dossier []byte) (engine.Decision, error) {
	if p.err != nil {
		return engine.Decision{}, p.err
	}
	return engine.Decision{ID: "dec_1", Outcome: engine.OutcomeNonCompliant}, nil
}

// list keeps decisions in memory; when full, it refuses them.
type list struct {
	decisions []engine.Decision
	full      bool
}

func (l *list) Append(_ context.Context, _ []byte, d engine.Decision) error {
	if l.full {
		return errors.New("disk full")
	}
	l.decisions = append(l.decisions, d)
	return nil
}

func Example() {
	journal := &list{}
	e := engine.Engine{Policy: strict{}, Journal: journal}
	decision, err := e.Decide(context.Background(), []byte(`{"schema": "dossier/v1"}`))
	fmt.Println(decision.Outcome, err, len(journal.decisions))

	journal.full = true
	decision, err = e.Decide(context.Background(), []byte(`{"schema": "dossier/v1"}`))
	fmt.Printf("%q %v\n", decision.Outcome, err)
	// Output:
	// non_compliant <nil> 1
	// "" record decision dec_1: disk full
}

func TestDecide(t *testing.T) {
	t.Run("no policy", func(t *testing.T) {
		if _, err := (engine.Engine{}).Decide(t.Context(), nil); !errors.Is(err, engine.ErrUndecided) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no journal", func(t *testing.T) {
		if d, err := (engine.Engine{Policy: strict{}}).Decide(t.Context(), nil); err != nil || d.ID == "" {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("nothing is recorded when nothing was decided", func(t *testing.T) {
		journal := &list{}
		e := engine.Engine{Policy: strict{err: &engine.InputError{}}, Journal: journal}
		_, err := e.Decide(t.Context(), nil)
		if !errors.Is(err, engine.ErrInvalidInput) || !strings.Contains(err.Error(), "invalid dossier") || len(journal.decisions) > 0 {
			t.Errorf("error %v, journal %v", err, journal.decisions)
		}
	})
}
