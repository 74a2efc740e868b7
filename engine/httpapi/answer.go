package httpapi

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// packFrom is the size from which an answer is worth packing.
const packFrom = 1024

// answer is a response that answers If-None-Match by itself and packs what is large
// enough, for clients that can unpack it. It is for one goroutine.
type answer struct {
	http.ResponseWriter
	known   string // If-None-Match
	takes   bool   // gzip
	opa     bool   // errors are in OPA's form
	status  int
	pending []byte // not yet decided whether to pack
	decided bool
	silent  bool // 304, or HEAD
	zip     *gzip.Writer
}

var zips = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a good one
	return w
}}

func newAnswer(w http.ResponseWriter, r *http.Request) *answer {
	a := &answer{ResponseWriter: w, takes: acceptsGzip(r.Header.Get("Accept-Encoding")), silent: r.Method == http.MethodHead}
	a.opa = r.URL.Path == "/v1/data" || strings.HasPrefix(r.URL.Path, "/v1/data/")
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		a.known = r.Header.Get("If-None-Match")
	}
	return a
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q := strings.ReplaceAll(quality, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.0")
		}
	}
	return false
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) begun() bool { return a.status != 0 }

// WriteHeader keeps the status until it is known whether the body is packed.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 || status < http.StatusOK {
		return
	}
	a.status = status
	if status == http.StatusOK && a.known != "" && matches(a.known, a.Header().Get("ETag")) {
		a.status = http.StatusNotModified
		a.Header().Del("Content-Type")
		a.Header().Del("Content-Length")
		a.decide(false)
		a.silent = true
	}
}

// matches compares entity tags weakly (RFC 9110, section 13.1.2).
func matches(known, tag string) bool {
	if tag == "" {
		return false
	}
	for one := range strings.SplitSeq(known, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.silent {
		return len(b), nil
	}
	if !a.decided {
		if !a.takes || !packable(a.Header()) {
			a.decide(false)
		} else if a.pending = append(a.pending, b...); len(a.pending) < packFrom {
			return len(b), nil
		} else {
			return len(b), a.unpend(true)
		}
	}
	if a.zip != nil {
		return a.zip.Write(b)
	}
	return a.ResponseWriter.Write(b)
}

func packable(h http.Header) bool {
	kind := h.Get("Content-Type")
	return h.Get("Content-Encoding") == "" && (strings.Contains(kind, "json") || strings.HasPrefix(kind, "text/") || strings.Contains(kind, "yaml"))
}

// decide writes the header.
func (a *answer) decide(pack bool) {
	if a.decided {
		return
	}
	a.decided = true
	h := a.Header()
	if packable(h) {
		h.Add("Vary", "Accept-Encoding")
	}
	if pack {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
			h.Set("ETag", "W/"+tag)
		}
	}
	a.ResponseWriter.WriteHeader(a.status)
	if pack {
		a.zip, _ = zips.Get().(*gzip.Writer)
		a.zip.Reset(a.ResponseWriter)
	}
}

// unpend writes what waited for a decision.
func (a *answer) unpend(pack bool) error {
	a.decide(pack)
	pending := a.pending
	a.pending = nil
	if len(pending) == 0 {
		return nil
	}
	_, err := a.Write(pending)
	return err
}

// FlushError sends what there is, for streams.
func (a *answer) FlushError() error {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if err := a.unpend(a.takes && packable(a.Header())); err != nil {
		return err
	}
	if a.zip != nil {
		if err := a.zip.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// end writes what is left. A handler that wrote nothing answered 200.
func (a *answer) end() {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	_ = a.unpend(false) // the client may be gone
	if a.zip != nil {
		_ = a.zip.Close() // likewise
		a.zip.Reset(nil)
		zips.Put(a.zip)
		a.zip = nil
	}
}
