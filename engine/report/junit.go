package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/changevouch/changevouch/engine"
)

// junitSuites writes JUnit XML: a suite for each decision, a case for each finding. A
// failed finding is a failure; one that is unknown, pending or unheard of is an error,
// so that no program counts it as passed; a waived one and one that does not apply are
// skipped. All suites are kept until the end.
type junitSuites struct {
	w   io.Writer
	all junit.Testsuites
}

func (s *junitSuites) Add(j Judgement) error {
	d := j.Decision
	subject := label(d.Subject.Type) + " " + Printable(d.Subject.ID)
	suite := junit.Testsuite{Name: subject, ID: len(s.all.Suites), Time: "0", Timestamp: strings.TrimSuffix(Printable(d.EvaluatedAt), "Z")}
	suite.AddProperty("decision", Printable(d.ID))
	suite.AddProperty("outcome", Printable(d.Outcome))
	suite.AddProperty("class", class(d.Classification))
	suite.AddProperty("risk", Printable(d.Risk.Level))
	for _, f := range byWeight(d.Findings) {
		suite.AddTestcase(junitCase(subject, f))
	}
	for _, u := range d.Unevaluated {
		suite.AddTestcase(junit.Testcase{Name: Printable(u.Control), Classname: subject, Time: "0", Skipped: &junit.Result{Message: "no rule in this bundle: nothing is said about it"}})
	}
	s.all.AddSuite(suite)
	return nil
}

func junitCase(subject string, f engine.Finding) junit.Testcase {
	c := junit.Testcase{Name: strings.TrimSpace(Printable(f.Control) + " " + Printable(f.Title)), Classname: subject, Time: "0"}
	message := label(f.Status) + ": " + Printable(f.Message)
	if w := f.Waiver; w != nil {
		message += Printable(fmt.Sprintf(" Waiver %s, approved by %s, expires %s.", w.ID, w.ApprovedBy, w.ExpiresAt))
	}
	var lines []string
	for _, part := range []struct{ name, text string }{
		{"clause", f.Clause}, {"severity", f.Severity}, {"reasons", strings.Join(f.Reasons, ", ")}, {"evidence", strings.Join(f.Evidence, ", ")}, {"due", f.DueAt}, {"to do", f.Remediation},
	} {
		if part.text != "" {
			lines = append(lines, part.name+": "+Printable(part.text))
		}
	}
	result := &junit.Result{Message: message, Type: Printable(f.Status), Data: strings.Join(lines, "\n")}
	switch f.Status {
	case engine.StatusPass:
	case engine.StatusFail:
		c.Failure = result
	case engine.StatusWaived, engine.StatusNotApplicable:
		c.Skipped = result
	default:
		c.Error = result
	}
	return c
}

func (s *junitSuites) End(sum Summary) error {
	if sum.Undecided > 0 {
		suite := junit.Testsuite{Name: "dossiers without a decision", ID: len(s.all.Suites), Time: "0"}
		suite.AddTestcase(junit.Testcase{Name: "every dossier is decided", Classname: "changevouch", Time: "0",
			Error: &junit.Result{Message: plural(sum.Undecided, "dossier") + " could not be decided", Type: "undecided"}})
		s.all.AddSuite(suite)
	}
	text, err := xml.MarshalIndent(s.all, "", "  ")
	if err != nil {
		return fmt.Errorf("JUnit: %w", err)
	}
	return write(s.w, []byte(xml.Header), text, []byte("\n"))
}
