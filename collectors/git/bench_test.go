package git_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
)

// crowd answers as a repository with n issues, each made from one recorded
// delivery, without keeping any of them.
type crowd struct {
	n      int
	before string // of a recorded issue, up to its number
	after  string // from its number to its updated_at
}

func newCrowd(t testing.TB, n int) *crowd {
	raw, err := os.ReadFile("testdata/fixtures/webhooks/issues/opened.payload.json")
	if err != nil {
		t.Fatal(err)
	}
	var delivery struct{ Issue map[string]any }
	if err := json.Unmarshal(raw, &delivery); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"id", "number", "updated_at", "url", "pull_request"} {
		delete(delivery.Issue, key)
	}
	delivery.Issue["created_at"] = at(day(0))
	text, err := json.Marshal(delivery.Issue)
	if err != nil {
		t.Fatal(err)
	}
	return &crowd{n: n, before: `{"url":"https://api.github.com/repos/acme/shop/issues/1",`, after: strings.TrimPrefix(string(text), "{")}
}

func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Date": {day(30).Format(http.TimeFormat)}, "Content-Type": {"application/json"}}}
	body := "[]"
	switch p := strings.TrimPrefix(r.URL.Path, "/repos/acme/shop"); {
	case p == "":
		body = `{"full_name":"acme/shop","default_branch":"main"}`
	case p == "/issues":
		body = c.page(r.URL, resp.Header)
	case strings.HasPrefix(p, "/branches/"):
		body = `{"name":"main","commit":{"sha":"0123456789012345678901234567890123456789"}}`
	case p == "/environments":
		body = `{"total_count":0,"environments":[]}`
	}
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp, nil
}

// page holds the issues since an instant; each was updated a second after the
// one before.
func (c *crowd) page(u *url.URL, h http.Header) string {
	since, err := time.Parse(time.RFC3339, u.Query().Get("since"))
	if err != nil {
		return `{"message":"since"}`
	}
	first := max(int(since.Sub(day(1))/time.Second), 0)
	var b bytes.Buffer
	b.WriteByte('[')
	for i := first; i < min(first+100, c.n); i++ {
		if i > first {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `%s"id":%d,"number":%d,"updated_at":%q,%s`, c.before, i+1, i+1, at(day(1).Add(time.Duration(i)*time.Second)), c.after)
	}
	b.WriteByte(']')
	if first+100 < c.n {
		h.Set("Link", fmt.Sprintf(`<https://api.github.com%s?page=2>; rel="next"`, u.Path))
	}
	return b.String()
}

// run collects n records into a folder and returns how many events came out,
// and the most memory in use after any step.
func (c *crowd) run(t testing.TB, dir string) (events int, most uint64) {
	t.Helper()
	g, err := git.Connect(git.Options{Token: fakeToken, Service: collectors.Service{Transport: c}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := g.Repository("acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := collectors.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	steps := 0
	s, err := collectors.Run(t.Context(), one, march, folder, func(collectors.Batch) {
		if steps++; steps%max(c.n/1000, 1) != 0 {
			return // a dozen times is enough
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	})
	if err != nil || s.Broken > 0 {
		t.Fatalf("faults %v, error %v", s.Faults, err)
	}
	return s.Events, most
}

// Ten times the records take no more memory.
func TestLiveMemoryIsFlat(t *testing.T) {
	newCrowd(t, 100).run(t, t.TempDir()) // what is loaded once
	few, small := newCrowd(t, 150).run(t, t.TempDir())
	many, large := newCrowd(t, 1500).run(t, t.TempDir())
	if few < 150 || many < 1500 {
		t.Fatalf("%d and %d events", few, many)
	}
	const tolerance = 1 << 20
	if large > small+tolerance {
		t.Errorf("%d KiB for 1500 records, %d KiB for 150", large>>10, small>>10)
	}
}

// BenchmarkLive collects recorded payloads into a folder, over everything but
// the network. The hundred thousand take minutes: VOUCH_BENCH_ALL=1.
func BenchmarkLive(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		if n > 10_000 && os.Getenv("VOUCH_BENCH_ALL") == "" {
			continue
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			c := newCrowd(b, n)
			events, peak := 0, uint64(0)
			for b.Loop() {
				found, most := c.run(b, b.TempDir())
				events += found
				peak = max(peak, most)
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}
