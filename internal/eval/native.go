package eval

import (
	"context"
	"fmt"
	"time"

	"github.com/handscroll/handscroll"
)

// Native measures this project's own model.
func Native(m *handscroll.Model, opts handscroll.ContextOptions) Model {
	return native{m, opts}
}

type native struct {
	m    *handscroll.Model
	opts handscroll.ContextOptions
}

// idDigits is how much of a fingerprint tells models apart in print.
const idDigits = 12

func (n native) ID() string {
	f := n.m.Fingerprint()
	return n.m.Name() + "@" + f[:min(len(f), idDigits)]
}

func (n native) NewBase() (Base, error) { return nativeContext{n.m.NewContext(n.opts)}, nil }

// A nativeContext is a Base as well as a Context.
type nativeContext struct{ c *handscroll.Context }

func (n nativeContext) Append(ctx context.Context, p Part, progress func(int)) error {
	return n.c.Read(ctx, []handscroll.Part{{Source: p.Source, Text: p.Text}}, func(s handscroll.Progress) {
		if progress != nil {
			progress(s.Tokens)
		}
	})
}

func (n nativeContext) Tokens() int { return n.c.Tokens() }

func (n nativeContext) Text(from, to int) ([]byte, error) {
	if from < 0 || from > to || to > n.c.Tokens() {
		return nil, fmt.Errorf("tokens %d to %d of %d", from, to, n.c.Tokens())
	}
	return n.c.Text(from, to), nil
}

func (n nativeContext) Splice(ctx context.Context, length int, inserts []Insert) (Context, error) {
	set := make([]handscroll.Insert, len(inserts))
	for i, ins := range inserts {
		set[i] = handscroll.Insert(ins)
	}
	c, err := n.c.Splice(ctx, length, set...)
	if err != nil {
		return nil, err
	}
	return nativeContext{c}, nil
}

func (n nativeContext) Ask(ctx context.Context, question string) (Answer, error) {
	a, err := n.c.Ask(ctx, question)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Text: a.Text, Found: a.Found}
	if len(a.Evidence) > 0 {
		e := a.Evidence[0]
		out.Evidence = Evidence{Source: e.Source, Line: e.Line, Quote: e.Quote}
	}
	return out, nil
}

func (n nativeContext) Close() error { return n.c.Close() }

// NativeSenses measures what this project's own model sees and hears.
func NativeSenses(m *handscroll.Model, opts handscroll.ContextOptions) Senses {
	return senses{native{m, opts}}
}

type senses struct{ native }

func (s senses) Words() []string { return s.m.Words() }

func (s senses) Open(dir string) (Scroll, error) {
	if dir == "" {
		return scroll{s.m.NewContext(s.opts)}, nil
	}
	c, err := s.m.OpenContext(dir, s.opts)
	if err != nil {
		return nil, err
	}
	return scroll{c}, nil
}

// scroll returns what is made from it as the interface.
type scroll struct{ *handscroll.Context }

func (s scroll) SpliceMedium(ctx context.Context, source string, length time.Duration, cuts ...handscroll.Cut) (Scroll, error) {
	c, err := s.Context.SpliceMedium(ctx, source, length, cuts...)
	if err != nil {
		return nil, err
	}
	return scroll{c}, nil
}

func (s scroll) Splice(ctx context.Context, length int, inserts ...handscroll.Insert) (Scroll, error) {
	c, err := s.Context.Splice(ctx, length, inserts...)
	if err != nil {
		return nil, err
	}
	return scroll{c}, nil
}
