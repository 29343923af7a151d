package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/handscroll/handscroll/internal/convert"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// tiny returns a file of random weights with a vocabulary of bytes.
func tiny(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := convert.Random(path, convert.RandomShapes[len(convert.RandomShapes)-1], "q8_0", 5); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTiny(t *testing.T, o Options) *Backend {
	t.Helper()
	if o.Models == nil {
		o.Models = []ModelSpec{{"tiny", tiny(t)}}
	}
	return open(t, o)
}

func tinyRequest(parts ...backend.Part) *backend.Request {
	r := request(parts...)
	r.Model, r.Sampling.MaxTokens = "tiny", 12
	return r
}

// collect returns what is streamed, by answer.
func stream(t *testing.T, b *Backend, r *backend.Request) (*backend.Response, map[int]*backend.Delta) {
	t.Helper()
	got := map[int]*backend.Delta{}
	out, err := b.Generate(t.Context(), r, func(e backend.Event) error {
		if d := e.Delta; d != nil {
			if got[d.Index] == nil {
				got[d.Index] = &backend.Delta{}
			}
			got[d.Index].Text += d.Text
			got[d.Index].Tokens = append(got[d.Index].Tokens, d.Tokens...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, got
}

func joined(tokens []backend.Token) string {
	var s strings.Builder
	for _, k := range tokens {
		s.Write(k.Text)
	}
	return s.String()
}

func TestWeightsConversation(t *testing.T) {
	b := openTiny(t, Options{})
	first := tinyRequest(text("Tell me of the river."))
	a, got := stream(t, b, first)
	if a.Usage.Cached != 0 || a.Usage.Answer == 0 || got[0].Text != a.Choices[0].Text {
		t.Fatalf("%+v, streamed %+v", a, got[0])
	}
	next := *first
	next.Messages = append(first.Messages,
		backend.Message{Role: backend.Assistant, Parts: []backend.Part{text(a.Choices[0].Text)}},
		backend.Message{Role: backend.User, Parts: []backend.Part{text("Go on.")}})
	c := generate(t, b, &next)
	if c.Usage.Cached < a.Usage.Prompt {
		t.Errorf("the second turn: %+v, the first had %d", c.Usage, a.Usage.Prompt)
	}
	fresh := openTiny(t, Options{Models: b.opts.Models})
	if want := generate(t, fresh, &next); want.Choices[0].Text != c.Choices[0].Text || want.Usage.Cached != 0 {
		t.Errorf("%q, without what was read before %q", c.Choices[0].Text, want.Choices[0].Text)
	}
	// Another owner reads for itself.
	next.Owner = "other"
	if other := generate(t, b, &next); other.Usage.Cached != 0 {
		t.Errorf("another owner: %+v", other.Usage)
	}
}

func TestWeightsAnswers(t *testing.T) {
	b := openTiny(t, Options{})
	r := tinyRequest(text("Say something."))
	r.Count, r.Logprobs, r.Sampling.Temperature, r.Sampling.Seed = 3, 2, 1.5, 7
	out, got := stream(t, b, r)
	again, _ := stream(t, b, r)
	different := false
	for i, c := range out.Choices {
		if got[i] == nil || got[i].Text != c.Text || joined(got[i].Tokens) != joined(c.Tokens) {
			t.Errorf("choice %d is %q, streamed %+v", i, c.Text, got[i])
		}
		if again.Choices[i].Text != c.Text {
			t.Errorf("choice %d is %q, with the same seed %q", i, c.Text, again.Choices[i].Text)
		}
		different = different || c.Text != out.Choices[0].Text
		for _, k := range c.Tokens {
			if len(k.Top) != 2 || k.LogProb > 0 || k.Top[0].LogProb < k.Top[1].LogProb {
				t.Errorf("token %+v", k)
			}
		}
	}
	if !different {
		t.Error("all choices are the same")
	}
	if r.Logprobs = -1; len(generate(t, b, r).Choices[0].Tokens) != 0 {
		t.Error("probabilities that nobody asked for")
	}
}

func TestWeightsRaw(t *testing.T) {
	b := openTiny(t, Options{})
	r := tinyRequest(text("Once upon a"))
	r.Raw, r.Echo, r.Logprobs, r.Sampling.MaxTokens = true, true, 1, 3
	out, got := stream(t, b, r)
	c := out.Choices[0]
	if !strings.HasPrefix(c.Text, "Once upon a") || got[0].Text != c.Text || !strings.HasPrefix(joined(c.Tokens), "Once upon a") {
		t.Errorf("%+v, streamed %+v", c, got[0])
	}
	// What is foreseen does not depend on how it is asked.
	r.Messages = say(text(c.Text))
	r.Sampling.MaxTokens = 1
	longer := generate(t, b, r).Choices[0]
	for i := range len("Once upon a") {
		if x, y := c.Tokens[i].LogProb, longer.Tokens[i].LogProb; math.Abs(x-y) > 1e-3 {
			t.Errorf("token %d: %v, in a longer text %v", i, x, y)
		}
	}
}

func TestWeightsSchema(t *testing.T) {
	b := openTiny(t, Options{})
	r := tinyRequest(text("Choose."))
	r.Sampling.MaxTokens = 100
	r.Sampling.Schema = []byte(`{"type":"object","properties":{"colour":{"enum":["red","teal"]},"n":{"type":"integer","minimum":0,"maximum":9}},"required":["colour","n"],"additionalProperties":false}`)
	var v struct {
		Colour string
		N      int
	}
	a := generate(t, b, r).Choices[0]
	if err := json.Unmarshal([]byte(a.Text), &v); err != nil || v.Colour != "red" && v.Colour != "teal" || a.Finish != backend.FinishStop {
		t.Errorf("%q: %v", a.Text, err)
	}
	r.Sampling.Schema = []byte(`{"type":"wish"}`)
	_, err := b.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.Invalid, "wish")
}

func TestWeightsForcedCall(t *testing.T) {
	b := openTiny(t, Options{})
	r := tinyRequest(text("Light?"))
	r.Sampling.MaxTokens = 200
	r.Tools = []backend.Tool{
		{Name: "lamp", Description: "switches the lamp", Parameters: []byte(`{"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"],"additionalProperties":false}`)},
		{Name: "door"},
	}
	r.ToolChoice = backend.ToolChoice{Mode: backend.ToolAny, Only: []string{"lamp"}}
	out, got := stream(t, b, r)
	c := out.Choices[0]
	var args struct{ On *bool }
	if c.Finish != backend.FinishCalls || len(c.Calls) != 1 || c.Calls[0].Name != "lamp" || c.Calls[0].ID == "" || c.Text != "" || got[0] != nil {
		t.Fatalf("%+v, streamed %+v", c, got[0])
	}
	if err := json.Unmarshal(c.Calls[0].Arguments, &args); err != nil || args.On == nil {
		t.Errorf("arguments %s: %v", c.Calls[0].Arguments, err)
	}
	// The result goes back.
	r.ToolChoice = backend.ToolChoice{}
	r.Messages = append(r.Messages, backend.Message{Role: backend.Assistant, Calls: c.Calls},
		backend.Message{Role: backend.ToolRole, CallID: c.Calls[0].ID, Name: "lamp", Parts: []backend.Part{text(`{"ok":true}`)}})
	r.Sampling.MaxTokens = 4
	if out := generate(t, b, r); out.Usage.Prompt == 0 {
		t.Errorf("%+v", out)
	}
	r.ToolChoice = backend.ToolChoice{Mode: backend.ToolAny, Only: []string{"nothing"}}
	_, err := b.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.Invalid, "function")
}

func TestCallFilter(t *testing.T) {
	tools := []backend.Tool{{Name: "f"}, {Name: "g"}}
	for _, test := range []struct {
		name, answer, text string
		calls              string
	}{
		{"text", "Just words.", "Just words.", ""},
		{"hermes", "I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>", "I look.", `f{"x": 1}`},
		{"two", `<tool_call>{"name":"f","arguments":{}}</tool_call><tool_call>{"name":"g","arguments":{"y":"<"}}</tool_call>`, "", `f{}g{"y":"<"}`},
		{"llama", `{"name": "g", "parameters": {"a": [1]}}`, "", `g{"a": [1]}`},
		{"mistral", `[{"name": "f", "arguments": {}}, {"name": "g"}]`, "", `f{}g{}`},
		{"a string", `{"name": "g", "arguments": "{\"a\":2}"}`, "", `g{"a":2}`},
		{"fenced", "```json\n{\"name\": \"f\", \"arguments\": {}}\n```", "", `f{}`},
		{"unknown", `{"name": "h", "arguments": {}}`, `{"name": "h", "arguments": {}}`, ""},
		{"broken", `<tool_call>{"name": "f", </tool_call>`, `<tool_call>{"name": "f", </tool_call>`, ""},
		{"other JSON", `[1, 2]`, `[1, 2]`, ""},
		{"less than", "a <tool b", "a <tool b", ""},
	} {
		for _, step := range []int{1, 3, 1000} {
			f := &callFilter{tools: tools}
			var shown strings.Builder
			for rest := test.answer; rest != ""; {
				n := min(step, len(rest))
				s, _ := f.add(rest[:n], nil)
				shown.WriteString(s)
				rest = rest[n:]
			}
			calls, rest, _ := f.end()
			shown.WriteString(rest)
			got := ""
			for _, c := range calls {
				got += c.Name + string(c.Arguments)
			}
			if got != test.calls || f.text() != test.text || strings.TrimSpace(shown.String()) != test.text {
				t.Errorf("%s in steps of %d: calls %q, text %q, shown %q", test.name, step, got, f.text(), shown.String())
			}
		}
	}
}

func TestWeightsStored(t *testing.T) {
	dir := t.TempDir()
	models := []ModelSpec{{"tiny", tiny(t)}}
	b := openTiny(t, Options{Dir: dir, Models: models})
	doc := backend.Part{Data: []byte(haystack(1, 2<<10, gateLine)), Name: "notes.txt"}
	s, err := b.Store(t.Context(), backend.NewStored{Model: "tiny", Owner: "me", System: "Be brief.", Messages: say(doc)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := tinyRequest(doc, text(gateAsk))
	whole.Owner, whole.System = "me", "Be brief."
	r := tinyRequest(text(gateAsk))
	r.Owner, r.Context = "me", s.ID
	fresh := openTiny(t, Options{Models: models})
	want := generate(t, fresh, whole).Choices[0].Text
	b.crash()
	b = openTiny(t, Options{Dir: dir, Models: models})
	for range 2 {
		a := generate(t, b, r)
		if a.Choices[0].Text != want || a.Usage.Cached < s.Tokens-8 || s.Tokens < 2000 {
			t.Errorf("%q, %+v of %d stored; as one prompt %q", a.Choices[0].Text, a.Usage, s.Tokens, want)
		}
	}
	if n, err := b.Count(t.Context(), r); err != nil || n.Prompt != generate(t, b, r).Usage.Prompt {
		t.Errorf("counted %+v: %v", n, err)
	}
	r.System = "Other."
	_, err = b.Generate(t.Context(), r, nil)
	wantKind(t, err, backend.Invalid)
	if err := b.DeleteStored(t.Context(), "me", s.ID); err != nil {
		t.Fatal(err)
	}
	if n := b.Stats().StoredBytes; n != 0 {
		t.Errorf("%d bytes on disk after deleting", n)
	}
}

func TestWeightsRefused(t *testing.T) {
	b := openTiny(t, Options{})
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	_, err := b.Generate(t.Context(), tinyRequest(backend.Part{Data: img.Bytes()}, text("What is this?")), nil)
	wantKind(t, err, backend.Unsupported, "image 1.png", "picture")
	long := tinyRequest(text(haystack(1, 9000, "")))
	_, err = b.Generate(t.Context(), long, nil)
	n, countErr := b.Count(t.Context(), long)
	if countErr != nil {
		t.Fatal(countErr)
	}
	wantKind(t, err, backend.TooLong, fmt.Sprint(n.Prompt), "8192")
	small := openTiny(t, Options{Models: b.opts.Models, MaxMemory: 1 << 20})
	_, err = small.Generate(t.Context(), tinyRequest(text(haystack(1, 4000, ""))), nil)
	wantKind(t, err, backend.TooLarge, fmt.Sprint(1<<20-1<<17))
}

func TestEmbed(t *testing.T) {
	b := openTiny(t, Options{})
	m := b.Models()[0]
	texts := []string{"a river", "a river", strings.Repeat("a long text ", 60)}
	all, usage, err := b.Embed(t.Context(), "tiny", texts, 0)
	if err != nil {
		t.Fatal(err)
	}
	short, _, err := b.Embed(t.Context(), "tiny", texts, 16)
	if err != nil {
		t.Fatal(err)
	}
	dot := func(a, b []float32) (s float64) {
		for i := range a {
			s += float64(a[i]) * float64(b[i])
		}
		return s
	}
	for i := range texts {
		if len(all[i]) != m.EmbedDims || math.Abs(dot(all[i], all[i])-1) > 1e-4 || len(short[i]) != 16 || math.Abs(dot(short[i], short[i])-1) > 1e-4 {
			t.Errorf("text %d: %d dimensions of length %v", i, len(all[i]), dot(all[i], all[i]))
		}
	}
	if dot(all[0], all[1]) < 0.9999 || dot(all[0], all[2]) > 0.9999 || usage.Prompt < 700 {
		t.Errorf("alike %v, different %v, %+v", dot(all[0], all[1]), dot(all[0], all[2]), usage)
	}
	_, _, err = b.Embed(t.Context(), "tiny", texts, 100000)
	wantKind(t, err, backend.Invalid, "100000")
	_, _, err = b.Embed(t.Context(), "tiny", []string{""}, 0)
	wantKind(t, err, backend.Invalid, "empty")
}

// Requests that run at once share passes, and answer as if alone; one that leaves
// leaves the others be.
func TestWeightsTogether(t *testing.T) {
	b := openTiny(t, Options{})
	fresh := openTiny(t, Options{Models: b.opts.Models})
	var want [6]string
	ask := func(i int) *backend.Request {
		return tinyRequest(text(haystack(uint64(i), 200*i, "")), text("Go on."))
	}
	for i := range want {
		want[i] = generate(t, fresh, ask(i)).Choices[0].Text
	}
	var all sync.WaitGroup
	for c := range 24 {
		all.Go(func() {
			i := c % len(want)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			leaves := c%8 == 7
			out, err := b.Generate(ctx, ask(i), func(backend.Event) error {
				if leaves {
					cancel()
				}
				return nil
			})
			switch {
			case leaves && errors.Is(err, context.Canceled):
			case err != nil:
				t.Errorf("client %d: %v", c, err)
			case out.Choices[0].Text != want[i]:
				t.Errorf("client %d: %q, alone %q", c, out.Choices[0].Text, want[i])
			}
		})
	}
	all.Wait()
	b.sessions.mu.Lock()
	defer b.sessions.mu.Unlock()
	if b.sessions.used != 0 {
		t.Errorf("%d bytes are still set aside", b.sessions.used)
	}
}
