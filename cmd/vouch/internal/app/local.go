package app

import (
	"context"
	"fmt"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
)

// Clones are local repositories to read. Of each the named branches are read or,
// without any, the default one.
type Clones struct {
	Paths, Branches []string
	Signatures      bool // verify them
	Whole           bool // whenever the window begins
	At              time.Time
}

// Collectors opens every clone. The notice tells which branches it reads.
func (c Clones) Collectors(ctx context.Context, s Surroundings) ([]collectors.Collector, error) {
	if len(c.Paths) == 0 && (len(c.Branches) > 0 || c.Signatures) {
		return nil, fmt.Errorf("%s and %s concern clones: name one with %s", s.flag("branch"), s.flag("verify-signatures"), s.flag("repo"))
	}
	var all []collectors.Collector
	names := map[string]string{}
	for _, path := range c.Paths {
		l, err := git.OpenLocal(ctx, path, git.LocalOptions{Branches: c.Branches, Signatures: c.Signatures, Whole: c.Whole, At: c.At})
		if err != nil {
			return nil, err
		}
		if other, twice := names[l.Name()]; twice {
			return nil, fmt.Errorf("repositories %s and %s are both called %s: read one of them", other, path, l.Repository())
		}
		names[l.Name()] = path
		for _, h := range l.Heads() {
			s.Notice(fmt.Sprintf("%s: branch %s of %s, from %s at %.12s", l.Name(), h.Branch, l.Repository(), h.Ref, h.SHA))
		}
		all = append(all, l)
	}
	return all, nil
}
