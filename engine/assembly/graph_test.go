package assembly

import (
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/engine"
)

// graph is an assembler that knows nothing but commits and their parents.
func graph(parents map[string][]string) *assembler {
	f := &facts{commits: map[string]fact[engine.CommitFact]{}}
	for sha, list := range parents {
		f.commits[sha] = fact[engine.CommitFact]{Data: engine.CommitFact{SHA: sha, Parents: list}}
	}
	return &assembler{facts: f}
}

// naively is what walk says, by looking at everything.
func naively(parents map[string][]string, base, head string) (map[string]bool, bool) {
	reach := func(from string) map[string]bool {
		seen := map[string]bool{}
		for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
			if sha := queue[0]; !seen[sha] {
				seen[sha] = true
				queue = append(queue, parents[sha]...)
			}
		}
		return seen
	}
	out := reach(head)
	maps.DeleteFunc(out, func(sha string, _ bool) bool { return reach(base)[sha] })
	for sha := range out {
		if len(parents[sha]) == 0 {
			return nil, false
		}
	}
	return out, true
}

func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 14).Draw(t, "commits")
		parents := map[string][]string{}
		for i := range n {
			if i > 0 && rapid.IntRange(0, 5).Draw(t, "unrecorded") == 0 {
				continue
			}
			for range rapid.IntRange(0, 2).Draw(t, "parents") {
				parents[strconv.Itoa(i)] = append(parents[strconv.Itoa(i)], strconv.Itoa(rapid.IntRange(-1, i-1).Draw(t, "parent")))
			}
		}
		draw := func(name string) string { return strconv.Itoa(rapid.IntRange(-1, n-1).Draw(t, name)) }
		base, head := draw("base"), draw("head")
		want, wantOK := naively(parents, base, head)
		got, ok := graph(parents).walk(base, head)
		if ok != wantOK || !maps.Equal(got, want) {
			t.Fatalf("from %s to %s in %v: %v %v, want %v %v", base, head, parents, got, ok, want, wantOK)
		}
	})
}

// Commits cannot be their own ancestors. Where some claim to be, parents tell nothing.
func TestWalkInACircle(t *testing.T) {
	parents := map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"c"}}
	for _, base := range []string{"a", "d", "elsewhere"} {
		for head := range parents {
			if shas, ok := graph(parents).walk(base, head); ok {
				t.Errorf("from %s to %s: %v", base, head, shas)
			}
		}
	}
}
