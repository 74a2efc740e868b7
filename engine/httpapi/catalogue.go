package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
)

func (s *server) catalogue() {
	op := operation("list-controls", http.MethodGet, "/v1/controls", "List the controls of the policy that judges now, by id")
	huma.Register(s.api, op, s.listControls)

	op = operation("list-releases", http.MethodGet, "/v1/releases", "List the releases of the policy, by the moment from which they are in force")
	huma.Register(s.api, op, s.listReleases)

	op = operation("get-release", http.MethodGet, "/v1/releases/{version}", "One release of the policy")
	op.Responses = answers("release", "application/json", "a release")
	huma.Register(s.api, op, s.getRelease)

	op = operation("list-sources", http.MethodGet, "/v1/sources", "Tell how completely each source was read")
	op.Responses = answers("sources", "application/json", "a list, by source, system, repository and service")
	huma.Register(s.api, op, s.listSources)
}

type controlList struct {
	Body struct {
		Controls []Control `json:"controls" nullable:"false"`
	}
}

func (s *server) listControls(context.Context, *struct{}) (*controlList, error) {
	out := &controlList{}
	out.Body.Controls = append([]Control{}, s.Rules().Controls()...)
	return out, nil
}

// release is a release as it is shown.
type release struct {
	engine.ReleaseRecord
	AddedAt time.Time `json:"added_at"`
	Index   int64     `json:"index" doc:"its number in the log"`
}

func releaseOf(r engine.ReleaseRecord) release {
	return release{ReleaseRecord: r, AddedAt: r.AddedAt, Index: r.Index}
}

type releaseList struct {
	Body struct {
		Releases []release `json:"releases" nullable:"false"`
	}
}

func (s *server) listReleases(ctx context.Context, _ *struct{}) (*releaseList, error) {
	list, err := s.Journal.Releases(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &releaseList{}
	out.Body.Releases = []release{}
	for _, r := range list {
		out.Body.Releases = append(out.Body.Releases, releaseOf(r))
	}
	return out, nil
}

type versioned struct {
	Version string `path:"version" maxLength:"256"`
}

func (s *server) getRelease(ctx context.Context, in *versioned) (*exact, error) {
	list, err := s.Journal.Releases(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	for _, r := range list {
		if r.Version != in.Version {
			continue
		}
		text, err := json.Marshal(releaseOf(r))
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return &exact{ContentType: "application/json", ETag: tagOf(text), CacheControl: forever, Body: text}, nil
	}
	return nil, s.problem(ctx, fmt.Errorf("release %.200q: %w", in.Version, engine.ErrNotFound))
}

func (s *server) listSources(ctx context.Context, _ *struct{}) (*exact, error) {
	if s.Sources == nil {
		return nil, problemOf(http.StatusNotImplemented, "this server reads no sources")
	}
	list, err := s.Sources(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	text, err := json.Marshal(map[string]any{"sources": list})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: "application/json", Body: text}, nil
}
