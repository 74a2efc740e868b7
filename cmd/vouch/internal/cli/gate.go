package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
)

// gateFlags are those of vouch gate.
type gateFlags struct {
	pullRequest                    string
	render                         bool
	previews                       bool
	renderTokenFile, renderAddress string
	server                         string
	tokenFile                      string
	journal                        app.JournalConfig
	events                         []string
	directory                      string
	policy                         app.PolicyConfig
	mode                           string
	onError                        string
	wait                           time.Duration
	timeout                        time.Duration
	record                         string
	allowUnknown                   bool
	at                             string
	outputs                        []string
	explain                        bool
	noColour                       bool
}

func newGateCommand(sys System) *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:   "gate",
		Short: "Stop a merge or a deployment that would break the policy",
		Long: `Ask whether a pull request may be merged, or a deployment go live, now, and end with
an exit code that stops it if it may not. What is judged is what would be on record if
it had gone ahead: an approval that is missing fails, what is owed only afterwards is
pending and stops nothing, and what nobody knows stops it like a failure.

It asks a server (--server), which decides on what its sources said, by its own policy and
directory; or it decides here, on the events of --events or of a journal (--store), in
which vouch decide recorded them.

In GitHub Actions it finds the pull request by itself, annotates the run and writes the
job summary. As pre-deploy command of Render it is vouch gate --render.

Exit codes: 0 may go ahead · 2 non-compliant · 3 unknown · 1 no answer. With --mode
observe or warn the code is 0 for each of them; wrong flags are 1 in every mode. A
server that cannot be reached, or is too slow, counts as --on-error says. Every answer,
and every time there was none, is a line of the file of --record.`,
		Example: `  vouch gate --pull-request acme/shop#412 --server https://vouch.example.com
  vouch gate --render --server https://vouch.example.com && npm run migrate
  vouch gate --pull-request acme/shop#412 --store sqlite:journal.db --directory directory.yaml
  vouch gate --mode warn -o github -o sarif=changevouch.sarif`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if actions, _ := sys.LookupEnv("GITHUB_ACTIONS"); actions == "true" && !cmd.Flags().Changed("output") {
				f.outputs = []string{"github"}
			}
			return runGate(cmd.Context(), sys, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.pullRequest, "pull-request", "", "pull request, OWNER/NAME#NUMBER or a number in GITHUB_REPOSITORY (default: the one that the GitHub Actions workflow runs for)")
	flags.BoolVar(&f.render, "render", false, "the deployment whose pre-deploy command this is, by the variables that Render sets")
	flags.BoolVar(&f.previews, "previews", false, "with --render: gate previews of pull requests too, which are let through otherwise")
	flags.StringVar(&f.renderTokenFile, "render-token-file", "", "file with the API key by which the deploy is looked up here (default: the variables VOUCH_RENDER_API_KEY, RENDER_API_KEY; else the server looks it up)")
	flags.StringVar(&f.renderAddress, "render-base-url", "", "address of Render's API")
	flags.StringVar(&f.server, "server", "", "server to ask, such as https://vouch.example.com")
	flags.StringVar(&f.tokenFile, "token-file", "", "file with the token for the server, of role viewer (default: the variable VOUCH_TOKEN)")
	addJournalFlags(cmd, &f.journal)
	flags.StringSliceVar(&f.events, "events", nil, "decide here on these events, without a journal: file or folder; repeatable")
	flags.StringVar(&f.directory, "directory", "", "to decide here: people, services and waivers, YAML or JSON")
	addBundleFlags(cmd, &f.policy)
	flags.StringVar(&f.mode, "mode", report.ModeEnforce, "what an answer does: observe, warn or enforce")
	flags.StringVar(&f.onError, "on-error", "deny", "what counts when the server gives no answer: deny or allow")
	flags.DurationVar(&f.wait, "wait", 0, "ask again for so long while the answer is unknown, since evidence may be on its way")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "longest time for one answer")
	flags.StringVar(&f.record, "record", "", "file to which a line is added for every answer (default: gates.ndjson in your state directory)")
	flags.BoolVar(&f.allowUnknown, "allow-unknown", false, "let through what nobody knows")
	flags.StringVar(&f.at, "at", "", "to decide here: instant (RFC 3339) as of which to judge (default: now)")
	addOutputFlag(cmd, &f.outputs)
	flags.BoolVar(&f.explain, "explain", false, "show every control with its reasons and evidence")
	flags.BoolVar(&f.noColour, "no-color", false, "no colours, even on a terminal")
	for name, values := range map[string][]string{"mode": report.Modes(), "on-error": {"deny", "allow"}} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flags were declared above
		}
	}
	return cmd
}

// check finds flags that contradict one another.
func (f gateFlags) check() error {
	switch {
	case !slices.Contains(report.Modes(), f.mode):
		return fmt.Errorf("--mode %q: it is one of %s", f.mode, strings.Join(report.Modes(), ", "))
	case f.onError != "deny" && f.onError != "allow":
		return fmt.Errorf("--on-error %q: it is deny or allow", f.onError)
	case f.render && f.pullRequest != "":
		return errors.New("--render and --pull-request: ask about one of them")
	case f.server != "" && len(f.events) > 0:
		return errors.New("--server decides on its own events: leave --events out")
	case f.server == "" && f.directory == "":
		return errors.New("nobody to ask: name a server with --server or, to decide here, --directory FILE")
	case f.timeout <= 0 || f.wait < 0:
		return errors.New("--timeout and --wait are positive lengths of time, such as 90s")
	}
	return nil
}

// runGate asks, shows and records the answer, and turns it into an exit code.
func runGate(ctx context.Context, sys System, f gateFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	record, err := f.openRecord(sys)
	if err != nil {
		return err
	}
	q, err := f.question(sys)
	if errors.Is(err, app.ErrPreview) {
		sys.tell("%v: let through", err)
		return record.add(gateLine{At: sys.Now().UTC(), About: "preview", Mode: f.mode, Outcome: engine.OutcomeOutOfScope, Opens: true})
	}
	if err != nil {
		return err
	}
	once, err := f.asker(ctx, sys)
	if err != nil {
		return err
	}
	out, err := openOutputsWith(sys, f.outputs, f.noColour, report.Options{Explain: f.explain, Mode: f.mode})
	if err != nil {
		return err
	}
	defer out.discard()
	given, err := f.ask(ctx, sys, q, once)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	line := gateLine{At: sys.Now().UTC(), About: q.About(), Mode: f.mode, Server: f.server}
	shown := report.GateReport{Mode: f.mode, About: q.About(), Ahead: true, Link: f.link(q)}
	var code exit
	if err != nil {
		code = f.withoutAnswer(err, &line)
		shown.Outcome, shown.Problems = engine.OutcomeUnknown, []string{err.Error()}
	} else {
		shown.Outcome, shown.Decisions, shown.Problems = given.outcome, given.judged, given.problems
		code = f.code(shown)
		line.Outcome, line.Problems = given.outcome, given.problems
		for _, j := range given.judged {
			line.Decisions = append(line.Decisions, j.Decision.ID)
		}
	}
	line.Opens, line.Exit = code == exitOK, int(code)
	if err := record.add(line); err != nil {
		return err
	}
	if err := f.show(sys, out, shown, line); err != nil {
		return err
	}
	if code != exitOK {
		return code
	}
	return nil
}

func (f gateFlags) question(sys System) (engine.GateQuestion, error) {
	if !f.render {
		return app.PullRequestQuestion(f.pullRequest, sys.LookupEnv)
	}
	lookup := sys.LookupEnv
	if f.previews {
		lookup = func(name string) (string, bool) {
			if name == "IS_PULL_REQUEST" {
				return "", false
			}
			return sys.LookupEnv(name)
		}
	}
	return app.RenderQuestion(lookup)
}

// code turns an answer into an exit code.
func (f gateFlags) code(r report.GateReport) exit {
	switch {
	case r.Opens():
		return exitOK
	case r.Outcome == engine.OutcomeNonCompliant:
		return exitNonCompliant
	case f.allowUnknown && r.Outcome == engine.OutcomeUnknown:
		return exitOK
	}
	return exitOpen
}

// withoutAnswer decides what counts where there is no answer.
func (f gateFlags) withoutAnswer(err error, line *gateLine) exit {
	line.Error = err.Error()
	if errors.Is(err, app.ErrUnreachable) {
		line.OnError = f.onError
	}
	if line.OnError == "allow" || f.mode != report.ModeEnforce {
		return exitOK
	}
	return exitError
}

// show writes what was found to every output, to the job summary and to standard error.
func (f gateFlags) show(sys System, out *outputs, shown report.GateReport, line gateLine) error {
	for _, j := range shown.Decisions {
		if err := out.add(j); err != nil {
			return err
		}
	}
	out.summary.Undecided = len(shown.Problems)
	if err := out.end(); err != nil {
		return err
	}
	for _, file := range out.files { // what could not be judged stands in them
		if out.summary.Undecided == 0 {
			break
		}
		if err := file.Commit(); err != nil {
			return err
		}
	}
	for _, problem := range shown.Problems {
		sys.tell("vouch: %s", problem)
	}
	verdict := "stopped"
	switch {
	case line.Opens && line.Error != "":
		verdict = "let through without an answer"
	case line.Opens:
		verdict = "let through"
	}
	sys.tell("%s: %s (%s)", shown.About, verdict, shown.Title())
	return f.tellActions(sys, shown, line, verdict)
}

// tellActions writes the job summary and the outputs of the step, where a workflow of
// GitHub Actions asks for them.
func (f gateFlags) tellActions(sys System, shown report.GateReport, line gateLine, verdict string) error {
	note := ""
	if line.Error != "" {
		counts := "denied, whatever --on-error says: it did answer"
		if line.OnError != "" {
			counts = "--on-error " + line.OnError
		}
		if f.mode != report.ModeEnforce {
			counts = "--mode " + f.mode
		}
		note = fmt.Sprintf("There was no answer at %s. What counts: %s.", line.At.Format(time.RFC3339), counts)
	}
	result := fmt.Sprintf("outcome=%s\nopens=%t\n", line.outcome(), line.Opens)
	return errors.Join(
		appendTo(sys, "GITHUB_STEP_SUMMARY", shown.JobSummary(verdict, note, maxJobSummary)),
		appendTo(sys, "GITHUB_OUTPUT", result),
	)
}

// maxJobSummary is below the mebibyte that GitHub takes of one step.
const maxJobSummary = 900 << 10

// appendTo adds text to the file that a variable names, if it does.
func appendTo(sys System, variable, text string) error {
	path, _ := sys.LookupEnv(variable)
	if path == "" {
		return nil
	}
	if err := app.AppendFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}); err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return nil
}
