package collectors

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// merge keeps one event for each id: the most trustworthy, then the earliest
// observed, then the smallest as text. Re-deliveries differ only in when and how
// they were received; anything else is a conflict and is named.
func merge(all []found) ([]engine.Event, []Fault) {
	byID := map[string][]found{}
	for _, f := range all {
		byID[f.event.ID] = append(byID[f.event.ID], f)
	}
	var events []engine.Event
	var conflicts []Fault
	for id, versions := range byID {
		kept := slices.MinFunc(versions, compareVersions)
		events = append(events, kept.event)
		fact := factOf(kept.event)
		for _, v := range versions {
			if !bytes.Equal(factOf(v.event), fact) {
				conflicts = append(conflicts, Fault{Path: v.path, Record: id,
					Err: fmt.Errorf("differs from the version in %s, which is used", kept.path)})
			}
		}
	}
	slices.SortFunc(events, compareEvents)
	slices.SortFunc(conflicts, compareFaults)
	return events, slices.CompactFunc(conflicts, func(a, b Fault) bool { return compareFaults(a, b) == 0 })
}

func compareEvents(a, b engine.Event) int {
	return cmpAll(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ID, b.ID))
}

func compareVersions(a, b found) int {
	return cmpAll(rank(a.event)-rank(b.event), a.event.ObservedAt.Compare(b.event.ObservedAt),
		bytes.Compare(encode(a.event), encode(b.event)), strings.Compare(a.path, b.path))
}

func rank(e engine.Event) int {
	order := []string{engine.TrustWebhookVerified, engine.TrustAPIRead, engine.TrustFile, engine.TrustDeclared}
	if i := slices.Index(order, e.Evidence.Trust); i >= 0 {
		return i
	}
	return len(order)
}

// factOf is the event without how it was received.
func factOf(e engine.Event) []byte {
	e.ObservedAt = e.OccurredAt
	e.Evidence = engine.Evidence{}
	return encode(e)
}

func encode(e engine.Event) []byte { return engine.Facts(e) }

// validate refuses an event that its schema refuses.
func validate(e engine.Event) error {
	if e.OccurredAt.IsZero() || e.ObservedAt.IsZero() {
		return errors.New("no instant is known for this record: record it together with dated answers or a coverage.json")
	}
	faults := schemas.Validate(schemas.Event, encode(e))
	if len(faults) == 0 {
		return nil
	}
	words := make([]string, len(faults))
	for i, f := range faults {
		f.Line, f.Column = 0, 0 // a place in text that nobody has
		words[i] = f.String()
	}
	return fmt.Errorf("%s is no valid event: %s", e.Type, strings.Join(words, "; "))
}

// WriteNDJSON writes one event a line.
func WriteNDJSON(w io.Writer, events []engine.Event) error {
	out := bufio.NewWriter(w)
	for _, e := range events {
		out.Write(encode(e))
		out.WriteByte('\n')
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}
