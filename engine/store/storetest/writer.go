package storetest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
		fmt.Fprintln(os.Stdout, "error", strings.ReplaceAll(err.Error(), "\n", " "))
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
	fmt.Fprintln(os.Stdout, "ready")
	for n := from; n < from+count; n++ {
		one := Judged(Judge(), n, 0, 0)
		if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "ack", one.Decision.ID)
	}
	return nil
}

// writer is such a process.
type writer struct {
	process *exec.Cmd
	lines   *bufio.Scanner
}

// start starts a writer.
func start(t testing.TB, address, key string, from, count int, conditions ...Condition) *writer {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{process: exec.Command(program)} //nolint:noctx // it is killed, or ends
	w.process.Env = append(os.Environ(), envAddress+"="+address, envKey+"="+key, envFrom+"="+fmt.Sprint(from), envCount+"="+fmt.Sprint(count))
	w.process.Stderr = os.Stderr
	for _, condition := range conditions {
		condition(t, w.process)
	}
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

// Condition is a hardship for a writer.
type Condition func(t testing.TB, process *exec.Cmd)

// Limit makes every write of the process beyond so many bytes of a file fail.
func Limit(bytes int) Condition {
	return func(_ testing.TB, process *exec.Cmd) {
		process.Env = append(process.Env, envLimit+"="+fmt.Sprint(bytes))
	}
}

// Powerless makes the process obey permissions, which root does not. It has a key
// of its own to read.
func Powerless() Condition {
	return func(t testing.TB, process *exec.Cmd) {
		t.Helper()
		if os.Getuid() != 0 {
			return
		}
		// The program lies in a folder of root's.
		program, err := os.ReadFile(process.Path)
		if err != nil {
			t.Fatal(err)
		}
		folder := t.TempDir()
		process.Path = filepath.Join(folder, "writer")
		if err := os.Chmod(filepath.Dir(folder), 0o711); err != nil { //nolint:gosec // the folder of all its temporary folders
			t.Fatal(err)
		}
		if err := os.WriteFile(process.Path, program, 0o755); err != nil { //nolint:gosec // nobody runs it
			t.Fatal(err)
		}
		process.Dir = "/"
		process.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, variable := range process.Env {
			if path, ok := strings.CutPrefix(variable, envKey+"="); ok {
				if err := os.Chown(path, nobody, nobody); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

const nobody = 65534

// Write lets another process write up to a thousand made-up decisions, and returns
// what was acknowledged and with which error it ended.
func Write(t testing.TB, address, key string, conditions ...Condition) (acknowledged []string, fault string) {
	t.Helper()
	return start(t, address, key, 0, 1000, conditions...).finish()
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

// kill kills the writer, without a chance to clean up, some time after it
// acknowledged some decisions.
func (w *writer) kill(t *testing.T, after int, pause time.Duration) (acknowledged []string, fault string) {
	t.Helper()
	if !w.lines.Scan() || w.lines.Text() != "ready" {
		_, fault := w.finish()
		t.Fatalf("the writer did not begin: %s %s", w.lines.Text(), fault)
	}
	for len(acknowledged) < after && w.lines.Scan() {
		acknowledged = append(acknowledged, strings.TrimPrefix(w.lines.Text(), "ack "))
	}
	timer := time.AfterFunc(pause, func() { _ = w.process.Process.Kill() })
	defer timer.Stop()
	more, fault := w.finish()
	return append(acknowledged, more...), fault
}
