package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
)

// NotFound is what models are told to say of what their files do not hold.
const NotFound = "Not found in the context."

// Instruct asks for answers that can be checked: what a model quotes is looked for
// in the files by [Cite].
const Instruct = `Answer the question from what stands above, and from nothing else. Be brief: the answer alone first. Then quote the passages that it rests on, three at most, word for word, each on a line of its own that begins with "> ". If the answer does not stand above, say only: ` + NotFound

// InstructShort asks for the answer alone.
const InstructShort = `Answer the question from what stands above, and from nothing else: the answer alone, with no explanation. If the answer does not stand above, say only: ` + NotFound

// Context is what questions are asked about. Its parts come first in every request
// and never change, so that a server that keeps what it has read reads them once.
type Context struct {
	c        *Client
	parts    []Part
	instruct string
	cached   string   // name of the stored context that has the parts, of Gemini's API
	uploads  []string // names of files to delete
	gemini   []geminiPart
	openAI   []openAIPart
	ready    bool
}

// NewContext makes a context; instruct, which may be empty, stands before each
// question. A Handscroll's own model needs none.
func (c *Client) NewContext(parts []Part, instruct string) *Context {
	if c.model.Handscroll {
		instruct = ""
	}
	return &Context{c: c, parts: parts, instruct: instruct}
}

// Answer is what a model says.
type Answer struct {
	Text string
	// Reason is why there is no answer, or no more of it: the endpoint's word for a
	// filter that stopped it. It is empty for an answer that came to its end.
	Reason string
	Cut    bool // it reached the limit on its tokens
	Found  bool // false if it says that the context does not have it
	Usage  handscroll.Usage
	// Claims are passages that the server names; what is true of them [Cite] says.
	Claims []Claim
	Model  string // that answered, as the server names it
	Took   time.Duration

	said *bool // what a Handscroll says of Found
}

// Claim is evidence in a server's words.
type Claim struct {
	Source string
	Quote  string
	Page   int
	Time   time.Duration
	Timed  bool
}

// Ask asks a question; emit, which may be nil, gets the answer's pieces as they come.
func (x *Context) Ask(ctx context.Context, question string, s handscroll.Sampling, emit func(string)) (*Answer, error) {
	if strings.TrimSpace(question) == "" {
		return nil, errors.New("endpoint: the question is empty")
	}
	if err := x.prepare(ctx); err != nil {
		return nil, err
	}
	if x.instruct != "" {
		question = x.instruct + "\n\nQuestion: " + question
	}
	start := time.Now()
	a := &Answer{}
	var b strings.Builder
	say := func(text string) {
		b.WriteString(text)
		if emit != nil && text != "" {
			emit(text)
		}
	}
	for try := 1; ; try++ {
		err := x.ask(ctx, question, s, a, say)
		if err == nil {
			break
		}
		// An answer that broke off before its first word can be asked for again.
		var broke *interrupted
		if errors.As(err, &broke) && b.Len() == 0 && try <= x.c.opts.Retries && again(err) {
			*a = Answer{}
			if err = x.c.sleep(ctx, min(firstWait<<(try-1), longestWait)); err == nil {
				continue
			}
		}
		return nil, x.c.explain(ctx, err, func() int { return x.estimate(ctx) })
	}
	a.Text, a.Took = strings.TrimSpace(b.String()), time.Since(start)
	a.Found = a.Text != "" && !strings.Contains(strings.ToLower(a.Text), strings.ToLower(strings.TrimSuffix(NotFound, ".")))
	if a.said != nil {
		a.Found = *a.said
	}
	if a.Text == "" && a.Reason == "" {
		if a.Cut {
			return nil, fmt.Errorf("endpoint %s: the answer reached its limit of %d tokens before it said anything: what the model thinks counts too; allow more with --max-tokens", x.c.base, a.Usage.AnswerTokens)
		}
		return nil, fmt.Errorf("endpoint %s: the answer is empty", x.c.base)
	}
	return a, nil
}

func (x *Context) ask(ctx context.Context, question string, s handscroll.Sampling, a *Answer, say func(string)) error {
	if x.c.family == Gemini {
		return x.askGemini(ctx, question, s, a, say)
	}
	return x.askOpenAI(ctx, question, s, a, say)
}

// prepare brings the parts into the form that the endpoint takes, once.
func (x *Context) prepare(ctx context.Context) (err error) {
	if x.ready {
		return nil
	}
	if x.c.family == Gemini {
		x.gemini, err = x.geminiParts(ctx)
	} else {
		x.openAI, err = openAIParts(x.parts, x.c.model.Handscroll)
	}
	x.ready = err == nil
	return err
}

// Count returns how many tokens the context has. Where a server cannot count, it is
// asked for one token of an answer, and says how many it read.
func (x *Context) Count(ctx context.Context) (int, error) {
	if err := x.prepare(ctx); err != nil {
		return 0, err
	}
	if x.c.family == Gemini {
		return x.countGemini(ctx)
	}
	return x.countOpenAI(ctx)
}

// estimate counts the context for an error, as well as that can be done.
func (x *Context) estimate(ctx context.Context) int {
	n, err := x.Count(ctx)
	if err != nil {
		return 0 // the error that it is for says what matters
	}
	return n
}

// Cache makes the server keep the context for a time, where it has a way to be told
// so (Gemini's cachedContents). Servers of OpenAI's API find what they have read by
// themselves, and nothing happens.
func (x *Context) Cache(ctx context.Context, ttl time.Duration) error {
	if x.c.family != Gemini || x.cached != "" {
		return nil
	}
	if err := x.prepare(ctx); err != nil {
		return err
	}
	return x.c.explain(ctx, x.cacheGemini(ctx, ttl), func() int { return 0 })
}

// closeTime is how long deleting what lies on a server may take.
const closeTime = 30 * time.Second

// Close deletes what was stored on the server. It does so also after an interruption.
func (x *Context) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var err error
	if x.cached != "" {
		err = x.c.remove(ctx, x.cached)
	}
	for _, name := range x.uploads {
		err = errors.Join(err, x.c.remove(ctx, name))
	}
	x.cached, x.uploads, x.gemini, x.openAI, x.ready = "", nil, nil, nil, false
	return err
}

// labels puts a label around the parts of a source that stand together.
// With bare there are no labels.
func labels(parts []Part, bare bool, text func(string), each func(*Part) error) error {
	within := ""
	if bare {
		for i := range parts {
			if err := each(&parts[i]); err != nil {
				return err
			}
		}
		return nil
	}
	leave := func() {
		if within != "" {
			text("</file>\n")
		}
	}
	for i := range parts {
		p := &parts[i]
		if p.Source != within {
			leave()
			if within = p.Source; within != "" {
				text(fmt.Sprintf("<file name=%q>\n", within))
			}
		}
		if err := each(p); err != nil {
			return err
		}
		if p.MIME == "" && within != "" && !strings.HasSuffix(p.Text, "\n") {
			text("\n")
		}
	}
	leave()
	return nil
}
