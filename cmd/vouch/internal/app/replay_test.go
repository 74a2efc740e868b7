package app

import (
	"context"
	"strconv"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

// named is a policy that can be told from others.
type named string

func (named) Evaluate(context.Context, []byte) (engine.Decision, error) {
	return engine.Decision{}, engine.ErrUndecided
}

// TestJudgesStayFew keeps the policies that were used last, however many a journal has.
func TestJudgesStayFew(t *testing.T) {
	var j judges
	for n := range 3 * mostJudges {
		ref := strconv.Itoa(n)
		if j.take(ref) != nil {
			t.Errorf("judge %s was never loaded", ref)
		}
		j.keep(ref, named(ref))
		j.take("0") // used all the time
	}
	if len(j.loaded) != mostJudges {
		t.Errorf("%d judges stay loaded", len(j.loaded))
	}
	for n, want := range map[int]bool{0: true, 1: false, 3*mostJudges - 2: true, 3*mostJudges - 1: true} {
		p := j.take(strconv.Itoa(n))
		if (p != nil) != want || want && p != named(strconv.Itoa(n)) {
			t.Errorf("judge %d: %v", n, p)
		}
	}
}
