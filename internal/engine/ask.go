package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// NotFound is the text of an answer that is not in the context.
const NotFound = "Not found in the context."

// maxQuestion is how many tokens of a question the model is asked at once; what
// comes before in a longer one is read as one more part of the context.
const maxQuestion = 128

// questionSource names that part in evidence.
const questionSource = "question"

// Answer is what a context says to a question.
type Answer struct {
	Text     string
	Found    bool // false if the answer is not in the context
	Cut      bool // the answer reached Options.MaxAnswer before its end
	Evidence []Evidence

	Prompt, Cached, Tokens int // tokens: of context and question; stored; of the answer
	Read, Answer           time.Duration
}

// UnfinishedError says that reading was interrupted, or is still going on in
// another process.
type UnfinishedError struct {
	Source string // the part that is half read; "" if none is, but some may be missing
	Tokens int    // read so far, of that part or of all
}

func (e *UnfinishedError) Error() string {
	if e.Source == "" {
		return fmt.Sprintf("engine: reading stopped after %d tokens, between two parts, and has not been finished", e.Tokens)
	}
	return fmt.Sprintf("engine: reading %s stopped after %d tokens and has not been finished", e.Source, e.Tokens)
}

// Ask answers a question from the context.
func (c *Context) Ask(ctx context.Context, question string) (ans *Answer, err error) {
	defer recoverTo(&err)
	begin := time.Now()
	question = strings.TrimSpace(question)
	if question == "" {
		return nil, errors.New("engine: the question is empty")
	}
	for _, s := range c.pages.Segments() {
		if !s.Done() {
			return nil, &UnfinishedError{s.Source, s.Tokens()}
		}
	}
	sensed, err := c.askSenses(ctx, question, begin)
	if err != nil {
		return nil, err
	}
	if c.partial {
		return nil, &UnfinishedError{Tokens: c.Tokens()}
	}
	if c.Tokens() == 0 {
		return nil, errEmpty
	}
	if sensed != nil && sensed.sure {
		return sensed.Answer, nil
	}
	head, tail := splitQuestion(c.model, c.model.tok.Encode(nil, []byte(question)))
	if len(head) > 0 {
		if c, err = c.withQuestion(ctx, head); err != nil {
			return nil, err
		}
	}
	steps, cut, err := c.decode(ctx, tail)
	if err != nil {
		return nil, err
	}
	ans = &Answer{
		Cut: cut, Prompt: c.Tokens() + len(tail), Cached: c.cached, Tokens: len(steps), Read: c.read,
	}
	if len(steps) > 0 && steps[0].ID != tokenizer.Absent {
		ans.Text = c.model.answerText(steps)
	}
	// In what is mostly clocks the generator makes numbers up.
	invented := c.hasMedia() && !slices.ContainsFunc(steps, func(s model.Step) bool { return s.Copied })
	if ans.Found = ans.Text != "" && !invented; ans.Found {
		ans.Evidence = c.evidence(steps)
	} else {
		ans.Text = NotFound
	}
	if ans.Found && asksWhen.MatchString(question) && ans.Evidence[0].Time >= 0 {
		ans.Text = Clock(ans.Evidence[0].Time)
	}
	ans.Answer = time.Since(begin)
	if sensed != nil && !c.textWins(question, ans, sensed) {
		sensed.Answer.Answer = ans.Answer
		return sensed.Answer, nil
	}
	return ans, nil
}

// decode returns the answer's steps without its end, and whether it was cut.
func (c *Context) decode(ctx context.Context, question []int32) (steps []model.Step, cut bool, err error) {
	most := c.opts.MaxAnswer
	if most <= 0 {
		most = defaultMaxAnswer
	}
	d := c.model.net.NewDecoder(c.view, question)
	for {
		st, err := d.Next(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("engine: %w", err)
		}
		if st.ID == tokenizer.End {
			return steps, false, nil
		}
		if len(steps) == most {
			return steps, true, nil
		}
		steps = append(steps, st)
		if st.ID == tokenizer.Absent && len(steps) == 1 {
			return steps, false, nil
		}
	}
}

// answerText is the text of an answer's tokens: values joined by "; ", without
// the space or the pair of quotes that a value may stand between.
func (m *Model) answerText(steps []model.Step) string {
	var values []string
	var ids []int32
	flush := func() {
		v := strings.TrimSpace(string(m.tok.Decode(nil, ids)))
		for _, q := range []string{`"`, `'`, "`"} {
			if inner, ok := strings.CutPrefix(v, q); ok && strings.HasSuffix(inner, q) && strings.Count(v, q) == 2 {
				v = strings.TrimSpace(strings.TrimSuffix(inner, q))
			}
		}
		if v != "" {
			values = append(values, v)
		}
		ids = ids[:0]
	}
	for _, st := range steps {
		if st.ID == tokenizer.Sep {
			flush()
			continue
		}
		ids = append(ids, st.ID)
	}
	flush()
	return strings.Join(values, "; ")
}

// splitQuestion cuts a question that is too long to be asked at once, if it can
// at the end of a sentence or line.
func splitQuestion(m *Model, ids []int32) (head, tail []int32) {
	if len(ids) <= maxQuestion {
		return nil, ids
	}
	at := len(ids) - maxQuestion
	for i := at; i < len(ids)-8; i++ {
		p := m.tok.Piece(ids[i])
		if len(p) > 0 && strings.IndexByte(".?!:\n", p[len(p)-1]) >= 0 {
			at = i + 1
			break
		}
	}
	return ids[:at], ids[at:]
}

// withQuestion returns a context with one more segment, the head of a question.
func (c *Context) withQuestion(ctx context.Context, head []int32) (*Context, error) {
	ids := append([]int32{tokenizer.BOS}, head...)
	blocks, err := c.model.prefill(ctx, ids, []span{{0, len(ids)}}, c.opts)
	if err != nil {
		return nil, err
	}
	s := &kvcache.Segment{Source: questionSource, Text: c.model.tok.Decode(nil, head)}
	for _, b := range blocks {
		s.Blocks = append(s.Blocks, kvcache.Block{First: b.from, Run: b.run})
	}
	c.model.index(s)
	f := *c
	f.pages = kvcache.NewMemory(append(c.pages.Segments()[:len(c.pages.Segments()):len(c.pages.Segments())], s))
	f.refresh()
	return &f, nil
}

// span is the tokens [from, to) of a segment.
type span struct{ from, to int }

// filled is the entries of tokens from from on.
type filled struct {
	from int
	run  kvcache.Run
}

// prefill makes the entries of spans of the segment ids, in chunks over all
// workers. Spans begin at multiples of blockTokens.
func (m *Model) prefill(ctx context.Context, ids []int32, spans []span, opts Options) ([]filled, error) {
	var chunks []span
	size := shareSize(opts.chunkSize(), opts.workers())
	for _, s := range spans {
		for from := s.from; from < s.to; from += size {
			chunks = append(chunks, span{from, min(s.to, from+size)})
		}
	}
	out := make([]filled, len(chunks))
	errs := make([]error, len(chunks))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(opts.workers(), len(chunks)) {
		wg.Go(func() {
			fill := m.net.Prefiller()
			for i := int(next.Add(1)) - 1; i < len(chunks) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				s := chunks[i]
				out[i], errs[i] = m.fill(fill, ids, s)
			}
		})
	}
	wg.Wait()
	return out, errors.Join(append(errs, ctx.Err())...)
}

func (m *Model) fill(fill func(kvcache.Run, []int32, int, int), ids []int32, s span) (f filled, err error) {
	defer recoverTo(&err)
	f = filled{s.from, kvcache.NewRun(s.to-s.from, m.id.DK, m.id.DV)}
	m.entries(fill, f.run, ids, 0, s.from)
	return f, nil
}

// entries makes the entries of ids[from : from+dst.N], handing prefill those of
// ids that they depend on. ids[0] stands at position pos of its segment.
func (m *Model) entries(prefill func(kvcache.Run, []int32, int, int), dst kvcache.Run, ids []int32, pos, from int) {
	begin := max(0, from-m.net.Lead())
	end := min(from+dst.N+m.net.Lookahead(), len(ids))
	prefill(dst, ids[begin:end], pos+begin, from-begin)
	for i := range dst.N {
		dst.ID[i] = uint32(ids[from+i])
	}
}

// index sets the offsets and lines of a segment's blocks, and the last mark.
func (m *Model) index(s *kvcache.Segment) {
	var at int64
	line := 0
	for i := range s.Blocks {
		b := &s.Blocks[i]
		b.Offset, b.Line, b.Last = at, line, i == len(s.Blocks)-1
		end := at
		for _, id := range b.Run.ID {
			end += int64(m.width[id])
		}
		line += countLines(s.Text[at:end])
		at = end
	}
}
