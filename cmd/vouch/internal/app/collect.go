package app

import (
	"context"
	"io"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/collectors/render"
)

// Collector reads the recordings of one source.
type Collector struct {
	Name    string
	Summary string
	mapper  collectors.Mapper
}

// Collectors lists every source.
func Collectors() []Collector {
	return []Collector{
		{Name: "git", Summary: "Read changes, reviews, checks and issues from GitHub", mapper: git.Map},
		{Name: "render", Summary: "Read deploys and configuration from Render", mapper: render.Map},
		{Name: "iam", Summary: "Read access changes from audit logs (AWS CloudTrail and others)", mapper: iam.Map},
	}
}

// Read maps the recordings below paths: see collectors.Read. Access events stay
// as their records made them; assembly joins them.
func (c Collector) Read(ctx context.Context, paths []string) (collectors.Result, error) {
	return collectors.Read(ctx, paths, c.mapper)
}

// ReadInto writes the events of recordings: see collectors.ReadInto.
func (c Collector) ReadInto(ctx context.Context, w io.Writer, paths []string) (collectors.Result, error) {
	return collectors.ReadInto(ctx, w, paths, c.mapper)
}
