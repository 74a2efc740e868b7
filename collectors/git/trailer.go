package git

import (
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// trailer is one "Key: value" line that ends a commit message.
type trailer struct{ key, value string }

var (
	trailerLine = regexp.MustCompile(`^([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*)$`)
	signedBy    = regexp.MustCompile(`^(.*?)\s*<([^<>\s]*)>\s*$`)
)

// trailers parses the last paragraph of a message as git-interpret-trailers
// does: it is a trailer block if every line is a trailer or continues one, or if
// at least a quarter are and one of them is a line that Git itself writes. A
// line that starts with a space continues the one before it. The subject is no
// trailer.
func trailers(message string) []trailer {
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(message, " \t\r\n"), "\r\n", "\n"), "\n")
	start := len(lines)
	for start > 0 && strings.TrimSpace(lines[start-1]) != "" {
		start--
	}
	if start == 0 {
		return nil // the message is one paragraph: its subject
	}
	var found []trailer
	good, other, byGit := 0, 0, false
	for _, line := range lines[start:] {
		switch match := trailerLine.FindStringSubmatch(line); {
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			if len(found) > 0 {
				last := &found[len(found)-1]
				last.value = strings.TrimSpace(last.value + " " + strings.TrimSpace(line))
			} else {
				other++
			}
		case match != nil:
			good++
			found = append(found, trailer{key: match[1], value: strings.TrimSpace(match[2])})
			byGit = byGit || strings.EqualFold(match[1], "Signed-off-by")
		case strings.HasPrefix(line, "(cherry picked from commit "):
			good++
			byGit = true
		default:
			other++
		}
	}
	if good == 0 || other > 0 && (!byGit || good*3 < other) {
		return nil
	}
	return found
}

// coAuthors are the people of the Co-authored-by trailers, as written: nobody
// checked them. GitHub reads them also where prose shares their paragraph, so a
// squash commit's are found wherever they stand in it.
func coAuthors(message string) []engine.SignatureFacts {
	found := trailers(message)
	if found == nil {
		found = looseTrailers(message)
	}
	var people []engine.SignatureFacts
	seen := map[engine.SignatureFacts]bool{}
	for _, t := range found {
		if !strings.EqualFold(t.key, "Co-authored-by") || t.value == "" {
			continue
		}
		person := engine.SignatureFacts{Name: t.value}
		if match := signedBy.FindStringSubmatch(t.value); match != nil {
			person = engine.SignatureFacts{Name: match[1], Email: match[2], Account: noreplyLogin(match[2])}
		}
		if person != (engine.SignatureFacts{}) && !seen[person] {
			seen[person] = true
			people = append(people, person)
		}
	}
	return people
}

// looseTrailers finds Co-authored-by lines anywhere after the subject: missing
// one would let a co-author approve their own work.
func looseTrailers(message string) []trailer {
	_, body, _ := strings.Cut(message, "\n")
	var found []trailer
	for line := range strings.SplitSeq(body, "\n") {
		if match := trailerLine.FindStringSubmatch(strings.TrimRight(line, "\r \t")); match != nil {
			found = append(found, trailer{key: match[1], value: strings.TrimSpace(match[2])})
		}
	}
	return found
}

var noreply = regexp.MustCompile(`^(?:[0-9]+\+)?([A-Za-z0-9](?:[A-Za-z0-9-]*)(?:\[bot\])?)@users\.noreply\.github\.com$`)

// noreplyLogin is the login in one of GitHub's private e-mail addresses, else "".
func noreplyLogin(email string) string {
	if match := noreply.FindStringSubmatch(email); match != nil {
		return match[1]
	}
	return ""
}

// trailerMap holds the trailers by key in lower case, several values of one key
// on lines of their own; nil if there are none.
func trailerMap(message string) map[string]string {
	var all map[string]string
	for _, t := range trailers(message) {
		if all == nil {
			all = map[string]string{}
		}
		key := strings.ToLower(t.key)
		if before, ok := all[key]; ok {
			all[key] = before + "\n" + t.value
		} else {
			all[key] = t.value
		}
	}
	return all
}
