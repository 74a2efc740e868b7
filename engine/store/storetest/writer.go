package storetest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// A writer is another process: the test binary itself, told by its environment
// to write decisions until it is killed or has written enough. It says what was
// acknowledged, one line each.
const (
	envAddress = "VOUCH_TEST_WRITER" // the address of the journal
	envKey     = "VOUCH_TEST_KEY"    // the path of its key
	envFrom    = "VOUCH_TEST_FROM"   // number of the first decision
	envCount   = "VOUCH_TEST_COUNT"  // how many
	envLimit   = "VOUCH_TEST_LIMIT"  // bytes that a file may have
)

// Main runs the tests of a package, or is a writer, and returns the exit code.
func Main(m *testing.M) int {
	if os.Getenv(envAddress) == "" {
		return m.Run()
	}
	if err := write(context.Background()); err != nil {
		fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}
	return 0
}

func write(ctx context.Context) error {
	var from, count int
	if _, err := fmt.Sscan(os.Getenv(envFrom)+" "+os.Getenv(envCount), &from, &count); err != nil {
		return err
	}
	key, err := ledger.OpenKey(os.Getenv(envKey))
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, os.Getenv(envAddress), store.Options{Key: key})
	if err != nil {
		return err
	}
	defer s.Close()
	j, err := s.Journal(ctx, Judge())
	if err != nil {
		return err
	}
	if limit := os.Getenv(envLimit); limit != "" {
		if err := limitFiles(limit); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	for n := from; n < from+count; n++ {
		one := Judged(Judge(), n, 0, 0)
		if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
			return err
		}
		fmt.Println("ack", one.Decision.ID)
	}
	return nil
}

// writer is such a process.
type writer struct {
	process *exec.Cmd
	lines   *bufio.Scanner
}

// start starts a writer. With a user, it runs as that user.
func start(t *testing.T, address, key string, from, count int, more ...string) *writer {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, program, nil, append(more, envAddress+"="+address, envKey+"="+key, envFrom+"="+fmt.Sprint(from), envCount+"="+fmt.Sprint(count)))
}

func startProgram(t *testing.T, program string, as *syscall.Credential, env []string) *writer {
	t.Helper()
	w := &writer{process: exec.Command(program)} //nolint:noctx // it is killed, or ends
	w.process.Env = append(os.Environ(), env...)
	w.process.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	w.process.Stderr = os.Stderr
	out, err := w.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.lines = bufio.NewScanner(out)
	if err := w.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.process.Process.Kill() })
	return w
}

// finish waits for the end, and returns what was acknowledged and the error that
// the writer told.
func (w *writer) finish() (acknowledged []string, fault string) {
	for w.lines.Scan() {
		word, rest, _ := strings.Cut(w.lines.Text(), " ")
		switch word {
		case "ack":
			acknowledged = append(acknowledged, rest)
		case "error":
			fault = rest
		}
	}
	_ = w.process.Wait() // it may have been killed
	return acknowledged, fault
}

// killAfter kills the writer, without a chance to clean up, some time after it
// began to write.
func (w *writer) killAfter(t *testing.T, pause time.Duration) (acknowledged []string, fault string) {
	t.Helper()
	if !w.lines.Scan() || w.lines.Text() != "ready" {
		_, fault := w.finish()
		t.Fatalf("the writer did not begin: %s %s", w.lines.Text(), fault)
	}
	timer := time.AfterFunc(pause, func() { _ = w.process.Process.Kill() })
	defer timer.Stop()
	return w.finish()
}
