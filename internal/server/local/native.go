package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// checkNative refuses what the native model cannot do.
func checkNative(m *model, r *backend.Request) error {
	refuse := func(param, what string) error {
		return &backend.Error{
			Kind: backend.Invalid, Param: param,
			Message: fmt.Sprintf("the model %s %s: serve open weights for that", m.ID, what),
		}
	}
	switch {
	case len(r.Tools) > 0 && r.ToolChoice.Mode != backend.ToolNone:
		return refuse("tools", "calls no functions")
	case r.Sampling.Schema != nil:
		return refuse("response_format", "answers in words of its context, not by a schema")
	case r.Logprobs >= 0:
		return refuse("logprobs", "points into its context and has no probabilities of tokens")
	}
	return nil
}

// nativePrompt makes the prompt of a request. It must be released.
func (b *Backend) nativePrompt(ctx context.Context, m *model, r *backend.Request) (*prompt, error) {
	if last, _ := question(r.Messages); last < 0 {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "messages", Message: "no message of the user has a text: the last one is the question"}
	}
	pr := b.newPrompter(m, r.Owner)
	if err := b.fillPrompt(ctx, pr, r); err != nil {
		pr.p.release()
		return nil, err
	}
	return pr.p, nil
}

// fillPrompt adds what a request holds. Where nothing is asked there is no question.
func (b *Backend) fillPrompt(ctx context.Context, pr *prompter, r *backend.Request) error {
	if r.Context != "" {
		s, err := b.stored.find(r.Owner, r.Context)
		if err != nil {
			return err
		}
		if err := s.fits(pr.m); err != nil {
			return err
		}
		pr.stored(s)
	}
	pr.text(r.System, "system", "system")
	given := len(pr.p.units)
	last, at := question(r.Messages)
	if last < 0 {
		return pr.messages(ctx, r.Messages, -1, -1)
	}
	text := r.Messages[last].Parts[at].Text
	// The head of the text stands where the text stood.
	if err := pr.messages(ctx, r.Messages[:last+1], last, at); err != nil {
		return err
	}
	alone := len(pr.p.units) == given && r.Context == ""
	if pr.p.question = strings.TrimSpace(text); alone || len(pr.p.question) > maxQuestion {
		var rest string
		rest, pr.p.question = split(text)
		pr.text(rest, fmt.Sprintf("message %d (before the question)", pr.turns), fmt.Sprintf("messages[%d].parts[%d]", last, at))
	}
	return pr.messages(ctx, r.Messages[last+1:], -1, -1)
}

// question finds the last text of the user.
func question(list []backend.Message) (message, part int) {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Role != backend.User {
			continue
		}
		for j := len(list[i].Parts) - 1; j >= 0; j-- {
			if p := &list[i].Parts[j]; p.File == "" && p.Data == nil && strings.TrimSpace(p.Text) != "" {
				return i, j
			}
		}
	}
	return -1, -1
}

// admit lets a prompt in.
func (b *Backend) admit(ctx context.Context, m *model, p *prompt, emit func(backend.Event) error) (*pass, error) {
	c, tokens := b.workOf(p)
	pass, err := m.gate.enter(ctx, c, tokens, waiting(emit))
	if err != nil {
		return nil, err
	}
	if pass.release, err = b.scratch.take(ctx, b.scratch.of(b.entries.missing(p.units, false))); err != nil {
		pass.exit()
		return nil, err
	}
	return pass, nil
}

const (
	// textBytes is how many bytes of text are a token, about.
	textBytes = 4
	// mediaBytes is the same of pictures, films and documents. What they hold is known
	// when they are opened; this is a guess before.
	mediaBytes = 256
)

// workOf says what reading a prompt takes: the class, and about how many tokens. What
// others read already is work of theirs.
func (b *Backend) workOf(p *prompt) (c class, tokens int) {
	all, media := 0, false
	for _, u := range b.entries.missing(p.units, false) {
		n := int(u.size / textBytes)
		if u.long() {
			n, media = int(u.size/mediaBytes), true
		}
		if all += n; !b.entries.isReading(u) {
			tokens += n
		}
	}
	if media {
		return long, tokens
	}
	return classOf(all), tokens
}

// isReading reports whether somebody reads a unit.
func (s *entries) isReading(u *unit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reading[u.key] != nil
}

func (b *Backend) generateNative(ctx context.Context, m *model, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
	if err := checkNative(m, r); err != nil {
		return nil, err
	}
	p, err := b.nativePrompt(ctx, m, r)
	if err != nil {
		return nil, err
	}
	defer p.release()
	j := &job{m: m, p: p}
	if r.Progress {
		j.emit = emit
	}
	if j.pass, err = b.admit(ctx, m, p, j.emit); err != nil {
		return nil, err
	}
	defer func() { j.pass.exit() }()
	g, err := b.entries.gather(ctx, j, false)
	if err != nil {
		return nil, err
	}
	defer g.release()
	if err := j.pass.turn(ctx, quick); err != nil {
		return nil, err
	}
	b.count.prompt(g.tokens, g.cached)
	out, err := b.ask(ctx, m, r, p.question, g, emit)
	if err == nil {
		j.pass.answered()
	}
	return out, err
}

// questionTokens is how long a question is. The token that parts of a context begin with
// is not counted: the engine does not give it one.
func (m *model) questionTokens(question string) int {
	return m.native.CountTokens([]byte(question)) - 1
}

// ask answers a question from what was gathered.
func (b *Backend) ask(ctx context.Context, m *model, r *backend.Request, question string, g *gathered, emit func(backend.Event) error) (*backend.Response, error) {
	defer b.turns.ask()()
	most := min(nativeAnswer, r.Sampling.MaxTokens)
	begin := time.Now()
	a := &handscroll.Answer{Text: handscroll.NotFound}
	a.Usage.PromptTokens = m.questionTokens(question)
	if len(g.picks) > 0 {
		c := m.native.Join(handscroll.ContextOptions{Threads: b.opts.Threads, MaxAnswer: most}, g.picks...)
		var err error
		if a, err = c.Ask(ctx, question); err != nil {
			if ctx.Err() != nil {
				return nil, ended(ctx.Err())
			}
			return nil, &backend.Error{Kind: backend.Internal, Message: "answering failed", Err: err}
		}
	}
	choice := backend.Choice{Text: a.Text, Found: a.Found, Evidence: a.Evidence, Finish: backend.FinishStop}
	if a.Cut {
		choice.Finish = backend.FinishLength
	}
	for _, s := range r.Sampling.Stop {
		if s != "" {
			choice.Text, _, _ = strings.Cut(choice.Text, s)
		}
	}
	if r.Raw && r.Echo {
		choice.Text = rawText(r) + choice.Text
	}
	n := max(1, r.Count)
	out := b.response(r, backend.Usage{
		Prompt: a.Usage.PromptTokens, Cached: g.cached, Answer: n * a.Usage.AnswerTokens, ByKind: maps.Clone(g.byKind), CachedBy: g.cachBy,
	})
	out.Skipped = g.skipped
	if out.Usage.ByKind == nil {
		out.Usage.ByKind = map[backend.Modality]int{}
	}
	out.Usage.ByKind[backend.Text] += out.Usage.Prompt - g.tokens
	b.count.answer(int64(out.Usage.Answer), time.Since(begin))
	for i := range n { // the same: nothing is drawn by chance
		out.Choices = append(out.Choices, choice)
		if emit != nil && choice.Text != "" {
			if err := emit(backend.Event{Delta: &backend.Delta{Index: i, Text: choice.Text}}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (b *Backend) response(r *backend.Request, u backend.Usage) *backend.Response {
	return &backend.Response{ID: random(), Model: r.Model, Created: time.Now(), Usage: u}
}

// rawText is the text that a raw request goes on with.
func rawText(r *backend.Request) string {
	var s strings.Builder
	for _, m := range r.Messages {
		for _, p := range m.Parts {
			s.WriteString(p.Text)
		}
	}
	return s.String()
}

// waiting tells a client that its request waits.
func waiting(emit func(backend.Event) error) func() error {
	if emit == nil {
		return nil
	}
	return func() error { return emit(backend.Event{Progress: &backend.Progress{Waiting: true}}) }
}

// countNative counts without reading: what was read before is known, the rest is
// foretold.
func (b *Backend) countNative(ctx context.Context, m *model, r *backend.Request) (*backend.Usage, error) {
	pr := b.newPrompter(m, r.Owner)
	defer func() { pr.p.release() }()
	if err := b.fillPrompt(ctx, pr, r); err != nil {
		return nil, err
	}
	done, err := b.scratch.take(ctx, b.scratch.of(b.entries.missing(pr.p.units, false)))
	if err != nil {
		return nil, err
	}
	defer done()
	u := &backend.Usage{ByKind: map[backend.Modality]int{}, CachedBy: map[backend.Modality]int{}}
	for _, unit := range pr.p.units {
		if rec := b.entries.find(unit.key); rec != nil {
			u.Prompt, u.Cached = u.Prompt+rec.Tokens, u.Cached+rec.Tokens
			add(u.ByKind, rec.ByKind)
			add(u.CachedBy, rec.ByKind)
			continue
		}
		release, err := unit.open(ctx, b)
		if err != nil {
			return nil, err
		}
		for i := range unit.parts {
			p := &unit.parts[i]
			n, err := m.native.Count(p)
			var sense *handscroll.SenseError
			if errors.As(err, &sense) {
				err = &backend.Error{Kind: backend.Unsupported, Message: clean(err, "", ""), Param: unit.param, Err: err}
			} else if err != nil {
				err = &backend.Error{Kind: backend.Invalid, Message: clean(err, unit.path, unit.name), Param: unit.param, Err: err}
			}
			if err != nil {
				release()
				return nil, err
			}
			u.Prompt += n.Text + n.Seen + n.Heard
			u.ByKind[modality(p)] += n.Text + n.Seen
			if n.Heard > 0 {
				u.ByKind[backend.Audio] += n.Heard
			}
		}
		release()
	}
	if pr.p.question != "" {
		n := m.questionTokens(pr.p.question)
		u.Prompt, u.ByKind[backend.Text] = u.Prompt+n, u.ByKind[backend.Text]+n
	}
	return u, nil
}
