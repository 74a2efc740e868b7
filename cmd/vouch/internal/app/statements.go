package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

// Statements adds waivers and attestations to a journal, those that can ever count:
// what the policy would not accept is refused when it is made, with the reason.
// Whether one does count is judged with each decision.
type Statements struct {
	Store     *store.Store
	Policy    *policy.Policy     // by whose settings and catalogue
	Directory assembly.Directory // who people are; without any, only names are compared
	Now       time.Time
}

// AddWaiver checks a waiver and records it with who added it, where by is not empty.
// One that breaks a rule is an *engine.InputError. A waiver that was recorded before
// may be given again with another text, or revoked.
func (s Statements) AddWaiver(ctx context.Context, w engine.Waiver, by string) error {
	faults, err := s.CheckWaiver(ctx, w)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return &engine.InputError{Faults: faults}
	}
	return s.Store.AddWaiver(ctx, w, by)
}

// AddAttestation does the same with an attestation. An alias of a control is written
// as the control's id.
func (s Statements) AddAttestation(ctx context.Context, a engine.Attestation, by string) error {
	faults, err := s.CheckAttestation(ctx, a)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return &engine.InputError{Faults: faults}
	}
	if id, known := s.control(a.Control); known {
		a.Control = id
	}
	return s.Store.AddAttestation(ctx, a, by)
}

// statementSettings are those of a policy's settings that waivers and attestations
// are held to; a policy of one's own may have none of them.
type statementSettings struct {
	WaiverDays  float64             `json:"waiver_max_days"`
	Unwaivable  []string            `json:"unwaivable_controls"`
	Roles       map[string][]string `json:"attestation_roles"`
	SkewSeconds float64             `json:"clock_skew_seconds"`
}

func (s Statements) settings() (statementSettings, error) {
	var out statementSettings
	if err := json.Unmarshal(s.Policy.Settings(), &out); err != nil {
		return out, fmt.Errorf("settings: %w", err)
	}
	return out, nil
}

// faultList collects what is wrong, by JSON pointer.
type faultList []schemas.Fault

func (l *faultList) add(pointer, format string, args ...any) {
	*l = append(*l, schemas.Fault{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
}

// text is one that must be there.
func (l *faultList) text(pointer, value, why string) {
	if strings.TrimSpace(value) == "" {
		l.add(pointer, "it is missing: %s", why)
	}
}

// past is a moment that must be there and not be ahead.
func (l *faultList) past(pointer string, at *time.Time, now time.Time, why string) {
	switch {
	case at == nil:
		l.add(pointer, "it is missing: %s", why)
	case at.After(now):
		l.add(pointer, "%s is still to come: now it is %s", at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
}

// CheckWaiver says why a waiver could never count: nil when it could.
func (s Statements) CheckWaiver(ctx context.Context, w engine.Waiver) ([]schemas.Fault, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	var out faultList
	now := s.Now.Add(time.Duration(settings.SkewSeconds * float64(time.Second)))
	out.text("/id", w.ID, "a waiver is revoked and found by it")
	out.text("/subject", w.Subject, "name what is waived, such as acme/shop#412, or a pattern, acme/shop#*")
	out.text("/reason", w.Reason, "say why this is acceptable")
	out.text("/requested_by", w.RequestedBy, "say who asked for it")
	out.text("/approved_by", w.ApprovedBy, "say who approved it")
	if len(w.Controls) == 0 {
		out.add("/controls", "it is missing: name the controls that are waived")
	}
	for i, name := range w.Controls {
		pointer := "/controls/" + strconv.Itoa(i)
		id, known := s.control(name)
		switch {
		case !known:
			out.add(pointer, "%s", s.unknownControl(name))
		case slices.Contains(settings.Unwaivable, id):
			out.add(pointer, "%s cannot be waived: without a record there is nothing to waive on", id)
		}
	}
	out.past("/approved_at", w.ApprovedAt, now, "say when it was approved")
	// What is to be revoked only later still counts until then.
	if w.RevokedAt != nil && w.RevokedAt.After(now) {
		out.add("/revoked_at", "%s is still to come: let expires_at end it", w.RevokedAt.Format(time.RFC3339))
	}
	out.expiry(w, settings, s.Now)
	if w.RevokedAt != nil && w.ApprovedAt != nil && w.RevokedAt.Before(*w.ApprovedAt) {
		out.add("/revoked_at", "it was revoked before it was approved")
	}
	if w.RevokedAt == nil {
		err = s.approver(ctx, w, &out)
	}
	return out, err
}

func (l *faultList) expiry(w engine.Waiver, settings statementSettings, now time.Time) {
	switch {
	case w.ExpiresAt == nil:
		l.add("/expires_at", "it is missing: a waiver without an end is a rule of its own")
	case w.RevokedAt == nil && !w.ExpiresAt.After(now):
		l.add("/expires_at", "%s is over already", w.ExpiresAt.Format(time.RFC3339))
	case w.ApprovedAt == nil:
	case !w.ExpiresAt.After(*w.ApprovedAt):
		l.add("/expires_at", "it ends before it was approved")
	case settings.WaiverDays > 0 && w.ExpiresAt.Sub(*w.ApprovedAt).Hours() > 24*settings.WaiverDays:
		last := w.ApprovedAt.Add(time.Duration(settings.WaiverDays * 24 * float64(time.Hour)))
		l.add("/expires_at", "a waiver may last %g days, so at most until %s", settings.WaiverDays, last.UTC().Format(time.RFC3339))
	}
}

// approver makes sure that a waiver is approved by an authorised person who did not
// ask for it and took no part in what is waived.
func (s Statements) approver(ctx context.Context, w engine.Waiver, out *faultList) error {
	if w.ApprovedBy == "" {
		return nil
	}
	if w.RequestedBy != "" && s.same(w.ApprovedBy, w.RequestedBy) {
		out.add("/approved_by", "%s asked for it: somebody else must approve it", w.ApprovedBy)
		return nil
	}
	person, known := s.person(w.ApprovedBy, "/approved_by", w.ApprovedAt, out)
	if !known {
		return nil
	}
	took, err := s.parties(ctx, w.Subject, person)
	if err == nil && took != nil {
		out.add("/approved_by", "%s took part in %s (decision %s): somebody else must approve it", w.ApprovedBy, w.Subject, took.ID)
	}
	return err
}

// CheckAttestation says why an attestation could never count: nil when it could.
func (s Statements) CheckAttestation(ctx context.Context, a engine.Attestation) ([]schemas.Fault, error) {
	settings, err := s.settings()
	if err != nil {
		return nil, err
	}
	var out faultList
	now := s.Now.Add(time.Duration(settings.SkewSeconds * float64(time.Second)))
	out.text("/id", a.ID, "an attestation is replaced and found by it")
	out.text("/subject", a.Subject, "name what it is about, such as acme/shop#412, or a pattern, acme/shop#*")
	out.text("/statement", a.Statement, "say what was seen")
	out.text("/made_by", a.MadeBy, "say who states it")
	out.past("/made_at", a.MadeAt, now, "say when it was stated")
	if a.ValidUntil != nil && !a.ValidUntil.After(s.Now) {
		out.add("/valid_until", "%s is over already", a.ValidUntil.Format(time.RFC3339))
	}
	for i, evidence := range a.Evidence {
		out.evidence("/evidence/"+strconv.Itoa(i), evidence)
	}
	if err := s.supersedes(ctx, a, &out); err != nil {
		return nil, err
	}
	id, known := s.control(a.Control)
	roles := settings.Roles[id]
	switch {
	case a.Control == "":
		out.add("/control", "it is missing: name the control")
	case !known:
		out.add("/control", "%s", s.unknownControl(a.Control))
	case len(roles) == 0:
		out.add("/control", "%s is verified, not attested; attested are: %s", id, strings.Join(slices.Sorted(maps.Keys(settings.Roles)), ", "))
	case a.Role != "" && !slices.Contains(roles, a.Role):
		out.add("/role", "%s may not attest %s; may: %s", a.Role, id, strings.Join(roles, ", "))
	default:
		return out, s.attester(ctx, a, roles, &out)
	}
	return out, nil
}

// attester makes sure that an attestation is made by a person who holds one of the
// roles and neither wrote nor deployed what it is about.
func (s Statements) attester(ctx context.Context, a engine.Attestation, roles []string, out *faultList) error {
	if a.MadeBy == "" {
		return nil
	}
	id, known := s.person(a.MadeBy, "/made_by", a.MadeAt, out)
	if !known {
		return nil
	}
	if a.Role != "" {
		roles = []string{a.Role}
	}
	if i := s.index(id); i >= 0 && !slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(s.Directory.People[i].Roles, r) }) {
		out.add("/made_by", "%s has not the role %s in the directory", a.MadeBy, strings.Join(roles, " or "))
		return nil
	}
	took, err := s.parties(ctx, a.Subject, id)
	if err == nil && took != nil && (slices.Contains(took.Parties.Authors, id) || slices.Contains(took.Parties.Deployers, id)) {
		out.add("/made_by", "%s wrote or deployed %s (decision %s): somebody else must attest it", a.MadeBy, a.Subject, took.ID)
	}
	return err
}

func (s Statements) supersedes(ctx context.Context, a engine.Attestation, out *faultList) error {
	if a.Supersedes == "" {
		return nil
	}
	if a.Supersedes == a.ID {
		out.add("/supersedes", "it cannot take its own place: what is recorded under the same id takes the place of what was")
		return nil
	}
	list, err := s.Store.Attestations(ctx)
	if err != nil {
		return err
	}
	list = slices.Concat(list, s.Directory.Attestations)
	if !slices.ContainsFunc(list, func(other engine.Attestation) bool { return other.ID == a.Supersedes }) {
		out.add("/supersedes", "there is no attestation %s", a.Supersedes)
	}
	return nil
}

// evidence needs a place, and if it has a digest, a whole one.
func (l *faultList) evidence(pointer string, evidence map[string]any) {
	if uri, ok := evidence["uri"].(string); !ok || uri == "" {
		l.add(pointer+"/uri", "it is missing: say where the evidence is")
	}
	if digest, there := evidence["sha256"]; there {
		text, _ := digest.(string)
		if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 {
			l.add(pointer+"/sha256", "a SHA-256 digest has 64 hexadecimal digits")
		}
	}
}

// control finds the id behind an id or alias. Without a catalogue every name is one.
func (s Statements) control(name string) (string, bool) {
	controls := s.Policy.Controls()
	for _, c := range controls {
		if c.ID == name || slices.Contains(c.Aliases, name) {
			return c.ID, true
		}
	}
	return name, len(controls) == 0
}

func (s Statements) unknownControl(name string) string {
	var known []string
	for _, c := range s.Policy.Controls() {
		known = append(append(known, c.ID), c.Aliases...)
	}
	text := fmt.Sprintf("the policy has no control %q", name)
	if near := schemas.Nearest(name, known); near != "" {
		text += fmt.Sprintf("; is it %s?", near)
	}
	return text
}

// same reports whether two names are one person's.
func (s Statements) same(a, b string) bool {
	return strings.EqualFold(s.whose(a), s.whose(b))
}

// whose is the person behind a name: an id, an account with or without its system in
// front, or the name that people know; the name itself where it is nobody's.
func (s Statements) whose(name string) string {
	name = strings.TrimSpace(name)
	resolver := s.Directory.Resolver()
	_, account, _ := strings.Cut(name, ":")
	for _, one := range []string{name, strings.TrimSpace(account)} {
		if id := resolver.Named(one); id != "" {
			return id
		}
	}
	for _, p := range s.Directory.People {
		if p.Name != "" && strings.EqualFold(p.Name, name) {
			return p.ID
		}
	}
	return name
}

// person finds who a name is, and says if nobody, no human, or nobody who was
// authorised then. Without a directory a name is whoever it says.
func (s Statements) person(name, pointer string, at *time.Time, out *faultList) (string, bool) {
	if len(s.Directory.People) == 0 {
		return name, true
	}
	id := s.Directory.Resolver().Named(name)
	i := s.index(id)
	if i < 0 {
		out.add(pointer, "%s is nobody in the directory", name)
		return "", false
	}
	p := s.Directory.People[i]
	if p.Kind != "employee" && p.Kind != "contractor" {
		out.add(pointer, "%s is a %s: a person must do this", name, p.Kind)
		return "", false
	}
	if at != nil && !slices.ContainsFunc(p.Authorised, func(a engine.Authorisation) bool {
		return !a.From.After(*at) && (a.Until == nil || !a.Until.Before(*at))
	}) {
		out.add(pointer, "%s was not authorised at %s, says the directory", name, at.UTC().Format(time.RFC3339))
		return "", false
	}
	return id, true
}

func (s Statements) index(id string) int {
	return slices.IndexFunc(s.Directory.People, func(p engine.Person) bool { return p.ID == id })
}

// parties finds the latest decision on a subject in which somebody took part; nil
// when the journal knows of none, or the subject is a pattern.
func (s Statements) parties(ctx context.Context, subject, person string) (*engine.Decision, error) {
	filter := engine.DecisionFilter{Persons: []string{person}, Text: subject, Latest: true}
	if strings.Contains(subject, "*") || !strings.ContainsFunc(subject, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return nil, nil
	}
	for after := ""; ; {
		page, err := s.Store.List(ctx, filter, after, subjectsPage)
		if err != nil {
			return nil, err
		}
		for _, d := range page.Decisions {
			if d.Subject.ID != subject {
				continue
			}
			record, err := s.Store.Decision(ctx, d.ID)
			if err != nil {
				return nil, err
			}
			decision, err := record.Decode()
			if err == nil && decision.Parties == nil {
				err = errors.New("the journal finds a decision by somebody whom it does not name: verify it")
			}
			return &decision, err
		}
		if after = page.Next; after == "" {
			return nil, nil
		}
	}
}

// OpenStatements opens what adds waivers and attestations at an instant: by the newest
// release of the journal that is in force or, while it has none, by the policy that c
// chooses. A directory that is not named is none.
func OpenStatements(ctx context.Context, s *store.Store, c PolicyConfig, directory string, at time.Time, version string) (Statements, error) {
	out := Statements{Store: s, Now: at}
	var err error
	if directory != "" {
		if out.Directory, err = ReadDirectory(directory); err != nil {
			return out, err
		}
	}
	releases, err := s.Releases(ctx)
	if err != nil {
		return out, err
	}
	past := slices.DeleteFunc(slices.Clone(releases), func(r engine.ReleaseRecord) bool { return r.EffectiveFrom.After(at) })
	switch {
	case len(releases) == 0:
		out.Policy, err = OpenPolicy(ctx, c, version)
		return out, err
	case len(c.Bundles) > 0 || c.Settings != "":
		return out, errStandingReleases(releases)
	case len(past) == 0:
		return out, errNoRelease(releases, at)
	}
	kept, err := s.Policy(ctx, past[len(past)-1])
	if err != nil {
		return out, err
	}
	out.Policy, err = rebuiltPolicy(ctx, kept, kept.Settings, c.Timeout, version)
	return out, err
}

// ReadWaivers reads a file of one waiver or a list of them, YAML or JSON, and makes
// sure that each has the form that dossiers ask for. What has not is an
// *engine.InputError.
func ReadWaivers(path string) ([]engine.Waiver, error) {
	return readStatements[engine.Waiver](path, "waivers")
}

// ReadAttestations does the same with attestations.
func ReadAttestations(path string) ([]engine.Attestation, error) {
	return readStatements[engine.Attestation](path, "attestations")
}

// readStatements checks statements as the part of a directory that they may be.
func readStatements[T any](path, part string) ([]T, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	doc, faults := schemas.ParseYAML(text)
	if len(faults) > 0 {
		return nil, &engine.InputError{Faults: faults}
	}
	list, isList := doc.Value().([]any)
	if !isList {
		list = []any{doc.Value()}
	}
	directory, err := schemas.Canonical(map[string]any{"schema": "directory/v1", "people": []any{}, part: list})
	if err != nil {
		return nil, err
	}
	if faults = schemas.Validate(schemas.Directory, directory); len(faults) > 0 {
		for i := range faults {
			faults[i].Pointer = strings.TrimPrefix(faults[i].Pointer, "/"+part)
			if !isList {
				faults[i].Pointer = strings.TrimPrefix(faults[i].Pointer, "/0")
			}
			faults[i].Line, faults[i].Column = 0, 0
		}
		return nil, &engine.InputError{Faults: faults}
	}
	text, err = schemas.Canonical(list)
	if err != nil {
		return nil, err
	}
	var out []T
	err = json.Unmarshal(text, &out)
	return out, err
}

// Added is who added a statement of a kind, and when, by its id: the newest action on
// each, on the command line or through the API.
func Added(ctx context.Context, s *store.Store, kind string) (map[string]engine.Action, error) {
	out := map[string]engine.Action{}
	for after := int64(-1); ; {
		page, err := s.Actions(ctx, after, subjectsPage)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			after = a.Index
			if a.Route == kind || a.Route == "/v1/"+kind+"s" && a.Status < 300 {
				out[a.Target] = a
			}
		}
		if len(page) < subjectsPage {
			return out, nil
		}
	}
}
