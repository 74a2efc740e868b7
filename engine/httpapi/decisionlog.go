package httpapi

import (
	"encoding/json"
	"time"
)

// DecisionLogEntry is an evaluation as OPA's decision log tells it
// (https://www.openpolicyagent.org/docs/management-decision-logs).
type DecisionLogEntry struct {
	Labels      map[string]string            `json:"labels"`
	DecisionID  string                       `json:"decision_id"`
	Bundles     map[string]DecisionLogBundle `json:"bundles,omitempty"`
	Path        string                       `json:"path,omitempty"`
	Input       json.RawMessage              `json:"input,omitempty"`
	Result      json.RawMessage              `json:"result,omitempty"`
	Error       *DecisionLogError            `json:"error,omitempty"`
	RequestedBy string                       `json:"requested_by,omitempty"`
	Timestamp   time.Time                    `json:"timestamp"`
	Metrics     map[string]any               `json:"metrics,omitempty"`
	Custom      map[string]any               `json:"custom,omitempty"`
}

// DecisionLogBundle names what judged.
type DecisionLogBundle struct {
	Revision string `json:"revision"`
}

// DecisionLogError is why there is no result.
type DecisionLogError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}
