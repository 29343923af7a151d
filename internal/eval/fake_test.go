package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A fakeModel reads words as tokens and answers by searching for its pattern
// with the words of the question.
type fakeModel struct {
	id string
	// answer answers a question over a text.
	answer func(text, question string) Answer
	// asked counts questions; the context ends after quota of them, if not 0.
	asked, quota int
	cancel       context.CancelFunc
}

func (m *fakeModel) ID() string             { return m.id }
func (m *fakeModel) NewBase() (Base, error) { return &fakeBase{model: m}, nil }

type fakeBase struct {
	model  *fakeModel
	tokens [][]byte
	closed bool
}

var fakeToken = regexp.MustCompile(`(?s) ?[^ \n]+| |\n`)

func (b *fakeBase) Append(ctx context.Context, p Part, progress func(int)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.tokens = append(b.tokens, fakeToken.FindAll(p.Text, -1)...)
	progressed(progress, len(b.tokens))
	return nil
}

func progressed(f func(int), n int) {
	if f != nil {
		f(n)
	}
}

func (b *fakeBase) Tokens() int { return len(b.tokens) }

func (b *fakeBase) Text(from, to int) ([]byte, error) {
	if from < 0 || to > len(b.tokens) || from > to {
		return nil, fmt.Errorf("tokens %d to %d of %d", from, to, len(b.tokens))
	}
	return bytes.Join(b.tokens[from:to], nil), nil
}

func (b *fakeBase) Splice(_ context.Context, length int, inserts []Insert) (Context, error) {
	if b.closed {
		return nil, errors.New("closed")
	}
	var text bytes.Buffer
	n, from := length, 0
	for _, ins := range inserts {
		text.Write(bytes.Join(b.tokens[from:ins.At], nil))
		text.WriteString(ins.Text)
		n += len(fakeToken.FindAllString(ins.Text, -1))
		from = ins.At
	}
	text.Write(bytes.Join(b.tokens[from:length], nil))
	return &fakeContext{b.model, text.String(), n}, nil
}

func (b *fakeBase) Close() error { b.closed = true; return nil }

type fakeContext struct {
	model  *fakeModel
	text   string
	tokens int
}

func (c *fakeContext) Ask(ctx context.Context, question string) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	c.model.asked++
	if c.model.asked == c.model.quota {
		c.model.cancel()
	}
	return c.model.answer(c.text, question), nil
}

func (c *fakeContext) Tokens() int  { return c.tokens }
func (c *fakeContext) Close() error { return nil }

// perfect finds the number that follows the question's last word in a needle
// of the form "KEY holds NUMBER."
func perfect(text, question string) Answer {
	key := strings.TrimSuffix(question[strings.LastIndexByte(question, ' ')+1:], "?")
	m := regexp.MustCompile(regexp.QuoteMeta(key) + ` holds (\d+)`).FindStringSubmatch(text)
	if m == nil {
		return Answer{Text: "not in the context"}
	}
	return Answer{Text: m[1], Found: true, Evidence: Evidence{Source: "haystack", Line: 1, Quote: m[0]}}
}

// forgetful is perfect for the last n bytes and knows nothing before them.
func forgetful(n int) func(text, question string) Answer {
	return func(text, question string) Answer { return perfect(text[max(0, len(text)-n):], question) }
}
