package server

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/disk"
)

// Key is an API key without its secret.
type Key struct {
	Name    string    `json:"name"`
	Hash    [32]byte  `json:"-"`
	Created time.Time `json:"created"`
	KeyLimits
}

// KeyLimits bound what one key may ask for; 0 is no limit.
type KeyLimits struct {
	RequestsPerMinute int   `json:"requests_per_minute,omitempty"`
	Concurrent        int   `json:"concurrent,omitempty"` // requests at once
	TokensPerDay      int64 `json:"tokens_per_day,omitempty"`
}

// owner is what files and contexts of the key belong to. It comes from the hash, so that
// a new key with an old name does not inherit what was the old one's.
func (k *Key) owner() string { return hex.EncodeToString(k.Hash[:12]) }

// keyPrefix lets people and scanners of repositories recognise a key.
const keyPrefix = "hs-"

// Keys are the API keys in a file. The file keeps SHA-256 of each: keys are 256 random
// bits, so that there is no dictionary to try against it and a slow hash, as passwords
// need, would only make requests slow.
type Keys struct {
	path string

	mu   sync.Mutex
	list []Key
	file os.FileInfo // that list was read from; nil if there was none
}

// OpenKeys reads the keys at path; there need not be a file yet.
func OpenKeys(path string) (*Keys, error) {
	k := &Keys{path: path}
	if err := k.refresh(); err != nil {
		return nil, err
	}
	return k, nil
}

// List returns the keys in the order in which they were made.
func (k *Keys) List() []Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.list)
}

// has reports whether there are any; k may be nil.
func (k *Keys) has() bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.list) > 0
}

// Guard says why a server must not listen on addr with these keys: others could reach
// it, and there is none. k may be nil.
func (k *Keys) Guard(addr string) error {
	loopback, err := isLoopback(addr)
	if err == nil && !loopback && !k.has() {
		err = fmt.Errorf("server: %s can be reached by others, which needs an API key: make one with 'handscroll keys add NAME', or listen on 127.0.0.1", addr)
	}
	return err
}

// refresh reads the file again if it is another one than before, so that a key that is
// removed stops working at once.
func (k *Keys) refresh() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	fi, err := os.Stat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		k.list, k.file = nil, nil
		return nil
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if k.file != nil && os.SameFile(fi, k.file) && fi.ModTime().Equal(k.file.ModTime()) && fi.Size() == k.file.Size() {
		return nil
	}
	list, err := readKeys(k.path)
	if err != nil {
		return err
	}
	k.list, k.file = list, fi
	return nil
}

// find returns the key with a secret. All keys are compared, each in constant time.
func (k *Keys) find(secret string) (Key, bool) {
	hash := sha256.Sum256([]byte(secret))
	k.mu.Lock()
	defer k.mu.Unlock()
	found := -1
	for i := range k.list {
		if subtle.ConstantTimeCompare(hash[:], k.list[i].Hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Key{}, false
	}
	return k.list[found], true
}

// Add makes a key and returns its secret, which is not to be had again.
func (k *Keys) Add(name string, limits KeyLimits) (secret string, err error) {
	var random [32]byte
	rand.Read(random[:])
	secret = keyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	key := Key{Name: name, Hash: sha256.Sum256([]byte(secret)), Created: time.Now().UTC().Truncate(time.Second), KeyLimits: limits}
	if err := key.validate(); err != nil {
		return "", err
	}
	return secret, k.change(func(list []Key) ([]Key, error) {
		if slices.ContainsFunc(list, func(o Key) bool { return o.Name == name }) {
			return nil, fmt.Errorf("keys: there is a key %q already; remove it first, or choose another name", name)
		}
		return append(list, key), nil
	})
}

// Remove removes a key by name.
func (k *Keys) Remove(name string) error {
	return k.change(func(list []Key) ([]Key, error) {
		at := slices.IndexFunc(list, func(o Key) bool { return o.Name == name })
		if at < 0 {
			var known []string
			for _, o := range list {
				known = append(known, o.Name)
			}
			if known == nil {
				return nil, fmt.Errorf("keys: no key %q: there are none", name)
			}
			return nil, fmt.Errorf("keys: no key %q; there are %s", name, strings.Join(known, ", "))
		}
		return slices.Delete(list, at, at+1), nil
	})
}

// change rewrites the file, one process at a time.
func (k *Keys) change(edit func([]Key) ([]Key, error)) error {
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	lock, ok, err := disk.LockPath(k.path + ".lock")
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if !ok {
		return errors.New("keys: another process is changing the keys; run the command again")
	}
	defer lock.Close()
	if err := k.refresh(); err != nil {
		return err
	}
	list, err := edit(k.List())
	if err != nil {
		return err
	}
	if err := writeKeys(k.path, list); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return k.refresh()
}

// keysFile is the file. Fields that it does not know are errors: a limit with a wrong
// name would be no limit.
type keysFile struct {
	Version int       `json:"version"`
	Keys    []keyLine `json:"keys"`
}

type keyLine struct {
	Key
	SHA256 string `json:"sha256"`
}

// maxKeysFile bounds the file: it may be the wrong one.
const maxKeysFile = 16 << 20

func readKeys(path string) ([]Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeysFile+1))
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if len(data) > maxKeysFile {
		return nil, fmt.Errorf("keys: %s has more than %d bytes: it is no file of keys", path, maxKeysFile)
	}
	list, err := parseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("keys: %s: %w", path, err)
	}
	return list, nil
}

func parseKeys(data []byte) ([]Key, error) {
	var file keysFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something stands behind the object")
	}
	if file.Version != 1 {
		return nil, fmt.Errorf("version %d; this program knows version 1", file.Version)
	}
	var list []Key
	for i, line := range file.Keys {
		hash, err := hex.DecodeString(line.SHA256)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("keys[%d].sha256: want %d hexadecimal digits", i, 2*sha256.Size)
		}
		copy(line.Hash[:], hash)
		if err := line.validate(); err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		for _, other := range list {
			if other.Name == line.Name || other.Hash == line.Hash {
				return nil, fmt.Errorf("keys[%d]: the same name or hash as that of %q", i, other.Name)
			}
		}
		list = append(list, line.Key)
	}
	return list, nil
}

func formatKeys(list []Key) ([]byte, error) {
	file := keysFile{Version: 1, Keys: []keyLine{}}
	for _, k := range list {
		file.Keys = append(file.Keys, keyLine{k, hex.EncodeToString(k.Hash[:])})
	}
	data, err := json.MarshalIndent(file, "", "  ")
	return append(data, '\n'), err
}

// writeKeys replaces the file, whole or not at all. Only its owner may read it: what it
// says of names and limits is nobody else's business.
func writeKeys(path string, list []Key) error {
	data, err := formatKeys(list)
	if err != nil {
		return err
	}
	return disk.WriteFileMode(path, data, 0o600)
}

// validate says what is wrong with a name or a limit.
func (k *Key) validate() error {
	if len(k.Name) > 64 || !isToken(k.Name) {
		return fmt.Errorf("name %q: want 1 to 64 letters, digits and any of -_.", k.Name)
	}
	if k.RequestsPerMinute < 0 || k.Concurrent < 0 || k.TokensPerDay < 0 {
		return fmt.Errorf("key %q: a limit is negative; 0 is none", k.Name)
	}
	return nil
}

// isToken reports whether s is made of letters and digits of ASCII and of -_. alone.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	})
}
