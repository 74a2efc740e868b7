package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
)

// batchStep is how many dossiers are recorded in one transaction.
const batchStep = 64

// line is a dossier of a batch, and what became of it.
type line struct {
	number   int
	text     []byte
	decision engine.Decision
	record   []byte
	err      error
	took     time.Duration
}

// lineAnswer is how a line is answered.
type lineAnswer struct {
	Line     int              `json:"line"`
	Decision json.RawMessage  `json:"decision,omitempty"`
	Error    *huma.ErrorModel `json:"error,omitempty"`
}

// evaluateBatch answers while it reads: whatever lines have come are judged and
// recorded together, at most batchStep of them, and answered before the next.
func (s *server) evaluateBatch(w http.ResponseWriter, r *http.Request) {
	record, ok := recordOf(r)
	if !ok {
		fail(w, &huma.ErrorModel{Status: http.StatusUnprocessableEntity, Title: http.StatusText(http.StatusUnprocessableEntity),
			Detail: "validation failed", Errors: []*huma.ErrorDetail{{Message: "record is true or false, and there is no other parameter", Location: "query"}}})
		return
	}
	control := http.NewResponseController(w)
	body, err := unpacked(r, r.Body)
	if err != nil {
		s.unreadable(w, r, err)
		return
	}
	_ = control.EnableFullDuplex() // HTTP/2 has it always
	ctx, cancel := context.WithCancel(r.Context())
	in := newIntake(body, control, s.Limits)
	var reading sync.WaitGroup
	reading.Go(func() { in.read(ctx) })
	answered := false
	defer func() {
		cut := in.stop(cancel)
		reading.Wait()
		if cut {
			panic(http.ErrAbortHandler) // the client is gone
		}
		in.leave(r.Body)
	}()
	for {
		group := gather(in.lines)
		if len(group) == 0 {
			break
		}
		err := s.judgeGroup(ctx, group, record)
		if !answered {
			w.Header().Set("Content-Type", "application/x-ndjson")
			answered = true
		}
		_ = control.SetWriteDeadline(time.Now().Add(s.Limits.BodyTimeout))
		if s.writeLines(ctx, w, control, group, err) != nil {
			return // the client is gone
		}
		in.release(group)
	}
	if !answered {
		fail(w, problemOf(http.StatusUnprocessableEntity, "there is no dossier: one a line is expected"))
	}
}

// recordOf reads the one parameter of a batch.
func recordOf(r *http.Request) (record, ok bool) {
	query := r.URL.Query()
	for name := range query {
		if name != "record" {
			return false, false
		}
	}
	switch given := query["record"]; {
	case len(given) == 0, len(given) == 1 && given[0] == "true":
		return true, true
	case len(given) == 1 && given[0] == "false":
		return false, true
	}
	return false, false
}

// intake reads the lines of a batch.
type intake struct {
	control  *http.ResponseController
	patience time.Duration // for the next line
	most     int64         // bytes of a line, and of all that wait to be answered
	reader   *bufio.Reader
	lines    chan line

	lock  sync.Mutex
	room  *sync.Cond
	held  int64 // bytes of lines that were read and not answered
	ended bool  // nothing more is read
	whole bool  // to the end of the stream
}

func newIntake(body io.Reader, control *http.ResponseController, limits Limits) *intake {
	in := &intake{control: control, patience: limits.BodyTimeout, most: limits.BodyBytes, reader: bufio.NewReaderSize(body, 64<<10), lines: make(chan line, batchStep)}
	in.room = sync.NewCond(&in.lock)
	return in
}

// hold waits until there is room for a line: a packed stream is small where it comes
// from and large here. It is false once the batch was stopped.
func (in *intake) hold(ctx context.Context, one line) bool {
	size := int64(len(one.text))
	in.lock.Lock()
	defer in.lock.Unlock()
	for in.held > 0 && in.held+size > in.most && ctx.Err() == nil {
		in.room.Wait()
	}
	in.held += size
	return ctx.Err() == nil
}

// release makes room: these lines are answered.
func (in *intake) release(group []*line) {
	in.lock.Lock()
	defer in.lock.Unlock()
	for _, one := range group {
		in.held -= int64(len(one.text))
	}
	in.room.Broadcast()
}

// read hands over one line after another, each of which must come in time. A line
// that cannot be read ends the stream.
func (in *intake) read(ctx context.Context) {
	defer close(in.lines)
	for number := 1; in.wait(ctx); number++ {
		text, err := in.line()
		broken := err != nil && !errors.Is(err, io.EOF)
		if text = bytes.TrimSpace(text); len(text) > 0 || broken {
			one := line{number: number, text: text}
			if broken {
				one.err = lineFault(err)
			}
			if !in.hold(ctx, one) {
				return
			}
			select {
			case in.lines <- one:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			in.end(!broken)
			return
		}
	}
}

// end says that the stream was read, to its end or to where it is broken. The deadline
// goes at once: net/http reads on to see whether the client leaves.
func (in *intake) end(whole bool) {
	in.lock.Lock()
	defer in.lock.Unlock()
	in.ended, in.whole = true, whole
	_ = in.control.SetReadDeadline(time.Time{}) // where there is a connection
}

// wait gives the next line its time; it is false once the batch was stopped.
func (in *intake) wait(ctx context.Context) bool {
	in.lock.Lock()
	defer in.lock.Unlock()
	if ctx.Err() != nil {
		return false
	}
	_ = in.control.SetReadDeadline(time.Now().Add(in.patience)) // where there is a connection
	return true
}

// stop ends the reading, also of a line that does not come: that takes the connection
// with it.
func (in *intake) stop(cancel func()) (cut bool) {
	in.lock.Lock()
	defer in.lock.Unlock()
	cancel()
	in.room.Broadcast()
	if !in.ended {
		_ = in.control.SetReadDeadline(time.Now()) // where there is a connection
	}
	return !in.ended
}

// What may be left of a stream that was given up, so that its sender reads the answer
// rather than a reset connection.
const (
	mostLeft  = 1 << 20
	leaveTime = time.Second
)

// leave leaves the connection as it was, for the next request. Where the stream goes
// on it is cut: net/http must not find the rest of a body that was read beside it.
func (in *intake) leave(body io.Reader) {
	if !in.whole {
		_ = in.control.SetReadDeadline(time.Now().Add(leaveTime))
		if _, err := io.CopyN(io.Discard, body, mostLeft); !errors.Is(err, io.EOF) {
			panic(http.ErrAbortHandler)
		}
		_ = in.control.SetReadDeadline(time.Time{})
	}
	_ = in.control.SetWriteDeadline(time.Time{})
}

func (in *intake) line() ([]byte, error) {
	var text []byte
	for {
		part, err := in.reader.ReadSlice('\n')
		if int64(len(text)+len(part)) > in.most {
			return nil, &http.MaxBytesError{Limit: in.most}
		}
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
	}
}

func lineFault(err error) error {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return large
	}
	return problemOf(http.StatusBadRequest, "the stream ends here, it cannot be read: "+err.Error())
}

// gather waits for a line and takes those that are there already.
func gather(lines <-chan line) []*line {
	first, open := <-lines
	if !open {
		return nil
	}
	group := []*line{&first}
	for len(group) < batchStep {
		select {
		case next, open := <-lines:
			if !open {
				return group
			}
			group = append(group, &next)
		default:
			return group
		}
	}
	return group
}

// judgeGroup judges lines, several at once, and records the decisions together.
func (s *server) judgeGroup(ctx context.Context, group []*line, record bool) error {
	rules := s.Rules()
	var judging sync.WaitGroup
	hands := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, one := range group {
		if one.err != nil {
			continue
		}
		hands <- struct{}{}
		judging.Go(func() {
			defer func() { <-hands }()
			began := time.Now()
			ctx, cancel := context.WithTimeout(ctx, s.Limits.Timeout)
			defer cancel()
			if one.decision, one.err = rules.Policy.Evaluate(ctx, one.text); one.err == nil {
				one.record, one.err = one.decision.Record()
			}
			one.took = time.Since(began)
		})
	}
	judging.Wait()
	if record {
		if err := s.recordGroup(ctx, rules.Recorder, group); err != nil {
			return err
		}
	}
	for _, one := range group {
		if one.err == nil {
			s.logDecision(ctx, rules, one.decision.ID, one.text, one.record, one.took)
		} else if len(one.text) > 0 {
			s.logUndecided(ctx, rules, one.text, one.err)
		}
	}
	return nil
}

// recordGroup records the decisions of a group together. Where one of them cannot
// stand beside what is recorded, each is recorded by itself.
func (s *server) recordGroup(ctx context.Context, recorder Recorder, group []*line) error {
	var judged []engine.Judgement
	for _, one := range group {
		if one.err == nil {
			one.err = s.notAhead("/evaluated_at", one.decision.EvaluatedAt)
		}
		if one.err == nil {
			judged = append(judged, engine.Judgement{Dossier: one.text, Decision: one.decision})
		}
	}
	if len(judged) == 0 {
		return nil
	}
	err := recorder.AppendAll(ctx, judged)
	if isOnlyItsOwn(err) {
		for _, one := range group {
			if one.err != nil {
				continue
			}
			if err = recorder.AppendAll(ctx, []engine.Judgement{{Dossier: one.text, Decision: one.decision}}); isOnlyItsOwn(err) {
				one.err, err = err, nil
			}
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("record decisions: %w", err)
	}
	var ids []string
	for _, one := range group {
		if one.err == nil {
			ids = append(ids, one.decision.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	callOf(ctx).target = strings.Join(ids, " ")
	return s.audit(ctx, http.StatusOK)
}

// isOnlyItsOwn reports whether an error is about one decision, and not about the
// journal.
func isOnlyItsOwn(err error) bool {
	return errors.Is(err, engine.ErrSuperseded) || errors.Is(err, engine.ErrConflict) || errors.Is(err, engine.ErrQuestion)
}

// writeLines answers a group; with an error, every line of it.
func (s *server) writeLines(ctx context.Context, w io.Writer, control *http.ResponseController, group []*line, err error) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, one := range group {
		out := lineAnswer{Line: one.number, Decision: one.record}
		if fault := errors.Join(one.err, err); fault != nil {
			out.Decision, out.Error = nil, s.problem(ctx, fault)
		}
		if err := encoder.Encode(out); err != nil {
			return err
		}
	}
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
