package endpoint

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
)

func (c *Client) askPort(t *testing.T) (*Answer, error) {
	return c.NewContext(parts()[:1], "").Ask(t.Context(), "?", handscroll.Sampling{}, nil)
}

func TestOpen(t *testing.T) {
	noEnvironment(t)
	one, two := openAIRoutes(nil), openAIRoutes(nil)
	two["GET /v1/models"] = says(`{"data":[{"id":"a"},{"id":"b"}]}`)
	none := map[string]http.HandlerFunc{"GET /v1/models": says(`{"data":[]}`)}
	pages := map[string]http.HandlerFunc{"GET /v1beta/models": turns(
		says(`{"models":[{"name":"models/a"}],"nextPageToken":"2"}`), says(`{"models":[{"name":"models/b","inputTokenLimit":7}]}`))}
	for name, c := range map[string]struct {
		routes map[string]http.HandlerFunc
		path   string
		o      Options
		family Family
		model  Model
		err    string
	}{
		"bare openai":        {routes: one, family: OpenAI, model: Model{ID: "small", InputLimit: 4096}},
		"bare gemini":        {routes: geminiRoutes(nil), family: Gemini, model: Model{ID: "gemini-x", InputLimit: 1048576, OutputLimit: 65536}},
		"pasted route":       {routes: one, path: "/v1/chat/completions", family: OpenAI, model: Model{ID: "small", InputLimit: 4096}},
		"slash":              {routes: one, path: "/v1/", family: OpenAI, model: Model{ID: "small", InputLimit: 4096}},
		"compatible":         {routes: map[string]http.HandlerFunc{"GET /v1beta/openai/models": says(openAIList)}, path: "/v1beta/openai", family: OpenAI, model: Model{ID: "small", InputLimit: 4096}},
		"said":               {routes: map[string]http.HandlerFunc{"GET /proxy/models": says(geminiList)}, path: "/proxy", o: Options{Family: Gemini}, family: Gemini, model: Model{ID: "gemini-x", InputLimit: 1048576, OutputLimit: 65536}},
		"pages":              {routes: pages, path: "/v1beta", o: Options{Model: "models/b"}, family: Gemini, model: Model{ID: "b", InputLimit: 7}},
		"named":              {routes: two, path: "/v1", o: Options{Model: "b"}, family: OpenAI, model: Model{ID: "b"}},
		"not listed":         {routes: two, path: "/v1", o: Options{Model: "b:latest"}, family: OpenAI, model: Model{ID: "b:latest"}},
		"several":            {routes: two, path: "/v1", err: "name one with --endpoint-model: a, b"},
		"none":               {routes: none, path: "/v1", err: "serves no model"},
		"no such place":      {routes: one, path: "/v2", err: "the address ends as in http://127.0.0.1:8000/v1"},
		"other family":       {routes: map[string]http.HandlerFunc{"GET /v1/models": says(geminiList)}, path: "/v1", err: "not one of OpenAI's API"},
		"other family again": {routes: map[string]http.HandlerFunc{"GET /v1beta/models": says(openAIList)}, path: "/v1beta", err: "not one of Gemini's API"},
		"a page":             {routes: map[string]http.HandlerFunc{"GET /v1/models": says("<html>")}, path: "/v1", err: "no JSON of this API"},
		"wrong key":          {routes: map[string]http.HandlerFunc{"GET /v1/models": status(401, `{"error":{"message":"Incorrect API key provided: sk-123456","code":"invalid_api_key"}}`)}, path: "/v1", o: Options{Key: "sk-123456"}, err: "401 invalid_api_key: Incorrect API key provided: …; is the key right?"},
		"gemini's wrong key": {routes: map[string]http.HandlerFunc{"GET /v1beta/models": status(400, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}`)}, path: "/v1beta", o: Options{Key: "k"}, err: "400 INVALID_ARGUMENT: API key not valid."},
		"unknown family":     {routes: one, o: Options{Family: "claude"}, err: "there are gemini and openai"},
		"negative timeout":   {routes: one, o: Options{Timeout: -1}, err: "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Open(t.Context(), newFake(t, c.routes).URL+c.path, c.o)
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) || c.o.Key != "" && strings.Contains(err.Error(), "sk-123456") {
					t.Errorf("%v, want %q", err, c.err)
				}
			case err != nil:
				t.Error(err)
			case got.Family() != c.family || got.Model() != c.model:
				t.Errorf("%s %+v", got.Family(), got.Model())
			}
		})
	}
}

func TestOpenRefusesAddresses(t *testing.T) {
	for _, address := range []string{"", "localhost:8000", "ftp://host/v1", "/v1", "http://", "http://user:hush@host/v1", "http://hush\x7f@host", "http://[::1"} {
		if c, err := Open(t.Context(), address, Options{}); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, %v", address, c, err)
		}
	}
}

// TestEnvironmentKey: a key of the environment goes over TLS and to this machine
// alone; one that is named, wherever it is meant for.
func TestEnvironmentKey(t *testing.T) {
	noEnvironment(t)
	t.Setenv("OPENAI_API_KEY", "one")
	t.Setenv("GEMINI_API_KEY", "two")
	for address, want := range map[string]string{
		"https://api.example.com/v1": "one", "http://127.0.0.1:1/v1": "one", "http://[::1]:1/v1": "one", "http://localhost/v1": "one",
		"http://api.example.com/v1": "", "http://10.0.0.8/v1": "", "http://localhost.example.com/v1": "",
	} {
		u := parse(t, address)
		if got := environmentKey(OpenAI, u); got != want {
			t.Errorf("%s gets %q", address, got)
		}
	}
	if got := environmentKey(Gemini, parse(t, "https://example.com")); got != "two" {
		t.Errorf("Gemini's is %q", got)
	}
	f := newFake(t, openAIRoutes(nil))
	f.open("/v1?key=three", Options{})
	if s := f.requests("GET", "/v1/models")[0]; s.header.Get("Authorization") != "Bearer three" || strings.Contains(s.path, "three") {
		t.Errorf("%s %v", s.path, s.header)
	}
}

func TestRetries(t *testing.T) {
	noEnvironment(t)
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	header := func(name, value string, h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(name, value)
			h(w, r)
		}
	}
	busy := status(503, `{"error":{"message":"loading the model"}}`)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		tries  int
		waits  []time.Duration // 0 is any
		err    string
	}{
		"twice busy":                    {turns(header("Retry-After", "7", status(429, "{}")), busy, openAIAnswer), 3, []time.Duration{7 * time.Second, 0}, ""},
		"gemini's wait":                 {turns(status(429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"12.5s"}]}}`), openAIAnswer), 2, []time.Duration{12500 * time.Millisecond}, ""},
		"always busy":                   {busy, 3, []time.Duration{0, 0}, "503 Service Unavailable: loading the model (tried 3 times)"},
		"much later":                    {header("Retry-After", at, status(429, "{}")), 1, nil, "it says to come back in"},
		"no money":                      {status(429, `{"error":{"message":"quota","code":"insufficient_quota"}}`), 1, nil, "insufficient_quota"},
		"a mistake":                     {status(400, `{"error":{"message":"bad"}}`), 1, nil, "400 Bad Request: bad"},
		"hung up":                       {turns(hangup(""), openAIAnswer), 2, []time.Duration{0}, ""},
		"hung up before the first word": {turns(hangup("data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n"), openAIAnswer), 2, []time.Duration{0}, ""},
		"hung up in the middle":         {turns(hangup("data: {\"choices\":[{\"delta\":{\"content\":\"It\"}}]}\n\n"), openAIAnswer), 1, nil, "the answer broke off"},
		"busy in the middle":            {turns(events(`{"error":{"code":503,"message":"overloaded"}}`), openAIAnswer), 2, []time.Duration{0}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, openAIRoutes(c.answer))
			a, err := f.open("/v1", Options{Retries: 2}).askPort(t)
			if c.err == "" && (err != nil || a.Text != "It is 8080.") || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%+v, %v, want %q", a, err, c.err)
			}
			if n := len(f.requests("POST", "/v1/chat/completions")); n != c.tries {
				t.Errorf("%d tries, want %d", n, c.tries)
			}
			if len(f.slept) != len(c.waits) {
				t.Fatalf("waited %v", f.slept)
			}
			for i, w := range c.waits {
				if w != 0 && f.slept[i] != w || f.slept[i] < time.Second/2 {
					t.Errorf("waited %v, want %v", f.slept, c.waits)
				}
			}
		})
	}
}

// TestRedirects: nothing goes to another host, neither key nor question.
func TestRedirects(t *testing.T) {
	noEnvironment(t)
	other := newFake(t, openAIRoutes(openAIAnswer))
	to := func(url string, code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, code) }
	}
	for _, code := range []int{301, 302, 307, 308} {
		f := newFake(t, openAIRoutes(to(other.URL+"/v1/chat/completions", code)))
		_, err := f.open("/v1", Options{Key: "secret"}).askPort(t)
		if err == nil || !strings.Contains(err.Error(), "redirects to "+other.URL+"; nothing was sent there") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v", code, err)
		}
		if len(f.slept) > 0 {
			t.Errorf("%d: tried again after %v", code, f.slept)
		}
	}
	f := newFake(t, map[string]http.HandlerFunc{"GET /v1/models": to(other.URL+"/v1/models", 302)})
	if _, err := Open(t.Context(), f.URL+"/v1", Options{Key: "secret"}); err == nil {
		t.Error("a redirected list of models was taken")
	}
	if len(other.seen) > 0 {
		t.Errorf("the other host got %+v", other.seen)
	}
	routes := openAIRoutes(to("/elsewhere", 307))
	routes["POST /elsewhere"] = openAIAnswer
	f = newFake(t, routes)
	if a, err := f.open("/v1", Options{Key: "secret"}).askPort(t); err != nil || a.Text != "It is 8080." {
		t.Errorf("on the same host: %+v, %v", a, err)
	}
	got := f.requests("POST", "/elsewhere")
	if len(got) != 1 || got[0].header.Get("Authorization") != "Bearer secret" || len(got[0].body) == 0 {
		t.Errorf("%+v", got)
	}
	f = newFake(t, openAIRoutes(to("/elsewhere", 302)))
	if _, err := f.open("/v1", Options{}).askPort(t); err == nil || !strings.Contains(err.Error(), "drops what was sent") {
		t.Error(err)
	}
}

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"http://a/x", "http://A:80/y", true}, {"http://a/x", "https://a/y", true}, {"https://a/x", "http://a/x", false},
		{"https://a", "https://a:444", false}, {"http://a:8000", "https://a", false}, {"https://a", "https://a.b", false},
	} {
		if got := sameHost(parse(t, c.from), parse(t, c.to)); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
}

// TestSilence: a server that says nothing for longer than the limit is given up, before
// its answer and in the middle of it.
func TestSilence(t *testing.T) {
	noEnvironment(t)
	for _, said := range []string{"", "data: {\"choices\":[{\"delta\":{\"content\":\"It\"}}]}\n\n"} {
		f := newFake(t, openAIRoutes(silent(said)))
		_, err := f.open("/v1", Options{Timeout: 200 * time.Millisecond}).askPort(t)
		if err == nil || !strings.Contains(err.Error(), "said nothing for 200ms; allow more with --endpoint-timeout") {
			t.Errorf("after %q: %v", said, err)
		}
		if n := len(f.requests("POST", "/v1/chat/completions")); n != 1 {
			t.Errorf("asked %d times", n)
		}
	}
}

// TestLeaves: a question that is taken back ends the request.
func TestLeaves(t *testing.T) {
	noEnvironment(t)
	gone := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, openAIRoutes(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		close(gone)
	}))
	_, err := f.open("/v1", Options{}).NewContext(nil, "").Ask(ctx, "?", handscroll.Sampling{}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-gone
}

// TestLong has the words of the servers there are.
func TestLong(t *testing.T) {
	noEnvironment(t)
	for name, c := range map[string]struct {
		path, body string
		prompt     int
		limit      int
	}{
		"openai":     {"/v1", `{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, 9001, 8192},
		"vllm":       {"/v1", `{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5100 tokens (5000 in the messages, 100 in the completion).","type":"BadRequestError","code":400}`, 5100, 4096},
		"sglang":     {"/v1", `{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (4096 tokens).","code":400}`, 5000, 4096},
		"llama":      {"/v1", `{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}`, 5000, 4096},
		"handscroll": {"/v1", `{"error":{"message":"the prompt has 5000 tokens, the context of the model holds 4096","type":"invalid_request_error"}}`, 5000, 4096},
		"no counts":  {"/v1", `{"error":{"message":"prompt is too long: too many tokens"}}`, 77, 4096},
		"gemini":     {"/v1beta", `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`, 1200000, 1048576},
	} {
		t.Run(name, func(t *testing.T) {
			routes := openAIRoutes(status(400, c.body))
			routes["POST /tokenize"] = says(`{"count":77}`)
			if c.path == "/v1beta" {
				routes = geminiRoutes(status(400, c.body))
			}
			_, err := newFake(t, routes).open(c.path, Options{}).askPort(t)
			var long *LongError
			if !errors.As(err, &long) || long.Prompt != c.prompt || long.Limit != c.limit {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestUnknownModelListsOthers(t *testing.T) {
	noEnvironment(t)
	f := newFake(t, openAIRoutes(status(404, `{"error":{"message":"model 'x' not found","type":"not_found_error"}}`)))
	if _, err := f.open("/v1", Options{Model: "x"}).askPort(t); err == nil || !strings.Contains(err.Error(), "model 'x' not found; it serves small") {
		t.Error(err)
	}
}

func TestErrorBodies(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"m","type":"t","code":"c"}}`: "c: m",
		`{"error":{"message":"m","type":"t"}}`:            "t: m",
		`[{"error":{"message":"m","status":"S"}}]`:        "S: m",
		`{"error":"plain"}`:                               "Bad Request: plain",
		`{"detail":"Not Found"}`:                          "Bad Request: Not Found",
		`{"detail":[{"msg":"x"}]}`:                        `Bad Request: [{"msg":"x"}]`,
		`{"object":"error","message":"m"}`:                "Bad Request: m",
		"<h1>no</h1>\n\x1b[31m\x00":                       "Bad Request: <h1>no</h1> [31m",
		"":                                                "Bad Request",
		"null":                                            "Bad Request: null",
		strings.Repeat("ä", 1000):                         "Bad Request: " + strings.Repeat("ä", 400) + "…",
	} {
		e := &Error{Endpoint: "E", Status: 400}
		e.fill([]byte(body))
		if got := strings.TrimPrefix(e.Error(), "endpoint E: 400 "); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func FuzzErrorBodies(f *testing.F) {
	f.Add([]byte(`{"error":{"message":"maximum context length is 8192 tokens","details":[{"retryDelay":"1s"}],"code":3}}`))
	f.Add([]byte(`[{"error":[]}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := &Error{Status: 400}
		e.fill(body)
		if len(e.Message) > 2*maxMessage || strings.ContainsAny(e.Message, "\n\x00\x1b") {
			t.Errorf("message %q", e.Message)
		}
		if e.isLong() {
			e.long()
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for s, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "0.5": time.Second / 2, "-1": 0, "x": 0, "NaN": 0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0} {
		if got := retryAfter(s, now); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

func TestNamesAreNotEndless(t *testing.T) {
	if s := names(slices.Repeat([]Model{{ID: "m"}}, 60)); !strings.HasSuffix(s, "and 20 more") {
		t.Error(s)
	}
}
