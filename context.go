package handscroll

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/media"
)

// Part is one piece of a context: a file, or text with a label.
type Part struct {
	Source string // what evidence names it by; one part of a context has it
	Text   []byte // any bytes, not only UTF-8; kept and not to be changed

	medium media.Part // of parts that [Files] made: what text cannot say
}

// media is the part as the engine reads it.
func (p Part) media() media.Part {
	m := p.medium
	m.Source, m.Text = p.Source, p.Text
	return m
}

// ContextOptions say how a context is read and asked. The zero value is a good
// default.
type ContextOptions struct {
	Threads   int   // that read at once; 0 is GOMAXPROCS
	MaxMemory int64 // bytes for a context in memory; 0 is 9/10 of what is free
	MaxAnswer int   // tokens of an answer; 0 is 512
	// Replace makes Read replace a part whose text has changed since it was
	// read; otherwise Read fails with a [*ChangedError].
	Replace bool
}

func (o ContextOptions) engine() engine.Options {
	return engine.Options{Workers: o.Threads, MaxMemory: o.MaxMemory, MaxAnswer: o.MaxAnswer, Replace: o.Replace}
}

// Context is text that a model has read.
type Context struct {
	m *Model
	c *engine.Context
}

// NewContext returns an empty context in memory.
func (m *Model) NewContext(opts ContextOptions) *Context {
	return &Context{m, engine.NewContext(m.m, opts.engine())}
}

// OpenContext opens the context stored in dir. A missing one is empty, and Read
// creates it. A context of another model is a [*ModelError], a damaged one a
// [*FormatError].
func (m *Model) OpenContext(dir string, opts ContextOptions) (*Context, error) {
	c, err := engine.OpenContext(m.m, dir, opts.engine())
	if err != nil {
		return nil, err
	}
	return &Context{m, c}, nil
}

// Model returns the model that reads the context.
func (c *Context) Model() *Model { return c.m }

// Progress is how far a Read has come.
type Progress struct {
	Source  string // the part that was worked on last
	Bytes   int64  // of text read so far
	Total   int64  // bytes of text to read
	Tokens  int    // read so far
	Elapsed time.Duration
	// At is how far into the film or recording Source, of Length (0 if that is not
	// known), decoding has come. Text is read after that; then both are 0.
	At, Length time.Duration
}

// Read appends parts to the context, in order. A part that is in the context
// already, with the same source and text, is passed over.
//
// Read calls progress, if it is not nil, about once a 4096 tokens. When ctx is
// cancelled it stops soon and returns the context's error. What a stored
// context has read by then, or by the moment the process is killed, stays; the
// next Read goes on from there, and first finishes, without needing its file,
// a part that was left half read. Until a Read has come to its end, Ask returns
// an [*UnfinishedError]; a Read of no parts leaves it at those that are there.
func (c *Context) Read(ctx context.Context, parts []Part, progress func(Progress)) error {
	ps := make([]media.Part, len(parts))
	for i, p := range parts {
		ps[i] = p.media()
	}
	var report func(engine.Progress)
	if progress != nil {
		report = func(p engine.Progress) { progress(Progress(p)) }
	}
	return c.c.Read(ctx, ps, report)
}

// NotFound is the text of an answer that is not in the context.
const NotFound = engine.NotFound

// Answer is what a context says to a question.
type Answer struct {
	// Text is the answer; several values are joined by "; ". If Found is false
	// it says that the answer is not in the context.
	Text  string
	Found bool
	// Cut says that the answer reached ContextOptions.MaxAnswer before its end.
	Cut      bool
	Evidence []Evidence // strongest first, at most five
	Usage    Usage
	Timings  Timings
}

// Evidence is a passage that an answer rests on.
type Evidence struct {
	Source string  // the part's
	Line   int     // in which the quote begins, from 1
	Offset int64   // of the quote in the part's text, in bytes
	Quote  string  // the passage as it stands there, at most 300 bytes
	Weight float32 // share of the attention while answering, 0 to 1
	Page   int     // of a document, slide or notebook cell, from 1; 0 for none
	// Time is when in the film, recording or subtitle, if it is Timed.
	Time  time.Duration
	Timed bool
}

// Place writes where the passage is: the source with its time, page or line, as
// in film.mp4@12:34, paper.pdf#page=3 and notes.txt:17.
func (e *Evidence) Place() string {
	switch {
	case e.Timed:
		return e.Source + "@" + engine.Clock(e.Time)
	case e.Page > 0 && !strings.Contains(e.Source, "#page="):
		return fmt.Sprintf("%s#page=%d", e.Source, e.Page)
	case e.Page > 0:
		return e.Source
	}
	return fmt.Sprintf("%s:%d", e.Source, e.Line)
}

// Usage counts tokens.
type Usage struct {
	PromptTokens int // of the context and the question
	CachedTokens int // of these, read in an earlier process
	AnswerTokens int
}

// Timings are wall-clock times.
type Timings struct {
	Read   time.Duration // of opening and reading the context
	Answer time.Duration
}

// Ask answers a question from the context. A question longer than 128 tokens is
// asked by its end; what comes before is read as one more part of the context,
// for this question only.
func (c *Context) Ask(ctx context.Context, question string) (*Answer, error) {
	a, err := c.c.Ask(ctx, question)
	if err != nil {
		return nil, err
	}
	return answerOf(a), nil
}

func answerOf(a *engine.Answer) *Answer {
	out := &Answer{
		Text: a.Text, Found: a.Found, Cut: a.Cut,
		Usage:   Usage{PromptTokens: a.Prompt, CachedTokens: a.Cached, AnswerTokens: a.Tokens},
		Timings: Timings{Read: a.Read, Answer: a.Answer},
	}
	for _, e := range a.Evidence {
		out.Evidence = append(out.Evidence, Evidence{e.Source, e.Line, e.Offset, e.Quote, e.Weight, e.Page, max(e.Time, 0), e.Time >= 0})
	}
	return out
}

// Tokens returns the context's length.
func (c *Context) Tokens() int { return c.c.Tokens() }

// Text returns the text of tokens [from, to).
func (c *Context) Text(from, to int) []byte { return c.c.Text(from, to) }

// Boundary returns the last token offset not after at that a line or sentence
// begins at, or at itself if there is none near.
func (c *Context) Boundary(at int) int { return c.c.Boundary(at) }

// Insert is text to be put into a context.
type Insert struct {
	At   int // token offset in the context as it was
	Text string
}

// Splice returns a context in memory as if the first length tokens of c had
// been read with inserts among them, each as the tokens that its text has
// alone. Only the neighbourhoods of the inserts are read. The result shares
// memory with c, which must stay open and as it is.
func (c *Context) Splice(ctx context.Context, length int, inserts ...Insert) (*Context, error) {
	ins := make([]engine.Insert, len(inserts))
	for i, in := range inserts {
		ins[i] = engine.Insert{At: in.At, Text: in.Text}
	}
	s, err := c.c.Splice(ctx, length, ins...)
	if err != nil {
		return nil, err
	}
	return &Context{c.m, s}, nil
}

// Fork returns a context in memory that begins with what c has read and can be
// read into without changing c. It shares memory with c, which must stay open
// and as it is.
func (c *Context) Fork() *Context { return &Context{c.m, c.c.Fork()} }

// Selection is parts of a context that has read them, for [Model.Join].
type Selection struct {
	Context *Context
	Sources []string // of the parts; nil is all
}

// Join returns a context in memory of parts that other contexts of the model have
// read, in order, without reading them again. It shares memory with those, which must
// stay open and as they are. Parts that are half read are left out.
func (m *Model) Join(opts ContextOptions, parts ...Selection) *Context {
	in := make([]engine.Selection, len(parts))
	for i, p := range parts {
		in[i] = engine.Selection{Context: p.Context.c, Sources: p.Sources}
	}
	return &Context{m, engine.Join(m.m, opts.engine(), in...)}
}

// Close releases the context. It must not be used afterwards, nor must the
// contexts made from it.
func (c *Context) Close() error { return c.c.Close() }
