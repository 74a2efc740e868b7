package iam

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// table reads the rows of a CSV file, columns by name: sources add some over the
// years. A row that cannot be read, or that take refuses, becomes a fault; the
// others still come out. It tells how many rows were lost; without a header that
// is the table.
func (b *builder) table(text []byte, take func(row node) error) (lost int) {
	before := b.broken
	rows := csv.NewReader(bytes.NewReader(text))
	rows.FieldsPerRecord = -1
	header, err := rows.Read()
	if err != nil {
		b.fault("line 1", fmt.Errorf("no header: %w", err))
		return 1
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return b.broken - before
		}
		if err != nil { // a row that cannot be read has no fields to ask for their place
			b.fault("rows", err)
			return b.broken - before
		}
		line, _ := rows.FieldPos(0)
		b.where = fmt.Sprintf("line %d", line)
		if len(row) != len(header) {
			b.fault(b.where, fmt.Errorf("%d columns instead of %d", len(row), len(header)))
			continue
		}
		cells := make(map[string]any, len(row))
		for i, name := range header {
			cells[name] = strings.ToValidUTF8(row[i], "\uFFFD")
		}
		if err := take(node{cells}); err != nil {
			b.fault(b.where, err)
		}
	}
}
