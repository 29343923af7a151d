package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/handscroll/handscroll/internal/server/endpoint"
)

// A served model is a server of OpenAI's API that counts words as tokens.
type served struct {
	answer func(text, question string) string
	window int // words that it reads; what comes before is cut off silently. 0 is all
	asked  atomic.Int32
	quota  int32 // questions after which it fails; 0 is never
}

func (s *served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Prompt   string
		Messages []struct{ Content string }
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/v1/models":
		io.WriteString(w, `{"data":[{"id":"served"}]}`)
	case "/tokenize":
		fmt.Fprintf(w, `{"count":%d}`, 1+len(strings.Fields(req.Prompt))) // and a beginning
	case "/v1/chat/completions":
		if n := s.asked.Add(1); s.quota > 0 && n > s.quota {
			http.Error(w, `{"error":{"message":"gone for lunch"}}`, http.StatusInternalServerError)
			return
		}
		text, question, _ := strings.Cut(req.Messages[0].Content, endpoint.InstructShort+"\n\nQuestion: ")
		words := strings.Fields(text)
		if s.window > 0 {
			words = words[max(0, len(words)-s.window):]
		}
		content, err := json.Marshal(s.answer(text, question))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(w, `{"choices":[{"message":{"content":%s},"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":2}}`, content, len(words)+30)
	default:
		http.NotFound(w, r)
	}
}

// knows answers as perfect does.
func knows(text, question string) string {
	if a := perfect(text, question); a.Found {
		return a.Text
	}
	return endpoint.NotFound
}

func (s *served) open(t *testing.T) Model {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := endpoint.Open(t.Context(), server.URL, endpoint.Options{Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	return Remote(c, 100)
}

// keyed hides one number a context, and asks for it and for one that is not there.
type keyed struct{}

func (keyed) Name() string      { return "keyed" }
func (keyed) Scenes(g Grid) int { return len(g.Depths) * g.Trials }
func (keyed) Scene(rng *rand.Rand, g Grid, i int, _ Text) (Scene, error) {
	row := i % len(g.Depths)
	value := fmt.Sprint(1000 + rng.IntN(9000))
	n := Needle{Text: "Key holds " + value + ".", Depth: g.Depths[row]}
	return Scene{Hide: []Needle{n}, Ask: []Probe{
		{Row: row, Depth: n.Depth, Needle: n.Text, Question: "What does the Key?", Expected: value},
		{Row: row, Depth: n.Depth, Question: "What does the Other?", Absent: true},
	}}, nil
}

func remoteConfig(t *testing.T, m Model, dir string) Config {
	t.Helper()
	var b strings.Builder
	if err := Generate(&b, rand.New(rand.NewPCG(1, 1)), 40_000); err != nil {
		t.Fatal(err)
	}
	h, err := NewHaystack("prose", []Part{{Source: "prose", Text: []byte(b.String())}})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Model: m, Task: keyed{}, Haystack: h, Grid: Grid{Depths: []float64{0, 50, 100}, Trials: 2, Needles: 1}, Lengths: []int{300, 2000}, Seed: 5, Dir: dir}
}

func TestRemote(t *testing.T) {
	dir := t.TempDir()
	s := &served{answer: knows}
	c := remoteConfig(t, s.open(t), dir)
	sum, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Recall.OK != 24 || sum.Recall.Trials != 24 || sum.Absence.Reported.OK != 12 {
		t.Errorf("recall %+v, absence %+v", sum.Recall, sum.Absence)
	}
	st, err := loadResults(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer st.file.Close()
	for _, r := range st.results {
		// The estimate of a length is good to a few percent, and the server's count is kept.
		if r.Tokens < r.Length*95/100 || r.Tokens > r.Length*105/100+40 {
			t.Errorf("%s: %d tokens of about %d", r.ID, r.Tokens, r.Length)
		}
	}
	drawing, err := os.ReadFile(filepath.Join(dir, "heatmap.svg"))
	if err != nil || !strings.Contains(string(drawing), "served@127.0.0.1:") {
		t.Errorf("the map does not name the model: %v", err)
	}
}

// TestRemoteResumes: a server that fails ends the run, and the same run goes on.
func TestRemoteResumes(t *testing.T) {
	s := &served{answer: knows, quota: 7}
	c := remoteConfig(t, s.open(t), t.TempDir())
	if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "gone for lunch") {
		t.Fatal(err)
	}
	s.quota = 0
	sum, err := Run(t.Context(), c)
	if err != nil || sum.Recall.Trials != 24 || sum.Recall.OK != 24 {
		t.Errorf("%+v, %v", sum, err)
	}
	// One question was refused, and none is asked twice.
	if n := s.asked.Load(); n != 25 {
		t.Errorf("asked %d times, want 25", n)
	}
}

// TestRemoteTells: a server that cuts prompts off silently is found out, and one that
// forgets is measured.
func TestRemoteTells(t *testing.T) {
	s := &served{answer: knows, window: 500}
	if _, err := Run(t.Context(), remoteConfig(t, s.open(t), t.TempDir())); err == nil || !strings.Contains(err.Error(), "read 530 tokens of about 2000: it cut the prompt off") {
		t.Error(err)
	}
	s = &served{answer: func(text, question string) string { return knows(text[len(text)/2:], question) }}
	sum, err := Run(t.Context(), remoteConfig(t, s.open(t), t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range sum.Cells {
		if want := map[float64]int{0: 2, 50: -1, 100: 4}[cell.Depth]; want >= 0 && cell.OK != want {
			t.Errorf("at %v %% of %d: %d of %d", cell.Depth, cell.Length, cell.OK, cell.Trials)
		}
	}
}

// TestRemoteText: texts of tokens join to the whole, whatever they consist of.
func TestRemoteText(t *testing.T) {
	for _, text := range []string{"One word. Another one!\n\nThird line äöü “quoted” …\n", strings.Repeat("ä", 500), strings.Repeat("日本語。", 100), "\xff\xfe \x80", " \n \n  x"} {
		b := &remoteBase{}
		b.text = []byte(text + text)
		n := max(1, len(text)/4)
		b.spans = []span{{0, len(text), 0, n}, {len(text), len(text), n, 2 * n}}
		b.n = 3 * n
		var joined []byte
		for i := range b.n {
			piece, err := b.Text(i, i+1)
			if err != nil {
				t.Fatal(err)
			}
			joined = append(joined, piece...)
		}
		if string(joined) != text+text {
			t.Errorf("%q became %q", text+text, joined)
		}
	}
}

// TestRemoteGemini: from the second question on the server is asked to keep the
// context; what it refuses to keep is sent again.
func TestRemoteGemini(t *testing.T) {
	for _, keeps := range []bool{true, false} {
		var kept, deleted, whole, short atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			switch path := r.URL.Path; {
			case path == "/v1beta/models":
				io.WriteString(w, `{"models":[{"name":"models/g"}]}`)
			case path == "/v1beta/cachedContents" && keeps:
				kept.Add(1)
				io.WriteString(w, `{"name":"cachedContents/1"}`)
			case r.Method == "DELETE":
				deleted.Add(1)
				io.WriteString(w, "{}")
			case strings.HasSuffix(path, ":countTokens"):
				io.WriteString(w, `{"totalTokens":4}`)
			case strings.HasSuffix(path, ":streamGenerateContent"):
				if strings.Contains(string(body), "one two") {
					whole.Add(1)
				} else {
					short.Add(1)
				}
				io.WriteString(w, `{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"SAFETY"}]}`)
			default:
				http.Error(w, `{"error":{"code":400,"message":"Cached content is too small.","status":"INVALID_ARGUMENT"}}`, 400)
			}
		}))
		defer server.Close()
		client, err := endpoint.Open(t.Context(), server.URL+"/v1beta", endpoint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		base, err := Remote(client, 10).NewBase()
		if err != nil {
			t.Fatal(err)
		}
		if err := base.Append(t.Context(), Part{Text: []byte("one two three")}, nil); err != nil {
			t.Fatal(err)
		}
		c, err := base.Splice(context.Background(), base.Tokens(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			a, err := c.Ask(t.Context(), "?")
			if err != nil {
				t.Fatal(err)
			}
			if a.Text != "[stopped by the server: SAFETY] x" || !a.Found {
				t.Errorf("%+v", a)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		got := [4]int32{kept.Load(), deleted.Load(), whole.Load(), short.Load()}
		if want := map[bool][4]int32{true: {1, 1, 1, 2}, false: {0, 0, 3, 0}}[keeps]; got != want {
			t.Errorf("keeps %v: kept, deleted, whole, short %v, want %v", keeps, got, want)
		}
	}
}
