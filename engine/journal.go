package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Journal keeps decisions. Append returns when the record is durable; its
// error means that nothing was recorded.
type Journal interface {
	Append(ctx context.Context, dossier []byte, decision Decision) error
}

// What errors of a journal can be.
var (
	// ErrNotFound: the journal has no such record.
	ErrNotFound = errors.New("not in the journal")
	// ErrConflict: the journal has another record under this id.
	ErrConflict = errors.New("recorded differently")
	// ErrRemoved: retention removed the record; its hash is still in the log.
	ErrRemoved = errors.New("removed by retention")
	// ErrQuestion: what was asked has no answer at all: a cursor that no page named,
	// a text without a word.
	ErrQuestion = errors.New("this cannot be asked")
	// ErrSuperseded: the journal has a decision on the subject that was made for a
	// later moment, which an older view must not take the place of.
	ErrSuperseded = errors.New("there is a decision of a later moment")
	// ErrAway: the journal is locked, restarting or out of reach; later it may answer.
	ErrAway = errors.New("the journal does not answer")
	// ErrPast: a release would change what was already decided.
	ErrPast = errors.New("a release cannot change the past")
)

// Judgement is a decision and the dossier it is on.
type Judgement struct {
	Dossier  []byte
	Decision Decision
}

// DecisionFilter chooses decisions. Fields are joined by and, values of one field
// by or; an empty field chooses all.
type DecisionFilter struct {
	Outcomes     []string
	Controls     []string // an id or an alias; with Statuses, that status of that control
	Statuses     []string // without Controls, of any control
	Classes      []string
	Risks        []string
	Types        []string // of the subject
	Persons      []string // who wrote, approved or deployed
	Repositories []string
	Services     []string
	From, To     time.Time // of evaluated_at: From is included, To is not
	// Text is words that must all appear, in any case, whole, among: subject,
	// titles, persons, repositories, services, packages, reasons of findings.
	Text   string
	Latest bool // only the newest decision on each subject
}

// SubjectFilter chooses subjects by their latest decision; a zero field chooses all.
type SubjectFilter struct {
	Type    string
	Outcome string
	// DueBefore chooses those whose deadline comes before this moment.
	DueBefore time.Time
}

// DecisionSummary is a decision in a list.
type DecisionSummary struct {
	ID               string     `json:"id"`
	Subject          Subject    `json:"subject"`
	Outcome          string     `json:"outcome"`
	Class            string     `json:"class"`
	Risk             string     `json:"risk"`
	EvaluatedAt      time.Time  `json:"evaluated_at"`
	RecordedAt       time.Time  `json:"recorded_at"`
	NextEvaluationAt *time.Time `json:"next_evaluation_at,omitempty"`
	Index            int64      `json:"index"` // its number in the log
	Latest           bool       `json:"latest"`
}

// DecisionPage is a part of a list. Next continues it; it is empty at the end.
type DecisionPage struct {
	Decisions []DecisionSummary `json:"decisions"`
	Next      string            `json:"next,omitempty"`
}

// DecisionRecord is a decision as it is kept: the exact bytes, and what the log
// says of it.
type DecisionRecord struct {
	DecisionSummary
	Supersedes string
	Judge      string // the ref of what judged it
	Dossier    string // the digest of its dossier
	Bytes      []byte
}

// Decode reads the decision out of its bytes.
func (r DecisionRecord) Decode() (Decision, error) {
	var d Decision
	if err := json.Unmarshal(r.Bytes, &d); err != nil {
		return d, fmt.Errorf("recorded decision %s: %w", r.ID, err)
	}
	return d, nil
}

// ReleaseRecord is a release as the journal keeps it; the JSON form is the body of
// its entry.
type ReleaseRecord struct {
	Version        string    `json:"version"`
	EffectiveFrom  time.Time `json:"effective_from"`
	BundleDigest   string    `json:"bundle_digest"`
	SettingsDigest string    `json:"settings_digest"`
	AddedBy        string    `json:"added_by"`
	AddedAt        time.Time `json:"-"` // recorded_at of the entry
	Index          int64     `json:"-"` // its number in the log
}
