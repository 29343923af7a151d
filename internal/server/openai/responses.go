package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// responseRequest is the body of a response.
type responseRequest struct {
	sampling
	Model             string            `json:"model"`
	Input             json.RawMessage   `json:"input"`
	Instructions      *string           `json:"instructions"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Metadata          map[string]string `json:"metadata"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls"`
	PreviousID        string            `json:"previous_response_id"`
	Store             *bool             `json:"store"`
	Stream            bool              `json:"stream"`
	Text              *struct {
		Format    json.RawMessage `json:"format"`
		Verbosity json.RawMessage `json:"verbosity"`
	} `json:"text"`
	ToolChoice     json.RawMessage   `json:"tool_choice"`
	Tools          []json.RawMessage `json:"tools"`
	TopLogprobs    *int              `json:"top_logprobs"`
	Include        []string          `json:"include"`
	Truncation     string            `json:"truncation"`
	ReturnProgress bool              `json:"return_progress"`
	CachedContent  string            `json:"cached_content"`

	// What cannot be honoured.
	AccessPrograms    json.RawMessage `json:"access_programs"`
	Background        json.RawMessage `json:"background"`
	ContextManagement json.RawMessage `json:"context_management"`
	Conversation      json.RawMessage `json:"conversation"`
	Image             json.RawMessage `json:"image"`
	Moderation        json.RawMessage `json:"moderation"`
	Prompt            json.RawMessage `json:"prompt"`
	Reasoning         *struct {
		Effort  json.RawMessage `json:"effort"`
		Summary json.RawMessage `json:"summary"`
	} `json:"reasoning"`
}

// includeLogprobs asks for probabilities; the other words that include may have are
// about tools and reasoning that no answer here has, or repeat what was sent.
const includeLogprobs = "message.output_text.logprobs"

var includes = []string{
	includeLogprobs, "reasoning.encrypted_content", "message.input_image.image_url", "file_search_call.results",
	"web_search_call.results", "web_search_call.action.sources", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
}

func (b *responseRequest) unsupported() error {
	for _, f := range []struct {
		name     string
		raw      json.RawMessage
		harmless []string
	}{
		{"access_programs", b.AccessPrograms, nil},
		{"background", b.Background, []string{"false"}},
		{"context_management", b.ContextManagement, []string{"[]"}},
		{"conversation", b.Conversation, nil},
		{"image", b.Image, nil},
		{"moderation", b.Moderation, nil},
		{"prompt", b.Prompt, nil},
	} {
		if err := refuse(f.name, f.raw, f.harmless...); err != nil {
			return err
		}
	}
	if r := b.Reasoning; r != nil {
		if err := refuse("reasoning.effort", r.Effort, `"none"`); err != nil {
			return err
		}
		if err := refuse("reasoning.summary", r.Summary); err != nil {
			return err
		}
	}
	if b.Text != nil {
		if err := refuse("text.verbosity", b.Text.Verbosity, `"medium"`); err != nil {
			return err
		}
	}
	if b.Truncation == "auto" {
		return invalid("truncation", "auto is not supported: nothing is ever left out of a prompt")
	}
	if err := oneOf("truncation", b.Truncation, "", "disabled"); err != nil {
		return err
	}
	for i, s := range b.Include {
		if err := oneOf(fmt.Sprintf("include[%d]", i), s, includes...); err != nil {
			return err
		}
	}
	if b.ReturnProgress && !b.Stream {
		return invalid("return_progress", "it needs stream to be true")
	}
	return nil
}

// turn is a request for a response, as it is being answered.
type turn struct {
	t       *translator
	body    *responseRequest
	model   backend.Model
	req     *backend.Request
	systems []string // what the system says in the input
	items   []inputItem
	size    int64 // of the whole conversation, in bytes
	out     wireResponse
}

// newTurn translates a body.
func (h *handler) newTurn(r *http.Request, body *responseRequest) (*turn, error) {
	m, err := h.model(body.Model)
	if err != nil {
		return nil, err
	}
	if err := body.unsupported(); err != nil {
		return nil, err
	}
	u := &turn{body: body, model: m, t: &translator{h: h, ctx: r.Context(), owner: backend.Owner(r.Context()), names: responseNames}}
	u.req = &backend.Request{Model: m.ID, Owner: u.t.owner, Logprobs: -1, Count: 1, Context: strings.TrimPrefix(body.CachedContent, "cachedContents/")}
	if err := u.options(); err != nil {
		return nil, err
	}
	if body.PreviousID != "" {
		before, err := h.responses.get(u.t.owner, body.PreviousID)
		if err != nil {
			return nil, within(err, "previous_response_id")
		}
		u.systems = append(u.systems, before.systems...)
		u.req.Messages = append(u.req.Messages, before.messages...)
		u.t.files = append(u.t.files, before.files...)
		u.t.where = make([]string, len(before.messages))
	}
	if err := u.input(); err != nil {
		return nil, err
	}
	systems := u.systems
	if body.Instructions != nil && *body.Instructions != "" {
		// Those of an earlier response do not carry over.
		systems = append([]string{*body.Instructions}, systems...)
	}
	u.req.System = strings.Join(systems, "\n\n")
	if len(u.req.Messages) == 0 {
		return nil, invalid("input", "a message of the user is wanted, after what the system says")
	}
	return u, u.prepare()
}

// options translates all but the input.
func (u *turn) options() error {
	b, r := u.body, u.req
	if err := b.apply(r, 1); err != nil {
		return err
	}
	var err error
	if r.Sampling.MaxTokens, err = maxTokens("max_output_tokens", b.MaxOutputTokens); err != nil {
		return err
	}
	for _, s := range b.Include {
		if s == includeLogprobs {
			r.Logprobs = 0
		}
	}
	if b.TopLogprobs != nil {
		n, err := topLogprobs("top_logprobs", *b.TopLogprobs)
		if err != nil {
			return err
		}
		if n > 0 || r.Logprobs == 0 {
			r.Logprobs = n
		}
	}
	if b.Text != nil && !isNull(b.Text.Format) {
		var f wireFormat
		if err := decode(b.Text.Format, "text.format", &f); err != nil {
			return err
		}
		if r.Sampling.Schema, err = f.schema("text.format", false); err != nil {
			return err
		}
	}
	if r.Tools, err = tools(b.Tools, false); err != nil {
		return err
	}
	r.ToolChoice, err = toolChoice(b.ToolChoice, r.Tools, false)
	return err
}

// inputItem is an item of a response's input.
type inputItem struct {
	Type   string          `json:"type"`
	ID     string          `json:"id"`
	Role   string          `json:"role,omitempty"`
	Status string          `json:"status,omitempty"`
	Body   json.RawMessage `json:"content,omitempty"`
	// Of calls and their results.
	CallID    string          `json:"call_id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments *string         `json:"arguments,omitempty"`
	Output    json.RawMessage `json:"output,omitempty"`
}

// input translates a string or a list of items into messages after those that are
// there.
func (u *turn) input() error {
	raw := u.body.Input
	if isNull(raw) {
		return invalid("input", "it is missing")
	}
	if raw[0] == '"' {
		var text string
		if err := decode(raw, "input", &text); err != nil {
			return err
		}
		content, err := json.Marshal([]map[string]string{{"type": "input_text", "text": text}})
		if err != nil {
			return err
		}
		u.items = append(u.items, inputItem{Type: "message", ID: newID("msg_"), Role: "user", Status: "completed", Body: content})
		u.add(backend.Message{Role: backend.User, Parts: textPart(text)}, "input")
		return nil
	}
	var list []json.RawMessage
	if err := decode(raw, "input", &list); err != nil {
		return err
	}
	if len(list) == 0 && u.body.PreviousID == "" {
		return invalid("input", "it is empty")
	}
	for i, raw := range list {
		var item inputItem
		at := fmt.Sprintf("input[%d]", i)
		if err := decode(raw, at, &item); err != nil {
			return err
		}
		if item.Type == "" && item.Role != "" {
			item.Type = "message"
		}
		if err := u.item(&item, at); err != nil {
			return err
		}
		if item.ID == "" {
			item.ID = newID("item_")
		}
		if item.Status == "" {
			item.Status = "completed"
		}
		u.items = append(u.items, item)
	}
	return nil
}

func (u *turn) item(item *inputItem, at string) error {
	switch item.Type {
	case "message":
		return u.message(item, at)
	case "function_call":
		arguments := ""
		if item.Arguments != nil {
			arguments = *item.Arguments
		}
		if item.CallID == "" {
			return invalid(at+".call_id", "it is missing")
		}
		call, err := callOf(item.CallID, item.Name, arguments, at, at)
		if err != nil {
			return err
		}
		// Calls that follow each other, or the words before them, are of one turn.
		if n := len(u.req.Messages); n > 0 && u.req.Messages[n-1].Role == backend.Assistant {
			last := u.req.Messages[n-1]
			last.Calls = append(last.Calls[:len(last.Calls):len(last.Calls)], call)
			u.req.Messages[n-1] = last
			return nil
		}
		u.add(backend.Message{Role: backend.Assistant, Calls: []backend.Call{call}}, at)
		return nil
	case "function_call_output":
		m, err := u.t.result(item.CallID, item.Output, at+".call_id", at+".output", u.req.Messages)
		if err == nil {
			u.add(m, at+".output")
		}
		return err
	case "":
		return invalid(at+".type", "it is missing")
	}
	return &backend.Error{Kind: backend.Unsupported, Param: at + ".type",
		Message: fmt.Sprintf("%s.type: items of type %q are not supported; message, function_call and function_call_output are", at, clip(item.Type))}
}

func (u *turn) message(item *inputItem, at string) error {
	m := backend.Message{Role: backend.User}
	may := takesMedia
	switch item.Role {
	case "system", "developer":
		text, err := u.t.systemText(item.Body, at+".content", len(u.req.Messages) > 0)
		u.systems = append(u.systems, text)
		return err
	case "user":
	case "assistant":
		m.Role, may = backend.Assistant, takesText
	default:
		return oneOf(at+".role", clip(item.Role), "system", "developer", "user", "assistant")
	}
	var err error
	if m.Parts, err = u.t.content(item.Body, at+".content", may); err != nil {
		return err
	}
	u.add(m, at+".content")
	return nil
}

// add adds a message that stands at a place in the body.
func (u *turn) add(m backend.Message, at string) {
	u.req.Messages = append(u.req.Messages, m)
	u.t.where = append(u.t.where, at)
}

// wireResponse is a response as it is sent.
type wireResponse struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	CreatedAt         int64             `json:"created_at"`
	CompletedAt       *int64            `json:"completed_at"`
	Status            string            `json:"status"`
	Background        bool              `json:"background"`
	Error             *responseError    `json:"error"`
	Incomplete        *incomplete       `json:"incomplete_details"`
	Instructions      *string           `json:"instructions"`
	MaxOutputTokens   *int              `json:"max_output_tokens"`
	Metadata          map[string]string `json:"metadata"`
	Model             string            `json:"model"`
	Output            []any             `json:"output"` // *messageItem and *callItem
	ParallelToolCalls bool              `json:"parallel_tool_calls"`
	PreviousID        *string           `json:"previous_response_id"`
	Store             bool              `json:"store"`
	Temperature       float64           `json:"temperature"`
	Text              json.RawMessage   `json:"text"`
	ToolChoice        json.RawMessage   `json:"tool_choice"`
	Tools             []json.RawMessage `json:"tools"`
	TopLogprobs       int               `json:"top_logprobs"`
	TopP              float64           `json:"top_p"`
	Truncation        string            `json:"truncation"`
	Usage             *responseUsage    `json:"usage"`
	Skipped           *wireSkipped      `json:"skipped,omitempty"`
}

type responseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type incomplete struct {
	Reason string `json:"reason"`
}

type responseUsage struct {
	Input         int           `json:"input_tokens"`
	InputDetails  promptDetails `json:"input_tokens_details"`
	Output        int           `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int `json:"total_tokens"`
}

type messageItem struct {
	Type    string       `json:"type"`
	ID      string       `json:"id"`
	Status  string       `json:"status"`
	Role    string       `json:"role"`
	Content []outputText `json:"content"`
}

type outputText struct {
	Type        string        `json:"type"`
	Text        string        `json:"text"`
	Annotations []citation    `json:"annotations"`
	Logprobs    []wireLogprob `json:"logprobs"`
	chatExtra
}

type callItem struct {
	Type      string `json:"type"`
	ID        string `json:"id"`
	Status    string `json:"status"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// prepare makes the response as it is before it is answered.
func (u *turn) prepare() error {
	b := u.body
	u.out = wireResponse{
		ID: newID("resp_"), Object: "response", CreatedAt: time.Now().Unix(), Status: "in_progress",
		Instructions: b.Instructions, MaxOutputTokens: b.MaxOutputTokens, Metadata: b.Metadata, Model: u.model.ID,
		Output: []any{}, ParallelToolCalls: !one(b.ParallelToolCalls), Store: b.Store == nil || *b.Store,
		Temperature: u.req.Sampling.Temperature, Text: json.RawMessage(`{"format":{"type":"text"}}`),
		ToolChoice: json.RawMessage(`"auto"`), Tools: b.Tools, TopP: 1, Truncation: "disabled",
		TopLogprobs: max(u.req.Logprobs, 0),
	}
	o := &u.out
	if o.Metadata == nil {
		o.Metadata = map[string]string{}
	}
	if o.Tools == nil {
		o.Tools = []json.RawMessage{}
	}
	if b.PreviousID != "" {
		o.PreviousID = &b.PreviousID
	}
	if b.TopP != nil {
		o.TopP = *b.TopP
	}
	if !isNull(b.ToolChoice) {
		o.ToolChoice = b.ToolChoice
	}
	if b.Text != nil && !isNull(b.Text.Format) {
		var err error
		if o.Text, err = json.Marshal(map[string]json.RawMessage{"format": b.Text.Format}); err != nil {
			return err
		}
	}
	u.size = int64(len(u.req.System)) + int64(len(b.Input))
	for _, m := range u.req.Messages {
		for _, p := range m.Parts {
			u.size += int64(len(p.Text) + len(p.Data))
		}
	}
	if limit := u.t.h.responses.ownerBytes; o.Store && u.size > limit {
		if b.Store != nil {
			return invalid("store", "the conversation has %d bytes, and at most %d are kept: set store to false, or upload files", u.size, limit)
		}
		o.Store = false
	}
	return nil
}

// complete puts an answer into the response; a message that was streamed has its ID
// already.
func (u *turn) complete(resp *backend.Response, messageID string) error {
	if len(resp.Choices) != 1 {
		return backend.Errorf(backend.Internal, "%d answers instead of one", len(resp.Choices))
	}
	c := &resp.Choices[0]
	o := &u.out
	now := time.Now().Unix()
	o.Status, o.CompletedAt = "completed", &now
	status := "completed"
	if c.Finish == backend.FinishLength {
		status = "incomplete"
		o.Status, o.CompletedAt, o.Incomplete = status, nil, &incomplete{"max_output_tokens"}
	}
	if c.Text != "" || len(c.Calls) == 0 {
		text := outputText{
			Type: "output_text", Text: c.Text, Annotations: u.t.citations(c.Text, c.Evidence),
			Logprobs: []wireLogprob{}, chatExtra: u.t.extra(c, &u.model),
		}
		if u.req.Logprobs >= 0 {
			text.Logprobs = logprobsOf(c.Tokens)
		}
		o.Output = append(o.Output, &messageItem{"message", messageID, status, "assistant", []outputText{text}})
	}
	for i, call := range c.Calls {
		if i > 0 && !o.ParallelToolCalls {
			break
		}
		o.Output = append(o.Output, &callItem{"function_call", newID("fc_"), status, call.ID, call.Name, string(call.Arguments)})
	}
	o.Usage = &responseUsage{
		Input: resp.Usage.Prompt, InputDetails: promptDetailsOf(&resp.Usage), Output: resp.Usage.Answer,
		Total: resp.Usage.Prompt + resp.Usage.Answer,
	}
	o.Skipped = skippedOf(&resp.Skipped)
	if !o.Store {
		return nil
	}
	answer := backend.Message{Role: backend.Assistant, Parts: textPart(c.Text), Calls: c.Calls}
	if len(c.Calls) > 1 && !o.ParallelToolCalls {
		answer.Calls = c.Calls[:1]
	}
	u.t.h.responses.put(u.t.owner, &storedResponse{
		body: *o, systems: u.systems, messages: append(u.req.Messages, answer), files: u.t.files, items: u.items,
		size: u.size + int64(len(c.Text)),
	})
	return nil
}

func (h *handler) createResponse(w http.ResponseWriter, r *http.Request) error {
	var body responseRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	u, err := h.newTurn(r, &body)
	if err != nil {
		return err
	}
	if body.Stream {
		h.streamResponse(w, r, u)
		return nil // it has said itself what went wrong
	}
	resp, err := h.b.Generate(r.Context(), u.req, nil)
	if err != nil {
		return u.t.located(err)
	}
	if err := u.complete(resp, newID("msg_")); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, &u.out)
	return nil
}

// countResponse counts what a response would read.
func (h *handler) countResponse(w http.ResponseWriter, r *http.Request) error {
	var body responseRequest
	if err := readJSON(r, &body); err != nil {
		return err
	}
	u, err := h.newTurn(r, &body)
	if err != nil {
		return err
	}
	usage, err := h.b.Count(r.Context(), u.req)
	if err != nil {
		return u.t.located(err)
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "response.input_tokens", "input_tokens": usage.Prompt})
	return nil
}
