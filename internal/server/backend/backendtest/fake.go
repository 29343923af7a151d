package backendtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// The models of [New].
const (
	Native = "handscroll"  // sees and hears; limit of a million tokens
	Text   = "text-only"   // takes text alone, does not embed
	Small  = "small-limit" // like Text, with room for 20 tokens
)

// DefaultTTL is how long a stored context lives that does not say.
const DefaultTTL = time.Hour

// MaxFile is how large a file may be, in bytes.
const MaxFile = 64 << 20

const uploadLife = time.Hour

// Fake is a backend in memory. It may be used by any number of goroutines.
type Fake struct {
	mu       sync.Mutex
	now      func() time.Time
	models   []backend.Model
	fail     map[string]error
	process  time.Duration
	paused   chan struct{} // closed when requests may go on; nil if they need not wait
	changed  chan struct{} // closed when running changes
	requests []*backend.Request
	serial   int
	uploads  map[key]*upload
	files    map[key]*file
	stored   map[key]*held
	read     map[string][][]unit // prompts read before, by owner and model
	stats    backend.Stats
}

// key keeps what belongs to one owner apart from what belongs to others.
type key struct{ owner, id string }

var (
	_ backend.Backend  = (*Fake)(nil)
	_ backend.Purposer = (*Fake)(nil)
)

// New returns a backend with three models, [Native] being the default.
func New() *Fake {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	all := []backend.Modality{backend.Text, backend.Image, backend.Video, backend.Audio, backend.Document}
	return &Fake{
		now:     time.Now,
		changed: make(chan struct{}),
		fail:    make(map[string]error),
		uploads: make(map[key]*upload),
		files:   make(map[key]*file),
		stored:  make(map[key]*held),
		read:    make(map[string][][]unit),
		models: []backend.Model{
			{ID: Native, Name: "Handscroll", Description: "Sees, hears and reads.", Native: true, InputLimit: 1 << 20, OutputLimit: 512,
				Created: made, Media: all, Embeds: true, EmbedDims: 64},
			{ID: Text, Name: "Text only", InputLimit: 1 << 15, OutputLimit: 4096, Created: made, Media: all[:1]},
			{ID: Small, Name: "Small limit", InputLimit: 20, OutputLimit: 10, Created: made, Media: all[:1]},
		},
	}
}

// SetClock makes now the time. It counts for expiry and for how long files are processed.
func (f *Fake) SetClock(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

// SetProcessing makes new files stay PROCESSING for so long by the clock. It is 0 at first.
func (f *Fake) SetProcessing(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.process = d
}

// Fail makes every call of a method of [backend.Backend], by its name, fail with err;
// nil makes it work again. Generate fails after its first piece if the name is "Stream".
func (f *Fake) Fail(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[method] = err
}

// Pause makes Generate wait after its first piece, until resume is called or its context
// is done.
func (f *Fake) Pause() (resume func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gate := make(chan struct{})
	f.paused = gate
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.paused == gate {
			f.paused = nil
		}
		close(gate)
	})
}

// AwaitRunning waits until n requests run.
func (f *Fake) AwaitRunning(ctx context.Context, n int) error {
	for {
		f.mu.Lock()
		running, changed := f.stats.Running, f.changed
		f.mu.Unlock()
		if running == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d requests run, not %d: %w", running, n, ctx.Err())
		}
	}
}

// Requests returns what Generate was asked, oldest first.
func (f *Fake) Requests() []*backend.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*backend.Request(nil), f.requests...)
}

// Models implements [backend.Backend].
func (f *Fake) Models() []backend.Model { return append([]backend.Model(nil), f.models...) }

// Model implements [backend.Backend].
func (f *Fake) Model(id string) (backend.Model, error) {
	var known []string
	for _, m := range f.models {
		if m.ID == id {
			return m, f.failure("Model")
		}
		known = append(known, m.ID)
	}
	err := backend.Errorf(backend.NotFound, "model %q is not served here; known are %s", id, strings.Join(known, ", "))
	err.Param = "model"
	return backend.Model{}, err
}

// Stats implements [backend.Backend].
func (f *Fake) Stats() backend.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats
	s.Stored, s.Models, s.QuotaBytes, s.MemoryBytes = len(f.stored), len(f.models), 1<<30, 1<<30
	for _, x := range f.files {
		s.StoredBytes += x.Size
	}
	return s
}

func (f *Fake) failure(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail[method]
}

// next makes an ID. f.mu is held.
func (f *Fake) next(prefix string) string {
	f.serial++
	return fmt.Sprintf("%s-%04d", prefix, f.serial)
}

// run counts a request that runs, until done is called.
func (f *Fake) run() (done func()) {
	f.count(1)
	return func() { f.count(-1) }
}

func (f *Fake) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.Running += n
	close(f.changed)
	f.changed = make(chan struct{})
}

// validID reports whether a client may have an object called so.
func validID(id string) bool {
	return len(id) <= 64 && id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}
