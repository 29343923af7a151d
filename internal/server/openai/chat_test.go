package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

const tinyPNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// lastRequest is what the backend was asked last.
func lastRequest(t *testing.T, requests []*backend.Request) *backend.Request {
	t.Helper()
	if len(requests) == 0 {
		t.Fatal("nothing was asked")
	}
	return requests[len(requests)-1]
}

func TestChatAnswer(t *testing.T) {
	c, _ := newClient(t, Options{})
	v := ok(t, c.post("/v1/chat/completions", `{"model":"handscroll","n":2,"messages":[
		{"role":"system","content":"Be brief."},{"role":"user","content":"how many doors"}]}`))
	v.want("object", "chat.completion", "model", "handscroll", "choices.0.index", 0, "choices.0.message.role", "assistant",
		"choices.0.message.content", "how many doors", "choices.0.message.refusal", nil, "choices.0.finish_reason", "stop",
		"choices.0.message.annotations", []any{}, "choices.0.message.found", true, "choices.0.logprobs", nil,
		"choices.1.index", 1, "choices.1.message.content", "how many doors #2",
		"usage.prompt_tokens", 5, "usage.completion_tokens", 7, "usage.total_tokens", 12,
		"usage.prompt_tokens_details.cached_tokens", 0, "usage.completion_tokens_details.reasoning_tokens", 0)
	if id := v.at("id").(string); !strings.HasPrefix(id, "chatcmpl-") || len(id) < 20 {
		t.Errorf("id %q", id)
	}
	if at := v.at("created").(float64); time.Since(time.Unix(int64(at), 0)) > time.Minute {
		t.Errorf("created %v", at)
	}
	again := ok(t, c.post("/v1beta/openai/chat/completions", `{"messages":[{"role":"developer","content":[{"type":"text","text":"Be brief."}]},
		{"role":"user","content":[{"type":"text","text":"how many"},{"type":"text","text":"doors"}]}]}`))
	again.want("model", "handscroll", "usage.prompt_tokens_details.cached_tokens", 4)
}

func TestChatRequestIsTranslated(t *testing.T) {
	user := func(fields string) string {
		return `{"messages":[{"role":"user","content":"hi"}]` + fields + `}`
	}
	fn := `,"tools":[{"type":"function","function":{"name":"open","description":"a door","parameters":{"type":"object"},"strict":true}},{"type":"function","function":{"name":"shut"}}]`
	for _, c := range []struct {
		name, body string
		want       func(r *backend.Request)
	}{
		{"least", user(""), func(r *backend.Request) {}},
		{"sampling", user(`,"temperature":0.5,"top_p":0.9,"presence_penalty":-1,"frequency_penalty":1.5,"seed":-3,"top_k":40,"min_p":0.1,"repetition_penalty":1.1,"stop":["a","b"],"max_tokens":9`),
			func(r *backend.Request) {
				s := &r.Sampling
				s.Temperature, s.TopP, s.PresencePenalty, s.FrequencyPenalty, s.TopK, s.MinP, s.RepeatPenalty = 0.5, 0.9, -1, 1.5, 40, 0.1, 1.1
				seed := int64(-3)
				s.Seed, s.Stop, s.MaxTokens = uint64(seed), []string{"a", "b"}, 9
			}},
		{"stop is a string", user(`,"stop":"x"`), func(r *backend.Request) { r.Sampling.Stop = []string{"x"} }},
		{"the newer limit wins", user(`,"max_tokens":9,"max_completion_tokens":8`), func(r *backend.Request) { r.Sampling.MaxTokens = 8 }},
		{"n has a temperature", user(`,"n":3`), func(r *backend.Request) { r.Count, r.Sampling.Temperature = 3, 1 }},
		{"n with one", user(`,"n":3,"temperature":0`), func(r *backend.Request) { r.Count = 3 }},
		{"logprobs", user(`,"logprobs":true`), func(r *backend.Request) { r.Logprobs = 0 }},
		{"top logprobs", user(`,"logprobs":true,"top_logprobs":5`), func(r *backend.Request) { r.Logprobs = 5 }},
		{"no logprobs", user(`,"logprobs":false`), func(r *backend.Request) {}},
		{"no probability at all", user(`,"top_p":0`), func(r *backend.Request) { r.Sampling.TopK = 1 }},
		{"text", user(`,"response_format":{"type":"text"}`), func(r *backend.Request) {}},
		{"object", user(`,"response_format":{"type":"json_object"}`), func(r *backend.Request) { r.Sampling.Schema = []byte(anyObject) }},
		{"schema", user(`,"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"string"}}}`),
			func(r *backend.Request) { r.Sampling.Schema = []byte(`{"type":"string"}`) }},
		{"tools", user(fn), toolsOf(backend.ToolAuto)},
		{"tools auto", user(fn + `,"tool_choice":"auto"`), toolsOf(backend.ToolAuto)},
		{"tools none", user(fn + `,"tool_choice":"none"`), toolsOf(backend.ToolNone)},
		{"tools required", user(fn + `,"tool_choice":"required"`), toolsOf(backend.ToolAny)},
		{"tool named", user(fn + `,"tool_choice":{"type":"function","function":{"name":"shut"}}`), toolsOf(backend.ToolAny, "shut")},
		{"tools allowed", user(fn + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"open"}}]}}`),
			toolsOf(backend.ToolAuto, "open")},
		{"tools allowed, one required", user(fn + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"open"}},{"type":"function","function":{"name":"shut"}}]}}`),
			toolsOf(backend.ToolAny, "open", "shut")},
		{"ask for nothing", user(`,"user":"u","metadata":{"a":"b"},"store":false,"service_tier":"auto","logit_bias":{},"modalities":["text"],"reasoning_effort":"none","verbosity":"medium","audio":null,"no_such_field":[1],"parallel_tool_calls":true,"tools":[],"tool_choice":"none"`),
			func(r *backend.Request) { r.ToolChoice.Mode = backend.ToolNone }},
		{"what the system says", `{"messages":[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"hi"}]}`,
			func(r *backend.Request) { r.System = "a\n\nb" }},
		{"model with a prefix", `{"model":"models/handscroll","messages":[{"role":"user","content":"hi"}]}`, func(r *backend.Request) {}},
		{"media", `{"messages":[{"role":"user","content":[
			{"type":"image_url","image_url":{"url":"data:image/png;base64,` + tinyPNG + `","detail":"high"}},
			{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}},
			{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},
			{"type":"file","file":{"filename":"notes.txt","file_data":"data:text/plain,a%20b"}},
			{"type":"file","file":{"filename":"bare.txt","file_data":"aGk"}},
			{"type":"text","text":""},
			{"type":"text","text":"hi"}]}]}`, func(r *backend.Request) {
			png, err := base64.StdEncoding.DecodeString(tinyPNG)
			if err != nil {
				t.Fatal(err)
			}
			r.Messages[0].Parts = []backend.Part{
				{Data: png, MIME: "image/png"}, {Data: []byte{0, 0, 0}, MIME: "video/mp4"}, {Data: []byte("RIFF"), MIME: "audio/wav"},
				{Data: []byte("a b"), MIME: "text/plain", Name: "notes.txt"}, {Data: []byte("hi"), Name: "bare.txt"}, {Text: "hi"},
			}
		}},
		{"calls and results", `{"messages":[{"role":"user","content":"hi"},
			{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"open","arguments":"{\"door\":1}"}},{"id":"c2","type":"function","function":{"name":"shut","arguments":""}}]},
			{"role":"tool","tool_call_id":"c2","content":"shut"},{"role":"tool","tool_call_id":"c1","name":"open","content":[{"type":"text","text":"opened"}]},
			{"role":"assistant","content":"Done.","refusal":null},{"role":"user","content":"hi"}]}`, func(r *backend.Request) {
			r.Messages = []backend.Message{
				r.Messages[0],
				{Role: backend.Assistant, Calls: []backend.Call{
					{ID: "c1", Name: "open", Arguments: json.RawMessage(`{"door":1}`)}, {ID: "c2", Name: "shut", Arguments: json.RawMessage(`{}`)}}},
				{Role: backend.ToolRole, CallID: "c2", Name: "shut", Parts: []backend.Part{{Text: "shut"}}},
				{Role: backend.ToolRole, CallID: "c1", Name: "open", Parts: []backend.Part{{Text: "opened"}}},
				{Role: backend.Assistant, Parts: []backend.Part{{Text: "Done."}}},
				r.Messages[0],
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl, f := newClient(t, Options{})
			ok(t, cl.post("/v1/chat/completions", c.body))
			got := lastRequest(t, f.Requests())
			want := &backend.Request{
				Model: "handscroll", Owner: "ann", Count: 1, Logprobs: -1,
				Messages: []backend.Message{{Role: backend.User, Parts: []backend.Part{{Text: "hi"}}}},
			}
			want.Sampling.Seed = got.Sampling.Seed // random unless it is given
			c.want(want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("asked\n%+v, want\n%+v", got, want)
			}
		})
	}
}

func toolsOf(mode backend.ToolMode, only ...string) func(*backend.Request) {
	return func(r *backend.Request) {
		r.Tools = []backend.Tool{{Name: "open", Description: "a door", Parameters: json.RawMessage(`{"type":"object"}`)}, {Name: "shut"}}
		r.ToolChoice = backend.ToolChoice{Mode: mode, Only: only}
	}
}

func TestSeedsDiffer(t *testing.T) {
	c, f := newClient(t, Options{})
	for range 2 {
		ok(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"temperature":1}`))
	}
	if r := f.Requests(); r[0].Sampling.Seed == r[1].Sampling.Seed {
		t.Error("two requests without a seed have the same")
	}
}

func TestChatRefusals(t *testing.T) {
	c, f := newClient(t, Options{MaxPart: 1000})
	fields := func(s string) string { return `{"messages":[{"role":"user","content":"hi"}],` + s + `}` }
	message := func(s string) string { return `{"messages":[{"role":"user","content":"hi"},` + s + `]}` }
	part := func(s string) string { return `{"messages":[{"role":"user","content":[` + s + `]}]}` }
	const fn = `"tools":[{"type":"function","function":{"name":"open"}}],`
	for _, e := range []struct {
		body, param, text string
	}{
		{`{}`, "messages", "at least one"},
		{`{"messages":[]}`, "messages", "at least one"},
		{`{"messages":[{"role":"system","content":"x"}]}`, "messages", "of the user"},
		{`{"messages":"hi"}`, "messages", "JSON string"},
		{`{"messages":[7]}`, "messages[0]", "JSON number"},
		{fields(`"temperature":"hot"`), "temperature", "cannot be a JSON string"},
		{fields(`"temperature":2.1`), "temperature", "2.1 is not from 0 to 2"},
		{fields(`"top_p":-0.1`), "top_p", "is not from 0 to 1"},
		{fields(`"presence_penalty":3`), "presence_penalty", "is not from -2 to 2"},
		{fields(`"frequency_penalty":-3`), "frequency_penalty", "is not from -2 to 2"},
		{fields(`"repetition_penalty":0`), "repetition_penalty", "is not from"},
		{fields(`"top_k":-2`), "top_k", "less than"},
		{fields(`"seed":1.5`), "seed", "cannot be"},
		{fields(`"n":0`), "n", "is not from 1 to 128"},
		{fields(`"n":129`), "n", "is not from 1 to 128"},
		{fields(`"max_tokens":0`), "max_tokens", "less than 1"},
		{fields(`"max_completion_tokens":-1`), "max_completion_tokens", "less than 1"},
		{fields(`"stop":[""]`), "stop", "empty"},
		{fields(`"stop":["a",null]`), "stop[1]", "not null"},
		{fields(`"stop":7`), "stop", "number"},
		{fields(`"stop":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"]`), "stop", "at most 16"},
		{fields(`"logit_bias":{"50256":-100}`), "logit_bias", "not supported"},
		{fields(`"top_logprobs":2`), "top_logprobs", "needs logprobs"},
		{fields(`"logprobs":true,"top_logprobs":21`), "top_logprobs", "is not from 0 to 20"},
		{fields(`"response_format":{"type":"grammar"}`), "response_format.type", "json_schema"},
		{fields(`"response_format":{}`), "response_format.type", "missing"},
		{fields(`"response_format":{"type":"json_schema"}`), "response_format.json_schema", "missing"},
		{fields(`"response_format":{"type":"json_schema","json_schema":{"name":"x"}}`), "response_format.json_schema.schema", "missing"},
		{fields(`"response_format":{"type":"json_schema","json_schema":{"schema":{}}}`), "response_format.json_schema.name", "missing"},
		{fields(`"tools":[{"type":"custom","custom":{"name":"x"}}]`), "tools[0].type", `"custom"`},
		{fields(`"tools":[{"type":"function"}]`), "tools[0].function", "missing"},
		{fields(`"tools":[{"type":"function","function":{"name":"a b"}}]`), "tools[0].function.name", "not a name"},
		{fields(`"tools":[{"type":"function","function":{"name":"a","parameters":[]}}]`), "tools[0].function.parameters", "object"},
		{fields(`"tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"a"}}]`), "tools[1].function.name", "twice"},
		{fields(`"tool_choice":"required"`), "tool_choice", "no tools"},
		{fields(fn + `"tool_choice":"always"`), "tool_choice", "none, auto, required"},
		{fields(fn + `"tool_choice":{"type":"function","function":{"name":"shut"}}`), "tool_choice.function.name", "not among tools"},
		{fields(fn + `"tool_choice":{"type":"custom"}`), "tool_choice.type", "allowed_tools"},
		{fields(fn + `"tool_choice":{"type":"allowed_tools"}`), "tool_choice.allowed_tools", "missing"},
		{fields(fn + `"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}}`), "tool_choice.allowed_tools.tools", "empty"},
		{fields(fn + `"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"none","tools":[]}}`), "tool_choice.allowed_tools.mode", "auto, required"},
		{fields(`"stream_options":{"include_usage":true}`), "stream_options", "needs stream"},
		{fields(`"return_progress":true`), "return_progress", "needs stream"},
		{fields(`"modalities":["text","audio"]`), "modalities[1]", "not supported"},
		{fields(`"audio":{"voice":"x"}`), "audio", "not supported"},
		{fields(`"functions":[]`), "functions", "use tools"},
		{fields(`"function_call":"auto"`), "functions", "use tools"},
		{fields(`"prediction":{"type":"content"}`), "prediction", "not supported"},
		{fields(`"reasoning_effort":"high"`), "reasoning_effort", "not supported"},
		{fields(`"verbosity":"low"`), "verbosity", "not supported"},
		{fields(`"store":true`), "store", "not supported"},
		{fields(`"web_search_options":{}`), "web_search_options", "not supported"},
		{fields(`"moderation":{"model":"x"}`), "moderation", "not supported"},
		{message(`{"role":"system","content":"late"}`), "messages[1].content", "before the other messages"},
		{message(`{"role":"narrator","content":"x"}`), "messages[1].role", "system, developer, user"},
		{message(`{"role":"function","name":"x","content":"x"}`), "messages[1].name", "not supported"},
		{message(`{"role":"user","content":"x","name":"ann"}`), "messages[1].name", "not supported"},
		{message(`{"role":"user"}`), "messages[1].content", "a string or a list"},
		{message(`{"role":"user","content":7}`), "messages[1].content", "a string or a list"},
		{message(`{"role":"user","content":"x","tool_calls":[{"id":"c"}]}`), "messages[1].tool_calls", "only an assistant"},
		{message(`{"role":"assistant"}`), "messages[1].content", "missing"},
		{message(`{"role":"assistant","audio":{"id":"x"}}`), "messages[1].audio", "not supported"},
		{message(`{"role":"assistant","function_call":{"name":"x"}}`), "messages[1].function_call", "not supported"},
		{message(`{"role":"assistant","tool_calls":[{"id":"c","type":"custom"}]}`), "messages[1].tool_calls[0].type", "custom"},
		{message(`{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"x","arguments":"{}"}}]}`), "messages[1].tool_calls[0].id", "missing"},
		{message(`{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"x","arguments":"[]"}}]}`), "messages[1].tool_calls[0].function.arguments", "JSON object"},
		{message(`{"role":"tool","content":"x"}`), "messages[1].tool_call_id", "missing"},
		{message(`{"role":"tool","tool_call_id":"c9","content":"x"}`), "messages[1].tool_call_id", "no call before it"},
		{part(`{"text":"x"}`), "messages[0].content[0].type", "missing"},
		{part(`{"type":"text"}`), "messages[0].content[0].text", "missing"},
		{part(`"x"`), "messages[0].content[0]", "JSON string"},
		{part(`{"type":"image_url"}`), "messages[0].content[0].image_url", "missing"},
		{part(`{"type":"image_url","image_url":{"url":"ftp://x/y"}}`), "messages[0].content[0].image_url.url", "data, http or https"},
		{part(`{"type":"image_url","image_url":{"url":"/etc/passwd"}}`), "messages[0].content[0].image_url.url", "data, http or https"},
		{part(`{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}`), "messages[0].content[0].image_url.url", "data, http or https"},
		{part(`{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`), "messages[0].content[0].image_url.url", "--allow-remote-urls"},
		{part(`{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}`), "messages[0].content[0].image_url.url", "no data"},
		{part(`{"type":"image_url","image_url":{"url":"data:image/png;base64"}}`), "messages[0].content[0].image_url.url", "comma"},
		{part(`{"type":"image_url","image_url":{"url":"data:image/png;base64,!!"}}`), "messages[0].content[0].image_url.url", "cannot be decoded"},
		{part(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"ultra"}}`), "messages[0].content[0].image_url.detail", "low, high"},
		{part(`{"type":"input_audio"}`), "messages[0].content[0].input_audio", "missing"},
		{part(`{"type":"file"}`), "messages[0].content[0].file", "missing"},
		{part(`{"type":"file","file":{}}`), "messages[0].content[0].file", "exactly one"},
		{part(`{"type":"file","file":{"file_id":"x","file_data":"y"}}`), "messages[0].content[0].file", "exactly one"},
	} {
		t.Run(e.text, func(t *testing.T) {
			c := &client{t, c.h, c.owner}
			wantError(t, c.post("/v1/chat/completions", e.body), 400, e.param, "", e.text)
		})
	}
	for _, e := range []struct {
		body, param, text string
		status            int
		code              string
	}{
		{part(`{"type":"hologram"}`), "messages[0].content[0].type", "hologram", 415, "unsupported_content"},
		{part(`{"type":"image_url","image_url":{"url":"data:text/html,x"}}`), "messages[0].content[0].image_url.url", "text/html", 415, "unsupported_content"},
		{`{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:,x"}}]}]}`, "messages[0].content[0].type", "only text", 415, "unsupported_content"},
		{part(`{"type":"file","file":{"file_id":"file-9"}}`), "messages[0].content[0].file.file_id", "file-9", 404, "not_found"},
		{part(`{"type":"file","file":{"file_data":"` + strings.Repeat("A", 2000) + `"}}`), "messages[0].content[0].file.file_data", "at most 1000 bytes", 413, "request_too_large"},
		{part(`{"type":"file","file":{"file_data":"data:,` + strings.Repeat("A", 1001) + `"}}`), "messages[0].content[0].file.file_data", "at most 1000 bytes", 413, "request_too_large"},
		{fields(`"cached_content":"cachedContents/none"`), "", "none", 404, "not_found"},
		{fields(`"model":"nothing"`), "model", "known are", 404, "model_not_found"},
		{`{"model":"small-limit","messages":[{"role":"user","content":"` + strings.Repeat("word ", 21) + `"}]}`, "", `has 21 tokens; model "small-limit" takes 20`, 400, "context_length_exceeded"},
		{`{"model":"text-only","messages":[{"role":"system","content":"x"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`,
			"messages[1].content", "takes no IMAGE", 415, "unsupported_content"},
	} {
		t.Run(e.text, func(t *testing.T) {
			c := &client{t, c.h, c.owner}
			wantError(t, c.post("/v1/chat/completions", e.body), e.status, e.param, e.code, e.text)
		})
	}
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestChatBackendErrors(t *testing.T) {
	c, f := newClient(t, Options{})
	const body = `{"messages":[{"role":"user","content":"a b c"}]%s}`
	busy := backend.Errorf(backend.Busy, "the queue is full")
	busy.RetryAfter = 2100 * time.Millisecond
	for _, stream := range []string{"", `,"stream":true`} {
		f.Fail("Generate", busy)
		w := c.post("/v1/chat/completions", fmt.Sprintf(body, stream))
		wantError(t, w, 429, "", "rate_limit_exceeded", "queue")
		if w.Header().Get("Retry-After") != "3" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
		f.Fail("Generate", errors.New("secret /var/lib/x"))
		w = c.post("/v1/chat/completions", fmt.Sprintf(body, stream))
		wantError(t, w, 500, "", "", "internal error")
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("what went wrong inside is shown: %s", w.Body)
		}
		f.Fail("Generate", context.DeadlineExceeded)
		wantError(t, c.post("/v1/chat/completions", fmt.Sprintf(body, stream)), 504, "", "timeout", "longer")
		f.Fail("Generate", nil)
	}
}

func TestChatEvidence(t *testing.T) {
	c, f := newClient(t, Options{})
	file := upload(t, c, "paper.pdf", "application/pdf", "%PDF-1.7 x", "user_data")
	id := file.at("id").(string)
	v := ok(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":[
		{"type":"file","file":{"file_id":"`+id+`"}},
		{"type":"file","file":{"filename":"notes.txt","file_data":"data:text/plain,the%20code%20is%207"}},
		{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}},
		{"type":"text","text":"the code"}]}]}`))
	m := value{t, v.at("choices.0.message")}
	m.want("content", "the code", "found", true,
		"annotations.0.type", "file_citation", "annotations.0.file_citation.file_id", id,
		"annotations.0.file_citation.filename", "paper.pdf", "annotations.0.file_citation.index", 0,
		"annotations.1.file_citation.file_id", "", "annotations.1.file_citation.filename", "notes.txt", "annotations.1.file_citation.index", 1,
		"evidence.0.source", "paper.pdf", "evidence.0.file_id", id, "evidence.0.page", 1, "evidence.0.place", "paper.pdf#page=1",
		"evidence.1.source", "notes.txt", "evidence.1.quote", "the code is 7", "evidence.1.line", 1, "evidence.1.place", "notes.txt:1",
		"evidence.2.time", 1, "evidence.2.place", "part-3@00:01")
	v.want("usage.prompt_tokens_details.document_tokens", 258, "usage.prompt_tokens_details.video_tokens", 3000, "usage.prompt_tokens_details.text_tokens", 6)

	v = ok(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":"nowhere"}]}`))
	v.want("choices.0.message.found", false)
	v = ok(t, c.post("/v1/chat/completions", `{"model":"text-only","messages":[{"role":"user","content":"hi"}]}`))
	if _, has := v.at("choices.0.message").(map[string]any)["found"]; has {
		t.Error("open weights do not say whether an answer is found")
	}
	wantError(t, c.as("bob").post("/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"`+id+`"}}]}]}`),
		404, "messages[0].content[0].file.file_id", "not_found", id)

	stored, err := f.Store(t.Context(), backend.NewStored{Model: "handscroll", Owner: "ann",
		Messages: []backend.Message{{Role: backend.User, Parts: []backend.Part{{Text: "a long story"}}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"cached_content":"cachedContents/%s"`, `"cached_content":"%s"`, `"extra_body":{"google":{"cached_content":"cachedContents/%s"}}`} {
		v = ok(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":"what"}],`+fmt.Sprintf(field, stored.ID)+`}`))
		v.want("usage.prompt_tokens", 4, "usage.prompt_tokens_details.cached_tokens", 3)
	}
}

func TestFindNamesTheRightFile(t *testing.T) {
	tr := &translator{files: []source{{name: "a", id: "f1"}, {name: "a/b", id: "f2"}, {name: "film.mp4", id: "f3"}, {id: "f4"}}}
	for name, want := range map[string]string{
		"a": "f1", "a#page=2": "f1", "a/b": "f2", "a/b/c.txt": "f2", "a/c": "f1", "ab": "", "film.mp4@01:00": "f3", "f4": "f4", "f4/x": "f4", "": "",
	} {
		got := ""
		if f := tr.find(name); f != nil {
			got = f.id
		}
		if got != want {
			t.Errorf("%q is of %q, want %q", name, got, want)
		}
	}
}

func TestChatToolCalls(t *testing.T) {
	c, _ := newClient(t, Options{})
	const tools = `"tools":[{"type":"function","function":{"name":"open","parameters":{"type":"object","properties":{"door":{"type":"integer"}}}}}]`
	v := ok(t, c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":"call open"}],`+tools+`}`))
	v.want("choices.0.finish_reason", "tool_calls", "choices.0.message.content", nil,
		"choices.0.message.tool_calls.0.type", "function", "choices.0.message.tool_calls.0.id", "call-1",
		"choices.0.message.tool_calls.0.function.name", "open", "choices.0.message.tool_calls.0.function.arguments", `{"door":7}`)
	es := events(t, c.post("/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"call open"}],`+tools+`}`))
	if len(es) != 4 {
		t.Fatalf("%d events", len(es))
	}
	es[0].want("choices.0.delta", map[string]any{"role": "assistant", "content": ""})
	es[1].want("choices.0.delta.tool_calls.0.index", 0, "choices.0.delta.tool_calls.0.id", "call-1",
		"choices.0.delta.tool_calls.0.function.arguments", `{"door":7}`, "choices.0.finish_reason", nil)
	es[2].want("choices.0.finish_reason", "tool_calls")
}

// replying is a backend that says what a test wants.
type replying struct {
	backend.Backend
	generate func(ctx context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error)
}

func (b *replying) Generate(ctx context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
	return b.generate(ctx, r, emit)
}

func newReplying(t *testing.T, generate func(ctx context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error)) *client {
	_, f := newClient(t, Options{})
	return &client{t, New(&replying{f, generate}, Options{}), "ann"}
}

func TestOneCallIfOneIsWanted(t *testing.T) {
	two := backend.Choice{Finish: backend.FinishCalls, Calls: []backend.Call{{ID: "c1", Name: "open", Arguments: json.RawMessage(`{}`)}, {ID: "c2", Name: "open", Arguments: json.RawMessage(`{}`)}}}
	c := newReplying(t, func(context.Context, *backend.Request, func(backend.Event) error) (*backend.Response, error) {
		return &backend.Response{Choices: []backend.Choice{two}}, nil
	})
	for _, e := range []struct {
		field string
		want  int
	}{{"", 2}, {`"parallel_tool_calls":true,`, 2}, {`"parallel_tool_calls":false,`, 1}} {
		v := ok(t, c.post("/v1/chat/completions", `{`+e.field+`"messages":[{"role":"user","content":"x"}]}`))
		if n := len(v.at("choices.0.message.tool_calls").([]any)); n != e.want {
			t.Errorf("%s%d calls", e.field, n)
		}
		es := events(t, c.post("/v1/chat/completions", `{"stream":true,`+e.field+`"messages":[{"role":"user","content":"x"}]}`))
		if n := len(es[1].at("choices.0.delta.tool_calls").([]any)); n != e.want {
			t.Errorf("%s%d calls streamed", e.field, n)
		}
		v = ok(t, c.post("/v1/responses", `{`+e.field+`"input":"x"}`))
		if n := len(v.at("output").([]any)); n != e.want {
			t.Errorf("%s%d items", e.field, n)
		}
	}
}

func TestSkipped(t *testing.T) {
	c, _ := newClient(t, Options{})
	want := []any{"skipped.count", 2, "skipped.files.0.source", "partly.zip/a.bin", "skipped.files.0.reason", "binary", "skipped.files.1.source", "partly.zip/b.zip"}
	const chat = `{"stream":%t,"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"partly.zip","file_data":"data:,x"}},{"type":"text","text":"one"}]}]}`
	ok(t, c.post("/v1/chat/completions", fmt.Sprintf(chat, false))).want(want...)
	es := events(t, c.post("/v1/chat/completions", fmt.Sprintf(chat, true)))
	es[len(es)-2].want(append(want, "choices.0.finish_reason", "stop")...)
	const response = `{"stream":%t,"input":[{"role":"user","content":[{"type":"input_file","filename":"partly.zip","file_data":"data:,x"},{"type":"input_text","text":"one"}]}]}`
	v := ok(t, c.post("/v1/responses", fmt.Sprintf(response, false)))
	v.want(want...)
	ok(t, c.get("/v1/responses/"+v.at("id").(string))).want(want...)
	es = events(t, c.post("/v1/responses", fmt.Sprintf(response, true)))
	value{t, es[len(es)-1].at("response")}.want(want...)
	if w := c.post("/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}]}`); strings.Contains(w.Body.String(), "skipped") {
		t.Errorf("nothing was skipped: %s", w.Body)
	}
}

func TestChatStream(t *testing.T) {
	c, _ := newClient(t, Options{})
	es := events(t, c.post("/v1/chat/completions", `{"stream":true,"n":2,"logprobs":true,"top_logprobs":1,"stream_options":{"include_usage":true},
		"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.txt","file_data":"data:,x"}},{"type":"text","text":"one two"}]}]}`))
	texts := make([]string, 2)
	ends := 0
	for _, e := range es[:len(es)-2] {
		e.want("object", "chat.completion.chunk", "id", es[0].at("id"), "model", "handscroll", "usage", nil)
		if _, has := e.v.(map[string]any)["usage"]; !has {
			t.Error("a chunk has no usage, not even null")
		}
		n := int(e.at("choices.0.index").(float64))
		if s, ok := e.at("choices.0.delta.content").(string); ok {
			texts[n] += s
			if s != "" {
				e.want("choices.0.logprobs.content.0.token", s, "choices.0.logprobs.content.0.top_logprobs.0.token", s, "choices.0.finish_reason", nil)
			}
		}
		if e.at("choices.0.finish_reason") == "stop" {
			ends++
			e.want("choices.0.delta.evidence.0.source", "a.txt", "choices.0.delta.annotations.0.file_citation.filename", "a.txt", "choices.0.delta.found", true)
		}
	}
	if texts[0] != "one two" || texts[1] != "one two #2" || ends != 2 {
		t.Errorf("streamed %q, %d ends", texts, ends)
	}
	es[len(es)-2].want("choices", []any{}, "usage.prompt_tokens", 3, "usage.completion_tokens", 5, "usage.total_tokens", 8)
	if last := es[len(es)-1]; last.data != "[DONE]" {
		t.Errorf("the last is %q", last.data)
	}
	// Without the option there is no usage, and no chunk without choices.
	for _, e := range events(t, c.post("/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"x"}]}`)) {
		if e.data != "[DONE]" {
			if _, has := e.v.(map[string]any)["usage"]; has || len(e.at("choices").([]any)) != 1 {
				t.Errorf("chunk %s", e.data)
			}
		}
	}
}

func TestChatProgress(t *testing.T) {
	c, _ := newClient(t, Options{})
	es := events(t, c.post("/v1/chat/completions", `{"stream":true,"return_progress":true,"messages":[{"role":"user","content":"one two three"}]}`))
	es[0].want("choices", []any{}, "prompt_progress.waiting", true, "prompt_progress.total", 3)
	es[2].want("choices", []any{}, "prompt_progress.waiting", false, "prompt_progress.processed", 2, "prompt_progress.total", 3,
		"prompt_progress.tokens_per_second", 1000, "prompt_progress.time_left_ms", 1)
	es[3].want("prompt_progress.fraction", 1)
	es[4].want("choices.0.delta.role", "assistant")
}

func TestErrorInTheMiddleOfAStream(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, e := range []struct {
		err  error
		code any
		text string
	}{
		{backend.Errorf(backend.Unavailable, "the disk is full"), "unavailable", "the disk is full"},
		{errors.New("secret"), nil, "internal error"},
	} {
		f.Fail("Stream", e.err)
		for _, route := range []string{"chat/completions", "completions"} {
			es := events(t, c.post("/v1/"+route, `{"stream":true,"prompt":"one two","messages":[{"role":"user","content":"one two"}]}`))
			n := len(es)
			if n < 3 || es[n-1].data != "[DONE]" {
				t.Fatalf("%s: %d events, the last %q", route, n, es[n-1].data)
			}
			es[n-2].want("error.message", e.text, "error.code", e.code, "error.type", "server_error")
		}
	}
}

// TestAnswersThatChangeAreErrors: what was streamed must be how the answer begins.
func TestAnswersThatChangeAreErrors(t *testing.T) {
	c := newReplying(t, func(_ context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
		if err := emit(backend.Event{Delta: &backend.Delta{Text: "one"}}); err != nil {
			return nil, err
		}
		return &backend.Response{Choices: []backend.Choice{{Text: "two"}}}, nil
	})
	es := events(t, c.post("/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"x"}]}`))
	es[len(es)-2].want("error.message", "the answer is not what was streamed of it")
	es = events(t, c.post("/v1/responses", `{"stream":true,"input":"x"}`))
	es[len(es)-1].want("type", "error", "error.message", "the answer is not what was streamed of it")
}

// TestWhatWasNotStreamedComesAtTheEnd: a backend may have said less in pieces.
func TestWhatWasNotStreamedComesAtTheEnd(t *testing.T) {
	for _, first := range []string{"", "one "} {
		c := newReplying(t, func(_ context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
			if first != "" {
				if err := emit(backend.Event{Delta: &backend.Delta{Text: first}}); err != nil {
					return nil, err
				}
			}
			return &backend.Response{Choices: []backend.Choice{{Text: "one two"}}}, nil
		})
		got := ""
		for _, e := range events(t, c.post("/v1/chat/completions", `{"stream":true,"messages":[{"role":"user","content":"x"}]}`)) {
			if e.data != "[DONE]" {
				if s, ok := e.at("choices.0.delta.content").(string); ok {
					got += s
				}
			}
		}
		if got != "one two" {
			t.Errorf("after %q: %q", first, got)
		}
		got = ""
		for _, e := range events(t, c.post("/v1/responses", `{"stream":true,"input":"x"}`)) {
			if e.name == "response.output_text.delta" {
				got += e.at("delta").(string)
			}
		}
		if got != "one two" {
			t.Errorf("response after %q: %q", first, got)
		}
	}
}

// TestStreamIsKeptWhileThePromptIsRead: after a while there are comments, and until
// then errors have a status.
func TestStreamIsKeptWhileThePromptIsRead(t *testing.T) {
	for _, c := range []struct {
		reading  time.Duration
		comments int
		status   int
	}{{4 * time.Second, 0, 503}, {12 * time.Second, 2, 200}} {
		synctest.Test(t, func(t *testing.T) {
			cl := newReplying(t, func(_ context.Context, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
				for i := range int(c.reading / time.Second) {
					time.Sleep(time.Second)
					if err := emit(backend.Event{Progress: &backend.Progress{Tokens: i, Total: 100, Waiting: i < 7}}); err != nil {
						return nil, err
					}
				}
				return nil, backend.Errorf(backend.Unavailable, "no more")
			})
			for _, route := range []string{"chat/completions", "completions", "responses"} {
				body := `{"stream":true,"prompt":"x","messages":[{"role":"user","content":"x"}]}`
				if route == "responses" {
					body = `{"stream":true,"input":"x"}`
				}
				w := cl.post("/v1/"+route, body)
				if n := strings.Count(w.Body.String(), "\n: ") + strings.Count(w.Body.String()[:2], ": "); w.Code != c.status || n != c.comments {
					t.Errorf("%s after %v: status %d, %d comments in %q", route, c.reading, w.Code, n, w.Body)
				}
				if c.comments > 0 && !strings.Contains(w.Body.String(), "reading 9 of 100 tokens") {
					t.Errorf("%q", w.Body)
				}
			}
		})
	}
}

func TestClientLeaves(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, e := range []struct{ route, body string }{
		{"chat/completions", `{"messages":[{"role":"user","content":"a b"}]}`},
		{"chat/completions", `{"stream":true,"messages":[{"role":"user","content":"a b"}]}`},
		{"completions", `{"prompt":["a b","c d"]}`},
		{"completions", `{"stream":true,"prompt":"a b"}`},
		{"responses", `{"input":"a b"}`},
		{"responses", `{"stream":true,"input":"a b"}`},
	} {
		resume := f.Pause()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan *httptest.ResponseRecorder)
		go func() {
			done <- c.do(httptest.NewRequestWithContext(ctx, "POST", "/v1/"+e.route, strings.NewReader(e.body)))
		}()
		n := 1 + strings.Count(e.body, "c d")
		if err := f.AwaitRunning(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		cancel()
		w := <-done
		if strings.Contains(w.Body.String(), `"error":{`) {
			t.Errorf("%s %s: nobody is there, and is told %q", e.route, e.body, w.Body)
		}
		if err := f.AwaitRunning(t.Context(), 0); err != nil {
			t.Error(err)
		}
		resume()
	}
}

func TestLogprobs(t *testing.T) {
	c, _ := newClient(t, Options{})
	v := ok(t, c.post("/v1/chat/completions", `{"logprobs":true,"top_logprobs":2,"messages":[{"role":"user","content":"é x"}]}`))
	v.want("choices.0.logprobs.content.0.token", "é ", "choices.0.logprobs.content.0.bytes", []int{0xc3, 0xa9, 0x20},
		"choices.0.logprobs.content.0.logprob", -0.6931471805599453, "choices.0.logprobs.content.0.top_logprobs.0.token", "é ",
		"choices.0.logprobs.content.0.top_logprobs.1.logprob", -1.6931471805599454, "choices.0.logprobs.refusal", nil)
	if got := tokenText([]byte{0xe2, 0x80}); got != `bytes:\xe2\x80` {
		t.Errorf("part of a character is %q", got)
	}
}
