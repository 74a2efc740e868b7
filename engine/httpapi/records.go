package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

func (s *server) records() {
	op := operation("list-waivers", http.MethodGet, "/v1/waivers", "List the waivers as they stand, by id")
	huma.Register(s.api, op, s.listWaivers)

	op = operation("add-waiver", http.MethodPost, "/v1/waivers", "Record a waiver")
	op.Description = "approved_by is an authorised person, not the requester, and took no part in the subject; the approval has no effect on what was before it, " +
		"and ends in time. A waiver that is recorded again under its id takes the place of the one before; both stay in the log."
	op.DefaultStatus = http.StatusCreated
	huma.Register(s.api, op, s.addWaiver)
	s.takes(op, "application/json", "a waiver, as a dossier has it", true)

	op = operation("list-attestations", http.MethodGet, "/v1/attestations", "List the attestations as they stand, by id")
	huma.Register(s.api, op, s.listAttestations)

	op = operation("add-attestation", http.MethodPost, "/v1/attestations", "Record an attestation")
	op.Description = "It counts only from a person whose role is allowed for the control. Recorded again under its id it takes the place of the one before; both stay in the log."
	op.DefaultStatus = http.StatusCreated
	huma.Register(s.api, op, s.addAttestation)
	s.takes(op, "application/json", "an attestation, as a dossier has it", true)
}

type waiverList struct {
	Body struct {
		Waivers []engine.Waiver `json:"waivers" nullable:"false"`
	}
}

func (s *server) listWaivers(ctx context.Context, _ *struct{}) (*waiverList, error) {
	list, err := s.Journal.Waivers(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &waiverList{}
	out.Body.Waivers = append([]engine.Waiver{}, list...)
	return out, nil
}

type attestationList struct {
	Body struct {
		Attestations []engine.Attestation `json:"attestations" nullable:"false"`
	}
}

func (s *server) listAttestations(ctx context.Context, _ *struct{}) (*attestationList, error) {
	list, err := s.Journal.Attestations(ctx)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &attestationList{}
	out.Body.Attestations = append([]engine.Attestation{}, list...)
	return out, nil
}

type waiverOutput struct{ Body engine.Waiver }

func (s *server) addWaiver(ctx context.Context, _ *struct{}) (*waiverOutput, error) {
	if s.AddWaiver == nil {
		return nil, problemOf(http.StatusNotImplemented, "this server takes no waivers")
	}
	var w engine.Waiver
	if err := readPart("waivers", callOf(ctx).body, &w); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.AddWaiver(ctx, w); err != nil {
		return nil, s.problem(ctx, err)
	}
	callOf(ctx).target = w.ID
	return &waiverOutput{Body: w}, s.audited(ctx, http.StatusCreated)
}

type attestationOutput struct{ Body engine.Attestation }

func (s *server) addAttestation(ctx context.Context, _ *struct{}) (*attestationOutput, error) {
	if s.AddAttestation == nil {
		return nil, problemOf(http.StatusNotImplemented, "this server takes no attestations")
	}
	var a engine.Attestation
	if err := readPart("attestations", callOf(ctx).body, &a); err != nil {
		return nil, s.problem(ctx, err)
	}
	if err := s.AddAttestation(ctx, a); err != nil {
		return nil, s.problem(ctx, err)
	}
	callOf(ctx).target = a.ID
	return &attestationOutput{Body: a}, s.audited(ctx, http.StatusCreated)
}

// readPart reads a document that is defined as an element of a list in a dossier, and
// holds it to that definition: as part of a dossier that has nothing else.
func readPart(list string, body []byte, into any) error {
	doc, faults := schemas.Parse(body)
	if len(faults) > 0 {
		return &engine.InputError{Faults: faults}
	}
	const frame = `{"schema":"dossier/v1","evaluated_at":"2000-01-01T00:00:00Z","subject":{"type":"retention","id":"-"},"sources":{},"retention":{},%q:[%s]}`
	place := "/" + list + "/0"
	for _, f := range schemas.Validate(schemas.Dossier, fmt.Appendf(nil, frame, list, doc.Canonical())) {
		if pointer, ok := strings.CutPrefix(f.Pointer, place); ok {
			f.Pointer, f.Line, f.Column = pointer, 0, 0
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		return &engine.InputError{Faults: faults}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &engine.InputError{Faults: []schemas.Fault{{Message: err.Error()}}}
	}
	return nil
}
