package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/endpoint"
)

// Remote measures a model that another program serves. Every question sends its whole
// context, the question last, so that a server that keeps what it has read reads the
// haystack's beginning once. maxAnswer bounds an answer in tokens, those that a model
// thinks with included.
//
// Lengths are in the model's tokens by an estimate: of every stretch of the haystack
// some samples are counted by the server, and positions between are taken to lie
// evenly. Result.Tokens is what the server says that it read.
func Remote(c *endpoint.Client, maxAnswer int) Model { return remote{c, maxAnswer} }

type remote struct {
	c         *endpoint.Client
	maxAnswer int
}

func (r remote) ID() string             { return r.c.Name() }
func (r remote) NewBase() (Base, error) { return &remoteBase{model: r}, nil }

// A remoteBase is a text with an estimate of its tokens.
type remoteBase struct {
	model remote
	text  []byte
	spans []span
	extra int // tokens that a count has besides those of the text; −1 if not known
	n     int // tokens
}

// A span is a stretch of a base whose tokens are taken to be of one length.
type span struct{ at, bytes, from, tokens int }

func (b *remoteBase) Append(ctx context.Context, p Part, progress func(int)) error {
	density, err := b.density(ctx, p.Text)
	if err != nil {
		return err
	}
	tokens := max(1, int(float64(len(p.Text))*density+0.5))
	b.spans = append(b.spans, span{len(b.text), len(p.Text), b.n, tokens})
	b.text = append(b.text, p.Text...)
	b.n += tokens
	if progress != nil {
		progress(tokens)
	}
	return nil
}

// Samples of a text are this many, of this many bytes each. Together they are fewer
// tokens than any model's context has.
const (
	samples     = 3
	sampleBytes = 3000
)

// density is how many tokens a byte of text has.
func (b *remoteBase) density(ctx context.Context, text []byte) (float64, error) {
	if len(b.spans) == 0 {
		// A full stop is one token: the rest is what stands around every text.
		n, err := b.count(ctx, ".")
		if err != nil {
			return 0, err
		}
		b.extra = n - 1
	}
	var some []byte
	if len(text) <= samples*sampleBytes {
		some = text
	} else {
		for i := range samples {
			at := (2*i+1)*len(text)/(2*samples) - sampleBytes/2
			some = append(some, text[at:at+sampleBytes]...)
		}
	}
	n, err := b.count(ctx, strings.ToValidUTF8(string(some), ""))
	if err != nil {
		return 0, err
	}
	if n -= b.extra; n < 1 {
		return 0, fmt.Errorf("the endpoint counts %d tokens in %d bytes of text", n, len(some))
	}
	return float64(n) / float64(len(some)), nil
}

func (b *remoteBase) count(ctx context.Context, text string) (int, error) {
	return b.model.c.NewContext([]endpoint.Part{{Text: text}}, "").Count(ctx)
}

func (b *remoteBase) Tokens() int { return b.n }

// farthest is how far back from its even place, in bytes, a token's beginning is
// looked for.
const farthest = 64

// offset is where a token begins: at its even place, or at the beginning of the word
// or line that this lies in, so that needles can be set in there.
func (b *remoteBase) offset(token int) int {
	if token >= b.n {
		return len(b.text)
	}
	i := len(b.spans) - 1
	for b.spans[i].from > token {
		i--
	}
	s := b.spans[i]
	even := s.at + int(int64(token-s.from)*int64(s.bytes)/int64(s.tokens))
	for at := even; at > s.at && at > even-farthest; at-- {
		if b.text[at-1] == '\n' || space(b.text[at]) && !space(b.text[at-1]) {
			return at
		}
	}
	if even < s.at+farthest {
		return s.at
	}
	for even > s.at && !utf8.RuneStart(b.text[even]) {
		even--
	}
	return even
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\r' }

func (b *remoteBase) Text(from, to int) ([]byte, error) {
	if from < 0 || from > to || to > b.n {
		return nil, fmt.Errorf("tokens %d to %d of %d", from, to, b.n)
	}
	return b.text[b.offset(from):b.offset(to)], nil
}

func (b *remoteBase) Splice(_ context.Context, length int, inserts []Insert) (Context, error) {
	if length > b.n {
		return nil, fmt.Errorf("%d tokens of %d", length, b.n)
	}
	var text bytes.Buffer
	from := 0
	for _, ins := range inserts {
		at := b.offset(min(ins.At, length))
		text.Write(b.text[from:at])
		text.WriteString(ins.Text)
		from = at
	}
	text.Write(b.text[from:b.offset(length)])
	parts := []endpoint.Part{{Text: text.String()}}
	return &remoteContext{model: b.model, text: parts[0].Text, length: length, tokens: length,
		c: b.model.c.NewContext(parts, endpoint.InstructShort)}, nil
}

func (b *remoteBase) Close() error { return nil }

type remoteContext struct {
	model  remote
	c      *endpoint.Context
	text   string
	length int // tokens of the haystack, estimated
	tokens int // that the server says it read
	asked  int
}

// keep is how long a server is asked to keep a context for the questions after the
// first. It is deleted when they are answered.
const keep = 15 * time.Minute

func (c *remoteContext) Ask(ctx context.Context, question string) (Answer, error) {
	// Storing costs as much as a question does: it pays from the second one on.
	if c.asked++; c.asked == 2 {
		if err := c.c.Cache(ctx, keep); err != nil && !refusal(err) {
			return Answer{}, err
		}
	}
	a, err := c.c.Ask(ctx, question, handscroll.Sampling{MaxTokens: c.model.maxAnswer}, nil)
	if err != nil {
		return Answer{}, err
	}
	if read := a.Usage.PromptTokens; read > 0 {
		// The estimate is a few percent off at most.
		if read < c.length*7/10 {
			return Answer{}, fmt.Errorf("the endpoint read %d tokens of about %d: it cut the prompt off; give its model a longer context", read, c.length)
		}
		c.tokens = read
	}
	if a.Reason != "" {
		// It was stopped by a filter: an answer, and a wrong one.
		return Answer{Text: fmt.Sprintf("[%s] %s", a.Reason, a.Text), Found: true}, nil
	}
	out := Answer{Text: a.Text, Found: a.Found}
	for _, claim := range a.Claims {
		// What the server names counts if it stands in the context.
		if claim.Quote != "" && strings.Contains(c.text, claim.Quote) {
			out.Evidence = Evidence{Source: claim.Source, Quote: claim.Quote}
			break
		}
	}
	return out, nil
}

// refusal reports whether a server will not store a context that it would answer
// from: it is too short, or storing is not for this key or model.
func refusal(err error) bool {
	var e *endpoint.Error
	return errors.As(err, &e) && (e.Status == http.StatusBadRequest || e.Status == http.StatusForbidden ||
		e.Status == http.StatusNotFound || e.Status == http.StatusNotImplemented)
}

func (c *remoteContext) Tokens() int  { return c.tokens }
func (c *remoteContext) Close() error { return c.c.Close() }
