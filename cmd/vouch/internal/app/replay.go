package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// Replay makes recorded decisions again: from the stored dossier, under the stored
// bundles and settings or under another policy. It is safe for concurrent use.
type Replay struct {
	Store   *store.Store
	With    engine.Policy // another policy; nil for the one that judged
	Version string        // of this program
	judges  judges
}

// Replayed is one decision, as it is recorded and as it came out again. With the
// policy that judged, the versions of program and OPA are those of the record: they
// are not part of what makes a decision. Same says that the bytes are.
type Replayed struct {
	ID       string
	Recorded engine.Decision
	Again    engine.Decision
	Same     bool
	Diff     []string // where the two differ, as JSON pointers with both values
	Err      error    // why it could not be made again; engine.ErrRemoved after retention
}

// judges are the few policies that were used last, the newest first: a journal may
// have had hundreds, and each is many megabytes when it is loaded.
type judges struct {
	lock   sync.Mutex
	loaded []loadedJudge
}

type loadedJudge struct {
	ref    string // of its entry
	policy engine.Policy
}

// mostJudges is how many stay loaded.
const mostJudges = 4

// take returns a judge that is loaded, and makes it the newest.
func (j *judges) take(ref string) engine.Policy {
	i := slices.IndexFunc(j.loaded, func(one loadedJudge) bool { return one.ref == ref })
	if i < 0 {
		return nil
	}
	one := j.loaded[i]
	j.loaded = slices.Insert(slices.Delete(j.loaded, i, i+1), 0, one)
	return one.policy
}

func (j *judges) keep(ref string, p engine.Policy) {
	if len(j.loaded) == mostJudges {
		j.loaded = slices.Delete(j.loaded, mostJudges-1, mostJudges)
	}
	j.loaded = slices.Insert(j.loaded, 0, loadedJudge{ref, p})
}

// One replays a decision. The error says that there is no such decision, or that it
// cannot be read.
func (r *Replay) One(ctx context.Context, id string) (Replayed, error) {
	out := r.again(ctx, id)
	return out, out.Err
}

// All replays every decision, newest first, and hands them over one at a time.
func (r *Replay) All(ctx context.Context, emit func(Replayed) error) error {
	var listing error
	ids := iter.Seq[string](func(yield func(string) bool) {
		after := ""
		for {
			page, err := r.Store.List(ctx, engine.DecisionFilter{}, after, subjectsPage)
			if err != nil {
				listing = err
				return
			}
			for _, d := range page.Decisions {
				if !yield(d.ID) {
					return
				}
			}
			if after = page.Next; after == "" {
				return
			}
		}
	})
	err := ordered(ctx, ids, runtime.GOMAXPROCS(0), r.again, emit)
	return errors.Join(err, listing)
}

func (r *Replay) again(ctx context.Context, id string) Replayed {
	out := Replayed{ID: id}
	record, err := r.Store.Decision(ctx, id)
	if err != nil {
		out.Err = err
		return out
	}
	out.Err = r.compare(ctx, record, &out)
	if out.Err != nil {
		out.Err = fmt.Errorf("replay decision %s on %s %s: %w", id, record.Subject.Type, record.Subject.ID, out.Err)
	}
	return out
}

func (r *Replay) compare(ctx context.Context, record engine.DecisionRecord, out *Replayed) error {
	var err error
	if out.Recorded, err = record.Decode(); err != nil {
		return err
	}
	dossier, err := r.Store.Dossier(ctx, record.Dossier)
	if err != nil {
		return err
	}
	p := r.With
	if p == nil {
		if p, err = r.judge(ctx, record.Judge); err != nil {
			return err
		}
	}
	if out.Again, err = p.Evaluate(ctx, dossier); err != nil {
		return err
	}
	if r.With == nil && len(out.Again.Policy) == len(out.Recorded.Policy) {
		for i := range out.Again.Policy {
			out.Again.Policy[i].Engine = out.Recorded.Policy[i].Engine
		}
	}
	text, err := out.Again.Record()
	if err != nil {
		return err
	}
	if out.Same = bytes.Equal(text, record.Bytes); !out.Same {
		out.Diff, err = jsonDiff(record.Bytes, text)
	}
	return err
}

// judge loads what judged a decision, unless it was used lately.
func (r *Replay) judge(ctx context.Context, ref string) (engine.Policy, error) {
	r.judges.lock.Lock()
	defer r.judges.lock.Unlock()
	if p := r.judges.take(ref); p != nil {
		return p, nil
	}
	kept, err := r.Store.JudgeOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	p, err := rebuiltJudge(ctx, kept, 0, r.Version)
	if err != nil {
		return nil, err
	}
	r.judges.keep(ref, p)
	return p, nil
}

// jsonDiff says where two JSON texts differ.
func jsonDiff(a, b []byte) ([]string, error) {
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		return nil, fmt.Errorf("recorded decision: %w", err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		return nil, err
	}
	out := diffValues(nil, "", x, y)
	if len(out) == 0 {
		out = []string{"the values are the same, the bytes are not"}
	}
	return out, nil
}

func diffValues(out []string, at string, a, b any) []string {
	x, isObject := a.(map[string]any)
	y, areObjects := b.(map[string]any)
	if isObject && areObjects {
		keys := maps.Clone(x)
		maps.Copy(keys, y)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			out = diffValues(out, at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key), x[key], y[key])
		}
		return out
	}
	l, isList := a.([]any)
	m, areLists := b.([]any)
	if isList && areLists && len(l) == len(m) {
		for i := range l {
			out = diffValues(out, fmt.Sprintf("%s/%d", at, i), l[i], m[i])
		}
		return out
	}
	if reflect.DeepEqual(a, b) {
		return out
	}
	return append(out, fmt.Sprintf("%s: recorded %s, again %s", at, briefJSON(a), briefJSON(b)))
}

// briefJSON shows a value in a line; what is not there is nothing.
func briefJSON(v any) string {
	if v == nil {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil { // it came out of JSON
		return fmt.Sprint(v)
	}
	const most = 160
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return string(text)
}
