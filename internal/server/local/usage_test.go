package local

import (
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// What is counted before is what is counted after.
func TestCountIsPrompt(t *testing.T) {
	native, weights := open(t, Options{}), openTiny(t, Options{})
	calls := []backend.Message{
		{Role: backend.User, Parts: []backend.Part{text("Remember this. " + gateLine)}},
		{Role: backend.Assistant, Parts: []backend.Part{text("I will.")}},
		{Role: backend.User, Parts: []backend.Part{text(gateAsk)}},
	}
	tools := []backend.Tool{{Name: "open_gate", Description: "opens it"}}
	for name, change := range map[string]func(*backend.Request){
		"one text":  func(r *backend.Request) { r.Messages = say(text(haystack(2, 2<<10, gateLine) + "\n" + gateAsk)) },
		"two texts": func(r *backend.Request) { r.Messages = say(text(gateLine), text(gateAsk)) },
		"a file": func(r *backend.Request) {
			r.Messages = say(backend.Part{Data: []byte(haystack(3, 2<<10, gateLine)), Name: "a.txt"}, text(gateAsk))
		},
		"turns":      func(r *backend.Request) { r.Messages = calls },
		"a question": func(r *backend.Request) { r.Messages = say(text(gateAsk)) },
		"system":     func(r *backend.Request) { r.System, r.Messages = "Be brief.", calls },
		"tools":      func(r *backend.Request) { r.Messages, r.Tools = calls, tools },
		"no tools":   func(r *backend.Request) { r.Messages, r.Tools, r.ToolChoice.Mode = calls, tools, backend.ToolNone },
		"raw":        func(r *backend.Request) { r.Messages, r.Raw = say(text(gateLine+" "+gateAsk)), true },
		"three":      func(r *backend.Request) { r.Messages, r.Count = calls, 3 },
	} {
		for _, b := range []*Backend{native, weights} {
			r := tinyRequest()
			r.Model = b.models[0].ID
			change(r)
			if name == "tools" && b == native {
				continue // it has none
			}
			u, err := b.Count(t.Context(), r)
			if err != nil {
				t.Errorf("%s, %s: %v", r.Model, name, err)
				continue
			}
			first := generate(t, b, r).Usage
			again, err := b.Count(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if first.Prompt != u.Prompt || again.Prompt != u.Prompt {
				t.Errorf("%s, %s: %d tokens are counted, the prompt has %d, afterwards %d are counted", r.Model, name, u.Prompt, first.Prompt, again.Prompt)
			}
			sum := 0
			for _, n := range first.ByKind {
				sum += n
			}
			if sum != first.Prompt {
				t.Errorf("%s, %s: %v are not %d", r.Model, name, first.ByKind, first.Prompt)
			}
		}
	}
}

// Tokens of an answer are those that were made: its end and the text that stopped it
// count, as with other servers.
func TestAnswerTokens(t *testing.T) {
	b := openTiny(t, Options{})
	ask := func(change func(*backend.Request)) (*backend.Response, backend.Choice) {
		t.Helper()
		r := tinyRequest(text("Say something."))
		r.Logprobs, r.Sampling.Temperature, r.Sampling.Seed, r.Sampling.MaxTokens = 0, 2, 3, 3000
		change(r)
		out := generate(t, b, r)
		return out, out.Choices[0]
	}
	out, c := ask(func(*backend.Request) {})
	n := out.Usage.Answer
	if c.Finish != backend.FinishStop || n != len(c.Tokens)+1 {
		t.Fatalf("finish %s, %d tokens, %d with a text: another seed", c.Finish, n, len(c.Tokens))
	}
	if out, c := ask(func(r *backend.Request) { r.Sampling.MaxTokens = n }); out.Usage.Answer != n || c.Finish != backend.FinishStop {
		t.Errorf("its end is the last that is allowed: %d tokens, %s", out.Usage.Answer, c.Finish)
	}
	if out, c := ask(func(r *backend.Request) { r.Sampling.MaxTokens = n - 1 }); out.Usage.Answer != n-1 || c.Finish != backend.FinishLength {
		t.Errorf("cut before its end: %d tokens, %s", out.Usage.Answer, c.Finish)
	}
	stop := joined(c.Tokens[4:7])
	at := 0 // tokens up to where it is met first
	for !strings.Contains(joined(c.Tokens[:at]), stop) {
		at++
	}
	out, cut := ask(func(r *backend.Request) { r.Sampling.Stop = []string{stop} })
	if out.Usage.Answer != at || strings.Contains(cut.Text, stop) || !strings.HasPrefix(c.Text, cut.Text) || cut.Finish != backend.FinishStop {
		t.Errorf("stopped at %q: %d tokens, want %d; %q, %s", stop, out.Usage.Answer, at, cut.Text, cut.Finish)
	}
}
