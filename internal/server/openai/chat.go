package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// chatRequest is the body of a chat completion.
type chatRequest struct {
	sampling
	Model               string            `json:"model"`
	Messages            []json.RawMessage `json:"messages"`
	N                   *int              `json:"n"`
	MaxTokens           *int              `json:"max_tokens"`
	MaxCompletionTokens *int              `json:"max_completion_tokens"`
	Logprobs            *bool             `json:"logprobs"`
	TopLogprobs         *int              `json:"top_logprobs"`
	ResponseFormat      json.RawMessage   `json:"response_format"`
	Tools               []json.RawMessage `json:"tools"`
	ToolChoice          json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls   *bool             `json:"parallel_tool_calls"`
	Stream              bool              `json:"stream"`
	StreamOptions       *streamOptions    `json:"stream_options"`
	ReturnProgress      bool              `json:"return_progress"`
	CachedContent       string            `json:"cached_content"`
	ExtraBody           *struct {         // as Google's own server of this API takes it
		Google struct {
			CachedContent string `json:"cached_content"`
		} `json:"google"`
	} `json:"extra_body"`

	// What cannot be honoured.
	Audio            json.RawMessage `json:"audio"`
	Modalities       []string        `json:"modalities"`
	Functions        json.RawMessage `json:"functions"`
	FunctionCall     json.RawMessage `json:"function_call"`
	Moderation       json.RawMessage `json:"moderation"`
	Prediction       json.RawMessage `json:"prediction"`
	ReasoningEffort  json.RawMessage `json:"reasoning_effort"`
	Store            json.RawMessage `json:"store"`
	Verbosity        json.RawMessage `json:"verbosity"`
	WebSearchOptions json.RawMessage `json:"web_search_options"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// one says that a model may ask for one call at most.
func one(parallel *bool) bool { return parallel != nil && !*parallel }

func (c *chatRequest) unsupported() error {
	for i, m := range c.Modalities {
		if m != "text" {
			return invalid(fmt.Sprintf("modalities[%d]", i), "%q is not supported: answers are text", clip(m))
		}
	}
	if !isNull(c.Functions) || !isNull(c.FunctionCall) {
		return invalid("functions", "functions and function_call are not supported; use tools and tool_choice")
	}
	for _, f := range []struct {
		name     string
		raw      json.RawMessage
		harmless []string
	}{
		{"audio", c.Audio, nil},
		{"moderation", c.Moderation, nil},
		{"prediction", c.Prediction, nil},
		{"reasoning_effort", c.ReasoningEffort, []string{`"none"`}},
		{"store", c.Store, []string{"false"}},
		{"verbosity", c.Verbosity, []string{`"medium"`}},
		{"web_search_options", c.WebSearchOptions, nil},
	} {
		if err := refuse(f.name, f.raw, f.harmless...); err != nil {
			return err
		}
	}
	return nil
}

// request translates the body.
func (c *chatRequest) request(t *translator, m backend.Model) (*backend.Request, error) {
	if err := c.unsupported(); err != nil {
		return nil, err
	}
	r := &backend.Request{Model: m.ID, Owner: t.owner, Logprobs: -1}
	var err error
	if r.Count, err = choices(c.N); err != nil {
		return nil, err
	}
	if err := c.apply(r, r.Count); err != nil {
		return nil, err
	}
	limit, param := c.MaxCompletionTokens, "max_completion_tokens"
	if limit == nil {
		limit, param = c.MaxTokens, "max_tokens"
	}
	if r.Sampling.MaxTokens, err = maxTokens(param, limit); err != nil {
		return nil, err
	}
	if c.Logprobs != nil && *c.Logprobs {
		r.Logprobs = 0
	}
	if c.TopLogprobs != nil {
		if r.Logprobs < 0 {
			return nil, invalid("top_logprobs", "it needs logprobs to be true")
		}
		if r.Logprobs, err = topLogprobs("top_logprobs", *c.TopLogprobs); err != nil {
			return nil, err
		}
	}
	if !isNull(c.ResponseFormat) {
		var f wireFormat
		if err := decode(c.ResponseFormat, "response_format", &f); err != nil {
			return nil, err
		}
		if r.Sampling.Schema, err = f.schema("response_format", true); err != nil {
			return nil, err
		}
	}
	if r.Tools, err = tools(c.Tools, true); err != nil {
		return nil, err
	}
	if r.ToolChoice, err = toolChoice(c.ToolChoice, r.Tools, true); err != nil {
		return nil, err
	}
	if !c.Stream && c.StreamOptions != nil {
		return nil, invalid("stream_options", "it needs stream to be true")
	}
	if !c.Stream && c.ReturnProgress {
		return nil, invalid("return_progress", "it needs stream to be true")
	}
	r.Context = c.CachedContent
	if r.Context == "" && c.ExtraBody != nil {
		r.Context = c.ExtraBody.Google.CachedContent
	}
	r.Context = strings.TrimPrefix(r.Context, "cachedContents/")
	if len(c.Messages) == 0 {
		return nil, invalid("messages", "at least one is wanted")
	}
	r.System, r.Messages, err = t.chatMessages(c.Messages)
	if err == nil && len(r.Messages) == 0 {
		err = invalid("messages", "a message of the user is wanted, after what the system says")
	}
	return r, err
}

func topLogprobs(param string, n int) (int, error) {
	if n < 0 || n > maxTopLogprobs {
		return 0, invalid(param, "%d is not from 0 to %d", n, maxTopLogprobs)
	}
	return n, nil
}

// chatMessage is a message of a chat completion's body.
type chatMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	Refusal    *string         `json:"refusal"`
	Name       string          `json:"name"`
	ToolCalls  []wireCall      `json:"tool_calls"`
	ToolCallID string          `json:"tool_call_id"`
	// What cannot be honoured.
	Audio        json.RawMessage `json:"audio"`
	FunctionCall json.RawMessage `json:"function_call"`
}

type wireCall struct {
	Index    *int   `json:"index,omitempty"` // of chunks of a stream alone
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

func (t *translator) chatMessages(list []json.RawMessage) (system string, out []backend.Message, err error) {
	var systems []string
	for i, raw := range list {
		at := fmt.Sprintf("messages[%d]", i)
		var m chatMessage
		if err := decode(raw, at, &m); err != nil {
			return "", nil, err
		}
		for name, raw := range map[string]json.RawMessage{"audio": m.Audio, "function_call": m.FunctionCall} {
			if err := refuse(at+"."+name, raw); err != nil {
				return "", nil, err
			}
		}
		// A tool's message may name its function, which is known anyway.
		if m.Name != "" && m.Role != "tool" {
			return "", nil, invalid(at+".name", "names of participants are not supported; say in the text who speaks")
		}
		if m.Role != "assistant" && len(m.ToolCalls) > 0 {
			return "", nil, invalid(at+".tool_calls", "only an assistant calls tools")
		}
		if m.Role == "system" || m.Role == "developer" {
			text, err := t.systemText(m.Content, at+".content", len(out) > 0)
			if err != nil {
				return "", nil, err
			}
			systems = append(systems, text)
			continue
		}
		msg, err := t.chatMessage(&m, at, out)
		if err != nil {
			return "", nil, err
		}
		out = append(out, msg)
		t.where = append(t.where, at+".content")
	}
	return strings.Join(systems, "\n\n"), out, nil
}

// systemText reads what the system says; late is that other messages came before it.
func (t *translator) systemText(raw json.RawMessage, at string, late bool) (string, error) {
	if late {
		return "", invalid(at, "what the system or the developer says can only stand before the other messages")
	}
	parts, err := t.content(raw, at, takesText)
	return joinText(parts), err
}

// joinText is the text of parts that are text alone.
func joinText(parts []backend.Part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.Text
	}
	return strings.Join(texts, "\n")
}

func (t *translator) chatMessage(m *chatMessage, at string, before []backend.Message) (out backend.Message, err error) {
	switch m.Role {
	case "user":
		out.Role = backend.User
		out.Parts, err = t.content(m.Content, at+".content", takesMedia)
	case "assistant":
		out.Role = backend.Assistant
		if !isNull(m.Content) {
			out.Parts, err = t.content(m.Content, at+".content", takesText)
		} else if m.Refusal != nil {
			out.Parts = textPart(*m.Refusal)
		} else if len(m.ToolCalls) == 0 {
			return out, invalid(at+".content", "it is missing, and there are no tool_calls")
		}
		for i, c := range m.ToolCalls {
			at := fmt.Sprintf("%s.tool_calls[%d]", at, i)
			if c.Type != "function" {
				return out, invalid(at+".type", "calls of type %q are not supported: only function is", clip(c.Type))
			}
			call, err := callOf(c.ID, c.Function.Name, c.Function.Arguments, at, at+".function")
			if err != nil {
				return out, err
			}
			out.Calls = append(out.Calls, call)
		}
	case "tool":
		return t.result(m.ToolCallID, m.Content, at+".tool_call_id", at+".content", before)
	case "function":
		return out, invalid(at+".role", "function is not supported; use tool")
	default:
		return out, oneOf(at+".role", m.Role, "system", "developer", "user", "assistant", "tool")
	}
	return out, err
}

// callOf checks a call that an assistant made; at is where its ID stands, in where the
// function does.
func callOf(id, name, arguments, at, in string) (backend.Call, error) {
	c := backend.Call{ID: id, Name: name, Arguments: json.RawMessage(arguments)}
	if id == "" {
		return c, invalid(at+".id", "it is missing")
	}
	if !functionName.MatchString(name) {
		return c, invalid(in+".name", "%q is not the name of a function", clip(name))
	}
	if strings.TrimSpace(arguments) == "" {
		c.Arguments = json.RawMessage("{}") // what some models leave empty
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(c.Arguments, &object); err != nil || object == nil {
		return c, invalid(in+".arguments", "a JSON object is wanted, as a string")
	}
	return c, nil
}

// result is a tool's message, which must answer a call that came before it.
func (t *translator) result(id string, content json.RawMessage, atID, at string, before []backend.Message) (backend.Message, error) {
	out := backend.Message{Role: backend.ToolRole, CallID: id}
	if id == "" {
		return out, invalid(atID, "it is missing")
	}
	for _, m := range slices.Backward(before) {
		for _, c := range m.Calls {
			if c.ID == id {
				out.Name = c.Name
			}
		}
		if out.Name != "" {
			break
		}
	}
	if out.Name == "" {
		return out, invalid(atID, "no call before it has the ID %q", clip(id))
	}
	var err error
	out.Parts, err = t.content(content, at, takesText)
	return out, err
}

// chatCompletion is an answer, or a chunk of one.
type chatCompletion struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"`
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	// Chunks of a stream that asks for usage have null, all but the last.
	Usage    any          `json:"usage,omitempty"`
	Progress *progress    `json:"prompt_progress,omitempty"`
	Skipped  *wireSkipped `json:"skipped,omitempty"` // of a stream in the last chunk of each answer
}

type chatChoice struct {
	Index    int          `json:"index"`
	Message  *chatReply   `json:"message,omitempty"`
	Delta    *chatDelta   `json:"delta,omitempty"`
	Logprobs *chatLogprob `json:"logprobs"`
	Finish   *string      `json:"finish_reason"`
}

type chatLogprob struct {
	Content []wireLogprob `json:"content"`
	Refusal []wireLogprob `json:"refusal"`
}

type chatReply struct {
	Role        string         `json:"role"`
	Content     *string        `json:"content"`
	Refusal     *string        `json:"refusal"`
	ToolCalls   []wireCall     `json:"tool_calls,omitempty"`
	Annotations []chatCitation `json:"annotations"`
	chatExtra
}

type chatDelta struct {
	Role        string         `json:"role,omitempty"`
	Content     *string        `json:"content,omitempty"`
	ToolCalls   []wireCall     `json:"tool_calls,omitempty"`
	Annotations []chatCitation `json:"annotations,omitempty"`
	chatExtra
}

// chatExtra is what an answer rests on; Found says of the module's own models
// whether the answer was in what they read.
type chatExtra struct {
	Evidence []wireEvidence `json:"evidence,omitempty"`
	Found    *bool          `json:"found,omitempty"`
}

func (t *translator) extra(c *backend.Choice, m *backend.Model) chatExtra {
	x := chatExtra{Evidence: t.evidence(c.Evidence)}
	if m.Native {
		x.Found = &c.Found
	}
	return x
}

func callsOf(calls []backend.Call, single, stream bool) []wireCall {
	if single && len(calls) > 1 {
		calls = calls[:1]
	}
	var out []wireCall
	for i, c := range calls {
		w := wireCall{ID: c.ID, Type: "function"}
		w.Function.Name, w.Function.Arguments = c.Name, string(c.Arguments)
		if stream {
			w.Index = &i
		}
		out = append(out, w)
	}
	return out
}

func (h *handler) chat(w http.ResponseWriter, r *http.Request) error {
	var body chatRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	m, err := h.model(body.Model)
	if err != nil {
		return err
	}
	t := &translator{h: h, ctx: r.Context(), owner: backend.Owner(r.Context()), names: chatNames}
	req, err := body.request(t, m)
	if err != nil {
		return err
	}
	if body.Stream {
		h.streamChat(w, r, &body, req, &m, t)
		return nil // it has said itself what went wrong
	}
	resp, err := h.b.Generate(r.Context(), req, nil)
	if err != nil {
		return t.located(err)
	}
	out := chatCompletion{
		ID: newID("chatcmpl-"), Object: "chat.completion", Created: unix(resp.Created), Model: m.ID,
		Choices: []chatChoice{}, Usage: usageOf(&resp.Usage), Skipped: skippedOf(&resp.Skipped),
	}
	for i := range resp.Choices {
		c := &resp.Choices[i]
		finish := finishReason(c.Finish)
		reply := &chatReply{
			Role: "assistant", Content: &c.Text, ToolCalls: callsOf(c.Calls, one(body.ParallelToolCalls), false),
			Annotations: t.chatCitations(c.Text, c.Evidence), chatExtra: t.extra(c, &m),
		}
		if c.Text == "" && len(c.Calls) > 0 {
			reply.Content = nil
		}
		if reply.Annotations == nil {
			reply.Annotations = []chatCitation{}
		}
		choice := chatChoice{Index: i, Message: reply, Finish: &finish}
		if req.Logprobs >= 0 {
			choice.Logprobs = &chatLogprob{Content: logprobsOf(c.Tokens)}
		}
		out.Choices = append(out.Choices, choice)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}
