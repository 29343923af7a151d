package endpoint

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

// parts are of every kind: text of two files, a picture, a recording, a film's frame
// and a document.
func parts() []Part {
	return []Part{
		{Source: "a.txt", Text: "The port is <8080>.\n"},
		{Source: "b.txt", Text: "No newline"},
		data("p.png", "image/png", []byte("PNG")),
		data("s.mp3", "audio/mpeg", []byte("ID3")),
		{Source: "f.mp4", Text: "00:01"},
		data("f.mp4", "image/jpeg", []byte("JPG")),
		data("d.pdf", "application/pdf", []byte("%PDF")),
		{Source: "v.webm", MIME: "video/webm", Size: 4, Open: data("", "", []byte("webm")).Open, FPS: 2, Start: 1500 * time.Millisecond, End: time.Minute},
	}
}

func TestAsk(t *testing.T) {
	noEnvironment(t)
	for name, c := range map[string]struct {
		routes map[string]http.HandlerFunc
		path   string
		parts  []Part
		s      handscroll.Sampling
		answer http.HandlerFunc
		golden string
	}{
		"openai text": {path: "/v1", parts: parts()[:2], answer: openAIAnswer, golden: "openai-text.json", s: handscroll.Sampling{MaxTokens: 100}},
		"openai all": {path: "/v1", parts: parts(), answer: openAIAnswer, golden: "openai-all.json",
			s: handscroll.Sampling{Temperature: 0.5, TopP: 0.9, TopK: 7, MinP: 0.1, RepeatPenalty: 1.1, Seed: 3, Stop: []string{"END"}, Schema: []byte(`{"type":"string"}`)}},
		"gemini text": {path: "/v1beta", parts: parts()[:2], answer: geminiAnswer, golden: "gemini-text.json", s: handscroll.Sampling{MaxTokens: 100}},
		"gemini all": {path: "/v1beta", parts: parts(), answer: geminiAnswer, golden: "gemini-all.json",
			s: handscroll.Sampling{Temperature: 0.5, TopP: 0.9, TopK: 7, Seed: 3, Stop: []string{"END"}, Schema: []byte(`{"type":"string"}`)}},
	} {
		t.Run(name, func(t *testing.T) {
			routes, route, model := openAIRoutes(c.answer), "/v1/chat/completions", "small"
			if c.path == "/v1beta" {
				routes, route, model = geminiRoutes(c.answer), "/v1beta/models/gemini-x:streamGenerateContent", "gemini-x-001"
			}
			f := newFake(t, routes)
			x := f.open(c.path, Options{Key: "secret"}).NewContext(c.parts, "Be brief.")
			var pieces []string
			a, err := x.Ask(t.Context(), "Which port?", c.s, func(s string) { pieces = append(pieces, s) })
			if err != nil {
				t.Fatal(err)
			}
			if a.Text != "It is 8080." || !a.Found || a.Cut || a.Model != model || !slices.Equal(pieces, []string{"It is ", "8080."}) {
				t.Errorf("%+v in pieces %q", a, pieces)
			}
			if u := a.Usage; u.PromptTokens != 30 || u.CachedTokens != 16 || u.AnswerTokens != 4 && u.AnswerTokens != 11 {
				t.Errorf("usage %+v", u)
			}
			got := f.requests("POST", route)
			if len(got) != 1 {
				t.Fatalf("%d requests", len(got))
			}
			golden(t, c.golden, got[0].body)
			key := got[0].header.Get("Authorization") + got[0].header.Get("X-Goog-Api-Key")
			if want := map[string]string{"/v1": "Bearer secret", "/v1beta": "secret"}[c.path]; key != want {
				t.Errorf("key %q", key)
			}
			if c.path == "/v1beta" && !strings.HasSuffix(got[0].path, "?alt=sse") {
				t.Errorf("asked at %s", got[0].path)
			}
		})
	}
}

// TestAskHandscroll: its own model gets neither labels nor instructions, and each
// file as a part.
func TestAskHandscroll(t *testing.T) {
	noEnvironment(t)
	f := newFake(t, map[string]http.HandlerFunc{
		"GET /v1/models": says(`{"data":[{"id":"nano","owned_by":"handscroll"},{"id":"other","owned_by":"handscroll"}]}`),
		chat: says(`{"choices":[{"message":{"content":"8080","found":false},"finish_reason":"stop"}],"usage":{"prompt_tokens":9},
			"evidence":[{"source":"a.txt","quote":"The port","line":1},{"source":"f.mp4","quote":"seen","time":61.5}]}`),
	})
	a, err := f.open("", Options{}).NewContext(parts()[:2], Instruct).Ask(t.Context(), "Which port?", handscroll.Sampling{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Claim{{Source: "a.txt", Quote: "The port"}, {Source: "f.mp4", Quote: "seen", Time: 61500 * time.Millisecond, Timed: true}}
	if a.Text != "8080" || a.Found || !slices.Equal(a.Claims, want) {
		t.Errorf("%+v", a)
	}
	golden(t, "handscroll.json", f.requests("POST", "/v1/chat/completions")[0].body)
}

func TestAnswers(t *testing.T) {
	noEnvironment(t)
	for name, c := range map[string]struct {
		path   string
		answer http.HandlerFunc
		want   Answer
		err    string // part of it; "" for none
	}{
		"not found":        {"/v1", says(`{"choices":[{"message":{"content":"Not found in the context."},"finish_reason":"stop"}]}`), Answer{Text: "Not found in the context."}, ""},
		"cut":              {"/v1", says(`{"choices":[{"message":{"content":"a b"},"finish_reason":"length"}]}`), Answer{Text: "a b", Cut: true, Found: true}, ""},
		"filtered":         {"/v1", events(`{"choices":[{"delta":{},"finish_reason":"content_filter"}]}`, "[DONE]"), Answer{Reason: "stopped by the server: content_filter"}, ""},
		"thought too long": {"/v1", says(`{"choices":[{"message":{"content":""},"finish_reason":"length"}]}`), Answer{}, "--max-tokens"},
		"empty":            {"/v1", says(`{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}`), Answer{}, "the answer is empty"},
		"late error":       {"/v1", events(`{"choices":[{"delta":{"content":"It"}}]}`, `{"error":{"message":"out of memory","type":"server_error","code":500}}`), Answer{}, "out of memory"},
		"no end":           {"/v1", events(`{"choices":[{"delta":{"content":"It"}}]}`), Answer{}, "in the middle of the answer"},
		"done too early":   {"/v1", events(`{"choices":[{"delta":{"content":"It"}}]}`, "[DONE]"), Answer{}, "without saying why"},
		"no json":          {"/v1", events(`{"choices":`), Answer{}, "no JSON of OpenAI's API"},
		"array": {"/v1beta", says(`[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS"}]}]`),
			Answer{Text: "ab", Cut: true, Found: true}, ""},
		"blocked prompt": {"/v1beta", events(`{"promptFeedback":{"blockReason":"SAFETY"}}`), Answer{Reason: "the prompt was blocked: SAFETY"}, ""},
		"recitation": {"/v1beta", events(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"RECITATION"}]}`),
			Answer{Text: "a", Reason: "stopped by the server: RECITATION", Found: true}, ""},
		"gemini's late error": {"/v1beta", events(`{"error":{"code":500,"message":"lost","status":"INTERNAL"}}`), Answer{}, "500 INTERNAL: lost"},
		"grounding": {"/v1beta", events(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP",
			"groundingMetadata":{"groundingChunks":[{"retrievedContext":{"title":"x","text":"passage"}}]},"evidence":[{"source":"y","time":"1:02"}],"found":false}]}`),
			Answer{Text: "a", Claims: []Claim{{Source: "x", Quote: "passage"}, {Source: "y", Time: 62 * time.Second, Timed: true}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			routes := openAIRoutes(c.answer)
			if c.path == "/v1beta" {
				routes = geminiRoutes(c.answer)
			}
			x := newFake(t, routes).open(c.path, Options{Retries: -1}).NewContext(parts()[:1], "")
			a, err := x.Ask(t.Context(), "?", handscroll.Sampling{}, nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%+v, %v, want %q", a, err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a.Took = 0
			if a.Text != c.want.Text || a.Reason != c.want.Reason || a.Cut != c.want.Cut || a.Found != c.want.Found || !slices.Equal(a.Claims, c.want.Claims) {
				t.Errorf("%+v, want %+v", a, c.want)
			}
		})
	}
}

// TestAdapts: what a server refuses is left out from then on, if it makes no
// difference.
func TestAdapts(t *testing.T) {
	noEnvironment(t)
	refuse := func(param, message string) http.HandlerFunc {
		return status(400, `{"error":{"message":"`+message+`","type":"invalid_request_error","param":"`+param+`"}}`)
	}
	f := newFake(t, openAIRoutes(turns(
		refuse("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
		refuse("temperature", "Unsupported value: 'temperature' does not support 0 with this model."),
		refuse("", "unknown field stream_options"),
		openAIAnswer)))
	c := f.open("/v1", Options{})
	for range 2 {
		if a, err := c.NewContext(parts()[:1], "").Ask(t.Context(), "?", handscroll.Sampling{MaxTokens: 9}, nil); err != nil || a.Text != "It is 8080." {
			t.Fatal(a, err)
		}
	}
	got := f.requests("POST", "/v1/chat/completions")
	if len(got) != 5 {
		t.Fatalf("%d requests, want 5", len(got))
	}
	for _, s := range []string{`"temperature"`, `"stream_options"`, `"max_tokens"`} {
		if strings.Contains(string(got[4].body), s) || !strings.Contains(string(got[0].body), s) {
			t.Errorf("%s is in %s", s, got[4].body)
		}
	}
	// A temperature that was asked for is not left out.
	f = newFake(t, openAIRoutes(refuse("temperature", "temperature must be 0")))
	var e *Error
	_, err := f.open("/v1", Options{}).NewContext(nil, "").Ask(t.Context(), "?", handscroll.Sampling{Temperature: 1}, nil)
	if !errors.As(err, &e) || e.Status != 400 || len(f.requests("POST", "/v1/chat/completions")) != 1 {
		t.Errorf("%v", err)
	}
}

func TestGeminiHasNoMinP(t *testing.T) {
	noEnvironment(t)
	f := newFake(t, geminiRoutes(geminiAnswer))
	_, err := f.open("/v1beta", Options{}).NewContext(nil, "").Ask(t.Context(), "?", handscroll.Sampling{MinP: 0.1}, nil)
	if err == nil || !strings.Contains(err.Error(), "--min-p") {
		t.Error(err)
	}
}

func TestCache(t *testing.T) {
	noEnvironment(t)
	routes := geminiRoutes(geminiAnswer)
	routes["POST /v1beta/cachedContents"] = says(`{"name":"cachedContents/abc","usageMetadata":{"totalTokenCount":5000}}`)
	routes["DELETE /v1beta/cachedContents/abc"] = says(`{}`)
	f := newFake(t, routes)
	x := f.open("/v1beta", Options{}).NewContext(parts()[:2], "Be brief.")
	if err := x.Cache(t.Context(), 90*time.Second); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := x.Ask(t.Context(), "Which port?", handscroll.Sampling{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "gemini-cache.json", f.requests("POST", "/v1beta/cachedContents")[0].body)
	golden(t, "gemini-cached.json", f.requests("POST", "/v1beta/models/gemini-x:streamGenerateContent")[1].body)
	if n := len(f.requests("DELETE", "/v1beta/cachedContents/abc")); n != 1 {
		t.Errorf("deleted %d times", n)
	}
}

func TestCount(t *testing.T) {
	noEnvironment(t)
	gemini := geminiRoutes(nil)
	gemini["POST /v1beta/models/gemini-x:countTokens"] = says(`{"totalTokens":17}`)
	vllm, llama, plain := openAIRoutes(nil), openAIRoutes(nil), openAIRoutes(says(`{"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":17}}`))
	vllm["POST /tokenize"] = says(`{"count":17,"max_model_len":4096,"tokens":[1,2]}`)
	llama["POST /tokenize"] = says(`{"tokens":[1,2,3]}`)
	for name, c := range map[string]struct {
		routes map[string]http.HandlerFunc
		path   string
		parts  []Part
		want   int
	}{
		"gemini":       {gemini, "/v1beta", parts()[:3], 17},
		"vllm":         {vllm, "/v1", parts()[:2], 17},
		"llama-server": {llama, "/v1", parts()[:2], 3},
		"ollama":       {plain, "/v1", parts()[:2], 17},
		"pictures":     {plain, "/v1", parts()[:3], 17},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, c.routes)
			if n, err := f.open(c.path, Options{}).NewContext(c.parts, "").Count(t.Context()); err != nil || n != c.want {
				t.Errorf("%d, %v, want %d", n, err, c.want)
			}
			switch name {
			case "pictures":
				golden(t, "openai-count.json", f.requests("POST", "/v1/chat/completions")[0].body)
			case "gemini":
				golden(t, "gemini-count.json", f.requests("POST", "/v1beta/models/gemini-x:countTokens")[0].body)
			}
		})
	}
}

func TestScore(t *testing.T) {
	noEnvironment(t)
	const echoed = `{"choices":[{"logprobs":{"tokens":["Hé"," you","!"],"token_logprobs":[null,-1.0,-0.5],
		"top_logprobs":[null,{" you":-1.0," all":-0.7},{"!":-0.5}],"text_offset":[0,2,6]}}],"usage":{"prompt_tokens":2,"completion_tokens":1}}`
	routes := openAIRoutes(nil)
	routes["POST /v1/completions"] = turns(says(echoed), says(strings.ReplaceAll(echoed, `,"usage":{"prompt_tokens":2,"completion_tokens":1}`, "")), says(echoed),
		says(`{"choices":[{"text":"x","logprobs":{"content":[{"token":"x","logprob":-0.1}]}}],"usage":{"prompt_tokens":2,"completion_tokens":1}}`),
		says(`{"choices":[{"text":"x","logprobs":null}]}`),
		says(`{"choices":[{"logprobs":{"tokens":["x"],"token_logprobs":[-0.2],"text_offset":[0]}}],"usage":{"prompt_tokens":2,"completion_tokens":1}}`),
		status(400, `{"error":{"message":"echo is not supported","type":"invalid_request_error"}}`))
	f := newFake(t, routes)
	c := f.open("/v1", Options{})
	for _, p := range []Prompt{{Text: "Hé you"}, {Text: "Hé you"}, {IDs: []int32{5, 6}}} {
		list, perplexity, err := c.Score(t.Context(), p, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 2 || list[1].Text != " you" || list[1].LogProb != -1 || len(list[0].Top) != 2 || list[0].Top[0].Text != " all" || list[1].Top[0].Text != "!" {
			t.Errorf("%+v", list)
		}
		if perplexity < 2.718 || perplexity > 2.719 {
			t.Errorf("perplexity %g, want e", perplexity)
		}
	}
	golden(t, "score.json", f.requests("POST", "/v1/completions")[0].body)
	for range 3 {
		if _, _, err := c.Score(t.Context(), Prompt{Text: "Hé you"}, 5); err == nil || !strings.Contains(err.Error(), "do not repeat the prompt") {
			t.Error(err)
		}
	}
	if _, _, err := c.Score(t.Context(), Prompt{Text: "Hé you"}, 5); err == nil || !strings.Contains(err.Error(), "echo is not supported") {
		t.Error(err)
	}
	g := newFake(t, geminiRoutes(nil)).open("/v1beta", Options{})
	if _, _, err := g.Score(t.Context(), Prompt{Text: "x"}, 5); err == nil || !strings.Contains(err.Error(), "Gemini's API") {
		t.Error(err)
	}
}
