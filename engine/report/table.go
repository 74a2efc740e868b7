package report

import (
	"fmt"
	"regexp"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/changevouch/changevouch/engine"
)

const (
	rowsPerPage  = 200 // decisions kept until their columns are measured
	reasonsShown = 5   // open findings listed in a row
	gap          = 2   // blanks between columns
)

// column is a heading and the width below which it is not squeezed.
type column struct {
	name  string
	least int
}

var (
	wideColumns = []column{
		{"OUTCOME", 15}, {"CLASS", 10}, {"RISK", 6}, {"SUBJECT", 14},
		{"WROTE", 7}, {"APPROVED", 8}, {"DEPLOYED", 8}, {"WHY", 20},
	}
	narrowColumns = []column{{"OUTCOME", 15}, {"SUBJECT", 12}, {"WHY", 12}}
)

// longCommit finds commits written in full; a row shows the beginning.
var longCommit = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{28}\b`)

// line is one line of a cell: printable text and its colour.
type line struct{ text, colour string }

type cell []line

// table writes one row a decision, with a heading every rowsPerPage.
type table struct {
	page
	rows [][]cell
	any  bool
}

func (t *table) Add(j Judgement) error {
	t.note(j.Decision)
	t.rows = append(t.rows, t.row(j))
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

// columns leaves the people to the subject's cell when the page is too narrow
// for columns of their own.
func (t *table) columns() []column {
	least := gap * (len(wideColumns) - 1)
	for _, c := range wideColumns {
		least += c.least
	}
	if t.opt.Width > 0 && t.opt.Width < least {
		return narrowColumns
	}
	return wideColumns
}

func (t *table) row(j Judgement) []cell {
	d := j.Decision
	outcome := cell{{symbol(d.Outcome) + " " + label(d.Outcome), colourOf(d.Outcome)}}
	id := longCommit.ReplaceAllString(Printable(d.Subject.ID), "$1")
	if d.Subject.Type != "change" {
		id = Printable(d.Subject.Type) + " " + id
	}
	subject := cell{{text: id}}
	if h := headline(j.Dossier); h != "" {
		subject = append(subject, line{shorten(h, 60), dim})
	}
	var wrote, approved, deployed cell
	if p := d.Parties; p != nil {
		wrote, approved, deployed = cell{{text: persons(p.Authors)}}, cell{{text: persons(p.Approvers)}}, cell{{text: persons(p.Deployers)}}
	}
	if len(t.columns()) == len(narrowColumns) {
		if d.Parties != nil {
			subject = append(subject, line{"wrote " + wrote[0].text, dim}, line{"approved " + approved[0].text, dim}, line{"deployed " + deployed[0].text, dim})
		}
		return []cell{outcome, subject, why(d)}
	}
	return []cell{outcome, class(d.Classification), {{text: Printable(d.Risk.Level)}}, subject, wrote, approved, deployed, why(d)}
}

func class(c engine.Classification) cell {
	out := cell{{text: label(c.Type)}}
	if c.Provisional {
		out = append(out, line{text: "provisional"})
	}
	if c.Declared != "" && c.Declared != c.Type {
		out = append(out, line{text: "declared " + label(c.Declared)})
	}
	return out
}

// String joins the lines with commas.
func (c cell) String() string {
	parts := make([]string, len(c))
	for i, l := range c {
		parts[i] = l.text
	}
	return strings.Join(parts, ", ")
}

// why lists the open findings, worst first, each with its reasons.
func why(d engine.Decision) cell {
	var out cell
	for _, f := range byWeight(d.Findings) {
		if !open(f) {
			continue
		}
		text := symbol(f.Status) + " " + Printable(f.Control)
		switch {
		case f.Status == engine.StatusWaived && f.Waiver != nil:
			text += " waived by " + Printable(f.Waiver.ApprovedBy)
		case len(f.Reasons) > 0:
			text += " " + Printable(strings.Join(f.Reasons, ", "))
		}
		if f.Status == engine.StatusPending && f.DueAt != "" {
			text += ", due " + Printable(f.DueAt)
		}
		out = append(out, line{text, colourOf(f.Status)})
	}
	if n := len(out); n > reasonsShown {
		out = append(out[:reasonsShown-1], line{text: fmt.Sprintf("  and %d more", n-reasonsShown+1)})
	}
	if len(out) == 0 && d.Outcome == engine.OutcomeOutOfScope {
		return cell{{Printable(strings.Join(d.Classification.Reasons, ", ")), dim}}
	}
	return out
}

// flush renders the rows gathered so far.
func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	w := pretty.NewWriter()
	w.SetStyle(plainStyle)
	columns := t.columns()
	header := make(pretty.Row, len(columns))
	for i, c := range columns {
		header[i] = t.bold(c.name)
	}
	w.AppendHeader(header)
	widths := t.widths(columns)
	for _, row := range t.rows {
		cells := make(pretty.Row, len(row))
		for i, c := range row {
			cells[i] = t.fold(c, widths[i])
		}
		w.AppendRow(cells)
	}
	t.rows = t.rows[:0]
	lead := ""
	if t.any {
		lead = "\n"
	}
	t.any = true
	return write(t.w, []byte(lead+trimLines(w.Render())+"\n\n"))
}

// fold breaks the lines of a cell at the width and paints them; what was broken
// goes on two blanks further in.
func (t *table) fold(c cell, width int) string {
	var out []string
	for _, l := range c {
		lines := []string{l.text}
		if text.StringWidth(l.text) > width {
			first, _, _ := strings.Cut(text.WrapSoft(l.text, width), "\n")
			first = strings.TrimRight(first, " ")
			rest := strings.TrimSpace(strings.TrimPrefix(l.text, first))
			lines = []string{first}
			for more := range strings.SplitSeq(text.WrapSoft(rest, width-2), "\n") {
				lines = append(lines, "  "+more)
			}
		}
		for _, s := range lines {
			out = append(out, t.paint(l.colour, strings.TrimRight(s, " ")))
		}
	}
	return strings.Join(out, "\n")
}

// widths measures the columns and squeezes the widest until all fit. The last
// one counts half: why something failed is what people look for.
func (t *table) widths(columns []column) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = len(c.name)
		for _, row := range t.rows {
			for _, l := range row[i] {
				widths[i] = max(widths[i], text.StringWidth(l.text))
			}
		}
	}
	weight := func(i int) int {
		switch {
		case widths[i] <= columns[i].least:
			return 0
		case i == len(columns)-1:
			return widths[i] / 2
		default:
			return widths[i]
		}
	}
	for t.opt.Width > 0 && total(widths) > t.opt.Width {
		widest := 0
		for i := range widths {
			if weight(i) > weight(widest) {
				widest = i
			}
		}
		if weight(widest) == 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

// plainStyle has no rules: columns are set apart by blanks alone.
var plainStyle = pretty.Style{
	Name:   "plain",
	Box:    pretty.BoxStyle{PaddingRight: strings.Repeat(" ", gap)},
	Format: pretty.FormatOptions{Header: text.FormatDefault},
}
