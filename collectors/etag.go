package collectors

import (
	"container/list"
	"net/http"
	"sync"
)

// Bounds of the answers that are kept for revalidation: in memory only, since
// raw answers may hold what must not lie about on disks.
const (
	knownBytes  = 16 << 20
	largestKept = 1 << 20
)

// answers keeps answers with an ETag, the last ones used. They belong to one
// client, and so to one set of credentials, which are no part of a key. Safe for
// concurrent use.
type answers struct {
	lock  sync.Mutex
	room  int
	byKey map[string]*list.Element // of *answer
	used  *list.List               // the last used in front
}

type answer struct {
	key    string
	etag   string
	header http.Header
	body   []byte
}

func newAnswers(room int) *answers {
	return &answers{room: room, byKey: map[string]*list.Element{}, used: list.New()}
}

func keyOf(r *http.Request) string {
	if r.Method != http.MethodGet {
		return ""
	}
	return r.URL.String() + " " + r.Header.Get("Accept")
}

// ask makes a request conditional if its answer is known.
func (a *answers) ask(r *http.Request) (answer, bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	e, ok := a.byKey[keyOf(r)]
	if !ok || r.Header.Get("If-None-Match") != "" {
		return answer{}, false
	}
	a.used.MoveToFront(e)
	found := *e.Value.(*answer)
	r.Header.Set("If-None-Match", found.etag)
	return found, true
}

// keep remembers the answer to a request, if it can be revalidated.
func (a *answers) keep(r *http.Request, resp *http.Response, body []byte) {
	key, etag := keyOf(r), resp.Header.Get("ETag")
	if key == "" || etag == "" || resp.StatusCode != http.StatusOK || len(body) > largestKept {
		return
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	a.drop(a.byKey[key])
	a.byKey[key] = a.used.PushFront(&answer{key: key, etag: etag, header: resp.Header.Clone(), body: body})
	for a.room -= len(body); a.room < 0; {
		a.drop(a.used.Back())
	}
}

func (a *answers) drop(e *list.Element) {
	if e == nil {
		return
	}
	found := a.used.Remove(e).(*answer)
	delete(a.byKey, found.key)
	a.room += len(found.body)
}
