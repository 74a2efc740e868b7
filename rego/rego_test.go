package rego_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/rego"
)

// TestBundle: what is embedded is the folder, but for Go and Markdown.
func TestBundle(t *testing.T) {
	embedded, folder := files(t, rego.Bundle), files(t, os.DirFS("."))
	folder = slices.DeleteFunc(folder, func(name string) bool {
		return strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".md")
	})
	if !slices.Equal(embedded, folder) {
		t.Errorf("embedded are\n%s\nin the folder are\n%s", strings.Join(embedded, "\n"), strings.Join(folder, "\n"))
	}
}

func files(t *testing.T, fsys fs.FS) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
