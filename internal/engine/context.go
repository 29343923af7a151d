package engine

import (
	"fmt"
	"runtime"
	"sort"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
)

// Options say how a context is read and asked.
type Options struct {
	// Workers is how many chunks are prefilled at once; 0 is GOMAXPROCS.
	Workers int
	// MaxMemory bounds the bytes that a context in memory may take, its text
	// included; 0 is nine tenths of what the system says is available.
	MaxMemory int64
	// MaxAnswer bounds the tokens of an answer; 0 is 512.
	MaxAnswer int
	// Replace makes Read replace a part whose text has changed since it was
	// read; otherwise that is a [*ChangedError].
	Replace bool

	chunk int           // tokens; 0 is chunkTokens. For tests.
	save  time.Duration // 0 is saveEvery. For tests.
}

const defaultMaxAnswer = 512

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (o Options) chunkSize() int {
	if o.chunk > 0 {
		return o.chunk
	}
	return chunkTokens
}

func (o Options) saving() time.Duration {
	if o.save > 0 {
		return o.save
	}
	return saveEvery
}

// pages is where segments are kept: kvcache.Memory or kvcache.Store.
type pages interface {
	Segments() []*kvcache.Segment
	Edit() error
	Begin(source string, hash [32]byte, text, notes []byte) error
	Append(b kvcache.Block) error
	Drop(s *kvcache.Segment) error
	Commit() error
	Finish(complete bool) error
	Complete() bool
	Close() error
}

// Context is text that has been read.
type Context struct {
	model  *Model
	opts   Options
	pages  pages
	stored bool
	// partial says that the last Read did not come to its end, so that parts
	// may be missing.
	partial bool
	cached  int           // tokens that were there before any Read
	read    time.Duration // in all Reads, or opening

	text   []*kvcache.Segment // the segments of tokens
	notes  []notes            // of each
	view   kvcache.View       // of their entries
	starts []int              // position of each one's first token, and the end
	sensed []sensed           // the segments of other kinds
}

// sensed is a segment of what was seen or heard.
type sensed struct {
	*kvcache.Segment
	notes notes
}

// NewContext returns an empty context in memory.
func NewContext(m *Model, opts Options) *Context {
	c := &Context{model: m, opts: opts, pages: new(kvcache.Memory)}
	c.refresh()
	return c
}

// OpenContext returns the context stored in dir; Read creates it if it is
// missing.
func OpenContext(m *Model, dir string, opts Options) (*Context, error) {
	begin := time.Now()
	store, err := kvcache.Open(dir, m.id)
	if err != nil {
		return nil, err
	}
	c := &Context{model: m, opts: opts, pages: store, stored: true}
	for _, s := range store.Segments() {
		if _, err := notesOf(s); err != nil {
			store.Close()
			return nil, err
		}
	}
	c.refresh()
	// The decoder indexes the embedding by these ids, and a checksum is no
	// promise about who wrote them.
	for _, run := range c.view {
		for i, id := range run.ID {
			if int(id) >= m.tok.Size() {
				store.Close()
				return nil, fmt.Errorf("engine: %s: token id %d at entry %d of a run; the model has %d tokens", dir, id, i, m.tok.Size())
			}
		}
	}
	c.partial = !store.Complete()
	c.cached = c.Tokens()
	c.read = time.Since(begin)
	return c, nil
}

// refresh rebuilds the views from the pages.
func (c *Context) refresh() {
	c.text, c.notes, c.view, c.sensed, c.starts = nil, nil, nil, nil, []int{0}
	n := 0
	for _, s := range c.pages.Segments() {
		note, err := notesOf(s)
		if err != nil {
			continue // refused when the context was opened
		}
		if note.Kind != kindText {
			c.sensed = append(c.sensed, sensed{s, note})
			continue
		}
		c.text, c.notes = append(c.text, s), append(c.notes, note)
		c.view = append(c.view, s.View()...)
		n += s.Tokens()
		c.starts = append(c.starts, n)
	}
}

// Fork returns a context in memory that begins with what c has read.
func (c *Context) Fork() *Context {
	f := &Context{model: c.model, opts: c.opts, partial: c.partial, cached: c.cached, read: c.read, pages: kvcache.NewMemory(c.pages.Segments())}
	f.refresh()
	return f
}

// Tokens returns the length of the context: tokens of text and entries of what
// was seen and heard.
func (c *Context) Tokens() int {
	n := c.textTokens()
	for _, s := range c.sensed {
		n += s.Tokens()
	}
	return n
}

func (c *Context) textTokens() int { return c.starts[len(c.starts)-1] }

// Source describes one part of a context.
type Source struct {
	Name   string
	Bytes  int64
	Tokens int      // of text, read or heard text included
	Hash   [32]byte // SHA-256 of the text, or of the file
	Done   bool     // false if reading it was interrupted
	Kind   string   // text, picture, sound or film
	Seen   int      // entries of frames
	Heard  int      // entries of sound
	Length time.Duration
}

// Sources returns the parts in order.
func (c *Context) Sources() []Source { return sources(c.pages.Segments()) }

func sources(segments []*kvcache.Segment) []Source {
	out := make([]Source, 0, len(segments))
	seen, heard := map[string]int{}, map[string]int{}
	for _, s := range segments {
		note, err := notesOf(s)
		switch {
		case err != nil:
			continue
		case note.Kind == kindSeen:
			seen[note.Of] += s.Tokens()
			continue
		case note.Kind == kindHeard:
			heard[note.Of] += s.Tokens()
			continue
		}
		kind := note.Modality
		if kind == "" {
			kind = kindText
		}
		out = append(out, Source{
			Name: s.Source, Bytes: int64(len(s.Text)), Tokens: s.Tokens(), Hash: s.Hash, Done: s.Done(), Kind: kind,
			Seen: seen[s.Source], Heard: heard[s.Source], Length: time.Duration(note.Length) * time.Millisecond,
		})
	}
	return out
}

// StoredSources returns the parts of the context stored in dir, whatever model
// read it, and that model.
func StoredSources(dir string) ([]Source, kvcache.Identity, error) {
	parts, id, ok, err := kvcache.SavedParts(dir)
	if err != nil {
		return nil, id, err
	}
	if ok {
		var out []Source
		for _, p := range parts {
			out = append(out, sourceOf(p, true))
		}
		return out, id, nil
	}
	store, err := kvcache.Open(dir, kvcache.Identity{})
	if err != nil {
		return nil, kvcache.Identity{}, err
	}
	defer store.Close()
	return sources(store.Segments()), store.Identity(), nil
}

// Close releases a stored context's mapping, or a context's memory. Forks and
// splices of it must not be used afterwards.
func (c *Context) Close() error {
	err := c.pages.Close()
	c.refresh()
	return err
}

// locate returns the segment that position pos is in and the token in it.
func (c *Context) locate(pos int) (s *kvcache.Segment, index, token int) {
	index = sort.SearchInts(c.starts, pos+1) - 1
	return c.text[index], index, pos - c.starts[index]
}

// byteOffset returns where in s.Text a token begins, by walking its block.
func (m *Model) byteOffset(s *kvcache.Segment, token int) int64 {
	b := s.Blocks[blockOf(s, token)]
	at := b.Offset
	for _, id := range b.Run.ID[:token-b.First] {
		at += int64(m.width[id])
	}
	return min(at, int64(len(s.Text)))
}

// blockOf returns the index of the block that holds a token.
func blockOf(s *kvcache.Segment, token int) int {
	return sort.Search(len(s.Blocks), func(i int) bool { return s.Blocks[i].First > token }) - 1
}
