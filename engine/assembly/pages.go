package assembly

import (
	"slices"

	"github.com/changevouch/changevouch/engine"
)

// page is one part of a list.
type page[T any] struct {
	number int // from 1
	items  []T
	last   bool
}

// joined puts parts of one reading together, up to the first that is missing.
// whole is false when parts are missing.
func joined[T any](pages []page[T]) (items []T, whole bool) {
	byNumber := map[int]page[T]{}
	for _, p := range pages {
		byNumber[p.number] = p
	}
	for n := 1; ; n++ {
		p, ok := byNumber[n]
		if !ok {
			return items, false
		}
		items = append(items, p.items...)
		if p.last {
			return items, true
		}
	}
}

// wholeCommitLists joins the pages of commit lists; whole lists stay as they are.
func wholeCommitLists(lists []fact[engine.CommitListFact]) []engine.CommitListFact {
	var out []engine.CommitListFact
	var pages []page[string]
	var paged engine.CommitListFact
	for _, f := range lists {
		if f.Data.Page == nil {
			out = append(out, f.Data)
			continue
		}
		pages = append(pages, page[string]{number: *f.Data.Page, items: f.Data.SHAs, last: f.Data.Complete})
		head := first(f.Data.HeadSHA, paged.HeadSHA)
		paged, paged.HeadSHA = f.Data, head
	}
	if len(pages) > 0 {
		paged.SHAs, paged.Complete = joined(pages)
		out = append(out, paged)
	}
	return out
}

// wholeFileList joins the pages of file lists and returns the newest whole list.
func wholeFileList(lists []fact[engine.FileListFact]) (out engine.FileListFact, ok bool) {
	var pages []page[engine.FileFacts]
	var updates []engine.DependencyFacts
	for _, f := range lists {
		ok = true
		if f.Data.Page == nil {
			out = f.Data
			pages, updates = nil, nil
			continue
		}
		pages = append(pages, page[engine.FileFacts]{number: *f.Data.Page, items: f.Data.Files, last: f.Data.Complete})
		updates = append(updates, f.Data.DependencyUpdates...)
		out = f.Data
	}
	if len(pages) > 0 {
		out.Files, out.Complete = joined(pages)
		out.DependencyUpdates = nil
		for _, u := range updates {
			if !slices.Contains(out.DependencyUpdates, u) {
				out.DependencyUpdates = append(out.DependencyUpdates, u)
			}
		}
	}
	return out, ok
}
