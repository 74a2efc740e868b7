package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/schemas"
)

// ReadDirectory reads an organisation's directory, YAML or JSON. The error names
// every fault.
func ReadDirectory(path string) (assembly.Directory, error) {
	text, err := readFile(path)
	if err != nil {
		return assembly.Directory{}, fmt.Errorf("directory: %w", err)
	}
	dir, err := assembly.ParseDirectory(text)
	if err != nil {
		return assembly.Directory{}, fmt.Errorf("%s: %w", path, err)
	}
	return dir, nil
}

// ErrFaults says that documents were wrong; each fault was handed over already.
var ErrFaults = errors.New("the input is wrong")

// ReadEvents reads and checks events. Every fault of every event is handed over;
// with any there are no events, but ErrFaults.
func ReadEvents(ctx context.Context, docs *Documents, fault func(string)) ([]engine.Event, error) {
	var events []engine.Event
	if err := eachEvent(ctx, docs, fault, func(e engine.Event) { events = append(events, e) }); err != nil {
		return nil, err
	}
	return events, nil
}

// eachEvent is ReadEvents for those who need one event at a time.
func eachEvent(ctx context.Context, docs *Documents, fault func(string), take func(engine.Event)) error {
	faults := 0
	for doc := range docs.All(ctx) {
		found := docs.faults(doc)
		for _, f := range found {
			fault(f)
		}
		if faults += len(found); len(found) > 0 {
			continue
		}
		var event engine.Event
		if err := json.Unmarshal(doc.Text, &event); err != nil {
			fault(doc.place(schemas.Fault{Message: err.Error()}))
			faults++
			continue
		}
		take(event)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if faults > 0 {
		return ErrFaults
	}
	return nil
}

// Assemble builds the dossiers of all subjects at an instant. It takes from the
// policy's settings what concerns the reading of evidence, and asks it how the
// change behind a rollback's build was reviewed. What access records say only
// together is joined first. Each period (a month, a year or FROM/TO) gets a dossier
// that says how completely it was observed.
func Assemble(ctx context.Context, events []engine.Event, dir assembly.Directory, p *policy.Policy, at time.Time, periods ...string) ([]engine.Dossier, []assembly.Problem, error) {
	return assemble(ctx, events, dir, p.Settings(), p, at, periods)
}

func assemble(ctx context.Context, events []engine.Event, dir assembly.Directory, settings []byte, p engine.Policy, at time.Time, periods []string) ([]engine.Dossier, []assembly.Problem, error) {
	opts, err := assemblyOptions(settings, periods)
	if err != nil {
		return nil, nil, err
	}
	opts.At = at
	return assembleWith(ctx, events, dir, opts, p)
}

func assembleWith(ctx context.Context, events []engine.Event, dir assembly.Directory, opts assembly.Options, p engine.Policy) ([]engine.Dossier, []assembly.Problem, error) {
	var unjudged []assembly.Problem
	opts.Review = func(d engine.Dossier) string {
		decision, err := evaluate(ctx, p, d)
		if err != nil {
			unjudged = append(unjudged, assembly.Problem{Subject: d.Subject.ID, Message: fmt.Sprintf("how it was reviewed is not known: %v", err)})
		}
		return assembly.ReviewOutcome(decision)
	}
	dossiers, problems := assembly.Assemble(iam.Link(events), dir, opts)
	problems = append(problems, unjudged...)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if len(dossiers) == 0 {
		return nil, problems, nothing(errors.New("the events speak of nothing that a policy could judge: no dossier was assembled"))
	}
	return dossiers, problems, nil
}

func evaluate(ctx context.Context, p engine.Policy, d engine.Dossier) (engine.Decision, error) {
	text, err := encodeDossier(d, "")
	if err != nil {
		return engine.Decision{}, err
	}
	return p.Evaluate(ctx, text)
}

// WriteDossiers writes one dossier a line.
func WriteDossiers(w io.Writer, dossiers []engine.Dossier) error {
	for _, d := range dossiers {
		text, err := encodeDossier(d, "")
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return fmt.Errorf("write dossiers: %w", err)
		}
	}
	return nil
}

// SaveDossiers writes every dossier to a file of its own, named after its
// subject. The folder is created; one that already holds something is refused,
// since old dossiers would be judged as if they were new.
func SaveDossiers(ctx context.Context, folder string, dossiers []engine.Dossier) error {
	if err := emptyFolder(folder); err != nil {
		return err
	}
	taken := map[string]int{}
	for _, d := range dossiers {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := fileName(d.Subject)
		// Some file systems do not tell upper from lower case.
		key := strings.ToLower(name)
		taken[key]++
		if n := taken[key]; n > 1 {
			name = fmt.Sprintf("%s+%d", name, n)
		}
		if err := saveDossier(filepath.Join(folder, name+".json"), d); err != nil {
			return err
		}
	}
	return nil
}

func emptyFolder(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("create folder: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("read folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("folder %s is not empty: name a new one", folder)
	}
	return nil
}

// fileName turns a subject into a name that every file system takes.
func fileName(s engine.Subject) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-', r == '@':
			return r
		default:
			return '-'
		}
	}, s.ID)
	return s.Type + "-" + id[:min(len(id), 120)]
}

func saveDossier(path string, d engine.Dossier) error {
	text, err := encodeDossier(d, "  ")
	if err != nil {
		return err
	}
	f, err := CreateFile(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Commit()
}

// encodeDossier is the JSON form with a line break at its end.
func encodeDossier(d engine.Dossier, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("dossier of %s %s: %w", d.Subject.Type, d.Subject.ID, err)
	}
	return b.Bytes(), nil
}
