package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/changevouch/changevouch/engine"
)

// page is what the table and the explanation share: the paper, the colours and
// what the last lines say about all decisions together.
type page struct {
	w       io.Writer
	opt     Options
	silent  []string // controls without a rule
	bundles []string // policies that judged
}

// note remembers what the end of the page tells.
func (p *page) note(d engine.Decision) {
	for _, u := range d.Unevaluated {
		p.silent = insert(p.silent, u.Control)
	}
	for _, ref := range d.Policy {
		p.bundles = insert(p.bundles, policyLine(ref))
	}
}

// insert keeps a small sorted set.
func insert(set []string, s string) []string {
	i, found := slices.BinarySearch(set, s)
	if found {
		return set
	}
	return slices.Insert(set, i, s)
}

func policyLine(ref engine.PolicyRef) string {
	line := strings.TrimSpace(ref.Name + " " + ref.Version)
	if ref.BundleDigest != "" {
		line += ", bundle " + shortDigest(ref.BundleDigest)
	}
	if ref.SettingsDigest != "" {
		line += ", settings " + shortDigest(ref.SettingsDigest)
	}
	if ref.Engine.OPAVersion != "" {
		line += ", OPA " + ref.Engine.OPAVersion
	}
	return Printable(line)
}

func shortDigest(d string) string {
	hex, ok := strings.CutPrefix(d, "sha256:")
	if ok && len(hex) > 12 {
		return "sha256:" + hex[:12]
	}
	return d
}

// footer writes what holds for all decisions: counts, controls that nobody
// judged, and the policy.
func (p *page) footer(s Summary) error {
	var b bytes.Buffer
	var parts []string
	for _, k := range s.counts() {
		parts = append(parts, p.token(k.outcome, fmt.Sprintf("%d %s", k.n, label(k.outcome))))
	}
	line := p.bold(plural(s.Total(), "decision"))
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	p.wrap(&b, "", "  ", line)
	if s.Undecided > 0 {
		b.WriteString(p.paint(red, plural(s.Undecided, "dossier")+" could not be decided") + "\n")
	}
	if len(p.silent) > 0 && !p.opt.Explain { // an explanation has said it already
		p.wrap(&b, "", "  ", fmt.Sprintf("No rule in this bundle, so nothing is said about: %s", Printable(strings.Join(p.silent, ", "))))
	}
	for _, line := range p.bundles {
		p.wrap(&b, "", "  ", p.paint(dim, "Policy "+line))
	}
	return write(p.w, b.Bytes())
}

// wrap writes text with its first line behind first and the others behind rest.
func (p *page) wrap(b *bytes.Buffer, first, rest, s string) {
	lines := []string{s}
	if p.opt.Width > 0 {
		room := max(20, p.opt.Width-text.StringWidthWithoutEscSequences(rest))
		lines = strings.Split(text.WrapSoft(s, room), "\n")
	}
	for i, line := range lines {
		lead := rest
		if i == 0 {
			lead = first
		}
		b.WriteString(strings.TrimRight(lead+line, " ") + "\n")
	}
}

// ANSI select-graphic-rendition codes.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint colours printable text when the reader can see colours.
func (p *page) paint(code, s string) string {
	if !p.opt.Colour || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *page) bold(s string) string { return p.paint(bold, s) }

// token paints s in the colour of an outcome or status.
func (p *page) token(token, s string) string { return p.paint(colourOf(token), s) }

// colourOf is the colour of an outcome or status; only what is compliant is
// green.
func colourOf(token string) string {
	switch token {
	case engine.OutcomeCompliant, engine.StatusPass, engine.OutcomeCompliantWithWaiver, engine.StatusWaived:
		return green
	case engine.OutcomeNonCompliant, engine.StatusFail:
		return red
	case engine.OutcomePending:
		return cyan
	case engine.OutcomeOutOfScope, engine.StatusNotApplicable:
		return dim
	default:
		return yellow
	}
}

// persons lists names, or says that there are none.
func persons(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return Printable(strings.Join(names, ", "))
}
