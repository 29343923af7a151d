package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// describe writes tools as chat templates know them. only names those that may be
// called; nil is all.
func describe(tools []backend.Tool, only []string) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for i, t := range allowed(tools, only) {
		type function struct {
			Name        string          `json:"name"`
			Description string          `json:"description,omitempty"`
			Parameters  json.RawMessage `json:"parameters"`
		}
		f := function{t.Name, t.Description, parameters(&t)}
		raw, err := json.Marshal(map[string]any{"type": "function", "function": f})
		if err != nil {
			return nil, &backend.Error{Kind: backend.Invalid, Param: fmt.Sprintf("tools[%d]", i), Message: fmt.Sprintf("the parameters of %s are no JSON: %v", t.Name, err), Err: err}
		}
		out = append(out, raw)
	}
	return out, nil
}

func allowed(tools []backend.Tool, only []string) (out []backend.Tool) {
	for _, t := range tools {
		if only == nil || slices.Contains(only, t.Name) {
			out = append(out, t)
		}
	}
	return out
}

func parameters(t *backend.Tool) json.RawMessage {
	if len(bytes.TrimSpace(t.Parameters)) == 0 {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return t.Parameters
}

// callSchema is the schema of a call of one of the tools.
func callSchema(tools []backend.Tool, only []string) ([]byte, error) {
	list := allowed(tools, only)
	if len(list) == 0 {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "tool_choice", Message: "a call is asked for, but there is no function that may be called"}
	}
	var one []map[string]any
	for _, t := range list {
		one = append(one, map[string]any{
			"type":                 "object",
			"properties":           map[string]any{"name": map[string]any{"const": t.Name}, "arguments": parameters(&t)},
			"required":             []string{"name", "arguments"},
			"additionalProperties": false,
		})
	}
	out, err := json.Marshal(map[string]any{"anyOf": one})
	if err != nil {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "tools", Message: fmt.Sprintf("the functions' parameters are no JSON: %v", err), Err: err}
	}
	return out, nil
}

// explainTools describes tools in the system's message, for templates that do not.
func (d *dialogue) explainTools() {
	var s strings.Builder
	s.WriteString("You may call these functions:\n")
	for _, t := range d.tools {
		s.Write(t)
		s.WriteByte('\n')
	}
	s.WriteString(`To call one, answer with nothing but {"name": its name, "arguments": an object}.`)
	if len(d.messages) > 0 && d.messages[0].Role == "system" {
		d.messages[0].Content += "\n\n" + s.String()
		return
	}
	d.messages = append([]handscroll.Message{{Role: "system", Content: s.String()}}, d.messages...)
}

// callFilter tells calls from text while an answer comes: calls are not shown. A call
// is an object between <tool_call> and </tool_call>, as Qwen and others write it, or
// the whole answer is one or a list of them, as Llama and Mistral write it.
type callFilter struct {
	tools  []backend.Tool
	none   bool // no calls are looked for
	forced bool // the answer is a call

	all    strings.Builder
	shown  int             // of all
	calls  []backend.Call  // so far
	tokens []backend.Token // of what is not shown yet
	hidden []span          // of all, that calls are
}

type span struct{ from, to int }

const (
	callOpen  = "<tool_call>"
	callClose = "</tool_call>"
)

func (f *callFilter) off() bool { return f.none || len(f.tools) == 0 }

// add takes what comes and returns what can be shown.
func (f *callFilter) add(text string, tokens []backend.Token) (string, []backend.Token) {
	f.all.WriteString(text)
	f.tokens = append(f.tokens, tokens...)
	s := f.all.String()
	if f.off() {
		return f.show(s, len(s))
	}
	lead := strings.TrimLeft(s, " \t\r\n")
	if f.forced || lead == "" || strings.IndexByte("{[", lead[0]) >= 0 || strings.HasPrefix(lead, "`") {
		return "", nil // it may be a call as a whole
	}
	if i := strings.Index(s[f.shown:], callOpen); i >= 0 {
		return f.show(s, f.shown+i)
	}
	// The end may be the beginning of a call.
	end := len(s)
	for n := min(len(callOpen)-1, len(s)-f.shown); n > 0; n-- {
		if strings.HasPrefix(callOpen, s[len(s)-n:]) {
			end = len(s) - n
			break
		}
	}
	return f.show(s, end)
}

// show returns what was not shown up to end, with the tokens so far.
func (f *callFilter) show(s string, end int) (string, []backend.Token) {
	if end <= f.shown {
		return "", nil
	}
	out, tokens := s[f.shown:end], f.tokens
	f.shown, f.tokens = end, nil
	return out, tokens
}

// end returns the calls of the whole answer and what of it was not shown but is text.
func (f *callFilter) end() (calls []backend.Call, rest string, tokens []backend.Token) {
	s := f.all.String()
	if f.off() {
		rest, tokens = f.show(s, len(s))
		return nil, rest, tokens
	}
	if calls := f.parse(s); calls != nil {
		f.calls, f.hidden = calls, []span{{f.shown, len(s)}}
		return calls, "", nil
	}
	for at := f.shown; ; {
		i := strings.Index(s[at:], callOpen)
		if i < 0 {
			break
		}
		from := at + i
		body, _, closed := strings.Cut(s[from+len(callOpen):], callClose)
		to := from + len(callOpen) + len(body)
		if closed {
			to += len(callClose)
		}
		if got := f.parse(body); got != nil {
			f.calls = append(f.calls, got...)
			f.hidden = append(f.hidden, span{from, to})
		}
		at = to
	}
	if len(f.hidden) == 0 {
		rest, tokens = f.show(s, len(s))
		return nil, rest, tokens
	}
	var left strings.Builder
	at := f.shown
	for _, h := range f.hidden {
		left.WriteString(s[at:h.from])
		at = h.to
	}
	left.WriteString(s[at:])
	rest = strings.TrimRight(left.String(), " \t\r\n")
	return f.calls, rest, f.tokens
}

// text is the answer without calls. It is right after end.
func (f *callFilter) text() string {
	s := f.all.String()
	if len(f.hidden) == 0 {
		return s
	}
	var out strings.Builder
	at := 0
	for _, h := range f.hidden {
		out.WriteString(s[at:h.from])
		at = h.to
	}
	out.WriteString(s[at:])
	return strings.TrimRight(out.String(), " \t\r\n")
}

// parse returns the calls that a text is, nil if it is something else.
func (f *callFilter) parse(s string) (out []backend.Call) {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "```"); ok {
		inner = strings.TrimPrefix(inner, "json")
		s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(inner), "```"))
	}
	if s == "" || s[0] != '{' && s[0] != '[' {
		return nil
	}
	type call struct {
		Name       string          `json:"name"`
		Arguments  json.RawMessage `json:"arguments"`
		Parameters json.RawMessage `json:"parameters"`
	}
	var list []call
	if s[0] == '{' {
		list = make([]call, 1)
		if json.Unmarshal([]byte(s), &list[0]) != nil {
			return nil
		}
	} else if json.Unmarshal([]byte(s), &list) != nil {
		return nil
	}
	for _, c := range list {
		if !slices.ContainsFunc(f.tools, func(t backend.Tool) bool { return t.Name == c.Name }) {
			return nil
		}
		args := c.Arguments
		if args == nil {
			args = c.Parameters
		}
		args = bytes.TrimSpace(args)
		var text string // some models write the object into a string
		if len(args) > 0 && args[0] == '"' && json.Unmarshal(args, &text) == nil {
			args = []byte(text)
		}
		if len(args) == 0 || string(args) == "null" {
			args = []byte("{}")
		}
		if args[0] != '{' || !json.Valid(args) {
			return nil
		}
		out = append(out, backend.Call{ID: "call_" + random(), Name: c.Name, Arguments: args})
	}
	return out
}

// shorten cuts a vector to its first dims, 0 for all, and makes it a unit again.
func shorten(v []float32, dims int) []float32 {
	if dims <= 0 || dims == len(v) {
		return v
	}
	v = v[:dims]
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum > 0 {
		for i := range v {
			v[i] *= float32(1 / math.Sqrt(sum))
		}
	}
	return v
}
