//go:build linux

package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal opens a pseudo-terminal of some width; output returns what was
// written to it so far, and closes it.
func terminal(t *testing.T, columns uint16) (tty *os.File, output func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns}); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&seen, master) // ends with EIO when the other side is closed
	}()
	return tty, func() string {
		tty.Close()
		<-done
		master.Close()
		return seen.String()
	}
}

// system is the real one with a terminal for both outputs and its own variables.
func system(tty *os.File, env map[string]string) System {
	sys := OS("test")
	sys.Stdout, sys.Stderr = tty, tty
	sys.LookupEnv = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	return sys
}

func scriptBundle(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../testdata/bundle")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func dossier(id, status string) string {
	return fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":"2026-11-20T09:00:00Z","subject":{"type":"change","id":%q},"sources":{},"people":[],"change":{"kind":"pull_request","commit_message":%q}}`, id, status)
}

func TestColoursOnATerminal(t *testing.T) {
	bundle := scriptBundle(t)
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte(dossier("a", "fail")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		env      map[string]string
		args     []string
		coloured bool
	}{
		{"terminal", nil, nil, true},
		{"NO_COLOR", map[string]string{"NO_COLOR": "1"}, nil, false},
		{"empty NO_COLOR", map[string]string{"NO_COLOR": ""}, nil, true},
		{"dumb terminal", map[string]string{"TERM": "dumb"}, nil, false},
		{"flag", nil, []string{"--no-color"}, false},
		{"variable of the flag", map[string]string{"VOUCH_NO_COLOR": "true"}, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tty, output := terminal(t, 200)
			code := Run(context.Background(), system(tty, tc.env), append([]string{"eval", "--bundle", bundle, file}, tc.args...))
			out := output()
			if code != exitNonCompliant || !strings.Contains(out, "non-compliant") {
				t.Fatalf("exit code %d, output:\n%s", code, out)
			}
			if got := strings.Contains(out, "\x1b[31m"); got != tc.coloured {
				t.Errorf("coloured: %t, want %t:\n%q", got, tc.coloured, out)
			}
		})
	}
}

func TestWidthOfTheTerminal(t *testing.T) {
	bundle := scriptBundle(t)
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte(dossier(strings.Repeat("wide/", 30), "fail")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, columns := range []uint16{60, 100, 150} {
		tty, output := terminal(t, columns)
		Run(context.Background(), system(tty, map[string]string{"NO_COLOR": "1"}), []string{"eval", "--bundle", bundle, file})
		for line := range strings.SplitSeq(output(), "\r\n") {
			if n := len([]rune(line)); n > int(columns) {
				t.Errorf("%d columns on a terminal of %d: %s", n, columns, line)
			}
		}
	}
}

// Work over a second says so, on a terminal, and leaves nothing behind.
func TestProgress(t *testing.T) {
	tty, output := terminal(t, 100)
	p := startProgress(system(tty, nil), "checked", false)
	p.step()
	time.Sleep(progressAfter + progressEvery/2)
	p.println("a fault \x1b[2J")
	p.end()
	out := output()
	if !strings.Contains(out, "checked 1 dossier") || !strings.HasSuffix(out, "\r\x1b[Ka fault \\u001b[2J\r\n") {
		t.Errorf("progress shows as %q", out)
	}
	tty, output = terminal(t, 20)
	p = startLine(system(tty, nil), func() string { return "a line that a narrow terminal would break" })
	time.Sleep(progressAfter + progressEvery/2)
	p.end()
	if out := output(); !strings.HasPrefix(out, "\r\x1b[Ka line that a narr…\r\x1b[K") {
		t.Errorf("a long line shows as %q", out)
	}
	var file bytes.Buffer
	sys := OS("test")
	sys.Stderr = &file
	p = startProgress(sys, "checked", false)
	time.Sleep(10 * time.Millisecond)
	p.end()
	if file.Len() > 0 {
		t.Errorf("progress outside a terminal: %q", file.String())
	}
}

// A stop request ends the command soon, with exit code 1, and files are left as
// they were.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	file, result := filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "out.json")
	if err := os.WriteFile(file, []byte(strings.Repeat(dossier("a", "slow")+"\n", 50)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var stderr bytes.Buffer
	sys := OS("test")
	sys.Stdout, sys.Stderr = io.Discard, &stderr
	time.AfterFunc(700*time.Millisecond, cancel)
	begin := time.Now()
	code := Run(ctx, sys, []string{"eval", "--bundle", scriptBundle(t), file, "-o", "json=" + result})
	if code != exitError || stderr.String() != "vouch: interrupted\n" {
		t.Errorf("exit code %d, says %q", code, stderr.String())
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("took %v to stop", d)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
