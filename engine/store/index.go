package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store/rows"
	"github.com/changevouch/changevouch/schemas"
)

// indexed is what can be derived from a decision and its dossier: the row of the
// decision and its tags.
type indexed struct {
	row  rows.InsertDecisionParams
	tags []int64 // sorted, each once
}

// evidenceOf is the part of a dossier that decisions are found by.
type evidenceOf struct {
	Change     *changeOf `json:"change"`
	Deployment *struct {
		Service string     `json:"service"`
		Changes []changeOf `json:"changes"`
	} `json:"deployment"`
	Finding *struct {
		ID      string `json:"id"`
		Package string `json:"package"`
	} `json:"finding"`
	Alert *struct {
		Title string `json:"title"`
	} `json:"alert"`
	Posture *struct {
		Service string `json:"service"`
	} `json:"posture"`
}

type changeOf struct {
	Repository  string `json:"repository"`
	PullRequest *struct {
		Title string `json:"title"`
	} `json:"pull_request"`
	Deployments []struct {
		Service string `json:"service"`
	} `json:"deployments"`
}

// index derives what the tables say of a decision and its dossier.
func index(d engine.Decision, dossier, content []byte) (indexed, error) {
	evaluated, err := time.Parse(time.RFC3339Nano, d.EvaluatedAt)
	if err != nil {
		return indexed{}, fmt.Errorf("evaluated_at: %w", err)
	}
	digest, err := rawDigest(d.InputDigest)
	if err != nil {
		return indexed{}, fmt.Errorf("input_digest: %w", err)
	}
	out := indexed{row: rows.InsertDecisionParams{
		ID: d.ID, SubjectType: d.Subject.Type, SubjectID: d.Subject.ID, Outcome: d.Outcome,
		Class: d.Classification.Type, Risk: d.Risk.Level, EvaluatedAt: micros(evaluated), Dossier: digest, Content: content,
	}}
	if d.NextEvaluationAt != "" {
		next, err := time.Parse(time.RFC3339Nano, d.NextEvaluationAt)
		if err != nil {
			return indexed{}, fmt.Errorf("next_evaluation_at: %w", err)
		}
		out.row.NextEvaluationAt.Int64, out.row.NextEvaluationAt.Valid = ceilMicros(next), true
	}
	var evidence evidenceOf
	if err := json.Unmarshal(dossier, &evidence); err != nil {
		return indexed{}, fmt.Errorf("read dossier: %w", err)
	}
	out.tags = tagsOf(d, evidence)
	return out, nil
}

// ceilMicros rounds up: a deadline must not seem to pass before it does.
func ceilMicros(t time.Time) int64 {
	us := micros(t)
	if fromMicros(us).Before(t) {
		us++
	}
	return us
}

// Kinds of tags.
const (
	tagOutcome    = "outcome:"
	tagClass      = "class:"
	tagRisk       = "risk:"
	tagStatus     = "status:"
	tagControl    = "control:" // ID=status
	tagType       = "type:"
	tagPerson     = "person:"
	tagRepository = "repository:"
	tagService    = "service:"
	tagWord       = "word:"
)

func tagsOf(d engine.Decision, e evidenceOf) []int64 {
	names := []string{tagOutcome + d.Outcome, tagClass + d.Classification.Type, tagRisk + d.Risk.Level, tagType + d.Subject.Type}
	texts := []string{d.Subject.ID}
	for _, f := range d.Findings {
		names = append(names, tagStatus+f.Status, tagControl+f.Control+"="+f.Status)
		for _, alias := range f.Aliases {
			names = append(names, tagControl+alias+"="+f.Status)
		}
		if f.Status != engine.StatusPass && f.Status != engine.StatusNotApplicable {
			texts = append(texts, f.Reasons...)
		}
	}
	if d.Parties != nil {
		for _, person := range slices.Concat(d.Parties.Authors, d.Parties.Approvers, d.Parties.Deployers) {
			names = append(names, tagPerson+person)
			texts = append(texts, person)
		}
	}
	services := []string{}
	changes := []changeOf{}
	if e.Change != nil {
		changes = append(changes, *e.Change)
	}
	if e.Deployment != nil {
		services, changes = append(services, e.Deployment.Service), append(changes, e.Deployment.Changes...)
	}
	for _, c := range changes {
		if c.Repository != "" {
			names = append(names, tagRepository+c.Repository)
			texts = append(texts, c.Repository)
		}
		if c.PullRequest != nil {
			texts = append(texts, c.PullRequest.Title)
		}
		for _, deployment := range c.Deployments {
			services = append(services, deployment.Service)
		}
	}
	if e.Finding != nil {
		texts = append(texts, e.Finding.ID, e.Finding.Package)
	}
	if e.Alert != nil {
		texts = append(texts, e.Alert.Title)
	}
	if e.Posture != nil {
		services = append(services, e.Posture.Service)
	}
	for _, service := range services {
		if service != "" {
			names = append(names, tagService+service)
			texts = append(texts, service)
		}
	}
	for _, text := range texts {
		for _, word := range words(text) {
			names = append(names, tagWord+word)
		}
	}
	tags := make([]int64, len(names))
	for i, name := range names {
		tags[i] = tag(name)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// tag is the number of a tag: 64 bits of its SHA-256. Two names with one number
// would only show a decision too many, of which everything shown is true.
func tag(name string) int64 {
	sum := sha256.Sum256([]byte(name))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // bits, not a quantity
}

// words splits a text where it has neither letters nor digits, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// rawDigest reads sha256:<hex>.
func rawDigest(text string) ([]byte, error) {
	digits, ok := strings.CutPrefix(text, "sha256:")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("%.80q is no SHA-256 digest", text)
	}
	return raw, nil
}

// readDossier returns a dossier in the one form in which it is kept, RFC 8785,
// over which its digest is taken, and the digests of its content.
func readDossier(text []byte) (canonical []byte, content contents, err error) {
	doc, faults := schemas.Parse(text)
	if len(faults) > 0 {
		return nil, contents{}, fmt.Errorf("read dossier: %s", faults[0])
	}
	fields, ok := doc.Value().(map[string]any)
	if !ok {
		return nil, contents{}, errors.New("read dossier: it is no object")
	}
	if content, err = contentsOf(fields); err != nil {
		return nil, contents{}, fmt.Errorf("read dossier: %w", err)
	}
	return doc.Canonical(), content, nil
}

// contents names what a dossier knows no matter when one looked: now is the digest of
// the dossier without evaluated_at and, unless its subject is a period, without the
// ends of the windows that its sources cover, which every poll moves. The digest that
// the first journals kept has the windows; both are right, and two dossiers with one
// of them in common are the same.
type contents struct {
	now     []byte
	dossier map[string]any
}

func contentsOf(dossier map[string]any) (contents, error) {
	rest := maps.Clone(dossier)
	delete(rest, "evaluated_at")
	subject, _ := dossier["subject"].(map[string]any)
	if sources, ok := dossier["sources"].(map[string]any); ok && subject["type"] != "period" {
		rest["sources"] = withoutWindows(sources)
	}
	now, err := digestOf(rest)
	return contents{now, dossier}, err
}

func withoutWindows(sources map[string]any) map[string]any {
	out := maps.Clone(sources)
	for name, source := range sources {
		if fields, ok := source.(map[string]any); ok {
			fields = maps.Clone(fields)
			delete(fields, "from")
			delete(fields, "to")
			out[name] = fields
		}
	}
	return out
}

func digestOf(v any) ([]byte, error) {
	text, err := schemas.Canonical(v)
	sum := sha256.Sum256(text)
	return sum[:], err
}

// stored is the digest that a row keeps, if it is one of the two, else that of now.
func (c contents) stored(digest []byte) []byte {
	if bytes.Equal(digest, c.now) {
		return c.now
	}
	rest := maps.Clone(c.dossier)
	delete(rest, "evaluated_at")
	if first, err := digestOf(rest); err == nil && bytes.Equal(digest, first) {
		return first
	}
	return c.now
}
