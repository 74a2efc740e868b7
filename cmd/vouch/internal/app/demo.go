package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/testdata/acme"
)

// Sample is the recorded month of an invented company in a folder of its own.
type Sample struct {
	Folder string
	At     time.Time
}

// sources of the sample and the collector of each.
var sampleSources = map[string]string{"git": "github", "render": "render", "iam": "iam"}

// OpenSample writes the sample to a folder that is new or empty.
func OpenSample(folder string) (Sample, error) {
	at, err := time.Parse(time.RFC3339, acme.At)
	if err != nil {
		return Sample{}, fmt.Errorf("sample: %w", err)
	}
	if err := emptyFolder(folder); err != nil {
		return Sample{}, err
	}
	if err := os.CopyFS(folder, acme.Files); err != nil {
		return Sample{}, fmt.Errorf("write the sample: %w", err)
	}
	return Sample{Folder: folder, At: at}, nil
}

// Events collects what the sample's sources recorded.
func (s Sample) Events(ctx context.Context) ([]engine.Event, error) {
	var events []engine.Event
	for _, c := range Collectors() {
		from := s.Recordings(c.Name)
		result, err := c.Read(ctx, []string{from})
		if err != nil {
			return nil, fmt.Errorf("sample: %w", err)
		}
		events = append(events, result.Events...)
	}
	return events, nil
}

// Directory is the path of the sample's directory.
func (s Sample) Directory() string { return filepath.Join(s.Folder, "directory.yaml") }

// Recordings is the folder of one source's recordings, by the name of its collector.
func (s Sample) Recordings(source string) string {
	return filepath.Join(s.Folder, sampleSources[source])
}
