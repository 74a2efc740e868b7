package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/changevouch/changevouch/engine"
)

const (
	rowsPerPage   = 200 // decisions kept until their columns are measured
	findingsShown = 5   // open findings listed below a decision
	namesShown    = 2   // persons listed in a column
	nameWidth     = 18  // columns of one person
	gap           = "  "
	leastSubject  = 24 // the people go below when the subject has less room
	leastTitle    = 12 // a title goes below when it has less room
)

var headings = []string{"OUTCOME", "SUBJECT", "CLASS", "RISK", "WROTE", "APPROVED", "DEPLOYED"}

// subjectColumn is the one column that gives way when the page is narrow.
const subjectColumn = 1

// line is printable text of one colour.
type line struct{ text, colour string }

// row is one decision: a cell for each heading, a title beside the subject, and
// lines below.
type row struct {
	cells []line
	title string
	below []line
}

// table writes one row a decision and below it what is not plainly compliant,
// with headings every rowsPerPage.
type table struct {
	page
	rows []row
	any  bool
}

func (t *table) Add(j Judgement) error {
	t.note(j.Decision)
	t.rows = append(t.rows, newRow(j))
	if len(t.rows) == rowsPerPage {
		return t.flush()
	}
	return nil
}

func (t *table) End(s Summary) error {
	if err := t.flush(); err != nil {
		return err
	}
	return t.footer(s)
}

// longCommit finds commits written in full; a row shows the beginning.
var longCommit = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{28}\b`)

func newRow(j Judgement) row {
	d := j.Decision
	subject := longCommit.ReplaceAllString(Printable(d.Subject.ID), "$1")
	if d.Subject.Type != "change" {
		subject = label(d.Subject.Type) + " " + subject
	}
	r := row{
		cells: []line{
			{symbol(d.Outcome) + " " + short(d.Outcome), colourOf(d.Outcome)},
			{text: subject}, {text: short(d.Classification.Type)}, {text: short(d.Risk.Level)}, {}, {}, {},
		},
		title: headline(j.Dossier),
	}
	if p := d.Parties; p != nil {
		for i, names := range [][]string{p.Authors, p.Approvers, p.Deployers} {
			r.cells[4+i] = line{text: fewPersons(names)}
		}
	}
	if d.Classification.Type == engine.OutcomeOutOfScope {
		r.cells[2].text = "-" // the outcome says it
	}
	if c := d.Classification; c.Provisional {
		r.below = append(r.below, line{"the class is provisional", dim})
	} else if c.Declared != "" && c.Declared != c.Type {
		r.below = append(r.below, line{"declared " + label(c.Declared), dim})
	}
	if d.Outcome == engine.OutcomeOutOfScope && len(d.Classification.Reasons) > 0 {
		r.below = append(r.below, line{Printable(strings.Join(d.Classification.Reasons, ", ")), dim})
	}
	r.below = append(r.below, why(d)...)
	return r
}

// short is label for a narrow column: a word for what the symbol and the lines
// below say in full, a dash for what does not apply.
func short(token string) string {
	switch token {
	case engine.OutcomeCompliantWithWaiver:
		return "waived"
	case "n/a":
		return "-"
	default:
		return label(token)
	}
}

// fewPersons lists names as briefly as a column needs.
func fewPersons(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	var few []string
	for _, name := range names[:min(len(names), namesShown)] {
		few = append(few, shorten(Printable(name), nameWidth))
	}
	s := strings.Join(few, ", ")
	if more := len(names) - namesShown; more > 0 {
		s += fmt.Sprintf(" +%d", more)
	}
	return s
}

// class is the classification in words.
func class(c engine.Classification) string {
	s := label(c.Type)
	if c.Provisional {
		s += ", provisional"
	}
	if c.Declared != "" && c.Declared != c.Type {
		s += ", declared " + label(c.Declared)
	}
	return s
}

// why lists the open findings, worst first, each with its reasons.
func why(d engine.Decision) []line {
	var out []line
	for _, f := range byWeight(d.Findings) {
		if open(f) {
			out = append(out, line{oneLine(f), colourOf(f.Status)})
		}
	}
	if n := len(out); n > findingsShown {
		out = append(out[:findingsShown-1], line{text: fmt.Sprintf("and %d more", n-findingsShown+1)})
	}
	return out
}

// oneLine is one open finding in one line.
func oneLine(f engine.Finding) string {
	s := symbol(f.Status) + " " + Printable(strings.TrimSpace(f.Control+" "+f.Title))
	var more []string
	more = append(more, f.Reasons...)
	if f.Status == engine.StatusWaived && f.Waiver != nil {
		more = append(more, "waived by "+f.Waiver.ApprovedBy+" until "+f.Waiver.ExpiresAt)
	}
	if f.Status == engine.StatusPending && f.DueAt != "" {
		more = append(more, "due "+f.DueAt)
	}
	return because(s, more)
}

// flush writes the rows gathered so far.
func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	var b bytes.Buffer
	if t.any {
		b.WriteString("\n")
	}
	t.any = true
	widths, shown := t.measure()
	header := row{}
	for _, h := range headings {
		header.cells = append(header.cells, line{h, bold})
	}
	t.write(&b, header, widths, shown)
	for _, r := range t.rows {
		if p := r.cells[len(headings)-3:]; shown < len(headings) && p[0].text != "" {
			people := fmt.Sprintf("wrote %s; approved %s; deployed %s", p[0].text, p[1].text, p[2].text)
			r.below = append([]line{{people, dim}}, r.below...)
		}
		t.write(&b, r, widths, shown)
	}
	b.WriteString("\n")
	t.rows = t.rows[:0]
	return write(t.w, b.Bytes())
}

// measure gives the widths of the columns and how many of them are shown.
func (t *table) measure() (widths []int, shown int) {
	widths = make([]int, len(headings))
	for i, h := range headings {
		widths[i] = len(h)
		for _, r := range t.rows {
			n := text.StringWidth(r.cells[i].text)
			if i == subjectColumn && r.title != "" {
				n += len(gap) + text.StringWidth(r.title)
			}
			widths[i] = max(widths[i], n)
		}
	}
	if t.opt.Width == 0 {
		return widths, len(headings)
	}
	for _, shown = range []int{len(headings), 4, 2} {
		room := t.opt.Width
		for i, w := range widths[:shown] {
			if i != subjectColumn {
				room -= w + len(gap)
			}
		}
		if room >= leastSubject {
			widths[subjectColumn] = min(widths[subjectColumn], room)
			return widths, shown
		}
	}
	widths[subjectColumn] = leastSubject
	return widths, shown
}

// write lays out one row.
func (t *table) write(b *bytes.Buffer, r row, widths []int, shown int) {
	below := r.below
	var out strings.Builder
	for i, c := range r.cells[:shown] {
		painted, width := t.paint(c.colour, c.text), text.StringWidth(c.text)
		if i == subjectColumn {
			id := shorten(c.text, max(widths[i], leastSubject))
			painted, width = t.paint(c.colour, id), text.StringWidth(id)
			switch room := widths[i] - width - len(gap); {
			case r.title == "":
			case room >= min(leastTitle, text.StringWidth(r.title)):
				title := shorten(r.title, room)
				painted += gap + t.paint(dim, title)
				width += len(gap) + text.StringWidth(title)
			default:
				below = append([]line{{r.title, dim}}, below...)
			}
			if id != c.text {
				below = append([]line{{c.text, dim}}, below...)
			}
		}
		out.WriteString(painted)
		if i < shown-1 {
			out.WriteString(strings.Repeat(" ", max(0, widths[i]-width)) + gap)
		}
	}
	b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
	indent := strings.Repeat(" ", widths[0]+len(gap))
	if t.opt.Width > 0 && t.opt.Width < 60 {
		indent = gap
	}
	for _, l := range below {
		t.wrapPainted(b, indent, l)
	}
}

// wrapPainted writes a line below a row; what does not fit goes further in.
func (t *table) wrapPainted(b *bytes.Buffer, indent string, l line) {
	lines := []string{l.text}
	if room := max(20, t.opt.Width-len(indent)-len(gap)); t.opt.Width > 0 {
		lines = strings.Split(text.WrapSoft(l.text, room), "\n")
	}
	for i, s := range lines {
		if i > 0 {
			s = gap + s
		}
		b.WriteString(indent + t.paint(l.colour, strings.TrimRight(s, " ")) + "\n")
	}
}
