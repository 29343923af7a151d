package endpoint

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Token is a token of a text and how likely it was after those before it.
type Token struct {
	Text    string
	LogProb float64 // natural; 0 for the first token, which nothing precedes
	Top     []Likely
}

// Likely is a token that a model expects after another.
type Likely struct {
	Text    string
	LogProb float64
}

// Prompt is a text, or the ids of its tokens.
type Prompt struct {
	Text string
	IDs  []int32
}

func (p Prompt) value() any {
	if p.IDs != nil {
		return p.IDs
	}
	return p.Text
}

// Score returns how likely the model takes each token of a text to be, what it
// expects after each, likeliest first, and the perplexity of all. It needs a server
// of OpenAI's API whose completions repeat the prompt with its log-probabilities
// (echo with logprobs), as vLLM and SGLang do.
func (c *Client) Score(ctx context.Context, p Prompt, top int) ([]Token, float64, error) {
	if c.family == Gemini {
		return nil, 0, fmt.Errorf("endpoint %s: Gemini's API does not say how likely the tokens of a text are; a server of OpenAI's API with completions that echo log-probabilities does, such as vLLM", c.base)
	}
	req := struct {
		Model     string `json:"model"`
		Prompt    any    `json:"prompt"`
		MaxTokens int    `json:"max_tokens"`
		Echo      bool   `json:"echo"`
		LogProbs  int    `json:"logprobs"`
		// One token has to be generated: not every server takes none.
		Temperature float64 `json:"temperature"`
	}{c.model.ID, p.value(), 1, true, top, 0}
	var doc struct {
		Choices []struct {
			LogProbs json.RawMessage `json:"logprobs"`
		} `json:"choices"`
		Usage openAIUsage `json:"usage"`
	}
	if err := c.fetch(ctx, "POST", c.base+"/completions", req, &doc); err != nil {
		return nil, 0, c.explain(ctx, err, func() int { return 0 })
	}
	var l logProbs
	if len(doc.Choices) > 0 && doc.Choices[0].LogProbs != nil {
		// Another form than OpenAI's is as good as none.
		if err := json.Unmarshal(doc.Choices[0].LogProbs, &l); err != nil {
			l = logProbs{}
		}
	}
	n := l.prompt(p, doc.Usage)
	if n < 1 || n > len(l.LogProbs) || l.LogProbs[0] != nil && *l.LogProbs[0] != 0 {
		return nil, 0, fmt.Errorf("endpoint %s: its completions do not repeat the prompt with log-probabilities (echo and logprobs), which scoring needs; vLLM and SGLang do", c.base)
	}
	return l.tokens(n, top)
}

// logProbs is what completions say of tokens.
type logProbs struct {
	Tokens   []string             `json:"tokens"`
	LogProbs []*float64           `json:"token_logprobs"`
	Top      []map[string]float64 `json:"top_logprobs"`
	Offsets  []int                `json:"text_offset"` // in characters
}

// prompt is how many tokens are those of the prompt; 0 if that is not to be told.
func (l *logProbs) prompt(p Prompt, u openAIUsage) int {
	n := len(l.Tokens)
	switch {
	case u.Prompt > 0:
		if n == u.Prompt+u.Completion || n == u.Prompt {
			return u.Prompt
		}
		return 0
	case p.IDs != nil:
		if n == len(p.IDs)+1 || n == len(p.IDs) {
			return len(p.IDs)
		}
		return 0
	case len(l.Offsets) == n && n > 0 && l.Offsets[0] == 0:
		length := utf8.RuneCountInString(p.Text)
		i := slices.IndexFunc(l.Offsets, func(at int) bool { return at >= length })
		if i < 0 {
			return n
		}
		return i
	}
	return 0
}

// tokens lists the first n.
func (l *logProbs) tokens(n, top int) ([]Token, float64, error) {
	out := make([]Token, n)
	sum := 0.0
	for i := range out {
		out[i].Text = l.Tokens[i]
		if i > 0 {
			if l.LogProbs[i] == nil {
				return nil, 0, fmt.Errorf("endpoint: there is no log-probability of token %d, %q", i, l.Tokens[i])
			}
			out[i].LogProb = *l.LogProbs[i]
			sum += out[i].LogProb
		}
		// What is expected after a token stands at the next one.
		if i+1 < len(l.Top) {
			out[i].Top = likeliest(l.Top[i+1], top)
		}
	}
	if n < 2 {
		return out, 0, nil
	}
	return out, math.Exp(-sum / float64(n-1)), nil
}

func likeliest(m map[string]float64, top int) []Likely {
	var out []Likely
	for text, p := range m {
		out = append(out, Likely{text, p})
	}
	slices.SortFunc(out, func(a, b Likely) int {
		return cmp.Or(cmp.Compare(b.LogProb, a.LogProb), cmp.Compare(a.Text, b.Text))
	})
	return out[:min(top, len(out))]
}
