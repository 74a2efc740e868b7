package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestIntakeHolds: no more of a stream is read than may wait for an answer, and
// answering goes on with it.
func TestIntakeHolds(t *testing.T) {
	limits := Limits{BodyBytes: 100}.filled()
	body, client := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 10 && err == nil; n++ {
			_, err = fmt.Fprintf(client, "%s\n", strings.Repeat(fmt.Sprint(n), 60))
		}
		_ = client.Close()
		sent <- err
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := newIntake(body, http.NewResponseController(httptest.NewRecorder()), limits)
	go in.read(ctx)
	first := gather(in.lines)
	select {
	case err := <-sent:
		t.Fatalf("all lines were read while none was answered (%v)", err)
	case <-time.After(100 * time.Millisecond):
	}
	n := 0
	for group := first; len(group) > 0; group = gather(in.lines) {
		n += len(group)
		in.release(group)
	}
	if err := <-sent; err != nil || n != 10 {
		t.Errorf("%d lines came, %v", n, err)
	}
}

// TestIntakeStops: whoever waits for room when the batch ends waits no longer.
func TestIntakeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in := newIntake(strings.NewReader("one\ntwo\nthree\n"), http.NewResponseController(httptest.NewRecorder()), Limits{BodyBytes: 5}.filled())
	done := make(chan struct{})
	go func() { in.read(ctx); close(done) }()
	gather(in.lines)
	in.stop(cancel)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the intake waits for ever")
	}
}
