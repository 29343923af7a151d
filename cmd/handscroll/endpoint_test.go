package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/handscroll/handscroll/internal/eval"
	"github.com/handscroll/handscroll/internal/server/endpoint"
)

// An away server is one of OpenAI's API; say is its answer to the text of a prompt.
type away struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	key    string
	say    func(prompt string) string
}

func newAway(t *testing.T, say func(string) string) *away {
	a := &away{say: say}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	for _, name := range []string{"GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"} {
		t.Setenv(name, "")
	}
	return a
}

func (a *away) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.mu.Lock()
	a.bodies = append(a.bodies, string(body))
	a.key = r.Header.Get("Authorization")
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/v1/models":
		io.WriteString(w, `{"data":[{"id":"far"},{"id":"farther"}]}`)
	case "/tokenize":
		var req struct{ Prompt string }
		if err := json.Unmarshal(body, &req); err != nil {
			panic(err)
		}
		fmt.Fprintf(w, `{"count":%d}`, len(strings.Fields(req.Prompt)))
	case "/v1/completions":
		io.WriteString(w, `{"choices":[{"logprobs":{"tokens":["ab"," c","."],"token_logprobs":[null,-1.5,-2],"top_logprobs":[null,{" c":-1.5},{".":-2}]}}],
			"usage":{"prompt_tokens":2,"completion_tokens":1}}`)
	case "/v1/chat/completions":
		var req struct {
			Messages []struct{ Content json.RawMessage }
		}
		if err := json.Unmarshal(body, &req); err != nil {
			panic(err)
		}
		prompt := string(req.Messages[0].Content)
		var text string
		if json.Unmarshal(req.Messages[0].Content, &text) == nil {
			prompt = text
		}
		content, err := json.Marshal(a.say(prompt))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(w, `{"model":"far","choices":[{"message":{"content":%s},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":5}}`,
			content, len(strings.Fields(prompt)))
	default:
		http.NotFound(w, r)
	}
}

func (a *away) last() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bodies[len(a.bodies)-1]
}

// wantFrom is want without the model that the house would add.
func (h *house) wantFrom(a *away, code int, args []string, texts ...string) string {
	h.t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--endpoint", a.URL+"/v1", "--endpoint-model", "far")
	got := run(h.ctx, args, strings.NewReader(h.stdin), &out, &errs)
	if got != code {
		h.t.Errorf("%q: exit code %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	for _, s := range texts {
		if !strings.Contains(out.String()+errs.String(), s) {
			h.t.Errorf("%q: no %q in\n%s%s", args, s, &out, &errs)
		}
	}
	return out.String()
}

func TestAskEndpoint(t *testing.T) {
	h := newHouse(t)
	a := newAway(t, func(string) string { return "It is 8080.\n> port is\n> 8080\n> never said\n" })
	file := h.file("a.txt", "first\nThe port is 8080, they say.\n")
	out := h.wantFrom(a, exitOK, []string{"ask", "-f", file, "--endpoint-key", "hush", "Which port?"},
		file+":2: port is\n", file+":2: 8080\n", "what the answer quotes stands in none of the files: never said")
	if !strings.HasPrefix(out, "It is 8080.\n\n") || strings.Contains(out, "> ") {
		t.Errorf("printed\n%s", out)
	}
	if body := a.last(); !strings.Contains(body, "The port is 8080, they say.") || !strings.Contains(body, "Question: Which port?") || a.key != "Bearer hush" {
		t.Errorf("sent %s with %q", body, a.key)
	}
	var doc struct {
		Answer, Model string
		Evidence      []struct {
			Source       string
			Line, Offset int
			Quote        string
		}
		Usage struct {
			Prompt int `json:"prompt_tokens"`
			Answer int `json:"answer_tokens"`
		}
	}
	out = h.wantFrom(a, exitOK, []string{"ask", "--json", "-f", file, "Which port?"})
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Answer != "It is 8080." || len(doc.Evidence) != 2 || doc.Evidence[0].Offset != 10 || doc.Evidence[0].Line != 2 || doc.Usage.Prompt == 0 || doc.Usage.Answer != 5 ||
		doc.Model != "far@"+strings.TrimPrefix(a.URL, "http://") {
		t.Errorf("%+v", doc)
	}
	absent := newAway(t, func(string) string { return endpoint.NotFound })
	h.wantFrom(absent, exitNotFound, []string{"ask", "-f", file, "Who?"}, "Not found in the context.")
}

// TestAskEndpointSendsSampling: what is asked for is sent.
func TestAskEndpointSendsSampling(t *testing.T) {
	h := newHouse(t)
	a := newAway(t, func(string) string { return `{"port":8080}` })
	file := h.file("a.txt", "The port is 8080.\n")
	schema := h.file("schema.json", `{"type":"object"}`)
	out := h.wantFrom(a, exitOK, []string{"ask", "-f", file, "--schema", schema, "--temperature", "0.5", "--seed", "3", "--max-tokens", "77", "Which port?"})
	if out != "{\"port\":8080}\n" {
		t.Errorf("printed %q", out)
	}
	for _, s := range []string{`"temperature":0.5`, `"seed":3`, `"max_tokens":77`, `"schema":{"type":"object"}`} {
		if !strings.Contains(a.last(), s) {
			t.Errorf("no %s in %s", s, a.last())
		}
	}
	if strings.Contains(a.last(), `begins with`) {
		t.Errorf("quotes are asked for beside a schema: %s", a.last())
	}
}

// TestAskEndpointOfStored sends the text of a stored context, whose file is gone.
func TestAskEndpointOfStored(t *testing.T) {
	h := newHouse(t)
	text := "first\nThe port is 8080.\n" + strings.Repeat("More of it, and more.\n", 300)
	one, two := h.file("a.txt", text), h.file("b.txt", "second file\n")
	h.want(exitOK, []string{"read", "-c", "kept", one, two})
	a := newAway(t, func(prompt string) string {
		if !strings.Contains(prompt, text) || !strings.Contains(prompt, "second file\n") {
			t.Errorf("sent %.300s", prompt)
		}
		return "8080\n> The port is 8080.\n> second file"
	})
	h.wantFrom(a, exitOK, []string{"ask", "-c", "kept", "--model", h.model, "Which port?"}, one+":2: The port is 8080.", two+":1: second file")
	h.wantFrom(a, exitError, []string{"ask", "-c", "lost", "Which port?"}, "there is no stored context")
}

var magic = regexp.MustCompile(`special magic (.+) number is: (\d+)`)

// finds answers as the needles of niah want it.
func finds(prompt string) string {
	for _, m := range magic.FindAllStringSubmatch(prompt, -1) {
		if strings.Contains(prompt, "What is the special magic "+m[1]+" number?") {
			return m[2]
		}
	}
	return endpoint.NotFound
}

func TestNiahEndpoint(t *testing.T) {
	h := newHouse(t)
	a := newAway(t, finds)
	args := []string{"niah", "--haystack", storyFile(h), "--lengths", "100,400", "--depths", "0,50,100", "--trials", "1", "--out", filepath.Join(h.dir, "far")}
	h.wantFrom(a, exitOK, args, "100.00 %", "heatmap.png", "sent with every question")
	rs := resultsOf(t, filepath.Join(h.dir, "far"))
	if len(rs) != 6 || slices.ContainsFunc(rs, func(r eval.Result) bool { return !r.OK || !r.Strict }) {
		t.Errorf("%+v", rs)
	}
	n := len(a.bodies)
	h.wantFrom(a, exitOK, args, "100.00 %") // it is done: only the list of models is asked for
	if len(a.bodies) != n+1 {
		t.Errorf("%d requests more", len(a.bodies)-n)
	}
}

func TestScoreEndpoint(t *testing.T) {
	h := newHouse(t)
	a := newAway(t, nil)
	h.wantFrom(a, exitOK, []string{"score", "ab c"}, `" c"`, "-1.500", `"." -2.00`, "perplexity 4.4817 over 2 tokens")
	out := h.wantFrom(a, exitOK, []string{"score", "--tokens", "7,8", "--json"})
	if want := `{"tokens":[{"text":"ab","logprob":null,"top":[{"text":" c","logprob":-1.5}]},{"text":" c","logprob":-1.5,"top":[{"text":".","logprob":-2}]}],"perplexity":4.481689070338065}` + "\n"; out != want {
		t.Errorf("%s, want %s", out, want)
	}
	if !strings.Contains(a.last(), `"prompt":[7,8]`) {
		t.Errorf("sent %s", a.last())
	}
}

func TestEndpointUsage(t *testing.T) {
	h := newHouse(t)
	a := newAway(t, finds)
	file := h.file("a.txt", "text\n")
	for text, args := range map[string][]string{
		"--model is for models on this machine":   {"ask", "-f", file, "-m", h.model, "?"},
		"--cache is for models on this machine":   {"ask", "-f", file, "--cache", "f32", "?"},
		"ask: name what to ask":                   {"ask", "?"},
		"measured over text alone":                {"niah", "--modality", "video"},
		"leave out --direct":                      {"niah", "--direct"},
		"--threads is for models on this machine": {"niah", "--haystack", file, "--threads", "2"},
		"want one of a text":                      {"score"},
		`"x" is no token id`:                      {"score", "--tokens", "x"},
		"--endpoint-timeout":                      {"ask", "-f", file, "--endpoint-timeout", "-1s", "?"},
	} {
		h.wantFrom(a, exitUsage, args, text)
	}
	h.want(exitUsage, []string{"ask", "-f", file, "--endpoint-model", "x", "?"}, "--endpoint-model: name an address with --endpoint URL")
	for text, url := range map[string]string{
		"there is no list of models there":             a.URL + "/v2",
		"is no address":                                "localhost:8000",
		"name one with --endpoint-model: far, farther": a.URL,
	} {
		var out, errs bytes.Buffer
		if code := run(h.ctx, []string{"ask", "--endpoint", url, "-f", file, "?"}, nil, &out, &errs); code != exitError || !strings.Contains(errs.String(), text) {
			t.Errorf("%s: exit code %d\n%s", url, code, &errs)
		}
	}
}
