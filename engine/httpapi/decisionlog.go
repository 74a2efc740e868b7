package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// DecisionLogEntry is an evaluation as OPA's decision log tells it
// (https://www.openpolicyagent.org/docs/management-decision-logs).
type DecisionLogEntry struct {
	Labels      map[string]string            `json:"labels"`
	DecisionID  string                       `json:"decision_id"`
	Bundles     map[string]DecisionLogBundle `json:"bundles,omitempty"`
	Path        string                       `json:"path,omitempty"`
	Input       json.RawMessage              `json:"input,omitempty"`
	Result      json.RawMessage              `json:"result,omitempty"`
	Error       *DecisionLogError            `json:"error,omitempty"`
	RequestedBy string                       `json:"requested_by,omitempty"`
	Timestamp   time.Time                    `json:"timestamp"`
	Metrics     map[string]any               `json:"metrics,omitempty"`
	Custom      map[string]any               `json:"custom,omitempty"`
}

// DecisionLogBundle names what judged.
type DecisionLogBundle struct {
	Revision string `json:"revision"`
}

// DecisionLogError is why there is no result.
type DecisionLogError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// DecisionLogConfig says where entries go, and where they wait. Address and Folder are
// required; another zero field is its default.
type DecisionLogConfig struct {
	Address string            // of the sink: POST, a gzipped JSON list
	Token   string            // a bearer token for it; empty is none
	Folder  string            // of the buffer; nobody else may write there
	Labels  map[string]string // of every entry
	Client  *http.Client      // with a timeout; nil is one of 30 s

	MostBytes    int64         // of the buffer, above which the oldest go; 256 MiB
	SegmentBytes int64         // of one upload, before it is packed; 1 MiB
	Every        time.Duration // how long an entry may wait for others; 1 s
	RetryAfter   time.Duration // after a failed upload, doubled up to a minute; 1 s
	Log          *slog.Logger
	Registry     prometheus.Registerer
}

// DecisionLog sends entries to a sink. Entries wait in files, so a sink that is away,
// or a restart, costs nothing until the buffer is full; a sink may get an entry twice.
// It is safe for concurrent use.
type DecisionLog struct {
	config  DecisionLogConfig
	entries chan DecisionLogEntry
	sealed  chan struct{} // there is a segment to send
	lost    atomic.Int64
	closing chan struct{}
	workers sync.WaitGroup
	stop    context.CancelFunc

	lock sync.Mutex // of the folder
	next uint64
	open *os.File // being written
	size int64
}

// mostWaiting is how many entries may wait to be written.
const mostWaiting = 1024

// OpenDecisionLog begins to send, first what waits in the folder.
func OpenDecisionLog(c DecisionLogConfig) (*DecisionLog, error) {
	if c.Address == "" || c.Folder == "" {
		return nil, errors.New("decision log: it takes the address of a sink and a folder for what waits")
	}
	for _, field := range []struct {
		value    *int64
		standard int64
	}{{&c.MostBytes, 256 << 20}, {&c.SegmentBytes, 1 << 20}, {(*int64)(&c.Every), int64(time.Second)}, {(*int64)(&c.RetryAfter), int64(time.Second)}} {
		if *field.value <= 0 {
			*field.value = field.standard
		}
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 30 * time.Second}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &DecisionLog{config: c, entries: make(chan DecisionLogEntry, mostWaiting), sealed: make(chan struct{}, 1), closing: make(chan struct{})}
	if c.Registry != nil {
		err := c.Registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "changevouch_decision_log_lost_total", Help: "Entries of the decision log that were dropped because the sink could not take them in time.",
		}, func() float64 { return float64(l.Lost()) }))
		if err != nil {
			return nil, fmt.Errorf("decision log: %w", err)
		}
	}
	if err := l.resume(); err != nil {
		return nil, fmt.Errorf("decision log: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.workers.Go(func() { l.write() })
	l.workers.Go(func() { l.upload(ctx) })
	return l, nil
}

// Add takes an entry, and never waits: when entries come faster than a disk can take
// them, they are lost and counted.
func (l *DecisionLog) Add(e DecisionLogEntry) {
	e.Labels = l.config.Labels
	if e.Labels == nil {
		e.Labels = map[string]string{}
	}
	select {
	case l.entries <- e:
	default:
		l.lost.Add(1)
	}
}

// Lost is how many entries were dropped.
func (l *DecisionLog) Lost() int64 { return l.lost.Load() }

// Close writes what was taken, and sends it until the context ends; the rest is sent
// after the next start. Add must not be called any more.
func (l *DecisionLog) Close(ctx context.Context) error {
	close(l.closing)
	ended := make(chan struct{})
	go func() { l.workers.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		l.stop()
		<-ended
	}
	l.stop()
	return nil
}

// segment is a file of entries, one a line. The one that is being written has another
// ending.
const (
	segmentEnding = ".ndjson"
	openEnding    = ".open"
)

func (l *DecisionLog) path(number uint64, ending string) string {
	return filepath.Join(l.config.Folder, fmt.Sprintf("%020d%s", number, ending))
}

// resume finds what an earlier process left. A line that it could not finish is lost.
func (l *DecisionLog) resume() error {
	if err := os.MkdirAll(l.config.Folder, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(l.config.Folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		name, ending := strings.TrimSuffix(f.Name(), filepath.Ext(f.Name())), filepath.Ext(f.Name())
		number, err := strconv.ParseUint(name, 10, 64)
		if err != nil || ending != segmentEnding && ending != openEnding {
			continue // none of ours
		}
		l.next = max(l.next, number+1)
		if ending == openEnding {
			if err := os.Rename(l.path(number, openEnding), l.path(number, segmentEnding)); err != nil {
				return err
			}
		}
	}
	l.sealed <- struct{}{}
	return nil
}

// write puts entries into segments, several with one sync.
func (l *DecisionLog) write() {
	defer close(l.sealed)
	ticker := time.NewTicker(l.config.Every)
	defer ticker.Stop()
	for {
		select {
		case e := <-l.entries:
			l.store(append([]DecisionLogEntry{e}, l.waiting()...))
		case <-ticker.C:
			l.seal()
		case <-l.closing:
			l.store(l.waiting())
			l.seal()
			return
		}
	}
}

func (l *DecisionLog) waiting() []DecisionLogEntry {
	var list []DecisionLogEntry
	for {
		select {
		case e := <-l.entries:
			list = append(list, e)
		default:
			return list
		}
	}
}

func (l *DecisionLog) store(list []DecisionLogEntry) {
	var text bytes.Buffer
	n := 0
	for _, e := range list {
		line, err := json.Marshal(e)
		if err != nil {
			l.lose(1, err)
			continue
		}
		text.Write(append(line, '\n'))
		n++
		if int64(text.Len()) >= l.config.SegmentBytes {
			l.append(&text, n)
			n = 0
		}
	}
	l.append(&text, n)
}

// append writes n lines durably, and seals a segment that is full.
func (l *DecisionLog) append(text *bytes.Buffer, n int) {
	defer text.Reset()
	if n == 0 {
		return
	}
	err := func() error {
		if l.open == nil {
			f, err := os.OpenFile(l.path(l.next, openEnding), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			l.open, l.size = f, 0
			l.next++
		}
		if _, err := l.open.Write(text.Bytes()); err != nil {
			return err
		}
		l.size += int64(text.Len())
		return l.open.Sync()
	}()
	if err != nil {
		l.lose(n, err)
	}
	if l.size >= l.config.SegmentBytes || err != nil {
		l.seal()
	}
}

// seal ends a segment, so that it is sent, and keeps the buffer within its bound.
func (l *DecisionLog) seal() {
	if l.open == nil {
		return
	}
	name := l.open.Name()
	err := errors.Join(l.open.Close(), os.Rename(name, strings.TrimSuffix(name, openEnding)+segmentEnding), l.syncFolder())
	l.open = nil
	if err != nil {
		l.config.Log.Warn("decision log", "error", err.Error())
	}
	l.bound()
	select {
	case l.sealed <- struct{}{}:
	default: // it is known already
	}
}

func (l *DecisionLog) syncFolder() error {
	folder, err := os.Open(l.config.Folder)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// bound removes the oldest segments while the buffer is too large.
func (l *DecisionLog) bound() {
	l.lock.Lock()
	defer l.lock.Unlock()
	segments, total := l.segments()
	for _, s := range segments {
		if total <= l.config.MostBytes {
			return
		}
		text, err := os.ReadFile(s.path)
		if err == nil {
			err = os.Remove(s.path)
		}
		if err != nil {
			l.config.Log.Warn("decision log", "error", err.Error())
			return
		}
		total -= s.size
		l.lose(bytes.Count(text, []byte("\n")), errors.New("the buffer is full"))
	}
}

func (l *DecisionLog) lose(n int, err error) {
	l.lost.Add(int64(n))
	l.config.Log.Warn("decision log: entries are lost", "count", n, "error", err.Error())
}

type segment struct {
	path string
	size int64
}

// segments lists what waits to be sent, oldest first, and its size.
func (l *DecisionLog) segments() (list []segment, total int64) {
	files, err := os.ReadDir(l.config.Folder)
	if err != nil {
		l.config.Log.Warn("decision log", "error", err.Error())
	}
	for _, f := range files { // by name
		info, err := f.Info()
		if err != nil || filepath.Ext(f.Name()) != segmentEnding {
			continue
		}
		list = append(list, segment{filepath.Join(l.config.Folder, f.Name()), info.Size()})
		total += info.Size()
	}
	return list, total
}

// upload sends segments in their order, each until the sink has taken it.
func (l *DecisionLog) upload(ctx context.Context) {
	for range l.sealed {
		wait := l.config.RetryAfter
		for {
			l.lock.Lock()
			segments, _ := l.segments()
			l.lock.Unlock()
			if len(segments) == 0 {
				break
			}
			err := l.send(ctx, segments[0].path)
			if err == nil {
				wait = l.config.RetryAfter
				continue
			}
			if ctx.Err() == nil {
				l.config.Log.WarnContext(ctx, "decision log: the sink takes nothing, trying again", "error", err.Error(), "wait", wait, "segments", len(segments))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Minute)
		}
	}
}

// send sends one segment and removes it. What is gone meanwhile is gone.
func (l *DecisionLog) send(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := packedList(text)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.config.Address, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Content-Encoding", "gzip")
	if l.config.Token != "" {
		r.Header.Set("Authorization", "Bearer "+l.config.Token)
	}
	response, err := l.config.Client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection is used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the sink answers %s", response.Status)
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// packedList makes a gzipped JSON list of lines. A line that is no JSON was cut off by
// a crash.
func packedList(text []byte) (io.Reader, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	between := "["
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); !json.Valid(line) {
			continue
		}
		if _, err := io.WriteString(z, between); err != nil {
			return nil, err
		}
		if _, err := z.Write(line); err != nil {
			return nil, err
		}
		between = ","
	}
	if between == "[" {
		between = "[]"
	} else {
		between = "]"
	}
	if _, err := io.WriteString(z, between); err != nil {
		return nil, err
	}
	return &out, z.Close()
}
