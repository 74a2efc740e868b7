package app

import (
	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/collectors/render"
)

// Collector reads one source.
type Collector struct {
	Name    string
	Summary string
	Map     collectors.Mapper
}

// Collectors lists every source.
func Collectors() []Collector {
	return []Collector{
		{"git", "Read changes, reviews, checks and issues from GitHub", git.Map},
		{"render", "Read deploys and configuration from Render", render.Map},
		{"iam", "Read access changes from audit logs (AWS CloudTrail and others)", iam.Map},
	}
}
