package handbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// document is Markdown in the making.
type document struct {
	b bytes.Buffer
}

func (d *document) line(format string, args ...any) {
	fmt.Fprintf(&d.b, format, args...)
	d.b.WriteByte('\n')
}

func (d *document) text(s string) { d.b.WriteString(s) }

func (d *document) heading(title string) { d.line("\n## %s\n", title) }

func (d *document) table(head []string, rows [][]string) {
	d.line("| %s |", strings.Join(head, " | "))
	d.line("|%s", strings.Repeat("---|", len(head)))
	for _, row := range rows {
		d.line("| %s |", strings.Join(row, " | "))
	}
}

func (d *document) bytes() []byte { return d.b.Bytes() }

var special = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "|", `\|`, "<", "&lt;", ">", "&gt;", "[", `\[`, "]", `\]`,
	"\r", " ", "\n", " ",
)

// escape makes a text mean itself, in one line, in a table as well.
func escape(text string) string { return special.Replace(text) }

// code shows a text letter by letter.
func code(text string) string {
	text = strings.NewReplacer("\r", " ", "\n", " ", "|", `\|`).Replace(text)
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longest value that is shown in full; a longer one is counted.
const longest = 80

// policyValue shows the value of a parameter.
func policyValue(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // a parameter came out of JSON
		return escape(fmt.Sprint(v))
	}
	text := strings.TrimSpace(b.String())
	if len(text) <= longest {
		return code(text)
	}
	switch value := v.(type) {
	case []any:
		return fmt.Sprintf("%d entries", len(value))
	case map[string]any:
		return fmt.Sprintf("%d entries", len(value))
	}
	return code(text)
}
