package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// Options say what is served and with what. The zero value of a field is its default;
// Dir has none.
type Options struct {
	Dir    string      // of contexts, files and uploads; created if it is missing
	Models []ModelSpec // the first is the default; none is the shipped model alone
	// Quota bounds the bytes of contexts and files on disk; 0 is a tenth of what is
	// free, at most 50 GiB.
	Quota int64
	// OwnerQuota bounds the bytes of files and stored contexts of one owner, where
	// owners are told apart ("" is nobody in particular); 0 is half of Quota. What was
	// read besides makes way for others and does not count.
	OwnerQuota int64
	// MaxMemory bounds what requests take: an eighth is for opening and tokenising what
	// they hold, the rest for contexts in use. 0 is 9/10 of what is free.
	MaxMemory  int64
	Queue      int           // questions that may wait, and long texts; 0 is 256
	MaxWait    time.Duration // for a turn; who would wait longer is refused at once. 0 is 30 s, negative is as long as it takes
	Threads    int           // that read at once; 0 is GOMAXPROCS
	MaxFile    int64         // bytes of an uploaded file; 0 is 2 GiB
	DefaultTTL time.Duration // of stored contexts whose client says nothing; 0 is an hour
	// FileTTL is how long files live whose client says nothing; 0 is 48 hours. One that
	// a stored context was made of lives as long as that.
	FileTTL time.Duration
	Log     *slog.Logger // nil discards
}

// ModelSpec is a model to be served.
type ModelSpec struct {
	ID   string // as clients name it: lower case, digits, '-' and '.'
	Path string // of a GGUF file; "" is the shipped model
}

const (
	defaultQueue   = 256
	defaultMaxWait = 30 * time.Second
	defaultMaxFile = 2 << 30
	defaultTTL     = time.Hour
	defaultFileTTL = 48 * time.Hour // as in Gemini's API
	maxQuota       = 50 << 30
	uploadLife     = time.Hour // without anything added
	sweepEvery     = time.Minute
)

// Backend answers requests from models in this process.
type Backend struct {
	opts   Options
	log    *slog.Logger
	lock   *os.File
	models []*model

	files    *files
	entries  *entries
	sessions *sessions
	stored   *shelf
	turns    turns
	scratch  scratch
	count    counters
	roomMu   sync.Mutex // held while room is made and set aside
	quota    int64      // bytes on disk
	memory   int64      // that contexts in use may take; 0 is not known

	life     context.Context // ends when what still runs is to stop
	stop     context.CancelFunc
	mu       sync.Mutex
	closing  bool
	requests sync.WaitGroup // that run
	active   int            // of requests
	idle     *time.Timer    // to give memory back; stopped while any runs
	freed    int64          // tokens that had been read when it was given back
	running  sync.WaitGroup // work in the background
}

var _ backend.Backend = (*Backend)(nil)

// New opens the directory and the models. The weights of open models are laid out in
// memory now, so that the first request does not wait for it.
func New(o Options) (*Backend, error) {
	if o.Dir == "" {
		return nil, errors.New("local: Options.Dir is empty: name a directory for contexts and files")
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.MaxWait == 0 {
		o.MaxWait = defaultMaxWait
	}
	if o.MaxFile <= 0 {
		o.MaxFile = defaultMaxFile
	}
	if o.DefaultTTL <= 0 {
		o.DefaultTTL = defaultTTL
	}
	if o.FileTTL <= 0 {
		o.FileTTL = defaultFileTTL
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Models) == 0 {
		o.Models = []ModelSpec{{ID: "handscroll"}}
	}
	for _, d := range []string{"", "blobs", "files", "uploads", "entries", "sessions", "stored", "tmp"} {
		if err := os.MkdirAll(filepath.Join(o.Dir, d), 0o700); err != nil {
			return nil, fmt.Errorf("local: %w", err)
		}
	}
	lock, ok, err := disk.LockPath(filepath.Join(o.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("local: %s is in use by another server: stop it or name another directory", o.Dir)
	}
	b := &Backend{opts: o, log: o.Log, lock: lock}
	b.life, b.stop = context.WithCancel(context.Background())
	b.idle = time.AfterFunc(idleMemory, b.freeMemory)
	b.idle.Stop()
	if err := b.open(); err != nil {
		b.stop()
		return nil, errors.Join(err, b.closeModels(), lock.Close())
	}
	b.running.Go(b.sweep)
	return b, nil
}

func (b *Backend) open() error {
	if err := b.openModels(); err != nil {
		return err
	}
	// Requests that a killed process was answering.
	if err := empty(filepath.Join(b.opts.Dir, "tmp")); err != nil {
		return err
	}
	if b.memory = b.opts.MaxMemory; b.memory <= 0 {
		b.memory = handscroll.FreeMemory()
	}
	b.scratch.most = max(0, b.opts.MaxWait)
	if b.memory > 0 {
		b.scratch.limit = max(leastScratch, b.memory/scratchShare)
		b.memory -= b.memory / scratchShare
	}
	err := b.findQuota()
	if err != nil {
		return err
	}
	if b.files, err = openFiles(b); err != nil {
		return err
	}
	if b.entries, err = openEntries(b); err != nil {
		return err
	}
	if b.sessions, err = openSessions(b); err != nil {
		return err
	}
	if b.stored, err = openShelf(b); err != nil {
		return err
	}
	return errors.Join(b.entries.dropStrays(), b.sessions.dropStrays())
}

// sweep deletes what has expired, until the backend closes.
func (b *Backend) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.life.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		b.files.sweep(now)
		b.entries.sweep(now)
		b.sessions.sweep(now)
		b.stored.sweep(now)
	}
}

// Close takes no more requests and waits for those that run; when ctx ends, they are
// stopped. What they have read stays on disk and is read on from there when it is
// asked for again.
func (b *Backend) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closing {
		b.mu.Unlock()
		return nil
	}
	b.closing = true
	b.idle.Stop()
	b.mu.Unlock()
	return b.shut(ctx)
}

// begin lets a request in; done must be called when it has ended. The context ends
// too when the backend stops what runs.
func (b *Backend) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return nil, nil, errClosing()
	}
	b.requests.Add(1)
	b.active++
	b.idle.Stop()
	ctx, cancel := context.WithCancel(ctx)
	release := context.AfterFunc(b.life, cancel)
	return ctx, func() {
		release()
		cancel()
		b.end()
	}, nil
}

func (b *Backend) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests.Done()
	if b.active--; b.active == 0 && !b.closing && b.count.readTokens.Load()-b.freed > worthFreeing {
		b.idle.Reset(idleMemory)
	}
}

const (
	// idleMemory is how long nothing must be asked before memory is given back.
	idleMemory = 5 * time.Second
	// worthFreeing is how many tokens must have been read meanwhile.
	worthFreeing = 16 << 10
)

// freeMemory gives the system back what much reading has taken: the collector would
// keep it for minutes.
func (b *Backend) freeMemory() {
	b.mu.Lock()
	quiet := b.active == 0
	b.freed = b.count.readTokens.Load()
	b.mu.Unlock()
	if quiet {
		debug.FreeOSMemory()
	}
}

func errClosing() *backend.Error {
	e := backend.Errorf(backend.Unavailable, "the server is shutting down")
	e.RetryAfter = 10 * time.Second
	return e
}

// random returns an ID that cannot be guessed.
func random() string {
	var b [15]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

var idFormat = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// ownerDir is an owner as a name of a directory: any string may be an owner.
func ownerDir(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:12])
}

// save writes a record whole or not at all.
func save(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	err = disk.WriteFile(path, data)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = disk.WriteFile(path, data)
		}
	}
	return err
}

// note writes a record whole or not at all, unless the power fails: what it says can
// be lost then. It does not wait for the disk.
func note(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err = os.WriteFile(path+".tmp", data, 0o600); err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+".tmp"))
	}
	return nil
}

// recordVersion is that of the records that are written; they need not say so.
const recordVersion = 1

// eachRecord calls f with the JSON records two levels below dir. One that cannot be
// read, or that f has an error for, is reported, left where it is, and its path
// returned: nobody knows what it names, so that nothing it may name is to be deleted.
func (b *Backend) eachRecord(dir string, v func() any, f func(path string, v any) error) (damaged []string, err error) {
	// The path of the directory is no pattern: it may have brackets.
	names, err := fs.Glob(os.DirFS(filepath.Join(b.opts.Dir, dir)), "*/*.json")
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	// What a killed process was writing is of no use.
	torn, err := fs.Glob(os.DirFS(filepath.Join(b.opts.Dir, dir)), "*/*.json.tmp")
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	for _, name := range torn {
		if err := os.Remove(filepath.Join(b.opts.Dir, dir, filepath.FromSlash(name))); err != nil {
			return nil, fmt.Errorf("local: %w", err)
		}
	}
	for _, name := range names {
		p := filepath.Join(b.opts.Dir, dir, filepath.FromSlash(name))
		r := v()
		err := readRecord(p, r)
		if err == nil {
			err = f(p, r)
		}
		if err != nil {
			b.log.Error("a record is damaged: it is out of service, and it and what it names are kept; repair or delete it and start again", "path", p, "err", err)
			damaged = append(damaged, p)
		}
	}
	return damaged, nil
}

// readRecord reads one that this version of the program can have written.
func readRecord(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var head struct{ Version int }
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Version > recordVersion {
		return fmt.Errorf("its version is %d, this program reads %d", head.Version, recordVersion)
	}
	return json.Unmarshal(data, v)
}

// named checks that a record says what its path says.
func named(path, owner, id string) error {
	if filepath.Base(path) != id+".json" || filepath.Base(filepath.Dir(path)) != ownerDir(owner) {
		return fmt.Errorf("it names %q of %q", id, owner)
	}
	return nil
}

// empty deletes what is in a directory.
func empty(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("local: %w", err)
		}
	}
	return nil
}

// diskError is what a failure to write is to a client: paths are for the log.
func (b *Backend) diskError(what string, err error) *backend.Error {
	b.log.Error("disk", "what", what, "err", err)
	e := &backend.Error{Kind: backend.Unavailable, Message: what + ": the server's disk fails", Err: err}
	if disk.Full(err) {
		e.Message = what + ": the server's disk is full"
	}
	return e
}

func modelNames(models []*model) string {
	var ids []string
	for _, m := range models {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, ", ")
}

// Models lists what is served.
func (b *Backend) Models() []backend.Model {
	var out []backend.Model
	for _, m := range b.models {
		out = append(out, m.Model)
	}
	return out
}

// Model finds a model.
func (b *Backend) Model(id string) (backend.Model, error) {
	m, err := b.model(id)
	if err != nil {
		return backend.Model{}, err
	}
	return m.Model, nil
}

func (b *Backend) model(id string) (*model, error) {
	for _, m := range b.models {
		if m.ID == id {
			return m, nil
		}
	}
	return nil, backend.Errorf(backend.NotFound, "model %q is not served here; these are: %s", id, modelNames(b.models))
}

var modelID = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)

// model is one that is served: either native or weights is set.
type model struct {
	backend.Model
	fingerprint string
	native      *handscroll.Model
	weights     *handscroll.Weights
	gate        *gate
}
