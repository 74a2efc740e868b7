package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/policy/handbook"
)

// OpenCatalogue reads what people can know of a policy.
func OpenCatalogue(ctx context.Context, c PolicyConfig) (*policy.Catalogue, error) {
	bundles, err := openBundles(ctx, c.Bundles)
	if err != nil {
		return nil, err
	}
	var settings []byte
	if c.Settings != "" {
		if settings, err = readFile(c.Settings); err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
	}
	catalogue, err := policy.ReadCatalogue(ctx, bundles, settings)
	if isSettingsError(err) {
		return nil, fmt.Errorf("settings %s: %w", c.Settings, err)
	}
	return catalogue, err
}

// Handbook is the pages of a policy in a folder.
type Handbook struct {
	Folder string
	Pages  []handbook.Page
	Gaps   []string // what keeps it from being complete
}

// OpenHandbook writes the handbook of a policy in memory. Examples are files and
// folders of dossiers and of cases: objects with a dossier and an id.
func OpenHandbook(ctx context.Context, c PolicyConfig, folder string, examples []string) (*Handbook, error) {
	catalogue, err := OpenCatalogue(ctx, c)
	if err != nil {
		return nil, err
	}
	judged, err := judgeExamples(ctx, catalogue.Policy, examples)
	if err != nil {
		return nil, err
	}
	return &Handbook{
		Folder: folder,
		Pages:  handbook.Pages(catalogue, judged, os.DirFS(folder)),
		Gaps:   handbook.Gaps(catalogue, judged),
	}, nil
}

// Write writes the pages that differ from those in the folder, and returns their
// names.
func (h *Handbook) Write() ([]string, error) {
	var written []string
	for _, page := range h.Pages {
		path := filepath.Join(h.Folder, filepath.FromSlash(page.Name))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, page.Text) {
			continue
		}
		if err := writeFile(path, page.Text); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}

// Stale lists pages in the folder that are out of date, are missing, or belong
// to a control that is no more.
func (h *Handbook) Stale() ([]string, error) {
	var stale []string
	wanted := map[string]bool{}
	for _, page := range h.Pages {
		path := filepath.Join(h.Folder, filepath.FromSlash(page.Name))
		wanted[path] = true
		switch old, err := os.ReadFile(path); {
		case errors.Is(err, fs.ErrNotExist):
			stale = append(stale, path+" is missing")
		case err != nil:
			return nil, plain(err)
		case !bytes.Equal(old, page.Text):
			stale = append(stale, path+" is out of date")
		}
	}
	pages, err := filepath.Glob(filepath.Join(h.Folder, filepath.FromSlash(handbook.PageName("*"))))
	if err != nil {
		return nil, err
	}
	for _, path := range pages {
		if !wanted[path] {
			stale = append(stale, path+" belongs to no control")
		}
	}
	return stale, nil
}

// writeFile writes a file, and the folders above it.
func writeFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, plain(err))
	}
	f, err := CreateFile(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// judgeExamples decides on every example with the policy as it is; a case that
// wants other settings or releases would show other words, and is left out.
func judgeExamples(ctx context.Context, p *policy.Policy, paths []string) (handbook.Examples, error) {
	var out handbook.Examples
	var settings map[string]any
	if err := json.Unmarshal(p.Settings(), &settings); err != nil {
		return out, fmt.Errorf("settings: %w", err)
	}
	for _, path := range paths {
		files, err := jsonFiles(path)
		if err != nil {
			return out, err
		}
		for _, file := range files {
			examples, err := readExamples(file)
			if err != nil {
				return out, fmt.Errorf("examples %s: %w", file, err)
			}
			for _, e := range examples {
				if e.Releases != nil || !includes(settings, e.Settings) {
					continue
				}
				decision, err := p.Evaluate(ctx, e.Dossier)
				if err != nil {
					return out, fmt.Errorf("examples %s: %s: %w", file, e.ID, err)
				}
				out.Add(e.ID, decision)
			}
		}
	}
	return out, nil
}

// includes reports whether given settings are already so.
func includes(settings, given map[string]any) bool {
	for name, value := range given {
		x, group := settings[name].(map[string]any)
		y, ok := value.(map[string]any)
		if group && ok && !includes(x, y) || !(group && ok) && !reflect.DeepEqual(settings[name], value) {
			return false
		}
	}
	return true
}

// jsonFiles lists a file, or the .json files below a folder.
func jsonFiles(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (path == root || strings.HasSuffix(path, ".json")) {
			files = append(files, path)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("examples %s: %w", root, plain(err))
	case len(files) == 0:
		return nil, fmt.Errorf("examples %s: no .json files", root)
	}
	slices.Sort(files)
	return files, nil
}

// caseOf is a dossier with what is asked of it.
type caseOf struct {
	ID       string          `json:"id"`
	Dossier  json.RawMessage `json:"dossier"`
	Settings map[string]any  `json:"settings"`
	Releases json.RawMessage `json:"releases"`
}

// readExamples reads a dossier, a case or a list of them. A dossier is named
// after its file.
func readExamples(path string) ([]caseOf, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	items := []json.RawMessage{text}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		if err := json.Unmarshal(text, &items); err != nil {
			return nil, err
		}
	}
	var out []caseOf
	for _, item := range items {
		var one caseOf
		if err := json.Unmarshal(item, &one); err != nil {
			return nil, err
		}
		if one.Dossier == nil {
			one = caseOf{ID: strings.TrimSuffix(filepath.Base(path), ".json"), Dossier: item}
		}
		out = append(out, one)
	}
	return out, nil
}
