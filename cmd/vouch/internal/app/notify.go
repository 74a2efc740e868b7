package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/jobs"
	"github.com/changevouch/changevouch/engine/notify"
)

// Kinds of notices.
const (
	noticeViolation = "violation"
	noticeDeadline  = "deadline"
)

// notices are the channels on which people are told.
type notices struct {
	channels map[string]channel
	names    []string
}

type channel struct {
	notify.Sender
	on     []string
	within time.Duration
	// again: the receiver knows a notice that it has already, so one may be sent again
	// of which nobody knows whether it arrived.
	again bool
}

// deadlineWithin is how long before a deadline its notice is sent.
const deadlineWithin = 24 * time.Hour

func openNotices(c Config, lookupEnv func(string) (string, bool), version string, clock func() time.Time) (*notices, error) {
	n := &notices{channels: map[string]channel{}}
	for _, one := range c.Notifications {
		sender, err := openSender(c, one, lookupEnv, version, clock)
		if err != nil {
			return nil, fmt.Errorf("notification %s: %w", one.Name, err)
		}
		ch := channel{Sender: sender, on: one.On, within: one.DeadlineWithin.Duration, again: one.Type != "slack"}
		if len(ch.on) == 0 {
			ch.on = []string{noticeViolation, noticeDeadline}
		}
		if ch.within <= 0 {
			ch.within = deadlineWithin
		}
		n.channels[one.Name] = ch
		n.names = append(n.names, one.Name)
	}
	return n, nil
}

func openSender(c Config, one NotificationConfig, lookupEnv func(string) (string, bool), version string, clock func() time.Time) (notify.Sender, error) {
	agent := "changevouch/" + version
	if one.Type == "github" {
		return openGitHubNotices(c.GitHub, one.Repository, lookupEnv)
	}
	address, err := one.Address()
	if err != nil {
		return nil, err
	}
	if one.Type == "slack" {
		return notify.NewSlack(address, agent)
	}
	secret := ""
	if one.SecretFile != "" {
		if secret, err = readSecret(one.SecretFile); err != nil {
			return nil, fmt.Errorf("secret file: %w", err)
		}
	}
	return notify.NewWebhook(address, secret, agent, clock)
}

// on lists the channels that want a kind of notice.
func (n *notices) on(kind string) []string {
	var out []string
	for _, name := range n.names {
		if slices.Contains(n.channels[name].on, kind) {
			out = append(out, name)
		}
	}
	return out
}

func (n *notices) deadlines() bool { return len(n.on(noticeDeadline)) > 0 }

// noticeName is the subject of a notify job, and the key by which it is sent once: a
// decision is one change of state.
func noticeName(kind, channel, decision string) string {
	return kind + " " + url.PathEscape(channel) + " " + decision
}

func parseNotice(text string) (kind, name, decision string, ok bool) {
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return "", "", "", false
	}
	name, err := url.PathUnescape(parts[1])
	return parts[0], name, parts[2], err == nil
}

// notify sends one notice, at most once.
func (s *Server) notify(ctx context.Context, job jobs.Job) error {
	kind, name, id, ok := parseNotice(job.Subject)
	ch, known := s.notices.channels[name]
	if !ok || !known {
		return jobs.Final(fmt.Errorf("there is no channel for %q any more", job.Subject))
	}
	n, about, err := s.notice(ctx, kind, id)
	if err != nil || len(n.Findings) == 0 {
		return err
	}
	key := kind + " " + url.PathEscape(name) + " " + about
	n.ID = "vouch-" + strings.TrimPrefix(engine.Digest([]byte(key)), "sha256:")[:32]
	first, err := s.store.ClaimNotice(ctx, key)
	if err != nil {
		return err
	}
	switch {
	case first:
	case job.Attempt == 1 || job.Error != jobs.Died:
		return nil // it was sent
	case !ch.again:
		return jobs.Final(fmt.Errorf("%s: %w; look there, it is not sent again", name, notify.ErrUncertain))
	}
	err = ch.Send(ctx, n)
	if err == nil {
		s.metrics.notices.WithLabelValues(kind).Inc()
		s.log.InfoContext(ctx, "notice sent", "channel", name, "kind", kind, "decision", id)
		return nil
	}
	if errors.Is(err, notify.ErrUncertain) && !ch.again {
		return jobs.Final(fmt.Errorf("%s: %w; look there, it is not sent again", name, err))
	}
	if err := s.store.ReleaseNotice(context.WithoutCancel(ctx), key); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// notice is what is to be told of a decision, and the key of the change of state.
func (s *Server) notice(ctx context.Context, kind, id string) (notify.Notice, string, error) {
	record, err := s.store.Decision(ctx, id)
	if errors.Is(err, engine.ErrRemoved) || errors.Is(err, engine.ErrNotFound) {
		return notify.Notice{}, "", jobs.Final(err)
	}
	if err != nil {
		return notify.Notice{}, "", err
	}
	d, err := record.Decode()
	if err != nil {
		return notify.Notice{}, "", err
	}
	n := notify.Notice{Kind: kind, At: s.clock().UTC(), Decision: d.ID, Subject: d.Subject, Outcome: d.Outcome}
	if base := strings.TrimSuffix(s.config.PublicURL, "/"); base != "" {
		n.Link = base + "/v1/decisions/" + url.PathEscape(d.ID)
	}
	if kind == noticeDeadline {
		n.Findings, n.DueAt = comingDue(d)
		n.Title = fmt.Sprintf("Due %s: %s %s", n.DueAt, strings.ReplaceAll(d.Subject.Type, "_", " "), d.Subject.ID)
		return n, d.Subject.Type + " " + d.Subject.ID + " " + n.DueAt, nil
	}
	var before engine.Decision
	if record.Supersedes != "" {
		if earlier, err := s.store.Decision(ctx, record.Supersedes); err == nil {
			if before, err = earlier.Decode(); err != nil {
				return notify.Notice{}, "", err
			}
		} else if !errors.Is(err, engine.ErrRemoved) && !errors.Is(err, engine.ErrNotFound) {
			return notify.Notice{}, "", err
		}
	}
	n.Findings = newFailures(before, d)
	n.Title = fmt.Sprintf("Violation: %s %s", strings.ReplaceAll(d.Subject.Type, "_", " "), d.Subject.ID)
	return n, d.Subject.Type + " " + d.Subject.ID + " " + d.ID, nil
}

// comingDue are the pending findings with the earliest deadline; where none names one,
// all that are pending when the decision changes by itself.
func comingDue(d engine.Decision) ([]engine.Finding, string) {
	var pending, out []engine.Finding
	due := ""
	for _, f := range d.Findings {
		if f.Status != engine.StatusPending {
			continue
		}
		pending = append(pending, f)
		switch {
		case f.DueAt == "":
		case due == "" || f.DueAt < due:
			due, out = f.DueAt, []engine.Finding{f}
		case f.DueAt == due:
			out = append(out, f)
		}
	}
	if due == "" {
		return pending, d.NextEvaluationAt
	}
	return out, due
}

// reminders names the notices of all deadlines that come due.
func (s *Server) reminders(ctx context.Context) ([]string, error) {
	var out []string
	for _, name := range s.notices.on(noticeDeadline) {
		before := s.clock().UTC().Add(s.notices.channels[name].within)
		var after *engine.DecisionSummary
		for {
			page, err := s.store.Deadlines(ctx, engine.SubjectFilter{DueBefore: before}, after, subjectsPage)
			if err != nil {
				return nil, err
			}
			for _, one := range page {
				out = append(out, noticeName(noticeDeadline, name, one.ID))
			}
			if len(page) < subjectsPage {
				break
			}
			after = &page[len(page)-1]
		}
	}
	return out, nil
}

// reminded are the notices of deadlines that this process asked for. It only saves
// work: who was told already is not told again, see notify.
type reminded struct {
	sync.Mutex
	names map[string]bool
}

func (r *reminded) missing(names []string) []string {
	r.Lock()
	defer r.Unlock()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return r.names[name] })
}

func (r *reminded) set(names []string) {
	r.Lock()
	defer r.Unlock()
	r.names = map[string]bool{}
	for _, name := range names {
		r.names[name] = true
	}
}

func (s *Server) hasReminders(ctx context.Context) (bool, error) {
	list, err := s.reminders(ctx)
	return len(s.reminded.missing(list)) > 0, err
}

// remind asks for the notices of deadlines that come due.
func (s *Server) remind(ctx context.Context) error {
	list, err := s.reminders(ctx)
	if err != nil {
		return err
	}
	for _, name := range s.reminded.missing(list) {
		if err := s.queue.Add(ctx, taskNotify, name); err != nil {
			return err
		}
	}
	s.reminded.set(list)
	return nil
}
