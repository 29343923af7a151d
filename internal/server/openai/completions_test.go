package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
)

func TestCompletions(t *testing.T) {
	c, f := newClient(t, Options{})
	v := ok(t, c.post("/v1/completions", `{"prompt":"one two"}`))
	v.want("object", "text_completion", "choices.0.text", "one two", "choices.0.index", 0, "choices.0.logprobs", nil,
		"choices.0.finish_reason", "stop", "usage.prompt_tokens", 2, "usage.completion_tokens", 2)
	r := lastRequest(t, f.Requests())
	if !r.Raw || r.Echo || r.Sampling.MaxTokens != 16 || r.Logprobs != -1 {
		t.Errorf("asked %+v", r)
	}
	v = ok(t, c.post("/v1beta/openai/completions", `{"prompt":["a","b c","d","e","f","g"],"n":2,"max_tokens":3,"seed":7,"suffix":"","best_of":1}`))
	if n := len(v.at("choices").([]any)); n != 12 {
		t.Fatalf("%d choices", n)
	}
	v.want("choices.0.text", "a", "choices.1.text", "a #2", "choices.2.text", "b c", "choices.3.text", "b c #2", "choices.3.index", 3,
		"choices.8.text", "f", "usage.prompt_tokens", 7)
	if r := lastRequest(t, f.Requests()); r.Count != 2 || r.Sampling.MaxTokens != 3 || r.Sampling.Seed != 7 || r.Sampling.Temperature != 1 {
		t.Errorf("asked %+v", r)
	}
}

// TestEchoForLikelihoods is what lm-evaluation-harness asks for.
func TestEchoForLikelihoods(t *testing.T) {
	c, _ := newClient(t, Options{})
	for _, e := range []struct {
		limit string
		text  string
		n     int
	}{{"1", "é two one", 3}, {"0", "é two", 2}} {
		e.text = strings.Replace(e.text, "one", "é", 1)
		v := ok(t, c.post("/v1/completions", `{"prompt":["é two"],"max_tokens":`+e.limit+`,"logprobs":1,"echo":true,"temperature":0}`))
		v.want("choices.0.text", e.text, "choices.0.finish_reason", "length",
			"choices.0.logprobs.token_logprobs.0", nil, "choices.0.logprobs.top_logprobs.0", map[string]any{}, "choices.0.logprobs.tokens.0", "é ",
			"choices.0.logprobs.text_offset.0", 0, "choices.0.logprobs.text_offset.1", 2,
			"choices.0.logprobs.token_logprobs.1", math.Log(0.5))
		lp := value{t, v.at("choices.0.logprobs")}
		for _, list := range []string{"tokens", "token_logprobs", "top_logprobs", "text_offset"} {
			if n := len(lp.at(list).([]any)); n != e.n {
				t.Errorf("limit %s: %d %s, want %d", e.limit, n, list, e.n)
			}
		}
		es := events(t, c.post("/v1/completions", `{"stream":true,"prompt":["é two"],"max_tokens":`+e.limit+`,"logprobs":1,"echo":true}`))
		text, offsets := "", []any{}
		for _, ev := range es[:len(es)-1] {
			text += ev.at("choices.0.text").(string)
			if l, ok := ev.at("choices.0.logprobs").(map[string]any); ok {
				offsets = append(offsets, l["text_offset"].([]any)...)
			}
		}
		if text != e.text || len(offsets) != e.n || offsets[1] != 2.0 {
			t.Errorf("streamed %q at %v", text, offsets)
		}
		es[0].want("choices.0.logprobs.token_logprobs.0", nil)
	}
	// Without echo the first token has its probability.
	ok(t, c.post("/v1/completions", `{"prompt":"a b","logprobs":0}`)).want("choices.0.logprobs.token_logprobs.0", math.Log(0.5), "choices.0.logprobs.top_logprobs.0", map[string]any{})
}

func TestCompletionStream(t *testing.T) {
	c, _ := newClient(t, Options{})
	es := events(t, c.post("/v1/completions", `{"stream":true,"stream_options":{"include_usage":true},"prompt":["a b","c d","e f"],"n":2}`))
	texts, ends := make([]string, 6), 0
	for _, e := range es[:len(es)-2] {
		i := int(e.at("choices.0.index").(float64))
		texts[i] += e.at("choices.0.text").(string)
		if e.at("choices.0.finish_reason") == "stop" {
			ends++
		}
		e.want("usage", nil, "object", "text_completion")
	}
	if got := strings.Join(texts, "|"); got != "a b|a b #2|c d|c d #2|e f|e f #2" || ends != 6 {
		t.Errorf("streamed %q, %d ends", got, ends)
	}
	es[len(es)-2].want("choices", []any{}, "usage.prompt_tokens", 6, "usage.completion_tokens", 15)
	es = events(t, c.post("/v1/completions", `{"stream":true,"return_progress":true,"prompt":"a b"}`))
	es[1].want("choices", []any{}, "prompt_progress.total", 2)
}

func TestCompletionRefusals(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, e := range []struct {
		body, param, text string
	}{
		{`{}`, "prompt", "missing"},
		{`{"prompt":[]}`, "prompt", "empty"},
		{`{"prompt":7}`, "prompt", "a string or a list"},
		{`{"prompt":{"a":1}}`, "prompt", "a string or a list"},
		{`{"prompt":["a",null]}`, "prompt[1]", "not null"},
		{`{"prompt":["a",7]}`, "prompt", "number"},
		{`{"prompt":"x","suffix":"y"}`, "suffix", "not supported"},
		{`{"prompt":"x","best_of":2}`, "best_of", "not supported"},
		{`{"prompt":"x","max_tokens":0}`, "max_tokens", "less than 1"},
		{`{"prompt":"x","echo":true,"max_tokens":-1}`, "max_tokens", "less than 1"},
		{`{"prompt":"x","logprobs":21}`, "logprobs", "0 to 20"},
		{`{"prompt":"x","logprobs":true}`, "logprobs", "bool"},
		{`{"prompt":"x","stream_options":{}}`, "stream_options", "needs stream"},
		{`{"prompt":"x","return_progress":true}`, "return_progress", "needs stream"},
		{`{"prompt":"x","logit_bias":{"1":2}}`, "logit_bias", "not supported"},
	} {
		wantError(t, c.post("/v1/completions", e.body), 400, e.param, "", e.text)
	}
	for _, body := range []string{`{"prompt":[1,2]}`, `{"prompt":[[1,2],[3]]}`} {
		wantError(t, c.post("/v1/completions", body), 415, "prompt", "unsupported_content", "tokenized_requests=False")
	}
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
	f.Fail("Generate", backend.Errorf(backend.Busy, "full"))
	wantError(t, c.post("/v1/completions", `{"prompt":["a","b","c","d","e","f"]}`), 429, "", "rate_limit_exceeded", "full")
}

func TestEmbeddings(t *testing.T) {
	c, _ := newClient(t, Options{})
	v := ok(t, c.post("/v1/embeddings", `{"model":"handscroll","input":["one two","three"],"dimensions":8}`))
	v.want("object", "list", "model", "handscroll", "data.0.object", "embedding", "data.1.index", 1, "usage.prompt_tokens", 3, "usage.total_tokens", 3)
	list := v.at("data.1.embedding").([]any)
	if len(list) != 8 {
		t.Fatalf("%d dimensions", len(list))
	}
	b := ok(t, c.post("/v1beta/openai/embeddings", `{"input":"three","dimensions":8,"encoding_format":"base64"}`))
	data, err := base64.StdEncoding.DecodeString(b.at("data.0.embedding").(string))
	if err != nil || len(data) != 32 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	for i, x := range list {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])); got != float32(x.(float64)) {
			t.Errorf("%d: %v in base64, %v as a number", i, got, x)
		}
	}
	if n := len(ok(t, c.post("/v1/embeddings", `{"input":"x"}`)).at("data.0.embedding").([]any)); n != 64 {
		t.Errorf("%d dimensions by default", n)
	}
	for _, e := range []struct {
		body, param, text string
	}{
		{`{}`, "input", "missing"},
		{`{"input":[]}`, "input", "empty"},
		{`{"input":"x","dimensions":65}`, "dimensions", "1 to the 64"},
		{`{"input":"x","dimensions":0}`, "dimensions", "1 to the 64"},
		{`{"input":"x","encoding_format":"int8"}`, "encoding_format", "float, base64"},
		{`{"input":"x","model":"text-only"}`, "model", "no embeddings"},
	} {
		wantError(t, c.post("/v1/embeddings", e.body), 400, e.param, "", e.text)
	}
	wantError(t, c.post("/v1/embeddings", `{"input":[[1,2]]}`), 415, "input", "unsupported_content", "ids of tokens")
	wantError(t, c.post("/v1/embeddings", `{"input":[`+strings.Repeat(`"a",`, maxInputs)+`"a"]}`), 400, "input", "", "at most 2048")
}
