package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Key signs checkpoints (Ed25519). Its name is the origin of the log. It is
// immutable and safe for concurrent use.
type Key struct {
	signer note.Signer
	public PublicKey
	secret string
}

// PublicKey verifies checkpoints. As a text it is one line, such as
// changevouch/8f6a…+1c2d3e4f+AbCd….
type PublicKey struct {
	verifier note.Verifier
	text     string
}

// NewKey makes a key. An empty name stands for a new origin, changevouch/ and 16
// hexadecimal digits; a key that takes the place of another has its name.
func NewKey(random io.Reader, name string) (*Key, error) {
	if name == "" {
		id := make([]byte, 8)
		if _, err := io.ReadFull(random, id); err != nil {
			return nil, fmt.Errorf("ledger: make key: %w", err)
		}
		name = "changevouch/" + hex.EncodeToString(id)
	}
	secret, public, err := note.GenerateKey(random, name)
	if err != nil {
		return nil, fmt.Errorf("ledger: make key: %w", err)
	}
	return newKey(secret, public)
}

func newKey(secret, public string) (*Key, error) {
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, errors.New("ledger: this is no signing key, or its name has spaces or a plus sign")
	}
	verifier, err := ParsePublicKey(public)
	if err != nil {
		return nil, err
	}
	if signer.KeyHash() != verifier.verifier.KeyHash() || signer.Name() != verifier.Name() {
		return nil, errors.New("ledger: the signing key and the public key are not of one pair")
	}
	return &Key{signer: signer, public: verifier, secret: secret}, nil
}

// Name is the origin of the logs that the key signs.
func (k *Key) Name() string { return k.signer.Name() }

// Public is the half that may be given away.
func (k *Key) Public() PublicKey { return k.public }

// ParsePublicKey reads the text of a public key.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.TrimSpace(text)
	verifier, err := note.NewVerifier(text)
	if err != nil {
		return PublicKey{}, fmt.Errorf("ledger: %.120q is no public key: it reads NAME+HASH+KEY", text)
	}
	return PublicKey{verifier: verifier, text: text}, nil
}

// ParsePublicKeys reads one public key a line; empty lines and lines that begin
// with # are for people.
func ParsePublicKeys(text []byte) ([]PublicKey, error) {
	var keys []PublicKey
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := ParsePublicKey(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("ledger: there is no public key")
	}
	return keys, nil
}

// Name is the origin of the logs that the key verifies.
func (p PublicKey) Name() string {
	if p.verifier == nil {
		return ""
	}
	return p.verifier.Name()
}

func (p PublicKey) String() string { return p.text }

// ReadKey reads the key file at path. A file that others than its owner may read
// is refused.
func ReadKey(path string) (*Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: signing key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("ledger: signing key %s can be read by others (mode %04o): run chmod 600 %s, and think about a new key", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: signing key: %w", err)
	}
	secret, public, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	key, err := newKey(string(bytes.TrimSpace(secret)), string(public))
	if err != nil {
		return nil, fmt.Errorf("%s is no file of a signing key, or a damaged one: %w", path, err)
	}
	return key, nil
}

// OpenKey reads the key file at path, or makes a new key there, readable by its
// owner alone. Several processes that begin at once get the same key.
func OpenKey(path string) (*Key, error) {
	key, err := ReadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, err = NewKey(rand.Reader, "")
	if err != nil {
		return nil, err
	}
	err = key.Save(path)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return ReadKey(path)
	}
	return key, err
}

// Save writes a key to a new file, mode 0600, durably; the error is fs.ErrExist
// when there is one. The folder is made where it is missing, mode 0700.
func (k *Key) Save(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("ledger: save signing key: %w", err)
	}
	f, err := os.CreateTemp(folder, ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("ledger: save signing key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(k.secret + "\n" + k.public.text + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Link(f.Name(), path) // never over another key
	}
	if err != nil {
		return fmt.Errorf("ledger: save signing key: %w", err)
	}
	return nil
}
