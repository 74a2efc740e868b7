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

// merge keeps one event for each id, sorted: see choose.
func merge(all []found) (events []engine.Event, conflicts []Fault) {
	slices.SortStableFunc(all, compareIDs)
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(f found) bool { return f.Event.ID != all[0].Event.ID })
		if n < 0 {
			n = len(all)
		}
		kept, differ := choose(all[:n])
		events, conflicts, all = append(events, kept), append(conflicts, differ...), all[n:]
	}
	slices.SortFunc(events, compareEvents)
	return events, sortFaults(conflicts)
}

// choose keeps one of the versions of an event: the most trustworthy, then the
// earliest observed, then the smallest as text. Re-deliveries differ only in when
// and how they were received; anything else is a conflict and is named.
func choose(versions []found) (kept engine.Event, conflicts []Fault) {
	if len(versions) == 1 {
		return versions[0].Event, nil
	}
	best := slices.MinFunc(versions, compareVersions)
	fact := factOf(best.Event)
	for _, v := range versions {
		if !bytes.Equal(factOf(v.Event), fact) {
			conflicts = append(conflicts, Fault{Path: v.Path, Record: v.Event.ID,
				Err: fmt.Errorf("differs from the version in %s, which is used", best.Path)})
		}
	}
	return best.Event, conflicts
}

func compareIDs(a, b found) int { return strings.Compare(a.Event.ID, b.Event.ID) }

func compareEvents(a, b engine.Event) int {
	return cmpAll(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ID, b.ID))
}

func compareVersions(a, b found) int {
	return cmpAll(rank(a.Event)-rank(b.Event), a.Event.ObservedAt.Compare(b.Event.ObservedAt),
		bytes.Compare(encode(a.Event), encode(b.Event)), strings.Compare(a.Path, b.Path))
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
