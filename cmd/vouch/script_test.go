package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var updateScripts = flag.Bool("update-scripts", false, "write real output into the expectations of testdata/script")

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"vouch": main})
}

// tests are all of the package, and what they leave behind.
type tests struct{ *testing.M }

func (m tests) Run() int {
	defer func() { _ = os.RemoveAll(program.dir) }() // nothing depends on it
	return m.M.Run()
}

// program is vouch as it is shipped, built once for all tests.
var program struct {
	once sync.Once
	dir  string
	err  error
}

// built returns the path of the program.
func built(t testing.TB) string {
	t.Helper()
	program.once.Do(func() {
		// It outlives the first test that wants it.
		if program.dir, program.err = os.MkdirTemp("", "vouch-built-*"); program.err != nil { //nolint:usetesting // see above
			return
		}
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program.dir, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "vouch")
}

// TestScripts runs testdata/script/*.txtar with the program as it is shipped: the
// race detector, which makes it many times slower, watches the packages' own tests.
// The scripts judge with the small
// policy of testdata/bundle, unless they unset VOUCH_BUNDLE; $ACME holds the
// recordings of the sample company.
func TestScripts(t *testing.T) {
	bundle, err := filepath.Abs("testdata/bundle")
	if err != nil {
		t.Fatal(err)
	}
	acme, err := filepath.Abs("../../testdata/acme")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Dir(built(t))
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *updateScripts,
		Setup: func(env *testscript.Env) error {
			env.Setenv("VOUCH_BUNDLE", bundle)
			env.Setenv("ACME", acme)
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "keep": keep},
	})
}

// exits CODE COMMAND... runs a command that must end with exactly this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := exitStatus(err); got != args[0] {
		ts.Fatalf("exit code %s, want %s (%v)", got, args[0], err)
	}
}

// keep NAME REGEXP sets a variable to the first group of what the last command wrote.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME REGEXP")
	}
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("no match for %s in stdout", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func exitStatus(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	default:
		return err.Error()
	}
}
