package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/changevouch/changevouch/engine/report"
)

// System is everything outside the process that a command may touch.
type System struct {
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer
	LookupEnv func(string) (string, bool)
	Now       func() time.Time
	Version   string // of this program
}

// OS returns the real surroundings of a program of some version.
func OS(version string) System {
	return System{Version: version, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv, Now: time.Now}
}

// tell writes a message to standard error. It may quote foreign text: only its
// line breaks reach the terminal as what they are.
func (s System) tell(format string, args ...any) {
	fmt.Fprintln(s.Stderr, printable(fmt.Sprintf(format, args...)))
}

func printable(message string) string {
	lines := strings.Split(strings.TrimRight(message, "\n"), "\n")
	for i, line := range lines {
		lines[i] = report.Printable(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// plainWidth is the width of tables that go to a file or a pipe.
const plainWidth = 120

// colour says whether w may receive escape sequences (https://no-color.org).
func (s System) colour(w io.Writer) bool {
	if v, _ := s.LookupEnv("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := s.LookupEnv("TERM"); v == "dumb" {
		return false
	}
	return isTerminal(w)
}

// width is the number of columns to fill on w.
func (s System) width(w io.Writer) int {
	if v, ok := s.LookupEnv("COLUMNS"); ok {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			return n
		}
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return plainWidth
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
