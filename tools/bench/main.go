// Command bench lets vouch, opa and conftest judge the same dossier files by the
// same bundle and prints the time and memory that each takes. It fails when they
// disagree on a verdict: only equal work is compared.
//
// The programs take turns, so that a busy machine slows them alike. Run it with
// `make bench`.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

func main() {
	var b bench
	flag.StringVar(&b.programs, "programs", ".cache/bin", "folder of the programs opa and conftest")
	flag.StringVar(&b.vouch, "vouch", "bin/vouch", "the program vouch")
	flag.StringVar(&b.bundle, "bundle", "rego", "bundle to judge by")
	flag.StringVar(&b.shim, "shim", "tools/bench/conftest", "folder of the package main for conftest")
	flag.StringVar(&b.dossiers, "dossiers", "cmd/vouch/testdata/acme/dossiers", "folder of dossiers; they are copied as often as needed")
	flag.IntVar(&b.files, "files", 2000, "number of files to judge")
	flag.IntVar(&b.rounds, "rounds", 1, "how often each program runs; the fastest run counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type bench struct {
	programs, vouch, bundle, shim, dossiers string
	files, rounds                           int
}

// contender is one program with one folder to judge.
type contender struct {
	name     string
	files    int
	command  []string
	exits    []int // that mean that everything was judged
	verdicts func(output []byte) ([]verdict, error)

	output    string        // file with the standard output of the last run
	complaint bytes.Buffer  // its standard error
	wall, cpu time.Duration // of the fastest run
	peak      int64         // bytes resident at most, in any run
}

// run measures and prints the result to w, what it is about to progress.
func (b bench) run(ctx context.Context, w, progress io.Writer) error {
	temp, err := os.MkdirTemp("", "vouch-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	few, many := filepath.Join(temp, "few"), filepath.Join(temp, "many")
	if err := errors.Join(b.spread(few, b.files/10), b.spread(many, b.files)); err != nil {
		return err
	}
	eval := []string{b.vouch, "eval", "--bundle", b.bundle, "--output", "ndjson"}
	opa := []string{filepath.Join(b.programs, "opa"), "exec", "--bundle", b.bundle, "--decision", "decision/document"}
	conftest := []string{
		filepath.Join(b.programs, "conftest"), "test", "--policy", b.bundle, "--policy", b.shim, "--data", b.bundle,
		"--parser", "json", "--output", "json",
	}
	contenders := []*contender{
		{name: "vouch eval", files: b.files / 10, command: append(eval, few), exits: []int{0, 2, 3}, verdicts: ofVouch},
		{name: "vouch eval", files: b.files, command: append(eval, many), exits: []int{0, 2, 3}, verdicts: ofVouch},
		{name: "opa exec", files: b.files, command: append(opa, many), exits: []int{0}, verdicts: ofOPA},
		{name: "conftest test", files: b.files, command: append(conftest, many), exits: []int{0, 1}, verdicts: ofConftest},
	}
	for round := range b.rounds {
		for i, c := range contenders {
			fmt.Fprintf(progress, "round %d of %d: %s, %d files\n", round+1, b.rounds, c.name, c.files)
			c.output = filepath.Join(temp, fmt.Sprint("output", i))
			if err := c.measure(ctx); err != nil {
				return err
			}
		}
	}
	// Not before all is measured: a program that is started inherits the peak of
	// who starts it.
	if err := compare(contenders); err != nil {
		return err
	}
	show(w, contenders)
	return nil
}

// spread copies the dossiers in turn, to n files.
func (b bench) spread(folder string, n int) error {
	paths, err := filepath.Glob(filepath.Join(b.dossiers, "*.json"))
	if err != nil {
		return err
	}
	if len(paths) == 0 || n == 0 {
		return fmt.Errorf("%d files of the dossiers in %s: there must be some", n, b.dossiers)
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for i := range n {
		text, err := os.ReadFile(paths[i%len(paths)])
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%06d.json", i)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// measure runs the program once.
func (c *contender) measure(ctx context.Context) error {
	out, err := os.Create(c.output)
	if err != nil {
		return err
	}
	defer out.Close()
	c.complaint.Reset()
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Stdout, cmd.Stderr = out, &c.complaint
	start := time.Now()
	err = cmd.Run()
	wall := time.Since(start)
	if cmd.ProcessState == nil || !slices.Contains(c.exits, cmd.ProcessState.ExitCode()) {
		return fmt.Errorf("%s: %w\n%s", cmd, err, c.complaint.Bytes())
	}
	if c.wall == 0 || wall < c.wall {
		c.wall, c.cpu = wall, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell the memory that a program took")
	}
	c.peak = max(c.peak, usage.Maxrss<<10) // Linux counts KiB
	return nil
}

// show prints what each program took, and how often more than vouch that is.
func show(w io.Writer, contenders []*contender) {
	few, many := contenders[0], contenders[1]
	fmt.Fprintf(w, "%-14s %6s %9s %9s %9s %9s %22s\n", "", "files", "wall", "files/s", "cpu", "peak", "of vouch: wall cpu peak")
	for _, c := range contenders {
		fmt.Fprintf(w, "%-14s %6d %8.2fs %9.1f %8.2fs %6d MB", c.name, c.files,
			c.wall.Seconds(), float64(c.files)/c.wall.Seconds(), c.cpu.Seconds(), c.peak/1e6)
		if c.files == many.files {
			fmt.Fprintf(w, " %9.2f× %5.2f× %5.2f×", ratio(c.wall, many.wall), ratio(c.cpu, many.cpu), ratio(c.peak, many.peak))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "vouch eval: %d files take %.2f× the memory of %d.\n", many.files, ratio(many.peak, few.peak), few.files)
}

func ratio[N ~int64](a, b N) float64 { return float64(a) / float64(b) }
