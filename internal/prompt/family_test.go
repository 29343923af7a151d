package prompt

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Templates in the shape of well-known families', short enough to be read. They
// use what the real ones use.
const (
	llama2 = `{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = '<<SYS>>\n' + messages[0]['content'] | trim + '\n<</SYS>>\n\n' %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set system_message = '' %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant') }}
    {%- endif %}
    {%- set content = system_message + message['content'] if loop.first else message['content'] %}
    {%- if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + content.strip() + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}
`

	qwen = `{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\n\n' }}
    {%- endif %}
    {{- "# Tools\n\nSignatures stand within <tools></tools>:\n<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\n' }}
        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}
            {{- '<think>\n' + reasoning_content.strip('\n') + '\n</think>\n\n' }}
        {%- endif %}
        {{- content }}
        {%- for tool_call in message.tool_calls %}
            {%- if (loop.first and content) or (not loop.first) %}
                {{- '\n' }}
            {%- endif %}
            {%- if tool_call.function %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '<tool_call>\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments if tool_call.arguments is string else tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\n<tool_response>\n' + content + '\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\n\n</think>\n\n' }}
    {%- endif %}
{%- endif %}`

	llama3 = `{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\n\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {{- '"parameters": ' }}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
        {{- "<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\n\n" }}
        {%- if message.content is mapping or (message.content is iterable and message.content is not string) %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
`

	gemma = `{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model
'}}{% endif %}`

	gemma4 = `{%- macro argument(value) -%}
    {%- if value is string -%}
        {{- '<|"|>' + value + '<|"|>' -}}
    {%- elif value is boolean -%}
        {{- 'true' if value else 'false' -}}
    {%- elif value is mapping -%}
        {{- '{' -}}
        {%- for key, item in value | dictsort -%}
            {{- key -}}:{{- argument(item) -}}
            {%- if not loop.last %},{% endif -%}
        {%- endfor -%}
        {{- '}' -}}
    {%- elif value is sequence -%}
        {{- '[' -}}
        {%- for item in value -%}
            {{- argument(item) -}}
            {%- if not loop.last %},{% endif -%}
        {%- endfor -%}
        {{- ']' -}}
    {%- else -%}
        {{- value -}}
    {%- endif -%}
{%- endmacro -%}
{{- bos_token -}}
{%- set loop_messages = messages -%}
{%- if (enable_thinking is defined and enable_thinking) or messages[0]['role'] in ['system', 'developer'] -%}
    {{- '<|turn>system\n' -}}
    {%- if enable_thinking is defined and enable_thinking -%}
        {{- '<|think|>\n' -}}
    {%- endif -%}
    {%- if messages[0]['role'] in ['system', 'developer'] -%}
        {{- messages[0]['content'] | trim -}}
        {%- set loop_messages = messages[1:] -%}
    {%- endif -%}
    {{- '<turn|>\n' -}}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{- '<|turn>' + role + '\n' -}}
    {%- for call in message.get('tool_calls') or [] -%}
        {{- '<|tool_call>call:' + call['function']['name'] + argument(call['function']['arguments']) + '<tool_call|>' -}}
    {%- endfor -%}
    {{- message['content'] | trim -}}
    {{- '<turn|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|turn>model\n' -}}
{%- endif -%}
`

	phi = `{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] in ['user', 'assistant'] %}{{'<|' + message['role'] + '|>
' + message['content'] + '<|end|>
'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}`

	miniCPM = `{% for message in messages %}{% if message['role'] == 'user' %}{{'<用户>' + message['content'].strip() + '<AI>'}}{% else %}{{message['content'].strip()}}{% endif %}{% endfor %}`

	deepSeek = `{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, system_prompt='', is_first_sp=true) %}{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}{% set ns.system_prompt = ns.system_prompt + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}{% set ns.system_prompt = ns.system_prompt + '\n\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}{%- for message in messages %}{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}{% if add_generation_prompt %}{{'<｜Assistant｜><think>\n'}}{% endif %}`

	harmony = `{#- Types of parameters, as TypeScript. #}
{%- macro render_type(spec, required=false) -%}
    {%- if spec.type == "array" -%}
        {{- render_type(spec['items']) + "[]" }}
    {%- elif spec.type is defined and spec.type is iterable and spec.type is not string and spec.type is not mapping -%}
        {{- spec.type | join(" | ") }}
    {%- elif spec.type == "string" -%}
        {%- if spec.enum -%}
            {{- '"' + spec.enum|join('" | "') + '"' -}}
        {%- else -%}
            {{- "string" }}
        {%- endif -%}
    {%- elif spec.type in ["number", "integer"] -%}
        {{- "number" -}}
    {%- else -%}
        {{- spec.type or "any" -}}
    {%- endif -%}
    {%- if spec.default is defined %} = {{ spec.default|tojson }}{% endif -%}
{%- endmacro -%}

{%- macro render_tools(name, tools) -%}
    {{- "## " + name + "\n\nnamespace " + name + " {\n\n" }}
    {%- for tool in tools %}
        {%- set tool = tool.function %}
        {{- "// " + tool.description + "\n" }}
        {{- "type " + tool.name + " = " }}
        {%- if tool.parameters and tool.parameters.properties %}
            {{- "(_: {\n" }}
            {%- for param_name, param_spec in tool.parameters.properties.items() %}
                {{- param_name }}
                {%- if param_name not in (tool.parameters.required or []) -%}
                    {{- "?" }}
                {%- endif -%}
                {{- ": " }}
                {{- render_type(param_spec, required=true) }}
                {%- if not loop.last %}
                    {{- ",\n" }}
                {%- else %}
                    {{- "\n" }}
                {%- endif %}
            {%- endfor %}
            {{- "}) => any;\n\n" }}
        {%- else -%}
            {{- "() => any;\n\n" }}
        {%- endif -%}
    {%- endfor %}
    {{- "} // namespace " + name }}
{%- endmacro -%}

{%- macro build_system_message() -%}
    {%- if model_identity is not defined %}
        {%- set model_identity = "You are an open model." %}
    {%- endif %}
    {{- model_identity + "\n" }}
    {{- "Current date: " + strftime_now("%Y-%m-%d") + "\n\n" }}
    {%- if reasoning_effort is not defined %}
        {%- set reasoning_effort = "medium" %}
    {%- endif %}
    {{- "Reasoning: " + reasoning_effort + "\n\n" }}
    {{- "# Valid channels: analysis, commentary, final." }}
{%- endmacro -%}

{{- "<|start|>system<|message|>" }}
{{- build_system_message() }}
{{- "<|end|>" }}
{%- if messages[0].role == "developer" or messages[0].role == "system" %}
    {%- set developer_message = messages[0].content %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set developer_message = "" %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if developer_message or tools %}
    {{- "<|start|>developer<|message|>" }}
    {%- if developer_message %}
        {{- "# Instructions\n\n" + developer_message + "\n\n" }}
    {%- endif %}
    {%- if tools -%}
        {{- "# Tools\n\n" }}
        {{- render_tools("functions", tools) }}
    {%- endif -%}
    {{- "<|end|>" }}
{%- endif %}
{%- set last_tool_call = namespace(name=none) %}
{%- for message in loop_messages -%}
    {%- if message.role == 'assistant' -%}
        {%- if "content" in message and "<|channel|>final<|message|>" in message.content %}
            {{- raise_exception("pass channels in fields of their own") }}
        {%- endif %}
        {%- if "tool_calls" in message %}
            {%- set future = namespace(final=false) %}
            {%- for later in loop_messages[loop.index:] %}
                {%- if later.role == 'assistant' and "tool_calls" not in later %}
                    {%- set future.final = true %}
                {%- endif %}
            {%- endfor %}
            {%- set tool_call = message.tool_calls[0] %}
            {%- if tool_call.function %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {%- if message.thinking and not future.final %}
                {{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking + "<|end|>" }}
            {%- endif %}
            {{- "<|start|>assistant to=functions." + tool_call.name + "<|channel|>commentary " }}
            {{- (tool_call.content_type if tool_call.content_type is defined else "json") + "<|message|>" }}
            {{- tool_call.arguments|tojson }}
            {{- "<|call|>" }}
            {%- set last_tool_call.name = tool_call.name %}
        {%- elif loop.last and not add_generation_prompt %}
            {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|return|>" }}
        {%- else %}
            {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|end|>" }}
            {%- set last_tool_call.name = none %}
        {%- endif %}
    {%- elif message.role == 'tool' -%}
        {%- if last_tool_call.name is none %}
            {{- raise_exception("a tool answers nobody") }}
        {%- endif %}
        {{- "<|start|>functions." + last_tool_call.name }}
        {{- " to=assistant<|channel|>commentary<|message|>" + message.content|tojson + "<|end|>" }}
    {%- elif message.role == 'user' -%}
        {{- "<|start|>user<|message|>" + message.content + "<|end|>" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|start|>assistant
{%- endif -%}
`
)

// Control tokens of the families, BOS and EOS first.
var families = map[string]struct{ source, control string }{
	"llama2":   {llama2, "<s> </s> [INST] [/INST]"},
	"qwen":     {qwen, "<|endoftext|> <|im_end|> <|im_start|>"},
	"llama3":   {llama3, "<|begin_of_text|> <|eot_id|> <|start_header_id|> <|end_header_id|>"},
	"gemma":    {gemma, "<bos> <eos> <start_of_turn> <end_of_turn>"},
	"gemma4":   {gemma4, `<bos> <eos> <|turn> <turn|> <|think|> <|tool_call> <tool_call|> <|"|>`},
	"phi":      {phi, "<s> <|endoftext|> <|system|> <|user|> <|assistant|> <|end|>"},
	"miniCPM":  {miniCPM, "<s> </s>"},
	"deepSeek": {deepSeek, "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜>"},
	"harmony":  {harmony, "<|startoftext|> <|return|> <|start|> <|message|> <|end|> <|channel|> <|call|>"},
}

func TestFamilies(t *testing.T) {
	talk := []Message{user(" Hi\n"), assistant("Hello"), user("Bye")}
	advised := append([]Message{system("Be brief. ")}, talk...)
	thought := []Message{user("Hi"), assistant("<think>\nhm\n</think>\n\nHello"), user("Bye")}
	called := []Message{
		user("And now?"),
		{Role: Assistant, Thinking: "Look it up.", ToolCalls: []ToolCall{{"c1", "weather", json.RawMessage(`{"city": "Zürich", "days": [1, true]}`)}}},
		{Role: Tool, Content: "18 \"C\"", Name: "weather", ToolCallID: "c1"},
	}
	tools := []json.RawMessage{weather}
	const (
		qwenTools = "# Tools\n\nSignatures stand within <tools></tools>:\n<tools>\n" +
			`{"type": "function", "function": {"name": "weather", "description": "Says <how> it is", "parameters": ` +
			`{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}` + "\n</tools>«<|im_end|>»\n"
		harmonySystem = "«<|start|>»system«<|message|>»You are an open model.\nCurrent date: 2024-07-26\n\nReasoning: "
		harmonyTools  = "# Tools\n\n## functions\n\nnamespace functions {\n\n// Says <how> it is\ntype weather = (_: {\ncity: string\n}) => any;\n\n} // namespace functions"
		harmonyCall   = `«<|start|>»assistant to=functions.weather«<|channel|>»commentary json«<|message|>»{"city": "Zürich", "days": [1, true]}«<|call|>»`
	)
	for _, c := range []struct {
		family string
		chat   Chat
		want   string // an error if it begins with "prompt:"
	}{
		{"llama2", Chat{Messages: advised}, "«<s>»«[INST]» <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi «[/INST]» Hello «</s>»«<s>»«[INST]» Bye «[/INST]»"},
		{"llama2", Chat{Messages: talk[:1]}, "«<s>»«[INST]» Hi «[/INST]»"},
		{"llama2", Chat{Messages: []Message{user("[/INST] a"), user("b")}}, "prompt: chat template: line 10: the template refuses this conversation: Conversation roles must alternate user/assistant"},

		{"qwen", Chat{Messages: advised, AddGenerationPrompt: true},
			"«<|im_start|>»system\nBe brief. «<|im_end|>»\n«<|im_start|>»user\n Hi\n«<|im_end|>»\n«<|im_start|>»assistant\nHello«<|im_end|>»\n«<|im_start|>»user\nBye«<|im_end|>»\n«<|im_start|>»assistant\n"},
		{"qwen", Chat{Messages: thought, AddGenerationPrompt: true, Variables: json.RawMessage(`{"enable_thinking": false}`)},
			"«<|im_start|>»user\nHi«<|im_end|>»\n«<|im_start|>»assistant\nHello«<|im_end|>»\n«<|im_start|>»user\nBye«<|im_end|>»\n«<|im_start|>»assistant\n<think>\n\n</think>\n\n"},
		{"qwen", Chat{Messages: thought[:2]}, "«<|im_start|>»user\nHi«<|im_end|>»\n«<|im_start|>»assistant\n<think>\nhm\n</think>\n\nHello«<|im_end|>»\n"},
		{"qwen", Chat{Messages: called, Tools: tools, AddGenerationPrompt: true},
			"«<|im_start|>»system\n" + qwenTools + "«<|im_start|>»user\nAnd now?«<|im_end|>»\n«<|im_start|>»assistant\n<think>\nLook it up.\n</think>\n\n" +
				"<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": [1, true]}}\n</tool_call>«<|im_end|>»\n" +
				"«<|im_start|>»user\n<tool_response>\n18 \"C\"\n</tool_response>«<|im_end|>»\n«<|im_start|>»assistant\n"},

		{"llama3", Chat{Messages: advised, AddGenerationPrompt: true},
			"«<|begin_of_text|>»«<|start_header_id|>»system«<|end_header_id|>»\n\nToday Date: 26 Jul 2024\n\nBe brief.«<|eot_id|>»" +
				"«<|start_header_id|>»user«<|end_header_id|>»\n\nHi«<|eot_id|>»«<|start_header_id|>»assistant«<|end_header_id|>»\n\nHello«<|eot_id|>»" +
				"«<|start_header_id|>»user«<|end_header_id|>»\n\nBye«<|eot_id|>»«<|start_header_id|>»assistant«<|end_header_id|>»\n\n"},
		{"llama3", Chat{Messages: called, Tools: []json.RawMessage{[]byte(`{"a": [1], "<b>": {}}`)}, Variables: json.RawMessage(`{"date_string": "today"}`)},
			"«<|begin_of_text|>»«<|start_header_id|>»system«<|end_header_id|>»\n\nToday Date: today\n\n{\n    \"a\": [\n        1\n    ],\n    \"<b>\": {}\n}\n\n«<|eot_id|>»" +
				"«<|start_header_id|>»user«<|end_header_id|>»\n\nAnd now?«<|eot_id|>»«<|start_header_id|>»assistant«<|end_header_id|>»\n\n" +
				"{\"name\": \"weather\", \"parameters\": {\"city\": \"Zürich\", \"days\": [1, true]}}«<|eot_id|>»" +
				"«<|start_header_id|>»ipython«<|end_header_id|>»\n\n18 \"C\"«<|eot_id|>»"},

		{"gemma", Chat{Messages: talk, AddGenerationPrompt: true},
			"«<bos>»«<start_of_turn>»user\nHi«<end_of_turn>»\n«<start_of_turn>»model\nHello«<end_of_turn>»\n«<start_of_turn>»user\nBye«<end_of_turn>»\n«<start_of_turn>»model\n"},
		{"gemma", Chat{Messages: advised}, "prompt: chat template: line 1: the template refuses this conversation: System role not supported"},

		{"gemma4", Chat{Messages: advised, AddGenerationPrompt: true, Variables: json.RawMessage(`{"enable_thinking": true}`)},
			"«<bos>»«<|turn>»system\n«<|think|>»\nBe brief.«<turn|>»\n«<|turn>»user\nHi«<turn|>»\n«<|turn>»model\nHello«<turn|>»\n«<|turn>»user\nBye«<turn|>»\n«<|turn>»model\n"},
		{"gemma4", Chat{Messages: called[:2]},
			"«<bos>»«<|turn>»user\nAnd now?«<turn|>»\n«<|turn>»model\n«<|tool_call>»call:weather{city:«<|\"|>»Zürich«<|\"|>»,days:[1,true]}«<tool_call|>»«<turn|>»\n"},

		{"phi", Chat{Messages: advised, AddGenerationPrompt: true},
			"«<|system|>»\nBe brief. «<|end|>»\n«<|user|>»\n Hi\n«<|end|>»\n«<|assistant|>»\nHello«<|end|>»\n«<|user|>»\nBye«<|end|>»\n«<|assistant|>»\n"},
		{"phi", Chat{Messages: talk[:2]}, "«<|user|>»\n Hi\n«<|end|>»\n«<|assistant|>»\nHello«<|end|>»\n«<|endoftext|>»"},

		{"miniCPM", Chat{Messages: advised}, "Be brief.<用户>Hi<AI>Hello<用户>Bye<AI>"},

		{"deepSeek", Chat{Messages: append([]Message{system("Be brief.")}, thought...), AddGenerationPrompt: true},
			"«<｜begin▁of▁sentence｜>»Be brief.«<｜User｜>»Hi«<｜Assistant｜>»\n\nHello«<｜end▁of▁sentence｜>»«<｜User｜>»Bye«<｜Assistant｜>»<think>\n"},

		{"harmony", Chat{Messages: advised, AddGenerationPrompt: true, Variables: json.RawMessage(`{"reasoning_effort": "high"}`)},
			harmonySystem + "high\n\n# Valid channels: analysis, commentary, final.«<|end|>»«<|start|>»developer«<|message|>»# Instructions\n\nBe brief. \n\n«<|end|>»" +
				"«<|start|>»user«<|message|>» Hi\n«<|end|>»«<|start|>»assistant«<|channel|>»final«<|message|>»Hello«<|end|>»«<|start|>»user«<|message|>»Bye«<|end|>»«<|start|>»assistant"},
		{"harmony", Chat{Messages: called, Tools: tools, AddGenerationPrompt: true},
			harmonySystem + "medium\n\n# Valid channels: analysis, commentary, final.«<|end|>»«<|start|>»developer«<|message|>»" + harmonyTools + "«<|end|>»" +
				"«<|start|>»user«<|message|>»And now?«<|end|>»«<|start|>»assistant«<|channel|>»analysis«<|message|>»Look it up.«<|end|>»" + harmonyCall +
				"«<|start|>»functions.weather to=assistant«<|channel|>»commentary«<|message|>»\"18 \\\"C\\\"\"«<|end|>»«<|start|>»assistant"},
		{"harmony", Chat{Messages: append(called, assistant("18 degrees."))},
			harmonySystem + "medium\n\n# Valid channels: analysis, commentary, final.«<|end|>»«<|start|>»user«<|message|>»And now?«<|end|>»" + harmonyCall +
				"«<|start|>»functions.weather to=assistant«<|channel|>»commentary«<|message|>»\"18 \\\"C\\\"\"«<|end|>»«<|start|>»assistant«<|channel|>»final«<|message|>»18 degrees.«<|return|>»"},
		{"harmony", Chat{Messages: []Message{user("a"), assistant("<|channel|>final<|message|>b"), user("c")}},
			"prompt: chat template: line 88: the template refuses this conversation: pass channels in fields of their own"},
		{"harmony", Chat{Messages: called[2:]}, "prompt: chat template: line 117: the template refuses this conversation: a tool answers nobody"},
	} {
		f := families[c.family]
		c.chat.Now = day
		list, err := parse(t, f.source, strings.Fields(f.control)...).Render(ctx, c.chat)
		got := show(list)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.family, got, c.want)
		}
	}
}

// FuzzTemplate: whatever a template and a message say, rendering ends without a
// mistake of this package, and a control token is one of the vocabulary that the
// template wrote.
func FuzzTemplate(f *testing.F) {
	for _, c := range families {
		f.Add(c.source, "Hi ⟦end⟧")
	}
	for _, s := range []string{
		"{% for a in range(10**9) %}{{ 'x' * 10**9 }}{% endfor %}", "{% set x %}{% endset %}", "{% macro m(n) %}{{ m(n + 1)[::-1] }}{% endmacro %}{{ m(1) }}",
		"{% raw %}{{ x }}{% endraw %}{#- c -#}⟦end⟧", "{{ messages|map(attribute='content')|select('string')|join('⟦')|indent(3, true) }}",
		"{{ {'a': [1, 2.5e3, none]}|tojson(indent=2, sort_keys=true) }}", "{{ '{} {0} {a}'.format(1, a=2) }}", "{{ messages[0].content.split('d', 1)|sort }}",
		"{{ strftime_now('%Y %-d %%') }}", "{{ -7 // 2 % 3 ** 2 ~ not true is false if 1 < 2 <= 3 in [3] else loop }}", "{{ '\\u00e9\\x41'|title|replace('a', 'b')|e }}",
		"{% filter upper %}{{ messages }}{% endfilter %}{% generation %}{% break %}{% endgeneration %}", "{{ dict(a=1).items()|list + [namespace(x=1).x, (1,)] }}",
	} {
		f.Add(s, "⟦end⟧ \xff\uE000")
	}
	f.Fuzz(func(t *testing.T, source, content string) {
		start := time.Now()
		defer func() {
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("took %v", d)
			}
		}()
		tmpl, err := Parse(source, Vocabulary{BOS: "<s>", EOS: "</s>", Control: []string{"<s>", "</s>", "⟦end⟧", ""}})
		if err == nil {
			var list []Segment
			list, err = tmpl.Render(ctx, Chat{Messages: []Message{system(content), user(content), assistant(content)}, Tools: []json.RawMessage{weather}, Now: day})
			for _, s := range list {
				if s.Text == "" || s.Control && s.Text != "<s>" && s.Text != "</s>" && s.Text != "⟦end⟧" {
					t.Errorf("segment %+v", s)
				}
				if s.Control && s.Text == "⟦end⟧" && !strings.ContainsAny(source, "⟦\\") {
					t.Errorf("the message wrote a control token")
				}
			}
		}
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Error(err)
		}
	})
}
