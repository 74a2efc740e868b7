package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

// given is an answer of a gate.
type given struct {
	outcome  string
	judged   []report.Judgement // with dossiers if it was decided here
	problems []string
}

// again says whether evidence that is on its way could change the answer.
func (g given) again() bool {
	return g.outcome == engine.OutcomeUnknown || len(g.problems) > 0
}

// ask asks until the answer is more than unknown, or the time to wait is over.
func (f gateFlags) ask(ctx context.Context, sys System, q engine.GateQuestion, once asker) (given, error) {
	pause := min(max(f.wait/20, 50*time.Millisecond), 10*time.Second)
	deadline := time.Now().Add(f.wait)
	for {
		answer, err := f.inTime(ctx, sys, q, once)
		retry := err == nil && answer.again() || errors.Is(err, app.ErrUnreachable)
		if !retry || ctx.Err() != nil || !time.Now().Add(pause).Before(deadline) {
			return answer, err
		}
		why := "the answer is " + answer.outcome
		if err != nil {
			why = err.Error()
		}
		sys.tell("%s: asking again in %s", why, pause)
		select {
		case <-ctx.Done():
			return given{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// inTime asks once. An answer that takes too long is none.
func (f gateFlags) inTime(ctx context.Context, sys System, q engine.GateQuestion, once asker) (given, error) {
	limited, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	key, err := app.RenderKey(f.renderTokenFile, sys.LookupEnv)
	if err != nil {
		return given{}, err
	}
	if q, err = app.FindDeploy(limited, q, key, f.renderAddress, func(s string) { sys.tell("%s", s) }); err != nil {
		// The deploy stays unnamed: what is judged says what is not known of it.
		sys.tell("the deploy could not be looked up: %v", err)
	}
	answer, err := once(limited, q)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return given{}, fmt.Errorf("%w within %s", app.ErrUnreachable, f.timeout)
	}
	return answer, err
}

type asker func(context.Context, engine.GateQuestion) (given, error)

// asker says who answers.
func (f gateFlags) asker(ctx context.Context, sys System) (asker, error) {
	if f.server == "" {
		return f.local(ctx, sys)
	}
	token, _ := sys.LookupEnv("VOUCH_TOKEN")
	if f.tokenFile != "" {
		secrets, err := app.ReadSecrets([]string{f.tokenFile})
		if err != nil {
			return nil, fmt.Errorf("token file: %w", err)
		}
		token = secrets[0]
	}
	client, err := app.NewGateClient(f.server, token)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, q engine.GateQuestion) (given, error) {
		answer, err := client.Ask(ctx, q)
		if err != nil {
			return given{}, err
		}
		out := given{outcome: answer.Outcome, problems: answer.Problems}
		for _, d := range answer.Decisions {
			out.judged = append(out.judged, report.Judgement{Decision: d})
		}
		return out, nil
	}, nil
}

// local decides here.
func (f gateFlags) local(ctx context.Context, sys System) (asker, error) {
	at, err := instant("at", f.at)
	if err != nil {
		return nil, err
	}
	dir, err := app.ReadDirectory(f.directory)
	if err != nil {
		return nil, err
	}
	var events []engine.Event
	if len(f.events) > 0 {
		err := readEvents(ctx, sys, f.events, "judged", func(ctx context.Context, docs *app.Documents, fault func(string)) (err error) {
			events, err = app.ReadEvents(ctx, docs, fault)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, q engine.GateQuestion) (given, error) {
		moment := at
		if moment.IsZero() {
			moment = sys.Now().UTC()
		}
		if len(f.events) > 0 {
			policy, err := app.OpenGatePolicy(ctx, f.policy, sys.Version)
			if err != nil {
				return given{}, err
			}
			return judgeGate(ctx, app.Gate{Events: events, Directory: dir, Policy: policy, At: moment}, q)
		}
		return f.fromJournal(ctx, sys, dir, moment, q)
	}, nil
}

// fromJournal decides on what a journal holds, and leaves an entry that it was asked.
func (f gateFlags) fromJournal(ctx context.Context, sys System, dir assembly.Directory, at time.Time, q engine.GateQuestion) (answer given, err error) {
	s, err := f.journal.Change(ctx)
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	policy, err := app.OpenStandingPolicy(ctx, s, f.policy, at, sys.Version)
	if err != nil {
		return answer, err
	}
	gate, err := app.JournalGate(ctx, app.NewRecord(s), policy, dir, at)
	if err != nil {
		return answer, err
	}
	if answer, err = judgeGate(ctx, gate, q); err != nil {
		return answer, err
	}
	return answer, f.enter(ctx, s, at, q, answer)
}

// enter makes the answer an entry of the log, as a server's is.
func (f gateFlags) enter(ctx context.Context, s *store.Store, at time.Time, q engine.GateQuestion, answer given) error {
	who, err := currentUser()
	if err != nil {
		who = "unknown user"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return s.AddAction(ctx, engine.Action{
		At: at, Principal: who + "@" + host, Role: engine.RoleAdmin, Method: "LOCAL", Route: "vouch gate",
		Target: q.About() + ": " + answer.outcome, Status: 200,
	})
}

func judgeGate(ctx context.Context, gate app.Gate, q engine.GateQuestion) (given, error) {
	judged, problems, err := gate.Judge(ctx, q)
	if err != nil {
		return given{}, err
	}
	out := given{problems: problems}
	var decisions []engine.Decision
	for _, j := range judged {
		out.judged = append(out.judged, report.Judgement{Decision: j.Decision, Dossier: j.Dossier})
		decisions = append(decisions, j.Decision)
	}
	out.outcome = app.GateOutcome(decisions, problems)
	return out, nil
}

// link is where a server tells more about a pull request.
func (f gateFlags) link(q engine.GateQuestion) string {
	if f.server == "" || q.PullRequest == "" {
		return ""
	}
	return strings.TrimSuffix(f.server, "/") + "/v1/subjects/" + url.PathEscape(q.PullRequest) + "?type=change"
}
