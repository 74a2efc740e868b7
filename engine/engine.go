package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/changevouch/changevouch/schemas"
)

// Policy judges dossiers. Implementations are immutable and safe for
// concurrent use.
type Policy interface {
	// Evaluate judges one dossier, given as JSON. The same dossier gives the
	// same decision for ever. The error is an *InputError when the dossier
	// itself is wrong, and wraps ErrUndecided when it could not be judged.
	Evaluate(ctx context.Context, dossier []byte) (Decision, error)
}

// ErrInvalidInput marks a dossier that breaks its schema: mend the dossier.
var ErrInvalidInput = errors.New("invalid dossier")

// ErrUndecided marks a dossier that could not be judged: an evaluation error, a
// timeout, an undefined or incomplete verdict. It never means compliant; mend
// the policy or try again.
var ErrUndecided = errors.New("could not decide")

// InputError lists everything that is wrong with a dossier.
type InputError struct {
	Faults []schemas.Fault
}

func (e *InputError) Error() string {
	text := ErrInvalidInput.Error()
	for _, fault := range e.Faults {
		text += "\n  " + fault.String()
	}
	return text
}

// Is makes every InputError an ErrInvalidInput.
func (e *InputError) Is(target error) bool { return target == ErrInvalidInput }

// Engine decides. Its zero value has no policy and decides nothing.
type Engine struct {
	Policy  Policy
	Journal Journal // nil: decisions are not recorded
}

// Decide judges a dossier and returns the decision once its record is durable.
// When the record fails, the decision is withheld and the error says so.
func (e Engine) Decide(ctx context.Context, dossier []byte) (Decision, error) {
	if e.Policy == nil {
		return Decision{}, fmt.Errorf("%w: no policy is loaded", ErrUndecided)
	}
	decision, err := e.Policy.Evaluate(ctx, dossier)
	if err != nil {
		return Decision{}, err
	}
	if e.Journal == nil {
		return decision, nil
	}
	if err := e.Journal.Append(ctx, dossier, decision); err != nil {
		return Decision{}, fmt.Errorf("record decision %s: %w", decision.ID, err)
	}
	return decision, nil
}
