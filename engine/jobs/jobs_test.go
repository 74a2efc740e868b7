package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/changevouch/changevouch/engine/store/storetest"
)

var server *storetest.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if server, err = storetest.StartServer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer server.Stop()
		return m.Run()
	}())
}

// onBoth runs a test on an empty database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "journal.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		test(t, "sqlite:"+path)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, server.Fresh(t))
	})
}

// open starts a queue and ends it with the test.
func open(t *testing.T, address string, tasks ...Task) *Queue {
	t.Helper()
	for i := range tasks {
		tasks[i].Queue = "all"
	}
	q, err := Open(t.Context(), Config{Address: address, Tasks: tasks, Queues: map[string]int{"all": 4}, Watch: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func start(t *testing.T, q *Queue) {
	t.Helper()
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func add(t *testing.T, q *Queue, task, subject string) {
	t.Helper()
	if err := q.Add(t.Context(), task, subject); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition; it fails the test after two minutes.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 12000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("waited in vain: " + what)
}

// jobsIn lists the jobs in a state.
func jobsIn(t *testing.T, q *Queue, state string) []Job {
	t.Helper()
	list, err := q.List(t.Context(), []string{state}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAddIsQueuedOnceAndAgainBehindWhatRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		begun, release := make(chan string, 10), make(chan struct{})
		q := open(t, address, Task{Name: "judge", Do: func(_ context.Context, j Job) error {
			begun <- j.Subject
			<-release
			return nil
		}})
		for range 5 {
			add(t, q, "judge", "a") // before anybody works: one job
		}
		start(t, q)
		if got := <-begun; got != "a" {
			t.Fatalf("worked on %q", got)
		}
		for range 5 {
			add(t, q, "judge", "a") // while it runs: one more
		}
		close(release)
		<-begun
		until(t, "all done", func() bool { return len(jobsIn(t, q, StateDone)) == 2 })
		counts, err := q.Count(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if counts[StateDone] != 2 || counts[StateWaiting]+counts[StateRunning] != 0 {
			t.Errorf("jobs by state: %v", counts)
		}
	})
}

func TestFailuresAreTriedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var calls atomic.Int32
		q := open(t, address, Task{Name: "notify", Do: func(_ context.Context, j Job) error {
			if calls.Add(1); j.Attempt == 1 {
				return errors.New("the receiver is away")
			}
			return nil
		}})
		start(t, q)
		add(t, q, "notify", "x")
		until(t, "a failure in the list", func() bool {
			list := jobsIn(t, q, StateRetrying)
			return len(list) == 1 && list[0].Error == "the receiver is away" && list[0].Attempt == 1 && !list[0].Next.IsZero()
		})
		until(t, "success", func() bool { return len(jobsIn(t, q, StateDone)) == 1 })
		if n := calls.Load(); n != 2 {
			t.Errorf("done %d times, want 2", n)
		}
	})
}

func TestDeadJobsAreKeptAndRetried(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var healed atomic.Bool
		do := func(context.Context, Job) error {
			if healed.Load() {
				return nil
			}
			return errors.New("no")
		}
		q := open(t, address, Task{Name: "twice", Attempts: 1, Do: do},
			Task{Name: "hopeless", Do: func(ctx context.Context, j Job) error {
				if err := do(ctx, j); err != nil {
					return Final(err)
				}
				return nil
			}},
			Task{Name: "broken", Attempts: 1, Do: func(context.Context, Job) error {
				if !healed.Load() {
					panic("a fault of ours")
				}
				return nil
			}})
		start(t, q)
		for _, task := range []string{"twice", "hopeless", "broken"} {
			add(t, q, task, "")
		}
		until(t, "all dead", func() bool { return len(jobsIn(t, q, StateDead)) == 3 })
		healed.Store(true)
		for _, j := range jobsIn(t, q, StateDead) {
			if j.Error == "" || j.EndedAt.IsZero() {
				t.Errorf("dead job without a reason or an end: %+v", j)
			}
			if _, err := q.Retry(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "all done", func() bool { return len(jobsIn(t, q, StateDone)) == 3 })
		if _, err := q.Retry(t.Context(), 1<<40); !errors.Is(err, ErrNotFound) {
			t.Errorf("retry of no job: %v", err)
		}
	})
}

func TestDueIsAskedAndDone(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var due, done atomic.Int32
		due.Store(1)
		q := open(t, address, Task{
			Name: "rejudge", Settle: time.Millisecond,
			Due: func(context.Context) ([]string, error) { return make([]string, due.Load()), nil },
			Do:  func(context.Context, Job) error { done.Add(1); due.Store(0); return nil },
		}, Task{Name: "poll", Every: time.Hour, Subjects: []string{"a", "b"}, Do: func(context.Context, Job) error { done.Add(10); return nil }})
		start(t, q)
		until(t, "the due and the periodic work", func() bool { return done.Load() >= 21 })
	})
}

// TestWorkOfADeadProcessIsTakenOver leaves a job as a killed process does.
func TestWorkOfADeadProcessIsTakenOver(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		done := make(chan Job, 10)
		q := open(t, address, Task{Name: "judge", Do: func(_ context.Context, j Job) error { done <- j; return nil }})
		add(t, q, "judge", "a")
		dead := jobsIn(t, q, StateWaiting)[0]
		leave := func(ago time.Duration) {
			began := time.Now().Add(-ago)
			_, err := q.exec.JobUpdateFull(t.Context(), &riverdriver.JobUpdateFullParams{
				ID: dead.ID, StateDoUpdate: true, State: rivertype.JobStateRunning, AttemptDoUpdate: true, Attempt: 1,
				AttemptedAtDoUpdate: true, AttemptedAt: &began,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		leave(lifeless / 2)
		if err := q.rescue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(jobsIn(t, q, StateRunning)); n != 1 {
			t.Fatal("a job that may live was taken over")
		}
		leave(lifeless + time.Second)
		start(t, q)
		if j := <-done; j.ID != dead.ID || j.Attempt != 2 {
			t.Errorf("taken over: %+v", j)
		}
	})
}

// TestReplicasShareTheWork has two processes' worth of workers on one PostgreSQL; a file
// takes but one.
func TestReplicasShareTheWork(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var lock sync.Mutex
		seen := map[string]int{}
		tasks := func() []Task {
			return []Task{
				{Name: "report", Do: func(_ context.Context, j Job) error {
					lock.Lock()
					defer lock.Unlock()
					seen[j.Subject]++
					return nil
				}},
			}
		}
		one, two := open(t, address, tasks()...), open(t, address, tasks()...)
		for i := range 60 {
			add(t, one, "report", fmt.Sprint(i))
			add(t, two, "report", fmt.Sprint(i))
		}
		start(t, one)
		if one.only == nil {
			start(t, two)
		} else if err := two.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "another server works on ") {
			t.Errorf("two servers on one file: %v", err)
		}
		until(t, "all done", func() bool { return len(jobsIn(t, one, StateDone)) == 60 })
		lock.Lock()
		defer lock.Unlock()
		for subject, n := range seen {
			if n != 1 {
				t.Errorf("%s was done %d times", subject, n)
			}
		}
		if len(seen) != 60 {
			t.Errorf("%d of 60 were done", len(seen))
		}
	})
}

func TestAloneRunsOneAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		var now, most, done atomic.Int32
		task := func() Task {
			return Task{Name: "judge", Alone: true, Do: func(context.Context, Job) error {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(50 * time.Millisecond)
				now.Add(-1)
				done.Add(1)
				return nil
			}}
		}
		queues := []*Queue{open(t, address, task())}
		if queues[0].lock != nil {
			queues = append(queues, open(t, address, task()))
		}
		for _, subject := range []string{"a", "b", "c", "d"} {
			add(t, queues[0], "judge", subject)
		}
		for _, q := range queues {
			start(t, q)
		}
		until(t, "all done", func() bool { return done.Load() == 4 })
		if most.Load() != 1 {
			t.Errorf("%d ran at once", most.Load())
		}
	})
}

// TestNextServer begins on a file when the one before it has ended.
func TestNextServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		q := open(t, "sqlite:"+path, Task{Name: "judge", Do: func(context.Context, Job) error { return nil }})
		if err := q.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNudge wakes a task that would not be asked for an hour.
func TestNudge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	q, err := Open(t.Context(), Config{
		Address: "sqlite:" + path, Queues: map[string]int{"all": 1}, Watch: time.Hour,
		Tasks: []Task{{Name: "deliveries", Queue: "all", Do: func(context.Context, Job) error { return nil },
			Due: func(context.Context) ([]string, error) { asked.Add(1); return nil, nil }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	start(t, q)
	until(t, "the first question", func() bool { return asked.Load() == 1 })
	for range 1000 {
		q.Nudge("deliveries")
	}
	until(t, "another question", func() bool { return asked.Load() > 1 })
	if n := asked.Load(); n > 3 {
		t.Errorf("a thousand nudges were %d questions", n)
	}
	q.Nudge("nobody")
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"no journal", Config{Address: "sqlite:" + filepath.Join(t.TempDir(), "none.db")}, "background work: there is no journal yet"},
		{"no address", Config{Address: "postgres://u:secret@%"}, "background work: the address of the database cannot be read: it reads sqlite:PATH or postgres://USER@HOST/DATABASE"},
		{"a queue that runs nothing", Config{Tasks: []Task{{Name: "judge", Queue: "none"}}}, `background work: judge: the queue "none" runs nothing`},
	} {
		_, err := Open(t.Context(), tt.config)
		if err == nil || len(err.Error()) < len(tt.want) || err.Error()[:len(tt.want)] != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, "sqlite:"+path).Add(t.Context(), "judge", ""); err == nil {
		t.Error("a job of no task was taken")
	}
}
