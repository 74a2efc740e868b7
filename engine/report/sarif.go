package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/changevouch/changevouch/engine"
)

// sarifLog writes one SARIF 2.1.0 run: a result for each finding that is neither a
// pass nor without application. A failed finding is of kind fail; one that is unknown
// or pending is of kind open, which SARIF keeps for what could not be decided, and so
// neither is ever a pass. A waived one is suppressed, with the waiver as the reason.
// All results are kept until the end.
type sarifLog struct {
	w    io.Writer
	run  *sarif.Run
	seen map[string]bool // rules
}

func newSARIF(w io.Writer) *sarifLog {
	driver := sarif.NewToolComponent().WithName("changevouch").WithInformationURI("https://github.com/changevouch/changevouch").WithRules([]*sarif.ReportingDescriptor{})
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(driver)).WithResults([]*sarif.Result{})
	run.WithAutomationDetails(sarif.NewRunAutomationDetails().WithID("changevouch/"))
	return &sarifLog{w: w, run: run, seen: map[string]bool{}}
}

func (s *sarifLog) Add(j Judgement) error {
	for _, ref := range j.Decision.Policy {
		s.run.Tool.Driver.WithVersion(Printable(ref.Engine.Version))
	}
	for _, f := range byWeight(j.Decision.Findings) {
		if !open(f) {
			continue
		}
		s.rule(f)
		s.run.AddResult(sarifResult(j, f))
	}
	return nil
}

func (s *sarifLog) rule(f engine.Finding) {
	if s.seen[f.Control] {
		return
	}
	s.seen[f.Control] = true
	title := Printable(f.Title)
	if title == "" {
		title = Printable(f.Control)
	}
	rule := sarif.NewReportingDescriptor().WithID(Printable(f.Control)).
		WithShortDescription(sarif.NewMultiformatMessageString().WithText(title)).
		WithProperties(sarif.NewPropertyBag().Add("tags", []string{"change-management"}))
	if f.Clause != "" {
		rule.WithHelp(sarif.NewMultiformatMessageString().WithText("Clause " + Printable(f.Clause)))
	}
	s.run.Tool.Driver.AddRule(rule)
}

func sarifResult(j Judgement, f engine.Finding) *sarif.Result {
	d := j.Decision
	kind, level := "open", "none" // SARIF gives every kind but fail the level none
	switch f.Status {
	case engine.StatusFail, engine.StatusWaived:
		kind, level = "fail", "error"
		if f.Severity == "low" {
			level = "warning"
		}
	}
	text := Printable(f.Message)
	if text == "" {
		text = label(f.Status)
	}
	if f.Status != engine.StatusFail {
		text = label(f.Status) + ": " + text
	}
	if f.Remediation != "" && f.Status != engine.StatusWaived {
		text += " To do: " + Printable(f.Remediation)
	}
	properties := sarif.NewPropertyBag().Add("status", f.Status).Add("outcome", d.Outcome).Add("decision", d.ID).Add("subject_type", d.Subject.Type)
	for name, list := range map[string][]string{"reasons": f.Reasons, "evidence": f.Evidence, "aliases": f.Aliases} {
		if len(list) > 0 {
			properties.Add(name, list)
		}
	}
	if f.DueAt != "" {
		properties.Add("due_at", f.DueAt)
	}
	subject := d.Subject.Type + " " + d.Subject.ID
	result := sarif.NewResult().WithRuleID(Printable(f.Control)).WithKind(kind).WithLevel(level).
		WithMessage(sarif.NewMessage().WithText(text)).
		WithPartialFingerprints(map[string]string{"subjectControl/v1": strings.TrimPrefix(engine.Digest([]byte(subject+"\n"+f.Control)), "sha256:")}).
		WithProperties(properties)
	if f.Severity != "" {
		properties.Add("severity", f.Severity)
	}
	result.AddLocation(sarifLocation(j, f))
	if w := f.Waiver; w != nil && f.Status == engine.StatusWaived {
		why := fmt.Sprintf("Waiver %s, approved by %s, expires %s. %s", w.ID, w.ApprovedBy, w.ExpiresAt, w.Reason)
		result.AddSuppression(sarif.NewSuppression().WithKind("external").WithStatus("accepted").WithJustification(Printable(strings.TrimSpace(why))))
	}
	return result
}

// sarifLocation is the first changed file that the evidence points to or, without one,
// the subject itself under a name of its own: GitHub shows nothing without a file.
func sarifLocation(j Judgement, f engine.Finding) *sarif.Location {
	path := changedFile(j.Dossier, f.Evidence)
	if path == "" {
		path = "changevouch/" + j.Decision.Subject.Type + "/" + j.Decision.Subject.ID
	}
	uri := (&url.URL{Path: path}).EscapedPath()
	physical := sarif.NewPhysicalLocation().WithArtifactLocation(sarif.NewArtifactLocation().WithURI(uri)).
		WithRegion(sarif.NewRegion().WithStartLine(1))
	return sarif.NewLocation().WithPhysicalLocation(physical).
		AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(Printable(j.Decision.Subject.ID)).WithKind("resource"))
}

// changedFile is the path of the first changed file that pointers lead to, or "".
func changedFile(dossier []byte, pointers []string) string {
	for _, pointer := range pointers {
		rest, ok := strings.CutPrefix(pointer, "/change/files/")
		if !ok {
			continue
		}
		index, _, _ := strings.Cut(rest, "/")
		if path, ok := Fact(dossier, "/change/files/"+index+"/path"); ok && path != "" {
			return path
		}
	}
	return ""
}

func (s *sarifLog) End(sum Summary) error {
	invocation := sarif.NewInvocation().WithExecutionSuccessful(sum.Undecided == 0)
	if sum.Undecided > 0 {
		invocation.AddToolExecutionNotification(sarif.NewNotification().WithLevel("error").
			WithMessage(sarif.NewMessage().WithText(plural(sum.Undecided, "dossier") + " could not be decided")))
	}
	s.run.AddInvocation(invocation)
	log := sarif.NewReport()
	log.AddRun(s.run)
	text, err := json.Marshal(log)
	var values any
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err == nil {
		text, err = json.MarshalIndent(stated(values), "", " ")
	}
	if err != nil {
		return fmt.Errorf("SARIF: %w", err)
	}
	return write(s.w, printableJSON(text), []byte("\n"))
}

// stated leaves out what the library writes although nobody said it: indexes of -1 and
// empty lists, but those of runs, results and rules, where empty means none.
func stated(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = stated(v[i])
		}
	case map[string]any:
		for key, one := range v {
			list, isList := one.([]any)
			if one == -1.0 || isList && len(list) == 0 && key != "runs" && key != "results" && key != "rules" {
				delete(v, key)
				continue
			}
			v[key] = stated(one)
		}
	}
	return value
}
