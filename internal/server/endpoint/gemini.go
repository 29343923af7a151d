package endpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
)

// inlineRoom is how many bytes of data and text go into a request itself, which may
// have 20 MB with its base64; what is beyond is uploaded.
const inlineRoom = 15 << 20

type geminiContent struct {
	Role  string       `json:"role"`
	Parts []geminiPart `json:"parts"`
}

type geminiPart struct {
	Text          string       `json:"text,omitempty"`
	Thought       bool         `json:"thought,omitempty"`
	InlineData    *geminiBlob  `json:"inlineData,omitempty"`
	FileData      *geminiRef   `json:"fileData,omitempty"`
	VideoMetadata *geminiVideo `json:"videoMetadata,omitempty"`
}

type geminiBlob struct {
	MIMEType string `json:"mimeType"`
	Data     []byte `json:"data"`
	Name     string `json:"displayName,omitempty"` // for Handscroll: the public API refuses it
}

type geminiRef struct {
	MIMEType string `json:"mimeType"`
	FileURI  string `json:"fileUri"`
}

type geminiVideo struct {
	FPS         float64 `json:"fps,omitempty"`
	StartOffset string  `json:"startOffset,omitempty"`
	EndOffset   string  `json:"endOffset,omitempty"`
}

type geminiConfig struct {
	Temperature        *float64        `json:"temperature,omitempty"`
	TopP               float64         `json:"topP,omitempty"`
	TopK               int             `json:"topK,omitempty"`
	PresencePenalty    float64         `json:"presencePenalty,omitempty"`
	FrequencyPenalty   float64         `json:"frequencyPenalty,omitempty"`
	MaxOutputTokens    int             `json:"maxOutputTokens,omitempty"`
	Seed               uint64          `json:"seed,omitempty"`
	StopSequences      []string        `json:"stopSequences,omitempty"`
	ResponseMIMEType   string          `json:"responseMimeType,omitempty"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema,omitempty"`
}

type geminiRequest struct {
	Contents      []geminiContent `json:"contents"`
	CachedContent string          `json:"cachedContent,omitempty"`
	Config        *geminiConfig   `json:"generationConfig,omitempty"`
}

type geminiResponse struct {
	Candidates []struct {
		Content      geminiContent   `json:"content"`
		FinishReason string          `json:"finishReason"`
		Grounding    geminiGrounding `json:"groundingMetadata"`
		Evidence     []wireEvidence  `json:"evidence"`
		Found        *bool           `json:"found"` // Handscroll's own
	} `json:"candidates"`
	Feedback struct {
		BlockReason string `json:"blockReason"`
	} `json:"promptFeedback"`
	Usage struct {
		Prompt   int `json:"promptTokenCount"`
		Answer   int `json:"candidatesTokenCount"`
		Thoughts int `json:"thoughtsTokenCount"`
		Cached   int `json:"cachedContentTokenCount"`
	} `json:"usageMetadata"`
	ModelVersion string          `json:"modelVersion"`
	Evidence     []wireEvidence  `json:"evidence"`
	Error        json.RawMessage `json:"error"`
}

type geminiGrounding struct {
	Chunks []struct {
		Retrieved struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		} `json:"retrievedContext"`
	} `json:"groundingChunks"`
}

// wireEvidence is what Handscroll's own server adds in both families.
type wireEvidence struct {
	Source string          `json:"source"`
	Quote  string          `json:"quote"`
	Page   int             `json:"page"`
	Time   json.RawMessage `json:"time"` // seconds, "1.5s" or "12:34"
}

func (e *wireEvidence) claim() Claim {
	c := Claim{Source: e.Source, Quote: e.Quote, Page: e.Page}
	c.Time, c.Timed = parseTime(strings.Trim(string(e.Time), `"`))
	return c
}

// parseTime reads a time in the forms that there are; ok is false if there is none.
func parseTime(s string) (t time.Duration, ok bool) {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		return time.Duration(seconds * float64(time.Second)), seconds >= 0 && seconds < 1e8
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d, d >= 0
	}
	fields := strings.Split(s, ":")
	if len(fields) < 2 || len(fields) > 3 {
		return 0, false
	}
	seconds := 0.0
	for _, f := range fields {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil || n < 0 || n > 1e6 {
			return 0, false
		}
		seconds = 60*seconds + n
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// geminiModels lists the models that answer.
func (c *Client) geminiModels(ctx context.Context) ([]Model, error) {
	var out []Model
	for token := ""; ; {
		var doc struct {
			Models []struct {
				Name    string   `json:"name"`
				Input   int      `json:"inputTokenLimit"`
				Output  int      `json:"outputTokenLimit"`
				Methods []string `json:"supportedGenerationMethods"`
				Native  *bool    `json:"native"` // of Handscroll alone
			} `json:"models"`
			Next string `json:"nextPageToken"`
		}
		if err := c.fetch(ctx, "GET", c.base+"/models?pageSize=1000&pageToken="+url.QueryEscape(token), nil, &doc); err != nil {
			return nil, err
		}
		if doc.Models == nil && token == "" {
			return nil, fmt.Errorf("endpoint %s: its list of models is not one of Gemini's API", c.base)
		}
		for _, m := range doc.Models {
			if m.Methods == nil || slices.Contains(m.Methods, "generateContent") {
				out = append(out, Model{strings.TrimPrefix(m.Name, "models/"), m.Input, m.Output, m.Native != nil})
			}
		}
		if doc.Next == "" || doc.Next == token {
			return out, nil
		}
		token = doc.Next
	}
}

// geminiParts brings parts into a request's form and uploads what is large.
func (x *Context) geminiParts(ctx context.Context) ([]geminiPart, error) {
	var out []geminiPart
	room := int64(inlineRoom)
	var pending strings.Builder
	flush := func() error {
		s := pending.String()
		pending.Reset()
		switch n := int64(len(s)); {
		case n == 0:
			return nil
		case n <= room:
			room -= n
			out = append(out, geminiPart{Text: s})
			return nil
		}
		p := data("text", "text/plain", []byte(s))
		ref, err := x.upload(ctx, &p)
		out = append(out, geminiPart{FileData: ref})
		return err
	}
	err := labels(x.parts, x.c.model.Handscroll, func(s string) { pending.WriteString(s) }, func(p *Part) error {
		if p.MIME == "" {
			pending.WriteString(p.Text)
			if x.c.model.Handscroll {
				return flush() // its parts are its sources
			}
			return nil
		}
		if err := flush(); err != nil {
			return err
		}
		part := geminiPart{VideoMetadata: video(p)}
		var err error
		if p.Size <= room {
			room -= p.Size
			part.InlineData = &geminiBlob{MIMEType: p.MIME}
			if x.c.model.Handscroll {
				part.InlineData.Name = filepath.Base(p.Source)
			}
			part.InlineData.Data, err = p.bytes()
		} else {
			part.FileData, err = x.upload(ctx, p)
		}
		out = append(out, part)
		return err
	})
	if err == nil {
		err = flush()
	}
	return out, err
}

// video says what is wanted of a film, nil if that is the default.
func video(p *Part) *geminiVideo {
	v := geminiVideo{FPS: p.FPS}
	if p.Start > 0 {
		v.StartOffset = offset(p.Start)
	}
	if p.End > 0 {
		v.EndOffset = offset(p.End)
	}
	if v == (geminiVideo{}) {
		return nil
	}
	return &v
}

// offset writes a time as Gemini's API does.
func offset(t time.Duration) string {
	return strconv.FormatFloat(t.Seconds(), 'f', -1, 64) + "s"
}

func (x *Context) geminiRequest(question string) geminiRequest {
	ask := geminiPart{Text: question}
	if x.cached != "" {
		return geminiRequest{Contents: []geminiContent{{"user", []geminiPart{ask}}}, CachedContent: x.cached}
	}
	return geminiRequest{Contents: []geminiContent{{"user", append(slices.Clip(x.gemini), ask)}}}
}

func geminiSampling(s handscroll.Sampling) (*geminiConfig, error) {
	if s.MinP != 0 || s.RepeatPenalty != 0 && s.RepeatPenalty != 1 {
		return nil, fmt.Errorf("endpoint: Gemini's API has no --min-p and no --repeat-penalty")
	}
	c := &geminiConfig{
		Temperature: &s.Temperature, TopP: s.TopP, TopK: s.TopK, MaxOutputTokens: s.MaxTokens, Seed: s.Seed, StopSequences: s.Stop,
		PresencePenalty: s.PresencePenalty, FrequencyPenalty: s.FrequencyPenalty,
	}
	if s.Schema != nil {
		c.ResponseMIMEType = "application/json"
		if len(s.Schema) > 0 {
			c.ResponseJSONSchema = s.Schema
		}
	}
	return c, nil
}

func (c *Client) method(name string) string {
	return c.base + "/models/" + url.PathEscape(c.model.ID) + ":" + name
}

// askGemini asks and collects what is answered.
func (x *Context) askGemini(ctx context.Context, question string, s handscroll.Sampling, a *Answer, say func(string)) error {
	req := x.geminiRequest(question)
	var err error
	if req.Config, err = geminiSampling(s); err != nil {
		return err
	}
	ended := false
	return x.c.stream(ctx, x.c.method("streamGenerateContent")+"?alt=sse", req, func(event []byte) error {
		var r geminiResponse
		if err := json.Unmarshal(event, &r); err != nil {
			return fmt.Errorf("endpoint %s: an event of the answer is no JSON of Gemini's API: %w", x.c.base, err)
		}
		if r.Error != nil {
			return x.c.late(event)
		}
		a.hear(&r)
		if r.Feedback.BlockReason != "" {
			ended, a.Reason = true, "the prompt was blocked: "+r.Feedback.BlockReason
		}
		for _, cand := range r.Candidates[:min(1, len(r.Candidates))] {
			for _, p := range cand.Content.Parts {
				if !p.Thought {
					say(p.Text)
				}
			}
			for _, g := range cand.Grounding.Chunks {
				a.Claims = append(a.Claims, Claim{Source: g.Retrieved.Title, Quote: g.Retrieved.Text})
			}
			a.claim(cand.Evidence)
			a.hold(cand.Found)
			switch cand.FinishReason {
			case "", "FINISH_REASON_UNSPECIFIED":
				continue
			case "STOP":
			case "MAX_TOKENS":
				a.Cut = true
			default:
				a.Reason = "stopped by the server: " + cand.FinishReason
			}
			ended = true
		}
		return nil
	}, func() bool { return ended })
}

// hear takes down what a response says besides its text.
func (a *Answer) hear(r *geminiResponse) {
	a.claim(r.Evidence)
	if r.ModelVersion != "" {
		a.Model = r.ModelVersion
	}
	if r.Usage.Prompt > 0 {
		a.Usage = handscroll.Usage{PromptTokens: r.Usage.Prompt, CachedTokens: r.Usage.Cached, AnswerTokens: r.Usage.Answer + r.Usage.Thoughts}
	}
}

// hold takes down what a Handscroll says of whether there is an answer.
func (a *Answer) hold(found ...*bool) {
	for _, f := range found {
		if f != nil {
			a.said = f
		}
	}
}

func (a *Answer) claim(list []wireEvidence) {
	for i := range list {
		a.Claims = append(a.Claims, list[i].claim())
	}
}

func (x *Context) countGemini(ctx context.Context) (int, error) {
	var doc struct {
		Total int `json:"totalTokens"`
	}
	err := x.c.fetch(ctx, "POST", x.c.method("countTokens"), geminiRequest{Contents: []geminiContent{{"user", x.gemini}}}, &doc)
	return doc.Total, err
}

// cacheGemini stores the context on the server.
func (x *Context) cacheGemini(ctx context.Context, ttl time.Duration) error {
	req := struct {
		Model    string          `json:"model"`
		Contents []geminiContent `json:"contents"`
		TTL      string          `json:"ttl"`
	}{"models/" + x.c.model.ID, []geminiContent{{"user", x.gemini}}, offset(ttl)}
	var doc struct {
		Name string `json:"name"`
	}
	if err := x.c.fetch(ctx, "POST", x.c.base+"/cachedContents", req, &doc); err != nil {
		return err
	}
	if !strings.HasPrefix(doc.Name, "cachedContents/") {
		return fmt.Errorf("endpoint %s: it named a stored context %q", x.c.base, clean(doc.Name))
	}
	x.cached = doc.Name
	return nil
}

// remove deletes a stored context or a file by its name.
func (c *Client) remove(ctx context.Context, name string) error {
	return c.fetch(ctx, "DELETE", c.base+"/"+name, nil, nil)
}
