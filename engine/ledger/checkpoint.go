package ledger

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrUntrusted marks a checkpoint that none of the given keys signed.
var ErrUntrusted = errors.New("not signed by a trusted key")

// Checkpoint is the head of a log at one moment.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// Sign returns the signed note. The keys must have the name of the origin.
func (c Checkpoint) Sign(keys ...*Key) ([]byte, error) {
	signers := make([]note.Signer, len(keys))
	for i, key := range keys {
		if key.Name() != c.Origin {
			return nil, fmt.Errorf("ledger: the key is of log %s, the checkpoint of log %s", key.Name(), c.Origin)
		}
		signers[i] = key.signer
	}
	if len(signers) == 0 {
		return nil, errors.New("ledger: a checkpoint needs a key")
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("ledger: sign checkpoint: %w", err)
	}
	return signed, nil
}

// OpenCheckpoint reads a signed note. At least one of the keys must have signed
// it and be of its log; other signatures, of witnesses and of keys before and
// after, do no harm. The error is ErrUntrusted when no signature counts.
func OpenCheckpoint(signed []byte, keys ...PublicKey) (Checkpoint, error) {
	verifiers := make([]note.Verifier, 0, len(keys))
	known := map[string]bool{}
	for _, key := range keys {
		if key.verifier != nil && !known[key.text] {
			known[key.text] = true
			verifiers = append(verifiers, key.verifier)
		}
	}
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unverified):
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint is %w", ErrUntrusted)
	case err != nil:
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint is no signed note, or was changed: %w", err)
	}
	c, err := parseCheckpoint(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, signature := range opened.Sigs {
		if signature.Name == c.Origin {
			return c, nil
		}
	}
	return Checkpoint{}, fmt.Errorf("ledger: the checkpoint of log %s is %w of that log", c.Origin, ErrUntrusted)
}

// parseCheckpoint reads the text of a note. Lines after the third are for
// extensions.
func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, errors.New("ledger: a checkpoint has three lines: origin, size, root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("ledger: %.40q is no size of a log", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || root.String() != lines[2] {
		return Checkpoint{}, fmt.Errorf("ledger: %.60q is no root of a log", lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}
