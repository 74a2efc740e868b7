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
	text := func(pointer string) string {
		v, ok := resolve(dossier, pointer)
		if !ok || v[0] != '"' {
			return ""
		}
		var s string
		if json.Unmarshal(v, &s) != nil {
			return ""
		}
		first, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
		return Printable(strings.TrimSpace(first))
	}
	if title := cmp.Or(text("/change/pull_request/title"), text("/finding/package"), text("/alert/title"),
		text("/posture/service"), text("/posture/environment"), text("/deployment/service")); title != "" {
		return title
	}
	words := strings.ReplaceAll(text("/change/kind"), "_", " ")
	if service := text("/change/deployments/0/service"); service != "" {
		words += " of " + service
	}
	if said := cmp.Or(text("/change/commit_message"), text("/change/event/detail"), text("/change/event/type")); said != "" {
		words += ": " + said
	}
	return strings.TrimSpace(strings.TrimPrefix(words, ": "))
}
