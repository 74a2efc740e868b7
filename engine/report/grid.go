package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Grid is a table of short facts, one row a record.
type Grid struct {
	Headings []string
	Rows     [][]string // a cell for each heading
	Outcome  int        // column that holds outcomes, shown in words and colour; -1 is none
	Gives    int        // column that is shortened when the page is narrow; -1 is none
}

// Write lays the grid out as text.
func (g Grid) Write(w io.Writer, opt Options) error {
	p := page{w: w, opt: opt}
	widths := make([]int, len(g.Headings))
	shown := make([][]string, len(g.Rows))
	for i, h := range g.Headings {
		widths[i] = len(h)
	}
	for r, row := range g.Rows {
		shown[r] = make([]string, len(g.Headings))
		for i := range g.Headings {
			cell := longCommit.ReplaceAllString(Printable(row[i]), "$1")
			if i == g.Outcome && row[i] != "" {
				cell = symbol(row[i]) + " " + short(row[i])
			}
			shown[r][i] = cell
			widths[i] = max(widths[i], text.StringWidth(cell))
		}
	}
	if room := opt.Width; g.Gives >= 0 && room > 0 {
		for i, width := range widths {
			if i != g.Gives {
				room -= width + len(gap)
			}
		}
		widths[g.Gives] = min(widths[g.Gives], max(room, leastSubject))
	}
	var b bytes.Buffer
	line := func(cells []string, colour func(i int) string) {
		var out strings.Builder
		for i, cell := range cells {
			if i == g.Gives {
				cell = shorten(cell, widths[i])
			}
			out.WriteString(p.paint(colour(i), cell))
			if i < len(cells)-1 {
				out.WriteString(strings.Repeat(" ", max(0, widths[i]-text.StringWidth(cell))) + gap)
			}
		}
		b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
	}
	line(g.Headings, func(int) string { return bold })
	for r, cells := range shown {
		line(cells, func(i int) string {
			if i == g.Outcome {
				return colourOf(g.Rows[r][i])
			}
			return ""
		})
	}
	return write(w, b.Bytes())
}

// CSV writes the grid for spreadsheets (RFC 4180). A cell that a spreadsheet would
// take for a formula gets an apostrophe in front:
// https://owasp.org/www-community/attacks/CSV_Injection.
func (g Grid) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := make([]string, len(g.Headings))
	for i, h := range g.Headings {
		header[i] = strings.ReplaceAll(strings.ToLower(h), " ", "_")
	}
	if err := out.Write(header); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	for _, row := range g.Rows {
		safe := make([]string, len(row))
		for i, cell := range row {
			safe[i] = harmless(cell)
		}
		if err := out.Write(safe); err != nil {
			return fmt.Errorf("write csv: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

// harmless keeps a spreadsheet from running a cell.
func harmless(cell string) string {
	cell = Printable(cell)
	if cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
		return "'" + cell
	}
	return cell
}
