package git

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/changevouch/changevouch/engine"
)

// alert holds what the three kinds of security alerts share. The secret of a
// secret-scanning alert is not among it and never decoded.
type alert struct {
	Number      int         `json:"number"`
	URL         string      `json:"url"`
	State       string      `json:"state"`
	CreatedAt   when        `json:"created_at"`
	UpdatedAt   when        `json:"updated_at"`
	FixedAt     when        `json:"fixed_at"`
	DismissedAt when        `json:"dismissed_at"`
	DismissedBy *user       `json:"dismissed_by"`
	Reason      string      `json:"dismissed_reason"`
	AutoAt      when        `json:"auto_dismissed_at"`
	ResolvedAt  when        `json:"resolved_at"`
	ResolvedBy  *user       `json:"resolved_by"`
	Resolution  string      `json:"resolution"`
	Repository  *repository `json:"repository"`
}

// seen records an alert as it was shown.
func (m *mapper) seen(rt route, tool string, a alert, f engine.VulnerabilityFact) error {
	if rt.repo == "" && a.Repository != nil {
		rt.repo = a.Repository.FullName
	}
	if rt.repo == "" {
		rt.repo = repoOf(a.URL)
	}
	if rt.repo == "" || a.Number <= 0 || a.State == "" {
		return errors.New("alert without repository, number or state")
	}
	f.FindingID = fmt.Sprintf("github:%s:%s:%d", rt.repo, tool, a.Number)
	f.Repository, f.State, f.FirstDetectedAt = rt.repo, a.State, a.CreatedAt.ptr()
	f.FixedAt, f.DismissedAt, f.DismissedBy, f.DismissedReason = a.FixedAt.ptr(), a.DismissedAt.ptr(), a.DismissedBy.account(), a.Reason
	if f.DismissedAt == nil {
		f.DismissedAt = a.AutoAt.ptr()
	}
	if f.Tool == "" {
		f.Tool = tool
	}
	at := a.CreatedAt
	for _, t := range []when{a.UpdatedAt, a.FixedAt, a.DismissedAt, a.AutoAt, a.ResolvedAt} {
		at = later(at, t)
	}
	if at.IsZero() {
		at.Time = m.Observed()
	}
	m.snapshotFrom("scanner", "alert:"+f.FindingID[len("github:"):], "vulnerability.observed", at.Time, nil,
		engine.Subject{Type: "finding", ID: f.FindingID}, f)
	return nil
}

func (m *mapper) dependabotAlert(rt route, raw json.RawMessage) error {
	var a struct {
		alert
		Dependency struct {
			Package struct {
				Name string `json:"name"`
			} `json:"package"`
			Manifest string `json:"manifest_path"`
		} `json:"dependency"`
		Advisory struct {
			GHSA     string `json:"ghsa_id"`
			CVE      string `json:"cve_id"`
			Severity string `json:"severity"`
			CVSS     struct {
				Score *float64 `json:"score"`
			} `json:"cvss"`
		} `json:"security_advisory"`
		Vulnerability struct {
			Severity string `json:"severity"`
		} `json:"security_vulnerability"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	f := engine.VulnerabilityFact{Package: a.Dependency.Package.Name, Manifest: a.Dependency.Manifest,
		Advisory: firstOf(a.Advisory.CVE, a.Advisory.GHSA), Severity: firstOf(a.Vulnerability.Severity, a.Advisory.Severity)}
	if s := a.Advisory.CVSS.Score; s != nil && *s > 0 {
		f.CVSS = s
	}
	return m.seen(rt, "dependabot", a.alert, f)
}

func (m *mapper) codeScanningAlert(rt route, raw json.RawMessage) error {
	var a struct {
		alert
		Rule struct {
			ID       string `json:"id"`
			Severity string `json:"severity"`
			Security string `json:"security_severity_level"`
		} `json:"rule"`
		Tool struct {
			Name string `json:"name"`
		} `json:"tool"`
		Latest struct {
			State string `json:"state"`
		} `json:"most_recent_instance"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	a.State = firstOf(a.State, a.Latest.State) // an alert that is new on a pull request has no state of its own
	return m.seen(rt, "code-scanning", a.alert, engine.VulnerabilityFact{
		Advisory: a.Rule.ID, Severity: firstOf(a.Rule.Security, a.Rule.Severity), Tool: a.Tool.Name})
}

// secretScanningAlert maps a leaked secret by its type; never its value.
func (m *mapper) secretScanningAlert(rt route, raw json.RawMessage) error {
	var a struct {
		alert
		Type string `json:"secret_type"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if a.State == "" {
		// Deliveries of old leave the state out.
		a.State = "open"
		if a.Resolution != "" {
			a.State = "resolved"
		}
	}
	f := engine.VulnerabilityFact{Advisory: a.Type}
	if a.State == "resolved" {
		a.Reason, a.DismissedBy, a.DismissedAt = a.Resolution, a.ResolvedBy, a.ResolvedAt
		if a.Resolution == "revoked" {
			a.FixedAt, a.DismissedAt, a.DismissedBy, a.Reason = a.ResolvedAt, when{}, nil, ""
		}
	}
	return m.seen(rt, "secret-scanning", a.alert, f)
}

// vulnerabilityAlert maps the forerunner of Dependabot's alerts.
func (m *mapper) vulnerabilityAlert(d delivery, raw json.RawMessage) error {
	var w struct {
		Alert struct {
			ID         ident  `json:"id"`
			Number     int    `json:"number"`
			Package    string `json:"affected_package_name"`
			GHSA       string `json:"ghsa_id"`
			External   string `json:"external_identifier"`
			Severity   string `json:"severity"`
			CreatedAt  when   `json:"created_at"`
			FixedAt    when   `json:"fixed_at"`
			Dismissed  when   `json:"dismissed_at"`
			Dismisser  *user  `json:"dismisser"`
			DismissWhy string `json:"dismiss_reason"`
		} `json:"alert"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	states := map[string]string{"create": "open", "dismiss": "dismissed", "resolve": "fixed", "reopen": "open"}
	state, known := states[d.Action]
	if !known || w.Alert.ID == "" || d.Repository.FullName == "" {
		return fmt.Errorf("vulnerability alert without id or repository, or of action %q", d.Action)
	}
	f := engine.VulnerabilityFact{
		FindingID:  "github:" + d.Repository.FullName + ":vulnerability-alert:" + string(w.Alert.ID),
		Repository: d.Repository.FullName, State: state, Package: w.Alert.Package, Advisory: firstOf(w.Alert.External, w.Alert.GHSA),
		Severity: w.Alert.Severity, FirstDetectedAt: w.Alert.CreatedAt.ptr(), FixedAt: w.Alert.FixedAt.ptr(),
		DismissedAt: w.Alert.Dismissed.ptr(), DismissedBy: w.Alert.Dismisser.account(), DismissedReason: w.Alert.DismissWhy, Tool: "dependabot",
	}
	at := later(w.Alert.CreatedAt, later(w.Alert.FixedAt, w.Alert.Dismissed))
	m.snapshotFrom("scanner", "alert:"+f.FindingID[len("github:"):], "vulnerability.observed", at.Time, nil,
		engine.Subject{Type: "finding", ID: f.FindingID}, f)
	return nil
}
