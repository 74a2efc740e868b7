package cli

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/changevouch/changevouch/engine/report"
)

// paragraphs are lines of text that fit a page when they are written.
type paragraphs struct {
	lines []paragraph
}

type paragraph struct {
	first, rest string // what stands before the first line, and before the others
	text        string
}

func (p *paragraphs) add(indent int, text string) {
	space := strings.Repeat(" ", indent)
	p.lines = append(p.lines, paragraph{space, space + "  ", text})
}

// labelled sets a text behind a label.
func (p *paragraphs) labelled(indent int, label, text string) {
	const room = 12
	space := strings.Repeat(" ", indent)
	p.lines = append(p.lines, paragraph{space + label + strings.Repeat(" ", max(1, room-len(label))), space + strings.Repeat(" ", room), text})
}

func (p *paragraphs) gap() { p.lines = append(p.lines, paragraph{}) }

func (p *paragraphs) write(w io.Writer, width int) error {
	var b strings.Builder
	for _, line := range p.lines {
		before := line.first
		shown := text.WrapSoft(report.Printable(line.text), max(20, width-len(line.rest)))
		for part := range strings.SplitSeq(shown, "\n") {
			b.WriteString(strings.TrimRight(before+strings.TrimSpace(part), " ") + "\n")
			before = line.rest
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
