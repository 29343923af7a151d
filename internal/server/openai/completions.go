package openai

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// maxAtOnce is how many prompts of one request are asked at the same time.
const maxAtOnce = 4

// completionRequest is the body of a completion: a text to go on with.
type completionRequest struct {
	sampling
	Model          string          `json:"model"`
	Prompt         json.RawMessage `json:"prompt"`
	N              *int            `json:"n"`
	MaxTokens      *int            `json:"max_tokens"`
	Echo           bool            `json:"echo"`
	Logprobs       *int            `json:"logprobs"`
	Stream         bool            `json:"stream"`
	StreamOptions  *streamOptions  `json:"stream_options"`
	ReturnProgress bool            `json:"return_progress"`

	// What cannot be honoured.
	Suffix json.RawMessage `json:"suffix"`
	BestOf json.RawMessage `json:"best_of"`
}

// requests translates the body: a request for each prompt.
func (c *completionRequest) requests(m backend.Model, owner string) ([]*backend.Request, error) {
	if err := refuse("suffix", c.Suffix, `""`); err != nil {
		return nil, err
	}
	if err := refuse("best_of", c.BestOf, "1"); err != nil {
		return nil, err
	}
	prompts, err := texts(c.Prompt, "prompt")
	if err != nil {
		return nil, err
	}
	n, err := choices(c.N)
	if err != nil {
		return nil, err
	}
	r := backend.Request{Model: m.ID, Owner: owner, Raw: true, Echo: c.Echo, Count: n, Logprobs: -1}
	if err := c.apply(&r, n); err != nil {
		return nil, err
	}
	r.Sampling.MaxTokens = 16 // what OpenAI's API has where it is left out
	switch {
	case c.none():
		r.Sampling.MaxTokens = 1 // and it is left out of the answer
	case c.MaxTokens != nil:
		if r.Sampling.MaxTokens, err = maxTokens("max_tokens", c.MaxTokens); err != nil {
			return nil, err
		}
	}
	if c.Logprobs != nil {
		if r.Logprobs, err = topLogprobs("logprobs", *c.Logprobs); err != nil {
			return nil, err
		}
	}
	if !c.Stream && c.StreamOptions != nil {
		return nil, invalid("stream_options", "it needs stream to be true")
	}
	if !c.Stream && c.ReturnProgress {
		return nil, invalid("return_progress", "it needs stream to be true")
	}
	out := make([]*backend.Request, len(prompts))
	for i, p := range prompts {
		one := r
		one.Messages = []backend.Message{{Role: backend.User, Parts: textPart(p)}}
		out[i] = &one
	}
	return out, nil
}

// none says that the prompt alone is wanted back, with its probabilities.
func (c *completionRequest) none() bool { return c.Echo && c.MaxTokens != nil && *c.MaxTokens == 0 }

type completion struct {
	ID       string             `json:"id"`
	Object   string             `json:"object"`
	Created  int64              `json:"created"`
	Model    string             `json:"model"`
	Choices  []completionChoice `json:"choices"`
	Usage    any                `json:"usage,omitempty"`
	Progress *progress          `json:"prompt_progress,omitempty"`
}

type completionChoice struct {
	Index    int                 `json:"index"`
	Text     string              `json:"text"`
	Logprobs *completionLogprobs `json:"logprobs"`
	Finish   *string             `json:"finish_reason"`
}

// completionLogprobs are four lists side by side, with an element for each token. The
// first of a prompt has no probability: nothing precedes it.
type completionLogprobs struct {
	Tokens  []string             `json:"tokens"`
	Chosen  []*float64           `json:"token_logprobs"`
	Top     []map[string]float64 `json:"top_logprobs"`
	Offsets []int                `json:"text_offset"` // in characters
}

// completionLogprobsOf writes tokens whose text begins at an offset, in characters;
// first says that the first of them is a prompt's.
func completionLogprobsOf(list []backend.Token, offset int, first bool) (*completionLogprobs, int) {
	out := &completionLogprobs{[]string{}, []*float64{}, []map[string]float64{}, []int{}}
	for i, t := range list {
		out.Tokens = append(out.Tokens, tokenText(t.Text))
		out.Offsets = append(out.Offsets, offset)
		offset += utf8.RuneCount(t.Text)
		if first && i == 0 {
			out.Chosen = append(out.Chosen, nil)
			// OpenAI's own server has null, for which openai-go drops the whole list.
			out.Top = append(out.Top, map[string]float64{})
			continue
		}
		p := finite(t.LogProb)
		out.Chosen = append(out.Chosen, &p)
		top := map[string]float64{}
		for _, c := range t.Top {
			top[tokenText(c.Text)] = finite(c.LogProb)
		}
		out.Top = append(out.Top, top)
	}
	return out, offset
}

// cutToPrompt takes the one token away that had to be made.
func cutToPrompt(c *backend.Choice, prompt string) {
	n := 0
	for i := range c.Tokens {
		if n >= len(prompt) {
			c.Tokens = c.Tokens[:i]
			break
		}
		n += len(c.Tokens[i].Text)
	}
	c.Text, c.Finish = prompt, backend.FinishLength
}

func promptOf(r *backend.Request) string { return joinText(r.Messages[0].Parts) }

func (h *handler) completions(w http.ResponseWriter, r *http.Request) error {
	var body completionRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	m, err := h.model(body.Model)
	if err != nil {
		return err
	}
	reqs, err := body.requests(m, backend.Owner(r.Context()))
	if err != nil {
		return err
	}
	s := &completionStream{body: &body, n: reqs[0].Count, offsets: map[int]int{}, texts: make([]sentAnswer, len(reqs)*reqs[0].Count)}
	s.head = completion{ID: newID("cmpl-"), Object: "text_completion", Model: m.ID}
	if body.Stream {
		s.stream = h.newStream(w, r)
		s.head.Created = s.start.Unix()
		h.streamCompletions(r.Context(), s, reqs)
		return nil // it has said itself what went wrong
	}
	resps, usage, err := h.generateAll(r.Context(), reqs, func(int, backend.Event) error { return nil })
	if err != nil {
		return err
	}
	out := s.head
	out.Created, out.Usage = unix(resps[0].Created), usageOf(usage)
	for i, resp := range resps {
		for j := range resp.Choices {
			c := &resp.Choices[j]
			if body.none() {
				cutToPrompt(c, promptOf(reqs[i]))
			}
			finish := finishReason(c.Finish)
			choice := completionChoice{Index: i*s.n + j, Text: c.Text, Finish: &finish}
			if body.Logprobs != nil {
				choice.Logprobs, _ = completionLogprobsOf(c.Tokens, 0, body.Echo)
			}
			out.Choices = append(out.Choices, choice)
		}
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// generateAll asks several requests, some at the same time; emit is called with one
// event after the other. The first error stops all.
func (h *handler) generateAll(ctx context.Context, reqs []*backend.Request, emit func(i int, e backend.Event) error) ([]*backend.Response, *backend.Usage, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	turns := make(chan struct{}, maxAtOnce)
	out := make([]*backend.Response, len(reqs))
	for i, r := range reqs {
		wg.Go(func() {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
			case <-ctx.Done():
				return
			}
			resp, err := h.b.Generate(ctx, r, func(e backend.Event) error {
				mu.Lock()
				defer mu.Unlock()
				return emit(i, e)
			})
			if err != nil {
				cancel(err) // of several causes the first stays
			}
			out[i] = resp
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, nil, err
	}
	total := &backend.Usage{}
	for _, resp := range out {
		add(total, &resp.Usage)
	}
	return out, total, nil
}

// completionStream sends chunks of completions.
type completionStream struct {
	*stream
	body    *completionRequest
	head    completion
	n       int // answers to each prompt
	texts   []sentAnswer
	offsets map[int]int // of the text that comes next, in characters
}

func (h *handler) streamCompletions(ctx context.Context, s *completionStream, reqs []*backend.Request) {
	for _, r := range reqs {
		r.Progress = true
	}
	resps, usage, err := h.generateAll(ctx, reqs, s.event)
	if err == nil {
		err = s.end(resps, reqs, usage)
	}
	if err != nil {
		s.failData(err)
		return
	}
	s.done()
}

func (s *completionStream) withUsage() bool {
	return s.body.StreamOptions != nil && s.body.StreamOptions.IncludeUsage
}

func (s *completionStream) chunk(choices ...completionChoice) completion {
	c := s.head
	if c.Choices = choices; choices == nil {
		c.Choices = []completionChoice{}
	}
	if s.withUsage() {
		c.Usage = (*wireUsage)(nil)
	}
	return c
}

func (s *completionStream) event(prompt int, e backend.Event) error {
	switch {
	case e.Progress != nil && s.body.ReturnProgress:
		c := s.chunk()
		c.Progress = s.progressOf(e.Progress)
		return s.send("", c)
	case e.Progress != nil:
		return s.busy(e.Progress)
	case e.Delta != nil && e.Delta.Index >= 0 && e.Delta.Index < s.n && !s.body.none():
		return s.piece(prompt*s.n+e.Delta.Index, e.Delta.Text, e.Delta.Tokens)
	}
	return nil
}

func (s *completionStream) piece(i int, text string, tokens []backend.Token) error {
	if text == "" && len(tokens) == 0 {
		return nil
	}
	a := &s.texts[i]
	c := completionChoice{Index: i, Text: text}
	if s.body.Logprobs != nil {
		c.Logprobs, s.offsets[i] = completionLogprobsOf(tokens, s.offsets[i], s.body.Echo && !a.begun)
	}
	a.begun = true
	a.text.WriteString(text)
	return s.send("", s.chunk(c))
}

func (s *completionStream) end(resps []*backend.Response, reqs []*backend.Request, usage *backend.Usage) error {
	for p, resp := range resps {
		for j := range resp.Choices {
			i, c := p*s.n+j, &resp.Choices[j]
			if j >= s.n {
				return backend.Errorf(backend.Internal, "answer %d of %d", j, s.n)
			}
			if s.body.none() {
				cutToPrompt(c, promptOf(reqs[p]))
			}
			text, tokens, err := s.texts[i].rest(c)
			if err != nil {
				return err
			}
			if err := s.piece(i, text, tokens); err != nil {
				return err
			}
			finish := finishReason(c.Finish)
			if err := s.send("", s.chunk(completionChoice{Index: i, Finish: &finish})); err != nil {
				return err
			}
		}
	}
	if s.withUsage() {
		c := s.chunk()
		c.Usage = usageOf(usage)
		return s.send("", c)
	}
	return nil
}
