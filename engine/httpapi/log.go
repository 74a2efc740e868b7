package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine/ledger"
)

func (s *server) ledger() {
	op := operation("get-checkpoint", http.MethodGet, "/v1/ledger/checkpoint", "The newest signed checkpoint of the log")
	op.Description = "Keep it: whoever has it can prove later that nothing was taken away since. Checkpoint and tiles are a mirror by C2SP tlog-tiles, with /v1/ledger as its prefix."
	op.Responses = answers("checkpoint", "text/plain; charset=utf-8", "a C2SP checkpoint, a signed note")
	huma.Register(s.api, op, s.checkpoint)

	op = operation("get-tile", http.MethodGet, "/v1/ledger/tile/{level}/{n}", "A tile of the log")
	op.Description = "n is the number of the tile in groups of three digits, with .p/ and its width when it is not full."
	op.Parameters = []*huma.Param{
		{Name: "level", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeInteger}},
		{Name: "n", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}},
	}
	op.Responses = answers("tile", "application/octet-stream", "hashes of 32 bytes, one after another")
	s.mux.HandleFunc("GET /v1/ledger/tile/{level}/{n...}", s.tile)
	s.describe(op)
}

func (s *server) checkpoint(ctx context.Context, _ *struct{}) (*exact, error) {
	text, err := s.Journal.Checkpoint(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &exact{ContentType: "text/plain; charset=utf-8", ETag: tagOf(text), CacheControl: forever, Body: text}, nil
}

func (s *server) tile(w http.ResponseWriter, r *http.Request) {
	level, index, width, ok := parseTile(r.PathValue("level"), r.PathValue("n"))
	if !ok {
		fail(w, problemOf(http.StatusNotFound, "this is no path of a tile: they are those of C2SP tlog-tiles"))
		return
	}
	content, err := s.Journal.Tile(r.Context(), level, index, width)
	if err != nil {
		fail(w, s.problem(r.Context(), err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", tagOf(content))
	h.Set("Cache-Control", forever)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(content) // the client may be gone
}

// parseTile reads what ledger.TilePath writes, and nothing else.
func parseTile(levelText, path string) (level int, index int64, width int, ok bool) {
	width = ledger.TileWidth
	number, partial, isPartial := strings.Cut(path, ".p/")
	level, err := strconv.Atoi(levelText)
	if err != nil || level < 0 || level > 8 || len(number) > 40 {
		return 0, 0, 0, false
	}
	if isPartial {
		if width, err = strconv.Atoi(partial); err != nil || width < 1 || width >= ledger.TileWidth {
			return 0, 0, 0, false
		}
	}
	digits := strings.NewReplacer("x", "", "/", "").Replace(number)
	if index, err = strconv.ParseInt(digits, 10, 64); err != nil || index < 0 {
		return 0, 0, 0, false
	}
	return level, index, width, ledger.TilePath(level, index, width) == "tile/"+levelText+"/"+path
}
