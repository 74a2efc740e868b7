package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/changevouch/changevouch/engine"
)

// jsonArray writes one array, an element at a time.
type jsonArray struct {
	w     io.Writer
	begun bool
}

func (r *jsonArray) Add(j Judgement) error {
	b, err := encode(j.Decision, "  ")
	if err != nil {
		return err
	}
	lead := ",\n  "
	if !r.begun {
		lead, r.begun = "[\n  ", true
	}
	return write(r.w, []byte(lead), b)
}

func (r *jsonArray) End(Summary) error {
	if !r.begun {
		return write(r.w, []byte("[]\n"))
	}
	return write(r.w, []byte("\n]\n"))
}

// jsonLines writes one decision a line.
type jsonLines struct{ w io.Writer }

func (r *jsonLines) Add(j Judgement) error {
	b, err := encode(j.Decision, "")
	if err != nil {
		return err
	}
	return write(r.w, b, []byte("\n"))
}

func (r *jsonLines) End(Summary) error { return nil }

// yamlList writes one sequence, an item at a time, keys in the order of the
// JSON form.
type yamlList struct {
	w     io.Writer
	begun bool
}

func (r *yamlList) Add(j Judgement) error {
	r.begun = true
	b, err := encode(j.Decision, "")
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	item, err := node(dec)
	if err != nil {
		return fmt.Errorf("decision %s as YAML: %w", j.Decision.ID, err)
	}
	doc := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("decision %s as YAML: %w", j.Decision.ID, err)
	}
	return write(r.w, out.Bytes())
}

func (r *yamlList) End(Summary) error {
	if !r.begun {
		return write(r.w, []byte("[]\n"))
	}
	return nil
}

// node reads the next JSON value as YAML, keeping the order of keys.
func node(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if t == '[' {
			n.Kind = yaml.SequenceNode
		}
		for dec.More() {
			child, err := node(dec)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err := dec.Token()
		return n, err
	default:
		n := &yaml.Node{}
		return n, n.Encode(scalar(t))
	}
}

// scalar is what YAML calls the value of a JSON token.
func scalar(token json.Token) any {
	if number, ok := token.(json.Number); ok {
		if i, err := number.Int64(); err == nil {
			return i
		}
		f, _ := number.Float64()
		return f
	}
	return token
}

// encode is the JSON form of a decision; with an indent, that of an element of
// an indented array.
func encode(d engine.Decision, indent string) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if indent != "" {
		enc.SetIndent(indent, indent)
	}
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("encode decision %s: %w", d.ID, err)
	}
	return printableJSON(bytes.TrimRight(buf.Bytes(), "\n")), nil
}

func write(w io.Writer, parts ...[]byte) error {
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}
