package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/changevouch/changevouch/engine/policy"
)

// BeginControl writes the beginnings of a control of one's own to a folder, to
// be laid over the built-in policy. It returns the files it wrote.
func BeginControl(ctx context.Context, control policy.NewControl, folder string) ([]string, error) {
	base, err := OpenPolicy(ctx, PolicyConfig{}, "")
	if err != nil {
		return nil, err
	}
	for _, other := range base.Controls() {
		if prefix, _, _ := strings.Cut(other.ID, "-"); strings.EqualFold(prefix, control.Prefix()) {
			return nil, fmt.Errorf("ids of %s begin with %s: take a prefix of your own", base.Ref().Name, prefix)
		}
	}
	files, err := control.Scaffold(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	var written []string
	for _, file := range files {
		path := filepath.Join(folder, filepath.FromSlash(file.Name))
		if err := writeFile(path, file.Text); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}
