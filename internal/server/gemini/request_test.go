package gemini

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

func TestRequests(t *testing.T) {
	user := func(text string) backend.Message {
		return backend.Message{Role: backend.User, Parts: []backend.Part{{Text: text}}}
	}
	hi := []backend.Message{user("hi")}
	const contents = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	weather := []backend.Tool{{Name: "weather", Description: "of a place", Parameters: []byte(`{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}`)}}
	const declare = `"tools":[{"functionDeclarations":[{"name":"weather","description":"of a place","parameters":{"type":"OBJECT","properties":{"place":{"type":"STRING"}},"required":["place"]}}]}]`
	for name, c := range map[string]struct {
		body string
		want backend.Request
	}{
		"text": {`{` + contents + `}`, backend.Request{Messages: hi}},
		"system": {`{"system_instruction":{"parts":[{"text":"be"},{"text":"kind"}]},` + contents + `}`,
			backend.Request{System: "be\nkind", Messages: hi}},
		"turns": {`{"contents":[{"parts":[{"text":"a"},{"text":""},{}]},{"role":"model","parts":[{"text":"b","thoughtSignature":"AA=="}]},{"role":"user","parts":[{"text":"c"}]}]}`,
			backend.Request{Messages: []backend.Message{user("a"), {Role: backend.Assistant, Parts: []backend.Part{{Text: "b"}}}, user("c")}}},
		"an answer in pieces": {`{"contents":[{"parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b "}]},{"role":"model","parts":[{"text":"c"}]},{"role":"model","parts":[{"text":""}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"text":"d"}]}]}`,
			backend.Request{Messages: []backend.Message{user("a"), {Role: backend.Assistant, Parts: []backend.Part{{Text: "b c"}}, Calls: []backend.Call{{ID: "call-0", Name: "f", Arguments: []byte("{}")}}}, user("d")}}},
		"data": {`{"contents":[{"parts":[{"inlineData":{"data":"AAE=","mimeType":"image/png","displayName":"a.png"},"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"}}]}]}`,
			backend.Request{Messages: []backend.Message{{Role: backend.User, Parts: []backend.Part{{Data: []byte{0, 1}, MIME: "image/png", Name: "a.png"}}}}}},
		"sampling": {`{` + contents + `,"generationConfig":{"temperature":0.5,"topP":0.9,"topK":40,"seed":-3,"maxOutputTokens":7,"stopSequences":["x","y"],"presencePenalty":1,"frequencyPenalty":-1,"candidateCount":2,"thinkingConfig":{"thinkingBudget":100},"responseModalities":["TEXT"]},"safetySettings":[{"category":"A"}],"labels":{"a":"b"}}`,
			backend.Request{Messages: hi, Count: 2, Sampling: handscroll.Sampling{
				Temperature: 0.5, TopP: 0.9, TopK: 40, Seed: 1<<64 - 3, MaxTokens: 7, Stop: []string{"x", "y"}, PresencePenalty: 1, FrequencyPenalty: -1}}},
		"logprobs":     {`{` + contents + `,"generationConfig":{"responseLogprobs":true,"logprobs":3}}`, backend.Request{Messages: hi, Logprobs: 3}},
		"chosen alone": {`{` + contents + `,"generationConfig":{"responseLogprobs":true}}`, backend.Request{Messages: hi, Logprobs: -2}},
		"any JSON": {`{` + contents + `,"generationConfig":{"responseMimeType":"application/json"}}`,
			backend.Request{Messages: hi, Sampling: handscroll.Sampling{Schema: []byte{}}}},
		"JSON schema": {`{` + contents + `,"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"snake_case":{"description":"camelCase"}}}}}`,
			backend.Request{Messages: hi, Sampling: handscroll.Sampling{Schema: []byte(`{"type":"object","properties":{"snake_case":{"description":"camelCase"}}}`)}}},
		"tools": {`{` + contents + `,` + declare + `}`, backend.Request{Messages: hi, Tools: weather}},
		"tools by JSON schema": {`{` + contents + `,"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}},{"name":"g"}]}]}`,
			backend.Request{Messages: hi, Tools: []backend.Tool{{Name: "f", Parameters: []byte(`{"type":"object"}`)}, {Name: "g"}}}},
		"any tool": {`{` + contents + `,` + declare + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["weather"]}}}`,
			backend.Request{Messages: hi, Tools: weather, ToolChoice: backend.ToolChoice{Mode: backend.ToolAny, Only: []string{"weather"}}}},
		"no tool": {`{` + contents + `,` + declare + `,"tool_config":{"function_calling_config":{"mode":"none","allowed_function_names":[]}}}`,
			backend.Request{Messages: hi, Tools: weather, ToolChoice: backend.ToolChoice{Mode: backend.ToolNone}}},
		"validated": {`{` + contents + `,` + declare + `,"toolConfig":{"functionCallingConfig":{"mode":4,"allowedFunctionNames":["weather"]}}}`,
			backend.Request{Messages: hi, Tools: weather, ToolChoice: backend.ToolChoice{Only: []string{"weather"}}}},
		"calls": {`{"contents":[{"parts":[{"text":"hi"}]},
			{"role":"model","parts":[{"functionCall":{"name":"a","args":{"x":1}}},{"functionCall":{"name":"b"}},{"functionCall":{"name":"a","id":"mine"}}]},
			{"role":"user","parts":[{"text":"and"},{"functionResponse":{"name":"b","response":{"r":2}}},{"functionResponse":{"name":"a","id":"mine","response":{}}},{"functionResponse":{"name":"a","response":{"output":"y"}}}]}]}`,
			backend.Request{Messages: []backend.Message{
				user("hi"),
				{Role: backend.Assistant, Calls: []backend.Call{
					{ID: "call-0", Name: "a", Arguments: []byte(`{"x":1}`)}, {ID: "call-1", Name: "b", Arguments: []byte(`{}`)}, {ID: "mine", Name: "a", Arguments: []byte(`{}`)}}},
				{Role: backend.ToolRole, CallID: "call-1", Name: "b", Parts: []backend.Part{{Text: `{"r":2}`}}},
				{Role: backend.ToolRole, CallID: "mine", Name: "a", Parts: []backend.Part{{Text: `{}`}}},
				{Role: backend.ToolRole, CallID: "call-0", Name: "a", Parts: []backend.Part{{Text: `{"output":"y"}`}}},
				user("and"),
			}}},
		"response with a picture": {`{"contents":[{"role":"function","parts":[{"functionResponse":{"name":"a","response":{"ok":true},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}}]},{"parts":[{"text":"hi"}]}]}`,
			backend.Request{Messages: []backend.Message{
				{Role: backend.ToolRole, Name: "a", Parts: []backend.Part{{Text: `{"ok":true}`}, {Data: []byte{0}, MIME: "image/png"}}}, user("hi")}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			s.json("POST", native+":generateContent", c.body, nil)
			want := c.want
			want.Model = backendtest.Native
			switch want.Logprobs { // 0 is what tests leave out
			case 0:
				want.Logprobs = -1
			case -2:
				want.Logprobs = 0
			}
			if got := s.last(); !reflect.DeepEqual(got, &want) {
				t.Errorf("asked\n%+v, want\n%+v", got, &want)
			}
		})
	}
}

func TestSeedsDifferWhereTheyMatter(t *testing.T) {
	s := serve(t, Options{})
	seeds := make(map[uint64]bool)
	for range 3 {
		s.json("POST", native+":generateContent", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"temperature":1}}`, nil)
		seeds[s.last().Sampling.Seed] = true
	}
	if len(seeds) != 3 {
		t.Errorf("seeds %v", seeds)
	}
}

func TestFilesOfARequest(t *testing.T) {
	s := serve(t, Options{})
	f := s.upload("film.mp4", "video/mp4", "not really")
	id := strings.TrimPrefix(f.Name, "files/")
	for _, uri := range []string{f.URI, f.Name, "https://other.example/v1beta/files/" + id} {
		s.json("POST", native+":generateContent", fmt.Sprintf(`{"contents":[{"parts":[{"fileData":{"fileUri":%q,"mimeType":"video/mp4"},"videoMetadata":{"fps":0.5,"startOffset":"2s","endOffset":"4.5s"}},{"text":"who"}]}]}`, uri), nil)
		want := backend.Part{File: id, MIME: "video/mp4", FPS: 0.5, Start: 2 * time.Second, End: 4500 * time.Millisecond}
		if got := s.last().Messages[0].Parts[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", uri, got, want)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t, Options{})
	stored := s.store(`"contents":[{"parts":[{"text":"a b c"}]}]`)
	const hi = `"contents":[{"parts":[{"text":"hi"}]}]`
	part := func(p string) string { return `{"contents":[{"parts":[{"text":"x"},` + p + `]}]}` }
	config := func(c string) string { return `{` + hi + `,"generationConfig":{` + c + `}}` }
	tool := func(f string) string {
		return `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"},` + f + `]}]}`
	}
	mode := func(c string) string {
		return `{` + hi + `,"tools":[{"functionDeclarations":[{"name":"f"}]}],"toolConfig":{"functionCallingConfig":{` + c + `}}}`
	}
	for _, c := range []struct{ body, field, says string }{
		{`{}`, "contents", "none"},
		{`{"contents":[{"role":"user"}]}`, "contents[0].parts", "none"},
		{`{"contents":[{"role":"system","parts":[{"text":"x"}]}]}`, "contents[0].role", "user or model"},
		{`{"model":"models/other",` + hi + `}`, "model", "models/handscroll"},
		{part(`{"videoUrl":"http://x","zebra":1}`), "contents[0].parts[1]", "videoUrl, zebra"},
		{part(`{"text":"a","inlineData":{"data":"AA=="}}`), "contents[0].parts[1]", "more than one"},
		{part(`{"inlineData":{"mimeType":"image/png"}}`), "contents[0].parts[1].inlineData.data", "empty"},
		{part(`{"text":"a","videoMetadata":{"fps":1}}`), "contents[0].parts[1].videoMetadata", "goes with"},
		{part(`{"text":"a","mediaResolution":{"level":"MEDIA_RESOLUTION_LOW"}}`), "contents[0].parts[1].mediaResolution", "goes with"},
		{part(`{"inlineData":{"data":"AA=="},"videoMetadata":{"fps":0}}`), "contents[0].parts[1].videoMetadata.fps", "above 0"},
		{part(`{"inlineData":{"data":"AA=="},"videoMetadata":{"startOffset":"-1s"}}`), "contents[0].parts[1].videoMetadata.startOffset", "negative"},
		{part(`{"inlineData":{"data":"AA=="},"videoMetadata":{"startOffset":"3s","endOffset":"2s"}}`), "contents[0].parts[1].videoMetadata.endOffset", "after"},
		{part(`{"fileData":{"fileUri":"https://www.youtube.com/watch?v=x"}}`), "contents[0].parts[1].fileData.fileUri", "upload it first"},
		{part(`{"fileData":{"fileUri":"gs://bucket/x"}}`), "contents[0].parts[1].fileData.fileUri", "upload it first"},
		{part(`{"fileData":{"fileUri":"/etc/passwd"}}`), "contents[0].parts[1].fileData.fileUri", "uploaded"},
		{part(`{"fileData":{"fileUri":"files/../x"}}`), "contents[0].parts[1].fileData.fileUri", "uploaded"},
		{part(`{"fileData":{"fileUri":"file:///etc/passwd"}}`), "contents[0].parts[1].fileData.fileUri", "uploaded"},
		{part(`{"fileData":{}}`), "contents[0].parts[1].fileData.fileUri", "uploaded"},
		{part(`{"functionCall":{"name":"f"}}`), "contents[0].parts[1].functionCall", "model"},
		{part(`{"functionResponse":{"response":{}}}`), "contents[0].parts[1].functionResponse.name", "missing"},
		{part(`{"functionResponse":{"name":"f"}}`), "contents[0].parts[1].functionResponse.response", "missing"},
		{part(`{"functionResponse":{"name":"f","response":[]}}`), "contents[0].parts[1].functionResponse.response", "object"},
		{part(`{"functionResponse":{"name":"f","response":{},"parts":[{"text":"x"}]}}`), "contents[0].parts[1].functionResponse.parts[0]", "inlineData"},
		{`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":3}}]}]}`, "contents[0].parts[0].functionCall.args", "object"},
		{`{"contents":[{"role":"model","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`, "contents[0].parts[0].functionResponse", "user"},
		{`{"systemInstruction":{"parts":[{"inlineData":{"data":"AA=="}}]},` + hi + `}`, "systemInstruction.parts[0]", "text"},
		{config(`"temperature":2.1`), "generationConfig.temperature", "from 0 to 2"},
		{config(`"topP":-0.1`), "generationConfig.topP", "from 0 to 1"},
		{config(`"topK":1.5`), "generationConfig.topK", "whole"},
		{config(`"presencePenalty":3`), "generationConfig.presencePenalty", "from -2 to 2"},
		{config(`"candidateCount":9`), "generationConfig.candidateCount", "1 to 8"},
		{config(`"candidateCount":0`), "generationConfig.candidateCount", "1 to 8"},
		{config(`"maxOutputTokens":-1`), "generationConfig.maxOutputTokens", "negative"},
		{config(`"stopSequences":["a",""]`), "generationConfig.stopSequences[1]", "empty"},
		{config(`"stopSequences":["` + strings.Repeat(`a","`, 16) + `a"]`), "generationConfig.stopSequences", "17"},
		{config(`"logprobs":2`), "generationConfig.logprobs", "responseLogprobs"},
		{config(`"logprobs":21,"responseLogprobs":true`), "generationConfig.logprobs", "0 to 20"},
		{config(`"responseModalities":["TEXT","AUDIO"]`), "generationConfig.responseModalities[1]", "AUDIO"},
		{config(`"responseMimeType":"text/html"`), "generationConfig.responseMimeType", "text/html"},
		{config(`"responseSchema":{"type":"STRING"}`), "generationConfig.responseSchema", "responseMimeType"},
		{config(`"responseJsonSchema":{}`), "generationConfig.responseJsonSchema", "responseMimeType"},
		{config(`"responseMimeType":"application/json","responseSchema":{"type":"STRING"},"responseJsonSchema":{}`), "generationConfig.responseJsonSchema", "not both"},
		{config(`"responseMimeType":"text/x.enum"`), "generationConfig.responseSchema", "enum"},
		{config(`"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"INTEGER","enum":["x"]}}}`), "generationConfig.responseSchema.properties.a.enum[0]", "integer"},
		{tool(`{"name":"2 f"}`), "tools[0].functionDeclarations[1].name", "no name"},
		{tool(`{"name":"f"}`), "tools[0].functionDeclarations[1].name", "twice"},
		{tool(`{"name":"g","parameters":{"type":"OBJECT"},"parametersJsonSchema":{}}`), "tools[0].functionDeclarations[1].parametersJsonSchema", "not both"},
		{tool(`{"name":"g","parameters":{"type":"OBJECT","required":["a"]}}`), "tools[0].functionDeclarations[1].parameters.required[0]", "properties"},
		{tool(`{"name":"g","behavior":"NON_BLOCKING"}`), "tools[0].functionDeclarations[1].behavior", "waited"},
		{`{` + hi + `,"tools":[{"shiny_new_tool":{}}]}`, "tools[0]", "shiny_new_tool"},
		{mode(`"mode":"ANY","allowedFunctionNames":["f","g"]`), "toolConfig.functionCallingConfig.allowedFunctionNames[1]", "not declared"},
		{mode(`"allowedFunctionNames":["f"]`), "toolConfig.functionCallingConfig.allowedFunctionNames", "ANY"},
		{mode(`"mode":"SOME"`), "toolConfig.functionCallingConfig.mode", "VALIDATED"},
		{`{` + hi + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`, "toolConfig.functionCallingConfig.mode", "no function"},
		{`{` + hi + `,"cachedContent":"context-1"}`, "cachedContent", "cachedContents/ID"},
		{`{` + hi + `,"cachedContent":"` + stored.Name + `","systemInstruction":{"parts":[{"text":"x"}]}}`, "systemInstruction", "cachedContent"},
		{`{` + hi + `,"cachedContent":"` + stored.Name + `","tools":[{"functionDeclarations":[{"name":"f"}]}]}`, "tools", "cachedContent"},
		{`{` + hi + `,"cachedContent":"` + stored.Name + `","toolConfig":{}}`, "toolConfig", "cachedContent"},
	} {
		for _, verb := range []string{":generateContent", ":streamGenerateContent?alt=sse"} {
			e := s.fails(400, "POST", native+verb, c.body)
			if e.field() != c.field || !strings.Contains(e.Message, c.says) {
				t.Errorf("%s: field %q, message %q", c.body, e.field(), e.Message)
			}
		}
	}
	if n := len(s.fake.Requests()); n != 0 {
		t.Errorf("the backend was asked %d times", n)
	}
}

func TestErrorsOfTheBackendNameTheClientsFields(t *testing.T) {
	s := serve(t, Options{})
	body := `{"contents":[{"parts":[{"text":"a"}]},{"parts":[{"functionResponse":{"name":"f","response":{}}},{"text":""},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}`
	for _, verb := range []string{":generateContent", ":streamGenerateContent", ":countTokens"} {
		e := s.fails(400, "POST", "/v1beta/models/"+backendtest.Text+verb, body)
		if e.field() != "contents[1].parts[2]" {
			t.Errorf("%s: %+v", verb, e)
		}
	}
	// Both counts of a prompt that is too long.
	e := s.fails(400, "POST", "/v1beta/models/"+backendtest.Small+":generateContent", question(strings.Repeat("word ", 21)))
	if !strings.Contains(e.Message, "21") || !strings.Contains(e.Message, "20") {
		t.Errorf("%q", e.Message)
	}
	for _, body := range []string{
		`{"contents":[{"parts":[{"fileData":{"fileUri":"files/unknown"}}]}]}`,
		`{"contents":[{"parts":[{"text":"a"}]}],"cachedContent":"cachedContents/unknown"}`,
	} {
		if e := s.fails(404, "POST", native+":generateContent", body); !strings.Contains(e.Message, "unknown") {
			t.Errorf("%q", e.Message)
		}
	}
	if e := s.fails(404, "POST", "/v1beta/models/gpt:generateContent", question("x")); !strings.Contains(e.Message, backendtest.Native) {
		t.Errorf("%q", e.Message)
	}
}
