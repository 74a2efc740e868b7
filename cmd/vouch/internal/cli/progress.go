package cli

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// progress tells a person at a terminal that work goes on, after a second.
type progress struct {
	w     io.Writer
	width int // of the terminal
	line  func() string
	count atomic.Int64
	lock  sync.Mutex // one line at a time
	shown bool
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
)

// startProgress counts with a verb: "checked 1200 dossiers". It stays silent
// when quiet, or when standard error is no terminal. Between start and end only
// println may write to standard error.
func startProgress(sys System, verb string, quiet bool) *progress {
	p := newProgress(sys)
	p.line = func() string { return verb + " " + plural(int(p.count.Load()), "dossier") }
	p.start(quiet || !isTerminal(sys.Stderr))
	return p
}

// startLine shows a line of the caller's own, likewise. It may be asked for from
// another goroutine.
func startLine(sys System, line func() string) *progress {
	p := newProgress(sys)
	p.line = line
	p.start(!isTerminal(sys.Stderr))
	return p
}

func newProgress(sys System) *progress {
	return &progress{w: sys.Stderr, width: sys.width(sys.Stderr), stop: make(chan struct{}), done: make(chan struct{})}
}

func (p *progress) start(quiet bool) {
	if quiet {
		close(p.done)
		return
	}
	go func() {
		defer close(p.done)
		wait := time.NewTimer(progressAfter)
		defer wait.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-wait.C:
				p.lock.Lock()
				fmt.Fprintf(p.w, "\r\x1b[K%s", text.Snip(printable(p.line()), p.width-1, "…"))
				p.shown = true
				p.lock.Unlock()
				wait.Reset(progressEvery)
			}
		}
	}()
}

func (p *progress) step() { p.count.Add(1) }

// println writes a message on lines of its own.
func (p *progress) println(message string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.clear()
	fmt.Fprintln(p.w, printable(message))
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// end may be called again.
func (p *progress) end() {
	p.once.Do(func() { close(p.stop) })
	<-p.done
	p.clear()
}
