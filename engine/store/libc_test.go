package store_test

import (
	"os/exec"
	"strings"
	"testing"
)

// SQLite is generated C that fits one version of its C library. Go would take a
// newer one if another module asked for it.
func TestLibc(t *testing.T) {
	graph, err := exec.CommandContext(t.Context(), "go", "mod", "graph").Output()
	if err != nil {
		t.Fatal(err)
	}
	list, err := exec.CommandContext(t.Context(), "go", "list", "-m", "modernc.org/sqlite", "modernc.org/libc").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(string(list)), " ", "@"), "\n")
	if len(lines) != 2 || !strings.Contains(string(graph), "\n"+lines[0]+" "+lines[1]+"\n") {
		t.Errorf("linked are %v, which were not made for each other: see `go mod graph | grep %q`", lines, lines[0]+" modernc.org/libc")
	}
}
