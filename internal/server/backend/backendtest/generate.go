package backendtest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// Generate implements [backend.Backend].
func (f *Fake) Generate(ctx context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
	if err := cmp.Or(ctx.Err(), f.failure("Generate")); err != nil {
		return nil, err
	}
	defer f.run()()
	p, err := f.prompt(r)
	if err != nil {
		return nil, err
	}
	if err := r.Sampling.Check(); err != nil {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "response_format", Message: err.Error()}
	}
	f.cache(r, p)
	f.mu.Lock()
	f.requests = append(f.requests, r)
	res := &backend.Response{ID: f.next("response"), Model: r.Model, Created: f.now()}
	f.mu.Unlock()
	if emit == nil {
		emit = func(backend.Event) error { return nil }
	}
	if err := f.progress(ctx, r, p, p.usage.Cached, emit); err != nil {
		return nil, err
	}
	for i := range max(r.Count, 1) {
		c, err := f.choice(r, p, i)
		if err != nil {
			return nil, err
		}
		pieces := strings.SplitAfter(c.Text, " ")
		if c.Text == "" {
			pieces = nil
		}
		first := 0
		if r.Raw && r.Echo {
			first = len(strings.Fields(p.question))
		}
		for j, piece := range pieces {
			d := backend.Delta{Index: i, Text: piece}
			if r.Logprobs >= 0 {
				d.Tokens = []backend.Token{token(piece, r.Logprobs, j == 0 && first > 0)}
				c.Tokens = append(c.Tokens, d.Tokens...)
			}
			if j >= first {
				p.usage.Answer++
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := emit(backend.Event{Delta: &d}); err != nil {
				return nil, err
			}
			if err := f.wait(ctx); err != nil {
				return nil, err
			}
		}
		res.Choices = append(res.Choices, c)
	}
	res.Usage, res.Skipped = p.usage, p.skipped
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.AnswerTokens += int64(p.usage.Answer)
	return res, nil
}

// wait is for [Fake.Pause], and fails where the stream shall.
func (f *Fake) wait(ctx context.Context) error {
	if err := f.failure("Stream"); err != nil {
		return err
	}
	f.mu.Lock()
	gate := f.paused
	f.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// progress tells of reading, in three steps after waiting.
func (f *Fake) progress(ctx context.Context, r *backend.Request, p *prompt, cached int, emit func(backend.Event) error) error {
	if !r.Progress || emit == nil {
		return ctx.Err()
	}
	name := ""
	if len(p.sources) > 0 {
		name = p.sources[0].name
	}
	for i := range 4 {
		e := backend.Progress{Waiting: i == 0, Total: p.usage.Prompt}
		if i > 0 {
			e.Cached, e.Source, e.Rate = cached, name, 1000
			e.Tokens = max(cached, p.usage.Prompt*i/3)
			e.Fraction = float64(e.Tokens) / float64(max(e.Total, 1))
			e.Left = time.Duration(e.Total-e.Tokens) * time.Millisecond
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := emit(backend.Event{Progress: &e}); err != nil {
			return err
		}
	}
	return nil
}

// choice makes an answer.
func (f *Fake) choice(r *backend.Request, p *prompt, index int) (backend.Choice, error) {
	c := backend.Choice{Finish: backend.FinishStop, Found: true, Text: p.question, Evidence: evidence(p)}
	tool, err := choose(r, p.question)
	switch {
	case err != nil:
		return c, err
	case tool != nil:
		args, err := example(tool.Parameters)
		if err != nil {
			return c, &backend.Error{Kind: backend.Invalid, Param: "tools", Message: err.Error()}
		}
		c.Text, c.Finish = "", backend.FinishCalls
		c.Calls = []backend.Call{{ID: fmt.Sprintf("call-%d", index+1), Name: tool.Name, Arguments: args}}
		return c, nil
	case r.Sampling.Schema != nil:
		v, err := example(r.Sampling.Schema)
		if err != nil {
			return c, &backend.Error{Kind: backend.Invalid, Param: "schema", Message: err.Error()}
		}
		c.Text = string(v)
		return c, nil
	case slices.Contains(strings.Fields(strings.ToLower(strings.Trim(p.question, "?!. "))), "nowhere"):
		c.Text, c.Found, c.Evidence = "Not in the context.", false, nil
	}
	if index > 0 {
		c.Text += fmt.Sprintf(" #%d", index+1)
	}
	for _, stop := range r.Sampling.Stop {
		if at := strings.Index(c.Text, stop); stop != "" && at >= 0 {
			c.Text = c.Text[:at]
		}
	}
	limit := p.model.OutputLimit
	if r.Sampling.MaxTokens > 0 {
		limit = min(limit, r.Sampling.MaxTokens)
	}
	if words := strings.SplitAfter(c.Text, " "); len(words) > limit {
		c.Text, c.Finish = strings.TrimSuffix(strings.Join(words[:limit], ""), " "), backend.FinishLength
	}
	if r.Raw && r.Echo {
		c.Text = strings.TrimSuffix(p.question+" "+c.Text, " ")
	}
	return c, nil
}

// choose finds the tool to call, nil for none.
func choose(r *backend.Request, question string) (*backend.Tool, error) {
	allowed := func(name string) bool { return r.ToolChoice.Only == nil || slices.Contains(r.ToolChoice.Only, name) }
	var first *backend.Tool
	for i := range r.Tools {
		t := &r.Tools[i]
		if r.ToolChoice.Mode == backend.ToolNone || !allowed(t.Name) {
			continue
		}
		if strings.Contains(question, "call "+t.Name) {
			return t, nil
		}
		if first == nil {
			first = t
		}
	}
	if r.ToolChoice.Mode != backend.ToolAny {
		return nil, nil
	}
	if first == nil {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "tools", Message: "a function must be called, but there is none that may be"}
	}
	return first, nil
}

func evidence(p *prompt) []handscroll.Evidence {
	var out []handscroll.Evidence
	for _, s := range p.sources {
		e := handscroll.Evidence{Source: s.name, Line: 1, Weight: 1 / float32(len(p.sources))}
		switch s.kind {
		case backend.Document:
			e.Page = 1
		case backend.Video, backend.Audio:
			e.Time, e.Timed = time.Second, true
		}
		if s.kind == backend.Text {
			words := strings.Fields(string(s.data))
			e.Quote = strings.Join(words[:min(len(words), 10)], " ")
		}
		out = append(out, e)
	}
	return out
}

// token is a piece with its probability, a half, and n of the likeliest.
func token(piece string, n int, first bool) backend.Token {
	t := backend.Token{Token: handscroll.Token{ID: int32(len(piece)), Text: []byte(piece), LogProb: math.Log(0.5)}}
	if first {
		t.LogProb = 0 // nothing precedes it
	}
	for i := range n {
		top := handscroll.Token{ID: t.ID, Text: t.Text, LogProb: t.LogProb}
		if i > 0 {
			top = handscroll.Token{ID: int32(1000 + i), Text: []byte(strings.Repeat("?", i)), LogProb: math.Log(0.5) - float64(i)}
		}
		t.Top = append(t.Top, top)
	}
	return t
}

// Count implements [backend.Backend].
func (f *Fake) Count(ctx context.Context, r *backend.Request) (*backend.Usage, error) {
	if err := cmp.Or(ctx.Err(), f.failure("Count")); err != nil {
		return nil, err
	}
	p, err := f.prompt(r)
	if err != nil {
		return nil, err
	}
	if r.Context != "" {
		f.mu.Lock()
		defer f.mu.Unlock()
		c, err := f.held(r.Owner, r.Context)
		if err != nil {
			return nil, err
		}
		p.usage.Cached, p.usage.CachedBy = c.Tokens, maps.Clone(c.ByKind)
	}
	return &p.usage, nil
}

// Embed implements [backend.Backend]. Vectors follow from a hash of each text.
func (f *Fake) Embed(ctx context.Context, model string, texts []string, dims int) ([][]float32, *backend.Usage, error) {
	if err := cmp.Or(ctx.Err(), f.failure("Embed")); err != nil {
		return nil, nil, err
	}
	m, err := f.Model(model)
	if err != nil {
		return nil, nil, err
	}
	if !m.Embeds {
		return nil, nil, backend.NoEmbeddings(model, f.models)
	}
	if dims < 0 || dims > m.EmbedDims {
		return nil, nil, &backend.Error{Kind: backend.Invalid, Param: "dimensions", Message: fmt.Sprintf("model %q has vectors of at most %d dimensions", model, m.EmbedDims)}
	}
	u := &backend.Usage{ByKind: make(map[backend.Modality]int)}
	var out [][]float32
	for _, text := range texts {
		v, sum := make([]float32, cmp.Or(dims, m.EmbedDims)), 0.0
		h := sha256.Sum256([]byte(text))
		for i := range v {
			v[i] = float32(int8(h[i%len(h)])) + float32(i)/64 + 0.5
			sum += float64(v[i]) * float64(v[i])
		}
		for i := range v {
			v[i] /= float32(math.Sqrt(sum))
		}
		out = append(out, v)
		u.Prompt += len(strings.Fields(text))
	}
	u.ByKind[backend.Text] = u.Prompt
	return out, u, nil
}

// example makes a value that a schema allows, with every property that it has.
func example(schema []byte) (json.RawMessage, error) {
	if len(schema) == 0 {
		return json.RawMessage("{}"), nil
	}
	var s any
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, fmt.Errorf("schema is no JSON: %w", err)
	}
	return json.Marshal(valueOf(s, 0))
}

func valueOf(schema any, depth int) any {
	s, _ := schema.(map[string]any)
	if depth > 20 {
		return nil
	}
	if all, _ := s["enum"].([]any); len(all) > 0 {
		return all[0]
	}
	if any_, _ := s["anyOf"].([]any); len(any_) > 0 {
		return valueOf(any_[0], depth+1)
	}
	if c, ok := s["const"]; ok {
		return c
	}
	typ, _ := s["type"].(string)
	if list, _ := s["type"].([]any); len(list) > 0 {
		typ, _ = list[0].(string)
	}
	props, _ := s["properties"].(map[string]any)
	switch typ = strings.ToLower(typ); {
	case typ == "string":
		return "word"
	case typ == "integer":
		return 7
	case typ == "number":
		return 1.5
	case typ == "boolean":
		return true
	case typ == "null":
		return nil
	case typ == "array":
		return []any{valueOf(s["items"], depth+1)}
	}
	out := make(map[string]any)
	for name, p := range props {
		out[name] = valueOf(p, depth+1)
	}
	return out
}
