package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// ParseYAML reads one YAML document that means what JSON could say: text keys,
// no anchors, aliases, merge keys or tags of one's own, no duplicate keys and no
// null. JSON is YAML, so it is read too. Dates stay texts.
func ParseYAML(text []byte) (*Document, []Fault) {
	if len(text) > MaxBytes {
		return nil, []Fault{{Message: fmt.Sprintf("document of %d bytes; the limit is %d", len(text), MaxBytes)}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var node yaml.Node
	if err := decoder.Decode(&node); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, []Fault{{Message: "empty document", Line: 1, Column: 1}}
		}
		return nil, []Fault{yamlFault(err)}
	}
	y := yamlReader{marks: map[string]yaml.Node{}}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		y.fault(&node, "", "more than one document: one is expected")
	}
	value := y.read(node.Content[0], "", 0)
	if len(y.faults) > 0 {
		return nil, y.faults[:min(len(y.faults), MaxFaults)]
	}
	doc := &Document{text: text, value: value, marks: map[string]int{}}
	for pointer, n := range y.marks {
		doc.marks[pointer] = offset(text, n.Line, n.Column)
	}
	return doc, nil
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)`)

func yamlFault(err error) Fault {
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		return Fault{Line: line, Column: 1, Message: "no valid YAML: " + m[2]}
	}
	return Fault{Message: "no valid YAML: " + err.Error()}
}

// offset finds a line and column, both from 1, in the text.
func offset(text []byte, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	for ; column > 1 && at < len(text); column-- {
		at++
		for at < len(text) && text[at]&0xc0 == 0x80 { // inside a character
			at++
		}
	}
	return at
}

type yamlReader struct {
	marks  map[string]yaml.Node
	faults []Fault
}

func (y *yamlReader) fault(n *yaml.Node, pointer, format string, args ...any) {
	y.faults = append(y.faults, Fault{Pointer: pointer, Message: fmt.Sprintf(format, args...), Line: n.Line, Column: n.Column})
}

func (y *yamlReader) read(n *yaml.Node, pointer string, depth int) any {
	y.marks[pointer] = yaml.Node{Line: n.Line, Column: n.Column}
	if depth > MaxDepth {
		y.fault(n, pointer, "nested more than %d deep", MaxDepth)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return y.mapping(n, pointer, depth)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = y.read(item, pointer+"/"+strconv.Itoa(i), depth+1)
		}
		return list
	case yaml.ScalarNode:
		return y.scalar(n, pointer)
	}
	y.fault(n, pointer, "anchors and aliases are not read: write the value out")
	return nil
}

func (y *yamlReader) mapping(n *yaml.Node, pointer string, depth int) any {
	object := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := pointer + "/" + escape(key.Value)
		switch _, twice := object[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge":
			y.fault(key, pointer, "a key must be plain text")
			continue
		case twice:
			y.fault(key, at, "the key appears twice in one object")
		}
		object[key.Value] = y.read(value, at, depth+1)
		y.marks[at] = yaml.Node{Line: key.Line, Column: key.Column}
	}
	return object
}

func (y *yamlReader) scalar(n *yaml.Node, pointer string) any {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err == nil {
			return b
		}
	case "!!int":
		var i int64
		if err := n.Decode(&i); err == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
	case "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			text, _ := json.Marshal(f)
			return json.Number(text)
		}
	case "!!null":
		y.fault(n, pointer, "null is not allowed: an absent fact is an absent key, so leave it out")
		return nil
	}
	y.fault(n, pointer, "%.40q with tag %s cannot be read", n.Value, n.ShortTag())
	return nil
}
