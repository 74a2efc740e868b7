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
	byKey map[string]*answer
	used  *list.List // of *answer, the last used in front
}

type answer struct {
	key    string
	place  *list.Element
	etag   string
	header http.Header
	body   []byte
}

func newAnswers(room int) *answers {
	return &answers{room: room, byKey: map[string]*answer{}, used: list.New()}
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
	found, ok := a.byKey[keyOf(r)]
	if !ok || r.Header.Get("If-None-Match") != "" {
		return answer{}, false
	}
	a.used.MoveToFront(found.place)
	r.Header.Set("If-None-Match", found.etag)
	return *found, true
}

// keep remembers the answer to a request, if it can be revalidated.
func (a *answers) keep(r *http.Request, resp *http.Response, body []byte) {
	key, etag := keyOf(r), resp.Header.Get("ETag")
	if key == "" || etag == "" || resp.StatusCode != http.StatusOK || len(body) > largestKept {
		return
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	if old := a.byKey[key]; old != nil {
		a.drop(old)
	}
	one := &answer{key: key, etag: etag, header: resp.Header.Clone(), body: body}
	one.place = a.used.PushFront(one)
	a.byKey[key] = one
	for a.room -= len(body); a.room < 0; {
		oldest, ok := a.used.Back().Value.(*answer)
		if !ok {
			return
		}
		a.drop(oldest)
	}
}

func (a *answers) drop(one *answer) {
	a.used.Remove(one.place)
	delete(a.byKey, one.key)
	a.room += len(one.body)
}
