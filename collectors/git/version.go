package git

import (
	"encoding/json"
	"errors"
)

// rulesetVersion maps one earlier state of a ruleset: it held from updated_at on.
// Items of a list carry no state.
func (m *mapper) rulesetVersion(rt route, raw json.RawMessage) error {
	var v struct {
		ID        ident           `json:"version_id"`
		UpdatedAt when            `json:"updated_at"`
		State     json.RawMessage `json:"state"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if len(v.State) == 0 || string(v.State) == "null" {
		m.Ignore("ruleset version without its state")
		return nil
	}
	var r ruleset
	if err := json.Unmarshal(v.State, &r); err != nil {
		return err
	}
	if v.UpdatedAt.IsZero() {
		return errors.New("ruleset version without updated_at")
	}
	r.UpdatedAt = v.UpdatedAt
	return m.rulesetState(rt, r)
}
