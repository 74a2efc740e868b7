package cli_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/cli"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// TestReplayDiffers records a decision that the policy never gave: a replay finds it,
// says where it differs, and ends with 2.
func TestReplayDiffers(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	if code, _, said := vouch(t, "decide", "--sample", "--store", address, "--bundle", "../../testdata/deadline"); code != 3 {
		t.Fatalf("decide ended with %d: %s", code, said)
	}
	forge(t, address)
	code, shown, said := vouch(t, "decisions", "replay", "--all", "--store", address)
	if code != 2 {
		t.Errorf("exit code %d, want 2: %s", code, said)
	}
	for _, want := range []string{
		`/outcome: recorded "compliant", again "unknown"`, "54 decisions: 53 came out byte for byte, 1 differ",
		`dec_forged on change acme/survey#411`, `/id: recorded "dec_forged", again "dec_`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not said:\n%s", want, shown)
		}
	}
	if code, shown, _ := vouch(t, "decisions", "replay", "dec_forged", "--store", address, "-o", "json"); code != 2 || !strings.Contains(shown, `"different": [`) {
		t.Errorf("exit code %d, want 2:\n%s", code, shown)
	}
}

// forge records a friendlier decision on a dossier of which nothing is known.
func forge(t *testing.T, address string) {
	t.Helper()
	key, err := ledger.ReadKey(strings.TrimPrefix(address, "sqlite:") + ".key")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), address, store.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	history, err := s.History(t.Context(), engine.Subject{Type: "change", ID: "acme/survey#411"})
	if err != nil {
		t.Fatal(err)
	}
	decision, err := history[0].Decode()
	if err != nil {
		t.Fatal(err)
	}
	dossier, err := s.Dossier(t.Context(), history[0].Dossier)
	if err != nil {
		t.Fatal(err)
	}
	judge, err := s.JudgeOf(t.Context(), history[0].Judge)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := s.Journal(t.Context(), judge)
	if err != nil {
		t.Fatal(err)
	}
	decision.ID, decision.Outcome = "dec_forged", engine.OutcomeCompliant
	if err := journal.Append(t.Context(), dossier, decision); err != nil {
		t.Fatal(err)
	}
}

func vouch(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	sys := cli.System{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &said, Version: "test",
		LookupEnv: func(string) (string, bool) { return "", false }, Now: time.Now,
	}
	code = cli.Run(t.Context(), sys, args)
	return code, out.String(), said.String()
}
