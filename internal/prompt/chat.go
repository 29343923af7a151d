package prompt

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/handscroll/handscroll/internal/prompt/jinja"
)

// Role says whose words a message is.
type Role string

// The roles that chat templates know.
const (
	System    Role = "system"
	Developer Role = "developer" // as system, where a template tells them apart
	User      Role = "user"
	Assistant Role = "assistant"
	Tool      Role = "tool" // the result of a tool call
)

// Message is one turn of a conversation.
type Message struct {
	Role       Role
	Content    string
	Thinking   string     // of an assistant, before it answers
	ToolCalls  []ToolCall // of an assistant
	ToolCallID string     // of a tool: the call it answers
	Name       string     // of a tool
}

// ToolCall is an assistant's request to run a tool.
type ToolCall struct {
	ID        string
	Name      string
	Arguments json.RawMessage // an object; empty for one without members
}

// Chat is what a template renders.
type Chat struct {
	Messages            []Message
	Tools               []json.RawMessage // as OpenAI's API describes them, {"type": "function", …}
	AddGenerationPrompt bool              // end where the assistant's words begin
	Variables           json.RawMessage   // an object with more variables of the template; may be empty
	Now                 time.Time         // for templates that write the date
}

// variables are what the template sees, named as Hugging Face does.
func (c *Chat) variables(bos, eos string) (*jinja.Dict, error) {
	vars := &jinja.Dict{}
	if len(c.Variables) > 0 {
		v, err := jinja.DecodeJSON(c.Variables)
		if err != nil {
			return nil, fmt.Errorf("prompt: variables: %w", err)
		}
		object, ok := v.(*jinja.Dict)
		if !ok {
			return nil, fmt.Errorf("prompt: variables: want a JSON object")
		}
		vars = object
	}
	messages := jinja.List{}
	for i := range c.Messages {
		m, err := c.Messages[i].value()
		if err != nil {
			return nil, fmt.Errorf("prompt: message %d: %w", i, err)
		}
		messages = append(messages, m)
	}
	var tools any
	if len(c.Tools) > 0 {
		list := jinja.List{}
		for i, raw := range c.Tools {
			v, err := jinja.DecodeJSON(raw)
			if err != nil {
				return nil, fmt.Errorf("prompt: tool %d: %w", i, err)
			}
			list = append(list, v)
		}
		tools = list
	}
	vars.Set("messages", messages)
	vars.Set("tools", tools)
	vars.Set("documents", nil)
	vars.Set("add_generation_prompt", c.AddGenerationPrompt)
	vars.Set("bos_token", jinja.Written(bos))
	vars.Set("eos_token", jinja.Written(eos))
	return vars, nil
}

// value is the message as templates take it apart.
func (m *Message) value() (*jinja.Dict, error) {
	switch m.Role {
	case System, Developer, User, Assistant, Tool:
	default:
		return nil, fmt.Errorf("role %q is not known", m.Role)
	}
	d := &jinja.Dict{}
	d.Set("role", jinja.Written(string(m.Role))) // templates make control tokens of it
	d.Set("content", jinja.Data(m.Content))
	for _, f := range []struct{ key, text string }{
		{"reasoning_content", m.Thinking}, {"thinking", m.Thinking}, {"tool_call_id", m.ToolCallID}, {"name", m.Name},
	} {
		if f.text != "" {
			d.Set(f.key, jinja.Data(f.text))
		}
	}
	if len(m.ToolCalls) == 0 {
		return d, nil
	}
	calls := jinja.List{}
	for i := range m.ToolCalls {
		v, err := m.ToolCalls[i].value()
		if err != nil {
			return nil, fmt.Errorf("tool call %d: %w", i, err)
		}
		calls = append(calls, v)
	}
	d.Set("tool_calls", calls)
	return d, nil
}

func (c *ToolCall) value() (*jinja.Dict, error) {
	var arguments any = &jinja.Dict{}
	if len(c.Arguments) > 0 {
		var err error
		if arguments, err = jinja.DecodeJSON(c.Arguments); err != nil {
			return nil, fmt.Errorf("arguments: %w", err)
		}
	}
	function := &jinja.Dict{}
	function.Set("name", jinja.Data(c.Name))
	function.Set("arguments", arguments)
	d := &jinja.Dict{}
	d.Set("type", jinja.Written("function"))
	if c.ID != "" {
		d.Set("id", jinja.Data(c.ID))
	}
	d.Set("function", function)
	return d, nil
}
