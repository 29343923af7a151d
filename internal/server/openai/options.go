package openai

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// Bounds of what a request may ask for.
const (
	maxChoices     = 128
	maxStops       = 16
	maxTopLogprobs = 20
	maxTools       = 128
)

// sampling is how tokens are chosen, as all three kinds of completions say it.
type sampling struct {
	Temperature      *float64        `json:"temperature"`
	TopP             *float64        `json:"top_p"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
	Seed             *int64          `json:"seed"`
	Stop             json.RawMessage `json:"stop"`
	LogitBias        json.RawMessage `json:"logit_bias"`
	// What servers of open weights take besides.
	TopK              *int     `json:"top_k"`
	MinP              *float64 `json:"min_p"`
	RepetitionPenalty *float64 `json:"repetition_penalty"`
}

// apply puts it into a request for n answers.
func (s *sampling) apply(r *backend.Request, n int) error {
	out := &r.Sampling
	if n > 1 {
		// n answers that are all the likeliest would be the same.
		out.Temperature = 1
	}
	for _, f := range []struct {
		name     string
		v        *float64
		min, max float64
		to       *float64
	}{
		{"temperature", s.Temperature, 0, 2, &out.Temperature},
		{"top_p", s.TopP, 0, 1, &out.TopP},
		{"presence_penalty", s.PresencePenalty, -2, 2, &out.PresencePenalty},
		{"frequency_penalty", s.FrequencyPenalty, -2, 2, &out.FrequencyPenalty},
		{"min_p", s.MinP, 0, 1, &out.MinP},
		{"repetition_penalty", s.RepetitionPenalty, 0.01, 100, &out.RepeatPenalty},
	} {
		if f.v == nil {
			continue
		}
		if *f.v < f.min || *f.v > f.max {
			return invalid(f.name, "%v is not from %v to %v", *f.v, f.min, f.max)
		}
		*f.to = *f.v
	}
	if s.TopP != nil && *s.TopP == 0 {
		out.TopK = 1 // what is left of no probability at all; 0 would keep all
	}
	if s.TopK != nil {
		if *s.TopK < -1 {
			return invalid("top_k", "%d is less than -1, which keeps all", *s.TopK)
		}
		out.TopK = max(*s.TopK, 0)
	}
	if s.Seed != nil {
		out.Seed = uint64(*s.Seed)
	} else {
		out.Seed = rand.Uint64()
	}
	if !isNull(s.LogitBias) {
		var bias map[string]float64
		if err := decode(s.LogitBias, "logit_bias", &bias); err != nil {
			return err
		}
		if len(bias) > 0 {
			return invalid("logit_bias", "it is not supported; leave it out")
		}
	}
	var err error
	out.Stop, err = stops(s.Stop)
	return err
}

// stops reads a string or a list of strings.
func stops(raw json.RawMessage) ([]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	list, err := stringOrList(raw, "stop")
	if err != nil {
		return nil, err
	}
	if len(list) > maxStops {
		return nil, invalid("stop", "there are %d, and at most %d are allowed", len(list), maxStops)
	}
	if slices.Contains(list, "") {
		return nil, invalid("stop", "an empty string would stop every answer")
	}
	return list, nil
}

// stringOrList reads a string as a list of one.
func stringOrList(raw json.RawMessage, at string) ([]string, error) {
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		err := decode(raw, at, &s)
		return []string{s}, err
	}
	// A list with null in it would read as one with an empty string.
	var list []*string
	if err := decode(raw, at, &list); err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, invalid(fmt.Sprintf("%s[%d]", at, i), "a string is wanted, not null")
		}
		out[i] = *s
	}
	return out, nil
}

// maxTokens checks a limit of an answer's tokens; nil is the model's own.
func maxTokens(param string, n *int) (int, error) {
	if n == nil {
		return 0, nil
	}
	if *n < 1 {
		return 0, invalid(param, "%d is less than 1", *n)
	}
	return *n, nil
}

// choices checks n.
func choices(n *int) (int, error) {
	if n == nil {
		return 1, nil
	}
	if *n < 1 || *n > maxChoices {
		return 0, invalid("n", "%d is not from 1 to %d", *n, maxChoices)
	}
	return *n, nil
}

// refuse is an error for a field that is known, set and not supported.
func refuse(param string, raw json.RawMessage, harmless ...string) error {
	if isNull(raw) || slices.Contains(harmless, string(raw)) {
		return nil
	}
	if len(harmless) > 0 {
		return invalid(param, "%s is not supported; leave it out", clip(string(raw)))
	}
	return invalid(param, "it is not supported; leave it out")
}

// clip shortens what a client sent for a message.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// wireFormat is the form of an answer: of chat completions the schema stands in
// json_schema, of responses in the format itself.
type wireFormat struct {
	Type       string          `json:"type"`
	JSONSchema json.RawMessage `json:"json_schema"`
	wireSchema
}

type wireSchema struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
	Strict *bool           `json:"strict"`
}

// anyObject is the schema of json_object.
const anyObject = `{"type":"object"}`

// schema is what an answer must follow, nil for any text.
func (f *wireFormat) schema(at string, nested bool) ([]byte, error) {
	switch f.Type {
	case "text":
		return nil, nil
	case "json_object":
		return []byte(anyObject), nil
	case "json_schema":
	case "":
		return nil, invalid(at+".type", "it is missing")
	default:
		return nil, oneOf(at+".type", f.Type, "text", "json_object", "json_schema")
	}
	s := f.wireSchema
	if nested {
		at += ".json_schema"
		if isNull(f.JSONSchema) {
			return nil, invalid(at, "it is missing")
		}
		s = wireSchema{}
		if err := decode(f.JSONSchema, at, &s); err != nil {
			return nil, err
		}
	}
	if s.Name == "" {
		return nil, invalid(at+".name", "it is missing")
	}
	if isNull(s.Schema) {
		return nil, invalid(at+".schema", "it is missing")
	}
	return s.Schema, nil
}

// wireFunction describes a function.
type wireFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      *bool           `json:"strict"`
}

// wireTool is a tool: of chat completions the function stands in function, of
// responses in the tool itself.
type wireTool struct {
	Type     string          `json:"type"`
	Function json.RawMessage `json:"function"`
}

var functionName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

// tools reads the functions that a model may call.
func tools(list []json.RawMessage, nested bool) ([]backend.Tool, error) {
	if len(list) > maxTools {
		return nil, invalid("tools", "there are %d, and at most %d are allowed", len(list), maxTools)
	}
	var out []backend.Tool
	for i, raw := range list {
		at := fmt.Sprintf("tools[%d]", i)
		var t wireTool
		if err := decode(raw, at, &t); err != nil {
			return nil, err
		}
		if t.Type != "function" {
			return nil, invalid(at+".type", "tools of type %q are not supported: only function is", t.Type)
		}
		if nested {
			at += ".function"
			if raw = t.Function; isNull(raw) {
				return nil, invalid(at, "it is missing")
			}
		}
		var f wireFunction
		if err := decode(raw, at, &f); err != nil {
			return nil, err
		}
		if !functionName.MatchString(f.Name) {
			return nil, invalid(at+".name", "%q is not a name of letters, digits, '_', '-' and '.'", clip(f.Name))
		}
		if slices.ContainsFunc(out, func(t backend.Tool) bool { return t.Name == f.Name }) {
			return nil, invalid(at+".name", "%q is there twice", f.Name)
		}
		if isNull(f.Parameters) {
			f.Parameters = nil
		} else if f.Parameters[0] != '{' {
			return nil, invalid(at+".parameters", "a JSON schema, an object, is wanted")
		}
		out = append(out, backend.Tool{Name: f.Name, Description: f.Description, Parameters: f.Parameters})
	}
	return out, nil
}

// toolChoice reads auto, none, required, one function, or allowed_tools.
func toolChoice(raw json.RawMessage, known []backend.Tool, nested bool) (backend.ToolChoice, error) {
	const at = "tool_choice"
	var none backend.ToolChoice
	if isNull(raw) {
		return none, nil
	}
	if raw[0] == '"' {
		var mode string
		if err := decode(raw, at, &mode); err != nil {
			return none, err
		}
		return toolMode(mode, at, known, "none", "auto", "required")
	}
	var c struct {
		Type         string          `json:"type"`
		Name         string          `json:"name"`
		Function     json.RawMessage `json:"function"`
		AllowedTools json.RawMessage `json:"allowed_tools"`
		allowedTools
	}
	if err := decode(raw, at, &c); err != nil {
		return none, err
	}
	switch c.Type {
	case "function":
		name, err := namedFunction(raw, at, known, nested)
		return backend.ToolChoice{Mode: backend.ToolAny, Only: []string{name}}, err
	case "allowed_tools":
	default:
		return none, oneOf(at+".type", c.Type, "function", "allowed_tools")
	}
	list, at2 := c.allowedTools, at
	if nested {
		at2 += ".allowed_tools"
		list = allowedTools{}
		if isNull(c.AllowedTools) {
			return none, invalid(at2, "it is missing")
		}
		if err := decode(c.AllowedTools, at2, &list); err != nil {
			return none, err
		}
	}
	choice, err := toolMode(list.Mode, at2+".mode", known, "auto", "required")
	if err != nil {
		return none, err
	}
	if len(list.Tools) == 0 {
		return none, invalid(at2+".tools", "it is empty: name at least one")
	}
	for i, raw := range list.Tools {
		name, err := namedFunction(raw, fmt.Sprintf("%s.tools[%d]", at2, i), known, nested)
		if err != nil {
			return none, err
		}
		choice.Only = append(choice.Only, name)
	}
	return choice, nil
}

type allowedTools struct {
	Mode  string            `json:"mode"`
	Tools []json.RawMessage `json:"tools"`
}

func toolMode(mode, at string, known []backend.Tool, words ...string) (c backend.ToolChoice, err error) {
	if err := oneOf(at, mode, words...); err != nil {
		return c, err
	}
	switch mode {
	case "none":
		c.Mode = backend.ToolNone
	case "required":
		c.Mode = backend.ToolAny
		if len(known) == 0 {
			return c, invalid(at, "a call is required, and there are no tools")
		}
	}
	return c, nil
}

// namedFunction reads {"type": "function", "function": {"name": …}}, or with the name
// in the object itself, of a function that is known.
func namedFunction(raw json.RawMessage, at string, known []backend.Tool, nested bool) (string, error) {
	var t wireTool
	if err := decode(raw, at, &t); err != nil {
		return "", err
	}
	if t.Type != "function" {
		return "", invalid(at+".type", "%q is not supported: only function is", clip(t.Type))
	}
	if nested {
		at += ".function"
		if raw = t.Function; isNull(raw) {
			return "", invalid(at, "it is missing")
		}
	}
	var f wireFunction
	if err := decode(raw, at, &f); err != nil {
		return "", err
	}
	if !slices.ContainsFunc(known, func(t backend.Tool) bool { return t.Name == f.Name }) {
		return "", invalid(at+".name", "%q is not among tools", clip(f.Name))
	}
	return f.Name, nil
}
