package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Fact is what a JSON pointer of a finding's evidence points to, in one short
// line of plain text. ok is false when the dossier holds nothing there, which
// is how a finding points to what is missing.
func Fact(dossier []byte, pointer string) (fact string, ok bool) {
	value, ok := resolve(dossier, pointer)
	if !ok {
		return "", false
	}
	return brief(value, true), true
}

// resolve follows a JSON pointer (RFC 6901) through raw JSON.
func resolve(doc json.RawMessage, pointer string) (json.RawMessage, bool) {
	if pointer != "" && !strings.HasPrefix(pointer, "/") {
		return nil, false
	}
	value := bytes.TrimSpace(doc)
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = unescape.Replace(token)
		if len(value) == 0 {
			return nil, false
		}
		switch value[0] {
		case '{':
			var object map[string]json.RawMessage
			if json.Unmarshal(value, &object) != nil {
				return nil, false
			}
			next, ok := object[token]
			if !ok {
				return nil, false
			}
			value = next
		case '[':
			var array []json.RawMessage
			i, err := strconv.Atoi(token)
			if err != nil || json.Unmarshal(value, &array) != nil || i < 0 || i >= len(array) {
				return nil, false
			}
			value = array[i]
		default:
			return nil, false
		}
	}
	return value, len(value) > 0
}

// brief writes a value the way one would read it out: "user=bob
// state=APPROVED". Below the first level only scalars and the size of the rest
// are named. The result is printable but not shortened.
func brief(value json.RawMessage, open bool) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		var s string
		if json.Unmarshal(value, &s) != nil {
			return Printable(string(value))
		}
		if s == "" {
			return `""`
		}
		return Printable(s)
	case '{':
		keys, values := members(value)
		if !open {
			return fmt.Sprintf("{%d}", len(keys))
		}
		if len(keys) == 0 {
			return "{}"
		}
		parts := make([]string, len(keys))
		for i, k := range keys {
			parts[i] = Printable(k) + "=" + brief(values[i], false)
		}
		return strings.Join(parts, " ")
	case '[':
		var array []json.RawMessage
		if json.Unmarshal(value, &array) != nil {
			return Printable(string(value))
		}
		if len(array) == 0 {
			return "[]"
		}
		parts := make([]string, len(array))
		for i, v := range array {
			v = bytes.TrimSpace(v)
			if v[0] == '{' || v[0] == '[' || !open {
				return plural(len(array), "item")
			}
			parts[i] = brief(v, false)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return Printable(string(value))
	}
}

// members lists an object in the order it was written.
func members(object json.RawMessage) (keys []string, values []json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, nil
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return keys, values
		}
		name, _ := key.(string)
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return keys, values
		}
		keys, values = append(keys, name), append(values, v)
	}
	return keys, values
}

// headline says in a few words of the dossier's own what its subject is, or "".
func headline(dossier []byte) string {
	var d struct {
		Change struct {
			Kind        string
			PullRequest struct{ Title string } `json:"pull_request"`
			Message     string                 `json:"commit_message"`
			Event       struct{ Type, Detail string }
			Deployments []struct{ Service string }
		}
		Finding    struct{ Package string }
		Alert      struct{ Title string }
		Posture    struct{ Service, Environment string }
		Deployment struct{ Service string }
	}
	if json.Unmarshal(dossier, &d) != nil {
		return ""
	}
	if title := cmp.Or(d.Change.PullRequest.Title, d.Finding.Package, d.Alert.Title,
		d.Posture.Service, d.Posture.Environment, d.Deployment.Service); title != "" {
		return firstLine(title)
	}
	words := strings.ReplaceAll(d.Change.Kind, "_", " ")
	if len(d.Change.Deployments) > 0 && d.Change.Deployments[0].Service != "" {
		words += " of " + d.Change.Deployments[0].Service
	}
	if said := cmp.Or(d.Change.Message, d.Change.Event.Detail, d.Change.Event.Type); said != "" {
		words += ": " + said
	}
	return firstLine(words)
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return Printable(strings.TrimSpace(first))
}
