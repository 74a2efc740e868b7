// Package git turns what GitHub says about code, issues and alerts into events:
// REST and GraphQL answers and webhook deliveries, as raw JSON.
//
// Map is pure and decodes with small structs of its own, so that a new field, a
// new kind of rule or a new event name never breaks the rest of a payload. What
// a payload cannot prove is left out: an absent fact is an absent key.
package git

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// Settings are the words by which an organisation marks its records.
type Settings struct {
	Forms  Forms
	Agents []string // logins of coding agents, whose assigners count as operators
}

// DefaultSettings are the words used unless the organisation says otherwise.
func DefaultSettings() Settings {
	return Settings{Forms: DefaultForms(), Agents: []string{
		"Copilot", "copilot-swe-agent", "copilot-swe-agent[bot]", "claude[bot]", "devin-ai-integration[bot]",
		"cursor[bot]", "google-labs-jules[bot]", "chatgpt-codex-connector[bot]", "openai-code-agent[bot]",
	}}
}

// Map is Settings.Map with DefaultSettings.
func Map(p collectors.Payload) collectors.Mapping { return DefaultSettings().Map(p) }

// Map turns one payload into events. Path and URL tell what a body is about
// where the body alone does not (the files of a pull request name no number).
func (s Settings) Map(p collectors.Payload) collectors.Mapping {
	m := &mapper{Recorder: collectors.NewRecorder(dated(p), "git", "github"), settings: s, payload: p}
	text := bytes.TrimSpace(collectors.Text(p.Bytes))
	if p.MediaType == "text/csv" {
		m.Ignore("CSV file") // an export of another system, or of an audit log
		return m.Mapping()
	}
	if !json.Valid(text) {
		var doc any
		err := json.Unmarshal(text, &doc)
		m.Fault("", fmt.Errorf("no JSON: %w", err))
		return m.Mapping()
	}
	rt := routeOf(p)
	switch text[0] {
	case '[':
		m.list(rt, text)
	case '{':
		m.object(rt, text)
	default:
		m.Fault("", errors.New("neither an object nor a list"))
	}
	return m.Mapping()
}

// dated sets ObservedAt of a push delivery from the server's clock: the other
// instants in it are the commits' own.
func dated(p collectors.Payload) collectors.Payload {
	var push struct {
		Pusher     json.RawMessage `json:"pusher"`
		Repository struct {
			PushedAt when `json:"pushed_at"`
		} `json:"repository"`
	}
	if p.ObservedAt.IsZero() && json.Unmarshal(collectors.Text(p.Bytes), &push) == nil && push.Pusher != nil {
		p.ObservedAt = push.Repository.PushedAt.Time
	}
	return p
}

// mapper maps one payload.
type mapper struct {
	*collectors.Recorder
	settings Settings
	payload  collectors.Payload
}

// add records one event about subject.
func (m *mapper) add(id, kind string, at time.Time, actor *engine.Account, subject engine.Subject, fact any) {
	m.Add(engine.Event{ID: "github:" + id, Type: kind, OccurredAt: at, Actor: actor, Subject: subject, Data: engine.Facts(fact)})
}

// snapshot records one event about something that changes: its id carries the
// instant and a digest of the fact, so the same state read twice is one event.
func (m *mapper) snapshot(id, kind string, at time.Time, actor *engine.Account, subject engine.Subject, fact any) {
	m.snapshotFrom("", id, kind, at, actor, subject, fact)
}

// snapshotFrom is snapshot for a source other than git: issues, scanner.
func (m *mapper) snapshotFrom(source, id, kind string, at time.Time, actor *engine.Account, subject engine.Subject, fact any) {
	data := engine.Facts(fact)
	stamp := m.Stamp()
	if at = collectors.Instant(at); !at.IsZero() {
		stamp = at.Format(time.RFC3339Nano)
	}
	id = "github:" + id + ":" + stamp + ":" + strings.TrimPrefix(engine.Digest(data), "sha256:")[:8]
	m.Add(engine.Event{ID: id, Source: source, Type: kind, OccurredAt: at, Actor: actor, Subject: subject, Data: data})
}

// byClient bounds the date of a commit, which its author's clock set freely: it
// cannot have been read before it was made.
func (m *mapper) byClient(at time.Time) time.Time {
	if seen := m.Observed(); !seen.IsZero() && at.After(seen) {
		return seen
	}
	return at
}

// object dispatches a body that is one object.
func (m *mapper) object(rt route, raw json.RawMessage) {
	var o struct {
		Message       *string         `json:"message"`
		Documentation *string         `json:"documentation_url"`
		Status        json.RawMessage `json:"status"`
		SHA           string          `json:"sha"`
		URL           string          `json:"url"`
		Event         string          `json:"event"`
		Request       *struct {
			Headers map[string]any  `json:"headers"`
			Payload json.RawMessage `json:"payload"`
		} `json:"request"`
		Headers map[string]any  `json:"headers"`
		Payload json.RawMessage `json:"payload"`
		Data    json.RawMessage `json:"data"`
		Errors  json.RawMessage `json:"errors"`
		Type    string          `json:"type"`
		Repo    json.RawMessage `json:"repo"`
		Sender  json.RawMessage `json:"sender"`
	}
	// Fields of another type than expected belong to another kind of document.
	_ = json.Unmarshal(raw, &o)
	switch {
	case o.Request != nil && len(o.Request.Payload) > 0 && o.Event != "":
		m.delivery(o.Event, o.Request.Payload)
	case len(o.Headers) > 0 && len(o.Payload) > 0:
		m.delivery(header(o.Headers, "X-GitHub-Event"), o.Payload)
	case strings.HasSuffix(o.Type, "Event") && len(o.Payload) > 0 && len(o.Repo) > 0:
		m.feedEvent(o.Type, o.Payload)
	case len(o.Data) > 0 && (o.Data[0] == '{' || o.Data[0] == 'n') && (rt.kind == "graphql" || graphql(o.Data)):
		m.graphql(rt, raw)
	case o.Message != nil && o.SHA == "" && o.URL == "" && (o.Documentation != nil || len(o.Status) > 0 || len(o.Errors) > 0 || rt.kind != ""):
		m.unread(rt, *o.Message)
	case len(o.Sender) > 0 && eventName(m.payload.Path, raw) != "":
		// Only deliveries have a sender, whatever their file is called.
		m.delivery(eventName(m.payload.Path, raw), raw)
	case rt.kind != "" && rt.kind != "graphql":
		m.answer(rt, raw)
	default:
		if event := eventName(m.payload.Path, raw); event != "" {
			m.delivery(event, raw)
			return
		}
		if kind := routeOfURL(o.URL); kind.kind != "" {
			m.answer(kind, raw)
			return
		}
		if kind := enclosed(raw); kind.kind != "" {
			m.answer(kind, raw)
			return
		}
		m.Ignore("unknown object")
	}
}

// header finds an HTTP header, whatever its case; values may be lists.
func header(h map[string]any, name string) string {
	for key, v := range h {
		if !strings.EqualFold(key, name) {
			continue
		}
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		if s, ok := v.(string); ok {
			return s
		}
	}
	return ""
}

// list dispatches a body that is a list; without a path its first element that
// has an API address tells what it is.
func (m *mapper) list(rt route, raw json.RawMessage) {
	if rt.kind == "" {
		var elements []json.RawMessage
		if err := json.Unmarshal(raw, &elements); err != nil {
			m.Fault("", err)
			return
		}
		for _, e := range elements {
			if rt = routeOfElement(e); rt.kind != "" {
				break
			}
		}
		if rt.kind == "" {
			if len(elements) > 0 && eventName("", elements[0]) != "" {
				for _, e := range elements {
					m.object(route{}, e)
				}
				return
			}
			m.Ignore("unknown list")
			return
		}
	}
	m.answer(rt, raw)
}

// record names an element in a Fault.
func record(i int) string { return strconv.Itoa(i) }
