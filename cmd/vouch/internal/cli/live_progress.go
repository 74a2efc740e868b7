package cli

import (
	"fmt"
	"strings"
	"sync"

	"github.com/changevouch/changevouch/collectors"
)

// following shows a person at a terminal how far a live collection is: a bar where
// the collector knows how much there is, the step it is at, and how many events came
// so far. Waits stand on lines of their own: see println.
type following struct {
	*progress
	lock   sync.Mutex
	name   string
	last   collectors.Batch // without its events
	steps  int
	events int
}

func startFollowing(sys System) *following {
	f := &following{}
	f.progress = startLine(sys, f.text)
	return f
}

// step notes a step that is safe.
func (f *following) step(name string, b collectors.Batch) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.steps++
	f.events += len(b.Events)
	f.name, f.last = name, collectors.Batch{Step: b.Step, Done: b.Done, Total: b.Total}
}

const barWidth = 20

// text is the line: what matters most comes first, since a narrow terminal cuts it.
func (f *following) text() string {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.steps == 0 {
		return "connecting"
	}
	far := plural(f.steps, "step")
	if f.last.Total > 0 {
		full := min(f.last.Done*barWidth/f.last.Total, barWidth)
		far = "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "] " + fmt.Sprintf("%d of %d", f.last.Done, f.last.Total)
	}
	return f.name + " " + far + ", " + plural(f.events, "event") + ", last " + f.last.Step
}
