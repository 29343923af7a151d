package endpoint

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/handscroll/handscroll"
)

// owner is what this program's server says that its models are owned by.
const owner = "handscroll"

type openAIPart struct {
	Type  string       `json:"type"`
	Text  string       `json:"text,omitempty"`
	Image *openAIURL   `json:"image_url,omitempty"`
	Video *openAIURL   `json:"video_url,omitempty"`
	Audio *openAIAudio `json:"input_audio,omitempty"`
	File  *openAIFile  `json:"file,omitempty"`
}

type openAIURL struct {
	URL string `json:"url"`
}

type openAIAudio struct {
	Data   string `json:"data"`
	Format string `json:"format"`
}

type openAIFile struct {
	Name string `json:"filename"`
	Data string `json:"file_data"`
}

type openAIMessage struct {
	Role    string `json:"role"`
	Content any    `json:"content"` // a text, or parts
}

type openAIRequest struct {
	Model         string          `json:"model"`
	Messages      []openAIMessage `json:"messages"`
	Stream        bool            `json:"stream"`
	StreamOptions *streamOptions  `json:"stream_options,omitempty"`
	MaxTokens     int             `json:"max_tokens,omitempty"`
	MaxCompletion int             `json:"max_completion_tokens,omitempty"`
	Temperature   *float64        `json:"temperature,omitempty"`
	TopP          float64         `json:"top_p,omitempty"`
	Presence      float64         `json:"presence_penalty,omitempty"`
	Frequency     float64         `json:"frequency_penalty,omitempty"`
	Seed          uint64          `json:"seed,omitempty"`
	Stop          []string        `json:"stop,omitempty"`
	Format        *responseFormat `json:"response_format,omitempty"`
	// What local servers have besides; repetition by both of its names.
	TopK       int     `json:"top_k,omitempty"`
	MinP       float64 `json:"min_p,omitempty"`
	Repeat     float64 `json:"repeat_penalty,omitempty"`
	Repetition float64 `json:"repetition_penalty,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type responseFormat struct {
	Type   string        `json:"type"`
	Schema *openAISchema `json:"json_schema,omitempty"`
}

type openAISchema struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
}

type openAIDelta struct {
	Content  string         `json:"content"`
	Refusal  string         `json:"refusal"`
	Evidence []wireEvidence `json:"evidence"`
	Found    *bool          `json:"found"` // Handscroll's own
}

type openAIResponse struct {
	Model   string `json:"model"`
	Choices []struct {
		Delta    openAIDelta    `json:"delta"`
		Message  openAIDelta    `json:"message"` // where nothing is streamed
		Finish   string         `json:"finish_reason"`
		Evidence []wireEvidence `json:"evidence"`
	} `json:"choices"`
	Usage    openAIUsage     `json:"usage"`
	Evidence []wireEvidence  `json:"evidence"`
	Error    json.RawMessage `json:"error"`
}

type openAIUsage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

func (c *Client) openAIModels(ctx context.Context) ([]Model, error) {
	var doc struct {
		Data []struct {
			ID      string `json:"id"`
			OwnedBy string `json:"owned_by"`
			Length  int    `json:"max_model_len"` // vLLM, SGLang
			Window  int    `json:"context_length"`
			Meta    struct {
				Trained int `json:"n_ctx_train"` // llama-server
			} `json:"meta"`
		} `json:"data"`
	}
	if err := c.fetch(ctx, "GET", c.base+"/models", nil, &doc); err != nil {
		return nil, err
	}
	if doc.Data == nil {
		return nil, fmt.Errorf("endpoint %s: its list of models is not one of OpenAI's API", c.base)
	}
	var out []Model
	for _, m := range doc.Data {
		out = append(out, Model{ID: m.ID, InputLimit: max(m.Length, m.Window, m.Meta.Trained), Handscroll: m.OwnedBy == owner})
	}
	return out, nil
}

// openAIParts brings parts into a request's form.
func openAIParts(parts []Part, bare bool) ([]openAIPart, error) {
	var out []openAIPart
	say := func(s string) {
		// One text, so that nothing comes between what stands together; a Handscroll
		// takes each for a source.
		if n := len(out); n > 0 && out[n-1].Type == "text" && !bare {
			out[n-1].Text += s
		} else if s != "" {
			out = append(out, openAIPart{Type: "text", Text: s})
		}
	}
	err := labels(parts, bare, say, func(p *Part) error {
		if p.MIME == "" {
			say(p.Text)
			return nil
		}
		b, err := p.bytes()
		if err != nil {
			return err
		}
		encoded := base64.StdEncoding.EncodeToString(b)
		url := "data:" + p.MIME + ";base64," + encoded
		kind, format, _ := strings.Cut(p.MIME, "/")
		part := openAIPart{}
		if bare {
			kind = "" // a file is the one form with a name, which evidence is given by
		}
		switch kind {
		case "image":
			part.Type, part.Image = "image_url", &openAIURL{url}
		case "audio":
			if format == "mpeg" {
				format = "mp3"
			}
			part.Type, part.Audio = "input_audio", &openAIAudio{encoded, format}
		case "video":
			part.Type, part.Video = "video_url", &openAIURL{url}
		default:
			part.Type, part.File = "file", &openAIFile{filepath.Base(p.Source), url}
		}
		out = append(out, part)
		return nil
	})
	return out, err
}

// openAIRequest is a request for an answer, or without a question one that shows how
// long the context is; all is one text where it can be, which
// every server takes.
func (x *Context) openAIRequest(question string) openAIRequest {
	parts := x.openAI
	if question != "" {
		parts = append(slices.Clip(parts), openAIPart{Type: "text", Text: question})
	}
	var content any = parts
	if texts := !slices.ContainsFunc(parts, func(p openAIPart) bool { return p.Type != "text" }); texts && !x.c.model.Handscroll {
		var all []string
		for _, p := range parts {
			all = append(all, p.Text)
		}
		content = strings.Join(all, "\n")
	}
	return openAIRequest{Model: x.c.model.ID, Messages: []openAIMessage{{"user", content}}}
}

// sample puts how tokens are chosen on a request, as far as the server takes it.
func (r *openAIRequest) sample(s handscroll.Sampling, no *refused) {
	r.TopP, r.Presence, r.Frequency, r.Stop = s.TopP, s.PresencePenalty, s.FrequencyPenalty, s.Stop
	r.TopK, r.MinP, r.Repeat, r.Repetition = s.TopK, s.MinP, s.RepeatPenalty, s.RepeatPenalty
	if !no.temperature.Load() {
		r.Temperature = &s.Temperature
	}
	if !no.seed.Load() {
		r.Seed = s.Seed
	}
	if no.maxTokens.Load() {
		r.MaxCompletion = s.MaxTokens
	} else {
		r.MaxTokens = s.MaxTokens
	}
	if s.Schema != nil {
		r.Format = &responseFormat{Type: "json_object"}
		if len(s.Schema) > 0 {
			r.Format = &responseFormat{"json_schema", &openAISchema{"answer", s.Schema}}
		}
	}
}

// adapt notes a field that the server refuses; it reports whether asking again
// without it makes sense.
func (no *refused) adapt(err error, s *handscroll.Sampling) bool {
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest && e.Status != http.StatusUnprocessableEntity {
		return false
	}
	refuses := func(field string, flag *atomic.Bool) bool {
		return (e.Param == field || strings.Contains(e.Message, field)) && flag.CompareAndSwap(false, true)
	}
	switch {
	// Only choices that make no difference are left out: the likeliest token, no seed.
	case s.Temperature == 0 && refuses("temperature", &no.temperature):
		return true
	case refuses("stream_options", &no.streamOptions):
		return true
	case s.MaxTokens > 0 && strings.Contains(e.Message, "max_completion_tokens") && refuses("max_tokens", &no.maxTokens):
		return true
	}
	return s.Temperature == 0 && s.Seed != 0 && refuses("seed", &no.seed)
}

// askOpenAI asks and collects what is answered.
func (x *Context) askOpenAI(ctx context.Context, question string, s handscroll.Sampling, a *Answer, say func(string)) error {
	for {
		req := x.openAIRequest(question)
		req.Stream = true
		req.sample(s, &x.c.refused)
		if !x.c.refused.streamOptions.Load() {
			req.StreamOptions = &streamOptions{true}
		}
		err := x.streamOpenAI(ctx, req, a, say)
		if err == nil || !x.c.refused.adapt(err, &s) {
			return err
		}
	}
}

func (x *Context) streamOpenAI(ctx context.Context, req openAIRequest, a *Answer, say func(string)) error {
	ended := false
	return x.c.stream(ctx, x.c.base+"/chat/completions", req, func(event []byte) error {
		var r openAIResponse
		if err := json.Unmarshal(event, &r); err != nil {
			return fmt.Errorf("endpoint %s: an event of the answer is no JSON of OpenAI's API: %w", x.c.base, err)
		}
		if r.Error != nil && string(r.Error) != "null" {
			return x.c.late(event)
		}
		if r.Model != "" {
			a.Model = r.Model
		}
		if r.Usage.Prompt > 0 {
			a.Usage = handscroll.Usage{PromptTokens: r.Usage.Prompt, CachedTokens: r.Usage.Details.Cached, AnswerTokens: r.Usage.Completion}
		}
		a.claim(r.Evidence)
		for _, c := range r.Choices[:min(1, len(r.Choices))] {
			say(c.Delta.Content + c.Message.Content)
			a.claim(slices.Concat(c.Evidence, c.Delta.Evidence, c.Message.Evidence))
			a.hold(c.Delta.Found, c.Message.Found)
			if refusal := c.Delta.Refusal + c.Message.Refusal; refusal != "" {
				a.Reason += refusal
			}
			switch c.Finish {
			case "":
				continue
			case "stop":
			case "length":
				a.Cut = true
			default:
				a.Reason = "stopped by the server: " + c.Finish
			}
			ended = true
		}
		return nil
	}, func() bool { return ended })
}

// countOpenAI counts by /tokenize, which vLLM, SGLang and llama-server have beside
// their API, or by a request for one token.
func (x *Context) countOpenAI(ctx context.Context) (int, error) {
	c := x.c
	texts := !slices.ContainsFunc(x.openAI, func(p openAIPart) bool { return p.Type != "text" })
	if texts && !c.refused.tokenize.Load() {
		var all strings.Builder
		for _, p := range x.openAI {
			all.WriteString(p.Text)
		}
		n, err := c.tokenize(ctx, all.String())
		if err == nil || ctx.Err() != nil {
			return n, err
		}
		// Whatever is wrong with it, there is the other way.
		c.refused.tokenize.Store(true)
	}
	for {
		req := x.openAIRequest("")
		s := handscroll.Sampling{MaxTokens: 1}
		req.sample(s, &c.refused)
		var doc openAIResponse
		err := c.fetch(ctx, "POST", c.base+"/chat/completions", req, &doc)
		if err == nil && doc.Usage.Prompt == 0 {
			return 0, fmt.Errorf("endpoint %s: it does not say how many tokens it read", c.base)
		}
		if err == nil || !c.refused.adapt(err, &s) {
			return doc.Usage.Prompt, err
		}
	}
}

func (c *Client) tokenize(ctx context.Context, text string) (int, error) {
	body, err := encode(map[string]string{"model": c.model.ID, "prompt": text, "content": text})
	if err != nil {
		return 0, err
	}
	resp, err := c.do(ctx, call{method: "POST", url: strings.TrimSuffix(c.base, "/v1") + "/tokenize", body: body, once: true})
	if err != nil {
		return 0, err
	}
	var doc struct {
		Count  int               `json:"count"`
		Tokens []json.RawMessage `json:"tokens"`
	}
	if err := c.decode(resp, &doc); err != nil {
		return 0, err
	}
	if n := max(doc.Count, len(doc.Tokens)); n > 0 || text == "" {
		return n, nil
	}
	return 0, errors.New("endpoint: no count")
}
