package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// verdict is what a program says of one file; vouch does not name it.
type verdict struct {
	file   string
	failed int // controls
}

// compare holds every program's verdicts to those of the second contender, vouch
// on all files.
func compare(contenders []*contender) error {
	all := make([][]verdict, len(contenders))
	for i, c := range contenders {
		text, err := os.ReadFile(c.output)
		if err != nil {
			return err
		}
		if all[i], err = c.verdicts(text); err != nil {
			return fmt.Errorf("read what %s said: %w\n%s", c.name, err, c.complaint.Bytes())
		}
		slices.SortStableFunc(all[i], func(a, b verdict) int { return strings.Compare(a.file, b.file) })
		if len(all[i]) != c.files {
			return fmt.Errorf("%s judged %d of %d files", c.name, len(all[i]), c.files)
		}
	}
	for i, c := range contenders {
		for n, said := range all[i] {
			if want := all[1][n].failed; said.failed != want {
				return fmt.Errorf("file %d: %s finds %d controls that fail, vouch %d", n, c.name, said.failed, want)
			}
		}
	}
	return nil
}

// document is a decision, as far as it is compared.
type document struct {
	Findings []struct {
		Status string `json:"status"`
	} `json:"findings"`
}

func (d document) failed() int {
	n := 0
	for _, f := range d.Findings {
		if f.Status == "fail" {
			n++
		}
	}
	return n
}

func ofVouch(output []byte) ([]verdict, error) {
	var out []verdict
	for line := range bytes.Lines(output) {
		var d document
		if err := json.Unmarshal(line, &d); err != nil {
			return nil, err
		}
		out = append(out, verdict{failed: d.failed()})
	}
	return out, nil
}

func ofOPA(output []byte) ([]verdict, error) {
	var said struct {
		Result []struct {
			Path   string   `json:"path"`
			Result document `json:"result"`
		} `json:"result"`
	}
	if err := json.Unmarshal(output, &said); err != nil {
		return nil, err
	}
	var out []verdict
	for _, r := range said.Result {
		out = append(out, verdict{r.Path, r.Result.failed()})
	}
	return out, nil
}

func ofConftest(output []byte) ([]verdict, error) {
	var said []struct {
		Filename string            `json:"filename"`
		Failures []json.RawMessage `json:"failures"`
	}
	if err := json.Unmarshal(output, &said); err != nil {
		return nil, err
	}
	var out []verdict
	for _, r := range said {
		out = append(out, verdict{r.Filename, len(r.Failures)})
	}
	return out, nil
}
