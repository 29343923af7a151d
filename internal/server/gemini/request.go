package gemini

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Limits of the public API, or near them.
const (
	maxCandidates = 8
	maxStops      = 16
	maxLogprobs   = 20
	maxFPS        = 24
)

// asked is a request as the backend takes it, and how its answer is to be written.
type asked struct {
	*backend.Request
	at       [][]string // where the parts of its messages stand in the client's request
	schemaAt string     // and the schema of its answers
	enum     bool       // answers are one of a schema's words, without quotes
}

// request translates what a client asks of a model.
func (h *handler) request(ctx context.Context, model string, g *generateRequest) (*asked, error) {
	q := &asked{Request: &backend.Request{Model: model, Owner: backend.Owner(ctx)}}
	var err error
	if g.CachedContent != "" {
		if q.Context, err = resource("cachedContent", "cachedContents", g.CachedContent); err != nil {
			return nil, err
		}
		switch {
		case g.SystemInstruction != nil:
			return nil, invalid("systemInstruction", "a request with cachedContent cannot have one; give it to the cachedContent")
		case len(g.Tools) > 0:
			return nil, invalid("tools", "a request with cachedContent cannot have them; give them to the cachedContent")
		case g.ToolConfig != nil:
			return nil, invalid("toolConfig", "a request with cachedContent cannot have one; give it to the cachedContent")
		}
	}
	if len(g.Contents) == 0 {
		return nil, invalid("contents", "there are none; a request has at least one")
	}
	if q.System, err = system(g.SystemInstruction); err != nil {
		return nil, err
	}
	if q.Messages, q.at, err = messages(g.Contents); err != nil {
		return nil, err
	}
	if q.Tools, err = tools(g.Tools); err != nil {
		return nil, err
	}
	if q.ToolChoice, err = toolChoice(g.ToolConfig, q.Tools); err != nil {
		return nil, err
	}
	return q, q.configure(g.GenerationConfig)
}

// inMessages is how the backend names a part of a request.
var inMessages = regexp.MustCompile(`^messages\[(\d+)\]\.parts\[(\d+)\]`)

// paramNames are what backends call the fields of a request, where the API has other names.
var paramNames = map[string]string{
	"messages": "contents", "prompt": "contents", "tool_choice": "toolConfig.functionCallingConfig", "n": configAt + ".candidateCount",
	"logprobs": configAt + ".responseLogprobs", "top_logprobs": configAt + ".logprobs", "response_format": configAt + ".responseMimeType",
}

// locate makes a backend's error name the part or the field that the client knows.
func (q *asked) locate(err error) error {
	var e *backend.Error
	if errors.As(err, &e) && e.Param == "response_format" && q.schemaAt != "" {
		named := *e
		named.Param = q.schemaAt
		return &named
	}
	return locate(err, q.at)
}

func locate(err error, at [][]string) error {
	var e *backend.Error
	if !errors.As(err, &e) {
		return err
	}
	m := inMessages.FindStringSubmatch(e.Param)
	if m == nil {
		if name := paramNames[e.Param]; name != "" {
			named := *e
			named.Param = name
			return &named
		}
		return err
	}
	i, ierr := strconv.Atoi(m[1])
	j, jerr := strconv.Atoi(m[2])
	if ierr != nil || jerr != nil || i >= len(at) || j >= len(at[i]) {
		return err
	}
	named := *e
	named.Param = at[i][j] + e.Param[len(m[0]):]
	return &named
}

// resource is the ID in a name such as cachedContents/ID.
func resource(param, collection, name string) (string, error) {
	id, ok := strings.CutPrefix(name, collection+"/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return "", invalid(param, "%q is no name; it must be like %s/ID", clip(name), collection)
	}
	return id, nil
}

// fileID is the ID in a file's URI: the one that the server gave, or files/ID. The host is
// not looked at, since a server is known by many.
func fileID(param, uri string) (string, error) {
	name := uri
	if u, err := url.Parse(uri); err == nil && u.Host != "" {
		var ok bool
		if name, ok = strings.CutPrefix(u.Path, "/v1beta/"); !ok {
			return "", unsupported(param, "%q is not a file of this server; upload it first, since nothing is fetched from elsewhere", clip(uri))
		}
	}
	id, ok := strings.CutPrefix(name, "files/")
	if !ok || id == "" || strings.Contains(id, "/") {
		return "", unsupported(param, "%q is not a file of this server; give the uri of an uploaded file", clip(uri))
	}
	return id, nil
}

// system is the text of an instruction.
func system(c *content) (string, error) {
	if c == nil {
		return "", nil
	}
	var texts []string
	for i := range c.Parts {
		at := fmt.Sprintf("systemInstruction.parts[%d]", i)
		if err := c.Parts[i].check(at); err != nil {
			return "", err
		}
		if c.Parts[i].kinds() > 0 && c.Parts[i].Text == nil {
			return "", unsupported(at, "an instruction is text")
		}
		if t := c.Parts[i].Text; t != nil {
			texts = append(texts, *t)
		}
	}
	return strings.Join(texts, "\n"), nil
}

// kinds counts what a part consists of; it must be one.
func (p *part) kinds() int {
	n := 0
	for _, has := range []bool{p.Text != nil, p.InlineData != nil, p.FileData != nil, p.FunctionCall != nil, p.FunctionResponse != nil} {
		if has {
			n++
		}
	}
	return n
}

// check refuses parts of which something would be lost.
func (p *part) check(at string) error {
	switch n := p.kinds(); {
	case n > 1:
		return invalid(at, "it has more than one of text, inlineData, fileData, functionCall and functionResponse; make a part of each")
	case n == 0 && len(p.Unknown) > 0:
		slices.Sort(p.Unknown)
		return unsupported(at, "a part of %q is not supported; there are text, inlineData, fileData, functionCall and functionResponse", clip(strings.Join(p.Unknown, ", ")))
	}
	if p.InlineData == nil && p.FileData == nil {
		if p.VideoMetadata != nil {
			return invalid(at+".videoMetadata", "it goes with inlineData or fileData")
		}
		if p.MediaResolution != nil {
			return invalid(at+".mediaResolution", "it goes with inlineData or fileData")
		}
	}
	return nil
}

// media is a part that is neither call nor response; ok is false if there is nothing in
// it.
func (p *part) media(at string) (out backend.Part, ok bool, err error) {
	switch {
	case p.Text != nil:
		return backend.Part{Text: *p.Text}, *p.Text != "", nil
	case p.InlineData != nil:
		if len(p.InlineData.Data) == 0 {
			return out, false, invalid(at+".inlineData.data", "it is empty")
		}
		out = backend.Part{Data: p.InlineData.Data, Name: p.InlineData.DisplayName, MIME: p.InlineData.MIMEType}
	case p.FileData != nil:
		if out.File, err = fileID(at+".fileData.fileUri", p.FileData.FileURI); err != nil {
			return out, false, err
		}
		out.MIME = p.FileData.MIMEType
	default:
		return out, false, nil // an empty text, as proto JSON writes it
	}
	if v := p.VideoMetadata; v != nil {
		at += ".videoMetadata"
		if v.FPS != nil {
			if !(*v.FPS > 0 && *v.FPS <= maxFPS) {
				return out, false, invalid(at+".fps", "it is %v, and must be above 0 and at most %d", *v.FPS, maxFPS)
			}
			out.FPS = *v.FPS
		}
		out.Start, out.End = v.StartOffset, v.EndOffset
		if out.Start < 0 {
			return out, false, invalid(at+".startOffset", "it is negative")
		}
		if out.End != 0 && out.End <= out.Start {
			return out, false, invalid(at+".endOffset", "it must be after startOffset")
		}
	}
	return out, true, nil
}

// calls remembers the calls of a conversation that have no response yet, so that those
// without an ID, which the API allows, find together.
type calls struct {
	open []backend.Call
	made int
}

func (c *calls) add(call backend.Call) backend.Call {
	if call.ID == "" {
		call.ID = "call-" + strconv.Itoa(c.made)
	}
	c.made++
	c.open = append(c.open, call)
	return call
}

// answered is the ID of the call that a response belongs to.
func (c *calls) answered(id, name string) string {
	for i, call := range c.open {
		if id == call.ID || id == "" && name == call.Name {
			c.open = slices.Delete(c.open, i, i+1)
			return call.ID
		}
	}
	return id
}

// messages translates a conversation; at says of each message's parts where they stand.
func messages(contents []content) (out []backend.Message, at [][]string, err error) {
	var open calls
	for i := 0; i < len(contents); {
		// Chats of SDKs send an answer back in the pieces that it was streamed in.
		end := i + 1
		for contents[i].Role == "model" && end < len(contents) && contents[end].Role == "model" {
			end++
		}
		t := turn{calls: &open, message: backend.Message{Role: backend.User}}
		for ; i < end; i++ {
			if err := t.add(&contents[i], fmt.Sprintf("contents[%d]", i)); err != nil {
				return nil, nil, err
			}
		}
		t.end()
		out, at = append(out, t.out...), append(at, t.places...)
	}
	return out, at, nil
}

// turn is what becomes of one content, or several of a model: a message for each response
// to a call, and one for the rest.
type turn struct {
	calls   *calls
	message backend.Message
	at      []string // where the message's parts stand
	text    strings.Builder
	textAt  string
	out     []backend.Message
	places  [][]string
}

func (t *turn) add(c *content, at string) error {
	switch c.Role {
	case "", "user", "function", "tool":
	case "model":
		t.message.Role = backend.Assistant
	default:
		return invalid(at+".role", "it is %q, and must be user or model", clip(c.Role))
	}
	if len(c.Parts) == 0 {
		return invalid(at+".parts", "there are none")
	}
	for i := range c.Parts {
		if err := t.part(&c.Parts[i], fmt.Sprintf("%s.parts[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) part(p *part, at string) error {
	if err := p.check(at); err != nil {
		return err
	}
	switch {
	case p.FunctionCall != nil:
		call, err := p.FunctionCall.call(at+".functionCall", t.message.Role)
		if err != nil {
			return err
		}
		t.message.Calls = append(t.message.Calls, t.calls.add(call))
	case p.FunctionResponse != nil:
		m, err := p.FunctionResponse.message(at+".functionResponse", t.message.Role)
		if err != nil {
			return err
		}
		m.CallID = t.calls.answered(m.CallID, m.Name)
		t.out, t.places = append(t.out, m), append(t.places, slices.Repeat([]string{at}, len(m.Parts)))
	case p.Text != nil && t.message.Role == backend.Assistant:
		// What a model says goes on where it ended; a user's texts are apart.
		if t.text.Len() == 0 {
			t.textAt = at
		}
		t.text.WriteString(*p.Text)
	default:
		b, ok, err := p.media(at)
		if err != nil || !ok {
			return err
		}
		t.flush()
		t.message.Parts, t.at = append(t.message.Parts, b), append(t.at, at)
	}
	return nil
}

// flush ends a text of pieces.
func (t *turn) flush() {
	if t.text.Len() > 0 {
		t.message.Parts, t.at = append(t.message.Parts, backend.Part{Text: t.text.String()}), append(t.at, t.textAt)
		t.text.Reset()
	}
}

// end puts what is left behind the responses. A turn of empty texts stays a turn.
func (t *turn) end() {
	t.flush()
	if len(t.out) == 0 || len(t.message.Parts) > 0 {
		t.out, t.places = append(t.out, t.message), append(t.places, t.at)
	}
}

func (f *functionCall) call(at string, role backend.Role) (backend.Call, error) {
	if role != backend.Assistant {
		return backend.Call{}, invalid(at, "only role model makes calls")
	}
	if f.Name == "" {
		return backend.Call{}, invalid(at+".name", "it is missing")
	}
	args := f.Args
	if args == nil {
		args = json.RawMessage("{}")
	}
	if err := object(at+".args", args); err != nil {
		return backend.Call{}, err
	}
	return backend.Call{ID: f.ID, Name: f.Name, Arguments: args}, nil
}

// object checks that valid JSON is an object.
func object(at string, m json.RawMessage) error {
	if !bytes.HasPrefix(m, []byte("{")) {
		return invalid(at, "it must be an object")
	}
	return nil
}

func (f *functionResponse) message(at string, role backend.Role) (backend.Message, error) {
	m := backend.Message{Role: backend.ToolRole, CallID: f.ID, Name: f.Name}
	if role == backend.Assistant {
		return m, invalid(at, "only role user answers calls")
	}
	if f.Name == "" {
		return m, invalid(at+".name", "it is missing")
	}
	if f.Response == nil && len(f.Parts) == 0 {
		return m, invalid(at+".response", "it is missing")
	}
	if f.Response != nil {
		if err := object(at+".response", f.Response); err != nil {
			return m, err
		}
		m.Parts = append(m.Parts, backend.Part{Text: string(f.Response)})
	}
	for i := range f.Parts {
		p, at := &f.Parts[i], fmt.Sprintf("%s.parts[%d]", at, i)
		if err := p.check(at); err != nil {
			return m, err
		}
		if p.InlineData == nil && p.FileData == nil {
			return m, unsupported(at, "it must have inlineData or fileData")
		}
		b, _, err := p.media(at)
		if err != nil {
			return m, err
		}
		m.Parts = append(m.Parts, b)
	}
	return m, nil
}

var functionName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$`)

func tools(list []tool) ([]backend.Tool, error) {
	var out []backend.Tool
	known := make(map[string]bool)
	for i := range list {
		if len(list[i].Unknown) > 0 && len(list[i].FunctionDeclarations) == 0 {
			slices.Sort(list[i].Unknown)
			return nil, unsupported(fmt.Sprintf("tools[%d]", i), "a tool of %q is not supported; the server has none of its own, declare functions", clip(strings.Join(list[i].Unknown, ", ")))
		}
		for j := range list[i].FunctionDeclarations {
			at := fmt.Sprintf("tools[%d].functionDeclarations[%d]", i, j)
			t, err := list[i].FunctionDeclarations[j].tool(at)
			if err != nil {
				return nil, err
			}
			if known[t.Name] {
				return nil, invalid(at+".name", "%q is declared twice", t.Name)
			}
			known[t.Name] = true
			out = append(out, t)
		}
	}
	return out, nil
}

func (f *functionDeclaration) tool(at string) (backend.Tool, error) {
	t := backend.Tool{Name: f.Name, Description: f.Description, Parameters: f.ParametersJSONSchema}
	switch {
	case !functionName.MatchString(f.Name):
		return t, invalid(at+".name", "%q is no name; up to 128 of letters, digits and _.:- that begin with a letter or _", clip(f.Name))
	case f.Behavior == "NON_BLOCKING":
		return t, unsupported(at+".behavior", "functions are waited for")
	case f.Parameters != nil && t.Parameters != nil:
		return t, invalid(at+".parametersJsonSchema", "give it or parameters, not both")
	case f.Parameters != nil:
		var err error
		t.Parameters, err = f.Parameters.jsonSchema(at + ".parameters")
		return t, err
	}
	return t, nil
}

func toolChoice(c *toolConfig, tools []backend.Tool) (backend.ToolChoice, error) {
	var out backend.ToolChoice
	if c == nil || c.FunctionCallingConfig == nil {
		return out, nil
	}
	f := c.FunctionCallingConfig
	const at = "toolConfig.functionCallingConfig"
	only := false
	switch f.Mode {
	case "ANY":
		out.Mode, only = backend.ToolAny, true
		if len(tools) == 0 {
			return out, invalid(at+".mode", "it is ANY, and no function is declared")
		}
	case "VALIDATED":
		only = true // like AUTO; arguments are held to their schema in any mode
	case "NONE":
		out.Mode = backend.ToolNone
	}
	if len(f.AllowedFunctionNames) > 0 && !only {
		return out, invalid(at+".allowedFunctionNames", "it goes with mode ANY or VALIDATED")
	}
	for i, name := range f.AllowedFunctionNames {
		if !slices.ContainsFunc(tools, func(t backend.Tool) bool { return t.Name == name }) {
			return out, invalid(fmt.Sprintf("%s.allowedFunctionNames[%d]", at, i), "%q is not declared", clip(name))
		}
	}
	if len(f.AllowedFunctionNames) > 0 {
		out.Only = f.AllowedFunctionNames
	}
	return out, nil
}

const configAt = "generationConfig"

// configure translates a generationConfig.
func (q *asked) configure(g *generationConfig) error {
	q.Logprobs = -1
	if g == nil {
		return nil
	}
	for i, m := range g.ResponseModalities {
		if m != "TEXT" && m != "MODALITY_UNSPECIFIED" {
			return unsupported(fmt.Sprintf("%s.responseModalities[%d]", configAt, i), "it is %s; answers are TEXT", m)
		}
	}
	for _, translate := range []func(*generationConfig) error{q.sampling, q.lengths, q.logprobs, q.format} {
		if err := translate(g); err != nil {
			return err
		}
	}
	return nil
}

// sampling translates how tokens are chosen.
func (q *asked) sampling(g *generationConfig) error {
	s := &q.Sampling
	for _, x := range []struct {
		name     string
		from     *float64
		to       *float64
		min, max float64
	}{
		{"temperature", g.Temperature, &s.Temperature, 0, maxTemperature},
		{"topP", g.TopP, &s.TopP, 0, 1},
		{"presencePenalty", g.PresencePenalty, &s.PresencePenalty, -2, 2},
		{"frequencyPenalty", g.FrequencyPenalty, &s.FrequencyPenalty, -2, 2},
	} {
		if x.from == nil {
			continue
		}
		if *x.from < x.min || *x.from > x.max {
			return invalid(configAt+"."+x.name, "it is %v, and must be from %v to %v", *x.from, x.min, x.max)
		}
		*x.to = *x.from
	}
	if k := g.TopK; k != nil {
		if *k < 0 || *k > math.MaxInt32 || *k != math.Trunc(*k) {
			return invalid(configAt+".topK", "it is %v, and must be a whole number, 0 or more", *k)
		}
		s.TopK = int(*k)
	}
	switch {
	case g.Seed != nil:
		s.Seed = uint64(*g.Seed)
	case s.Temperature > 0:
		s.Seed = rand.Uint64()
	}
	return nil
}

// lengths translates how many answers there are to be, and where they end.
func (q *asked) lengths(g *generationConfig) error {
	if n := g.CandidateCount; n != nil {
		if *n < 1 || *n > maxCandidates {
			return invalid(configAt+".candidateCount", "it is %d, and must be from 1 to %d", *n, maxCandidates)
		}
		q.Count = int(*n)
	}
	if n := g.MaxOutputTokens; n != nil {
		if *n < 0 {
			return invalid(configAt+".maxOutputTokens", "it is negative")
		}
		q.Sampling.MaxTokens = int(*n)
	}
	if len(g.StopSequences) > maxStops {
		return invalid(configAt+".stopSequences", "there are %d; %d are allowed", len(g.StopSequences), maxStops)
	}
	if i := slices.Index(g.StopSequences, ""); i >= 0 {
		return invalid(fmt.Sprintf("%s.stopSequences[%d]", configAt, i), "it is empty")
	}
	q.Sampling.Stop = g.StopSequences
	return nil
}

func (q *asked) logprobs(g *generationConfig) error {
	n := g.Logprobs
	switch {
	case n != nil && !g.ResponseLogprobs:
		return invalid(configAt+".logprobs", "it needs responseLogprobs")
	case n != nil && (*n < 0 || *n > maxLogprobs):
		return invalid(configAt+".logprobs", "it is %d, and must be from 0 to %d", *n, maxLogprobs)
	case n != nil:
		q.Logprobs = int(*n)
	case g.ResponseLogprobs:
		q.Logprobs = 0
	}
	return nil
}

// format translates what form an answer is to have.
func (q *asked) format(g *generationConfig) error {
	const at = configAt
	if g.ResponseSchema != nil && g.ResponseJSONSchema != nil {
		return invalid(at+".responseJsonSchema", "give it or responseSchema, not both")
	}
	given := at + ".responseSchema"
	var schema json.RawMessage
	switch {
	case g.ResponseSchema != nil:
		var err error
		if schema, err = g.ResponseSchema.jsonSchema(given); err != nil {
			return err
		}
	case g.ResponseJSONSchema != nil:
		given, schema = at+".responseJsonSchema", g.ResponseJSONSchema
	}
	switch g.ResponseMIMEType {
	case "", "text/plain":
		if schema != nil {
			return invalid(given, "it needs a responseMimeType of application/json or text/x.enum")
		}
	case "application/json":
		q.Sampling.Schema = []byte{} // any JSON
		if schema != nil {
			q.Sampling.Schema, q.schemaAt = schema, given
		}
	case "text/x.enum":
		if s := g.ResponseSchema; s == nil || s.Type != "STRING" || len(s.Enum) == 0 {
			return invalid(at+".responseSchema", "text/x.enum needs one of type STRING with an enum")
		}
		q.Sampling.Schema, q.schemaAt, q.enum = schema, given, true
	default:
		return invalid(at+".responseMimeType", "it is %q, and must be text/plain, application/json or text/x.enum", clip(g.ResponseMIMEType))
	}
	return nil
}
