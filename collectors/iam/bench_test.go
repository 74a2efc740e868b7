package iam_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/collectorstest"
	"github.com/changevouch/changevouch/collectors/iam"
)

// crowd answers the log of a fake service with n records, evenly over the window,
// each made from one recorded record when it is asked for.
type crowd struct {
	http.Handler
	n      int
	record string // with %[1]s for the id and %[2]s for the instant
	at     string // layout of the instant
}

func newCrowd(t testing.TB, h http.Handler, n int, file, id, at, layout string) *crowd {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(payloads, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if object, ok := all.(row); ok {
		all = object["Records"]
	}
	record := all.([]any)[0].(row)
	record[id], record[at] = "%[1]s", "%[2]s"
	if text, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("%"), []byte("%%"))
	for _, verb := range []string{"%[1]s", "%[2]s"} {
		text = bytes.ReplaceAll(text, []byte("%"+verb), []byte(verb))
	}
	return &crowd{Handler: h, n: n, record: string(text), at: layout}
}

// instant of record i.
func (c *crowd) instant(i int) time.Time {
	return window.Since.Add(window.Until.Sub(window.Since) / time.Duration(c.n) * time.Duration(i))
}

// page are up to so many records of a stretch from an offset on, and whether more
// follow.
func (c *crowd) page(since, until time.Time, offset, most int) (records []string, more bool) {
	for i := c.index(since) + offset; i < c.index(until); i++ {
		if len(records) == most {
			return records, true
		}
		records = append(records, fmt.Sprintf(c.record, strconv.Itoa(i), c.instant(i).Format(c.at)))
	}
	return records, false
}

// index of the first record that is no earlier.
func (c *crowd) index(t time.Time) int {
	step := window.Until.Sub(window.Since) / time.Duration(c.n)
	return min(max(int((t.Sub(window.Since)+step-1)/step), 0), c.n)
}

// oktaLog is an organisation with a long log.
type oktaLog struct{ *crowd }

func (c oktaLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/api/v1/logs" {
		c.Handler.ServeHTTP(w, r)
		return
	}
	query := r.URL.Query()
	offset, _ := strconv.Atoi(query.Get("after"))
	since, _ := time.Parse(time.RFC3339, query.Get("since"))
	until, _ := time.Parse(time.RFC3339, query.Get("until"))
	records, more := c.page(since, until, offset, 1000)
	w.Header().Set("Date", window.Until.Add(time.Hour).Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	if more {
		query.Set("after", strconv.Itoa(offset+len(records)))
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.Path, query.Encode()))
	}
	_, _ = io.WriteString(w, "["+strings.Join(records, ",")+"]")
}

// awsTrail is an account with many records in one region.
type awsTrail struct{ *crowd }

func (c awsTrail) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") == "" {
		c.Handler.ServeHTTP(w, r)
		return
	}
	var in struct {
		StartTime, EndTime float64
		NextToken          string
		LookupAttributes   []struct{ AttributeValue string }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Date", window.Until.Add(time.Hour).Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	out := struct {
		Events    []row
		NextToken string `json:",omitempty"`
	}{Events: []row{}}
	_, region := scope(r)
	if region == "us-east-1" && (len(in.LookupAttributes) == 0 || strings.Contains(c.record, `"eventName":"`+in.LookupAttributes[0].AttributeValue+`"`)) {
		offset, _ := strconv.Atoi(in.NextToken)
		records, more := c.page(time.Unix(int64(in.StartTime), 0), time.Unix(int64(in.EndTime), 0), offset, 50)
		for _, rec := range records {
			out.Events = append(out.Events, row{"EventId": "x", "CloudTrailEvent": rec})
		}
		if more {
			out.NextToken = strconv.Itoa(offset + len(records))
		}
	}
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

// sizes of the benchmarks. The hundred thousand take minutes: VOUCH_BENCH_ALL=1.
func sizes() []int {
	all := []int{1_000, 10_000, 100_000}
	if os.Getenv("VOUCH_BENCH_ALL") == "" {
		return all[:2]
	}
	return all
}

// BenchmarkLive collects records, made from recorded ones, over HTTP into a folder:
// the most memory in use must not grow with their number.
func BenchmarkLive(b *testing.B) {
	for _, n := range sizes() {
		for name, open := range map[string]func() collectors.Collector{
			"okta": func() collectors.Collector {
				o := newOrganisation()
				c, err := iam.NewOkta(oktaToken, collectorstest.Serve(b, oktaLog{newCrowd(b, o, n, "okta/system-log/page-1.json", "uuid", "published", "2006-01-02T15:04:05.000Z")}, ""))
				if err != nil {
					b.Fatal(err)
				}
				return c
			},
			"aws": func() collectors.Collector {
				a := newAccount()
				return connect(b, awsTrail{newCrowd(b, a, n, "aws-cloudtrail/events/stratus-persistence.iam-create-admin-user.json", "eventID", "eventTime", time.RFC3339)})
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				events, peak := 0, uint64(0)
				for b.Loop() {
					found, most := collectorstest.Measure(b, open(), window)
					if found < n {
						b.Fatalf("%d events of %d records", found, n)
					}
					events += found
					peak = max(peak, most)
				}
				b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
				b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
			})
		}
	}
}

// BenchmarkRecordings reads recorded files of CloudTrail: what is too much for
// memory is sorted on the disk.
func BenchmarkRecordings(b *testing.B) {
	for _, n := range sizes() {
		dir := b.TempDir()
		c := newCrowd(b, nil, n, "aws-cloudtrail/events/stratus-persistence.iam-create-admin-user.json", "eventID", "eventTime", time.RFC3339)
		const each = 500
		for i := 0; i < n; i += each {
			records, _ := c.page(window.Since, window.Until, i, each)
			text := `{"Records":[` + strings.Join(records, ",") + `]}`
			if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)+".json"), []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			events, peak, files := 0, uint64(0), 0
			for b.Loop() {
				r, err := collectors.ReadInto(b.Context(), io.Discard, []string{dir}, func(p collectors.Payload) collectors.Mapping {
					if files++; files%max(n/each/12, 1) == 0 {
						runtime.GC()
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapAlloc)
					}
					return iam.Map(p)
				})
				if err != nil || len(r.Faults) > 0 || r.Found < n {
					b.Fatalf("%d events, faults %v, %v", r.Found, r.Faults, err)
				}
				events += r.Found
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}
