package prompt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/handscroll/handscroll/internal/prompt/jinja"
)

// Vocabulary is what a template has to know of the model's tokens.
type Vocabulary struct {
	BOS, EOS string   // texts of the tokens, empty if there are none
	Control  []string // texts of all tokens that only a template may write: those that EncodeSpecial parses and Encode does not
}

// Template is a model's way to write conversations.
type Template struct {
	source   *jinja.Template
	bos, eos string
	control  map[rune][]jinja.Text // by first character, longest first
}

// Segment is a piece of a rendering: EncodeSpecial encodes control, Encode the rest.
type Segment struct {
	Text    string
	Control bool // Text is one control token; otherwise it is plain text, whatever it looks like
}

// Parse reads a chat template.
func Parse(source string, v Vocabulary) (*Template, error) {
	t := &Template{bos: v.BOS, eos: v.EOS, control: make(map[rune][]jinja.Text)}
	var err error
	if t.source, err = jinja.Parse(source); err != nil {
		return nil, fmt.Errorf("prompt: chat template: %w", err)
	}
	for _, s := range v.Control {
		if text := jinja.Written(s); len(text) > 0 {
			t.control[text[0]] = append(t.control[text[0]], text)
		}
	}
	for _, list := range t.control {
		slices.SortFunc(list, func(a, b jinja.Text) int { return cmp.Compare(len(b), len(a)) })
	}
	return t, nil
}

// Formats of models without a template.
const (
	chatML = `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`
	plain = `{% for m in messages %}{{ m.role | capitalize + ': ' + m.content + '\n' }}{% endfor %}` +
		`{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}`
)

// Fallback is the format for a file without a template: ChatML if the vocabulary
// has its tokens, else lines that say who speaks,
//
//	User: What is the number?
//	Assistant:
//
// Neither knows tools.
func Fallback(v Vocabulary) (*Template, error) {
	if slices.Contains(v.Control, "<|im_start|>") && slices.Contains(v.Control, "<|im_end|>") {
		return Parse(chatML, v)
	}
	return Parse(plain, v)
}

// Render writes a conversation. It fails if the template refuses it, takes too
// much work for it, or the context is done.
func (t *Template) Render(ctx context.Context, c Chat) ([]Segment, error) {
	vars, err := c.variables(t.bos, t.eos)
	if err != nil {
		return nil, err
	}
	text, err := t.source.Render(ctx, vars, c.Now)
	if err != nil {
		return nil, fmt.Errorf("prompt: chat template: %w", err)
	}
	return t.cut(text), nil
}

// cut separates the control tokens that the template wrote from all else.
func (t *Template) cut(text jinja.Text) (list []Segment) {
	from := 0
	flush := func(to int) {
		if to > from {
			list = append(list, Segment{Text: text[from:to].String()})
		}
	}
	for i := 0; i < len(text); {
		n := t.token(text[i:])
		if n == 0 {
			i++
			continue
		}
		flush(i)
		list = append(list, Segment{text[i : i+n].String(), true})
		i += n
		from = i
	}
	flush(len(text))
	return list
}

// token returns the length of the longest control token at the beginning of text,
// 0 if there is none. No marked character is equal to one of a token.
func (t *Template) token(text jinja.Text) int {
	for _, c := range t.control[text[0]] {
		if text.HasWritten(c) {
			return len(c)
		}
	}
	return 0
}
