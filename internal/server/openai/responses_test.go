package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

func TestResponse(t *testing.T) {
	c, f := newClient(t, Options{})
	v := ok(t, c.post("/v1/responses", `{"model":"handscroll","instructions":"Be brief.","input":"how many doors","metadata":{"a":"b"},"max_output_tokens":50,"temperature":0.5,"top_p":0.9}`))
	v.want("object", "response", "status", "completed", "error", nil, "incomplete_details", nil, "instructions", "Be brief.", "model", "handscroll",
		"metadata.a", "b", "max_output_tokens", 50, "temperature", 0.5, "top_p", 0.9, "parallel_tool_calls", true, "previous_response_id", nil,
		"store", true, "text.format.type", "text", "tool_choice", "auto", "tools", []any{}, "truncation", "disabled",
		"output.0.type", "message", "output.0.role", "assistant", "output.0.status", "completed",
		"output.0.content.0.type", "output_text", "output.0.content.0.text", "how many doors", "output.0.content.0.annotations", []any{},
		"output.0.content.0.logprobs", []any{}, "output.0.content.0.found", true,
		"usage.input_tokens", 5, "usage.output_tokens", 3, "usage.total_tokens", 8, "usage.input_tokens_details.cached_tokens", 0,
		"usage.output_tokens_details.reasoning_tokens", 0)
	if !strings.HasPrefix(v.at("id").(string), "resp_") || !strings.HasPrefix(v.at("output.0.id").(string), "msg_") {
		t.Errorf("ids %v, %v", v.at("id"), v.at("output.0.id"))
	}
	r := lastRequest(t, f.Requests())
	if r.System != "Be brief." || r.Sampling.MaxTokens != 50 || r.Sampling.TopP != 0.9 {
		t.Errorf("asked %+v", r)
	}
	v = ok(t, c.post("/v1beta/openai/responses", `{"input":"one two three","max_output_tokens":2}`))
	v.want("status", "incomplete", "incomplete_details.reason", "max_output_tokens", "output.0.status", "incomplete", "output.0.content.0.text", "one two")
	v = ok(t, c.post("/v1/responses", `{"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"a":{"type":"integer"}}},"strict":true}}}`))
	v.want("output.0.content.0.text", `{"a":7}`, "text.format.name", "n")
	v = ok(t, c.post("/v1/responses", `{"input":"x","include":["message.output_text.logprobs"],"top_logprobs":1}`))
	v.want("output.0.content.0.logprobs.0.token", "x", "output.0.content.0.logprobs.0.top_logprobs.0.token", "x", "top_logprobs", 1)
	ok(t, c.post("/v1/responses/input_tokens", `{"input":"one two three","instructions":"a"}`)).want("object", "response.input_tokens", "input_tokens", 4)
}

func TestResponseInputIsTranslated(t *testing.T) {
	hi := backend.Message{Role: backend.User, Parts: []backend.Part{{Text: "hi"}}}
	call := func(id, name, args string) backend.Call {
		return backend.Call{ID: id, Name: name, Arguments: json.RawMessage(args)}
	}
	for _, c := range []struct {
		name, input string
		system      string
		want        []backend.Message
	}{
		{"string", `"hi"`, "", []backend.Message{hi}},
		{"short message", `[{"role":"user","content":"hi"}]`, "", []backend.Message{hi}},
		{"message", `[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]`, "", []backend.Message{hi}},
		{"system", `[{"role":"developer","content":"a"},{"role":"system","content":[{"type":"input_text","text":"b"}]},{"role":"user","content":"hi"}]`, "a\n\nb", []backend.Message{hi}},
		{"media", `[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},{"type":"input_file","filename":"a.txt","file_data":"data:text/plain;base64,aGk="},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]}]`, "",
			[]backend.Message{{Role: backend.User, Parts: []backend.Part{
				{Data: []byte{0, 0, 0}, MIME: "image/png"}, {Data: []byte("hi"), MIME: "text/plain", Name: "a.txt"}, {Data: []byte{0, 0, 0}, MIME: "audio/mp3"}}}}},
		{"calls", `[{"role":"user","content":"hi"},{"type":"message","role":"assistant","id":"msg_1","status":"completed","content":[{"type":"output_text","text":"ok","annotations":[]}]},
			{"type":"function_call","id":"fc_1","call_id":"c1","name":"open","arguments":"{\"a\":1}","status":"completed"},{"type":"function_call","call_id":"c2","name":"shut","arguments":"{}"},
			{"type":"function_call_output","call_id":"c1","output":"done"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"done too"}]}]`, "",
			[]backend.Message{
				hi,
				{Role: backend.Assistant, Parts: []backend.Part{{Text: "ok"}}, Calls: []backend.Call{call("c1", "open", `{"a":1}`), call("c2", "shut", `{}`)}},
				{Role: backend.ToolRole, CallID: "c1", Name: "open", Parts: []backend.Part{{Text: "done"}}},
				{Role: backend.ToolRole, CallID: "c2", Name: "shut", Parts: []backend.Part{{Text: "done too"}}},
			}},
	} {
		cl, f := newClient(t, Options{})
		ok(t, cl.post("/v1/responses", `{"input":`+c.input+`}`))
		r := lastRequest(t, f.Requests())
		if r.System != c.system || !reflect.DeepEqual(r.Messages, c.want) {
			t.Errorf("%s: system %q, messages\n%+v, want\n%+v", c.name, r.System, r.Messages, c.want)
		}
	}
}

func TestResponsesAreKept(t *testing.T) {
	c, f := newClient(t, Options{})
	one := ok(t, c.post("/v1/responses", `{"instructions":"Only now.","input":[{"role":"system","content":"Always."},{"role":"user","content":"first"}]}`))
	id := one.at("id").(string)
	two := ok(t, c.post("/v1/responses", `{"input":[{"role":"user","content":"second"}],"previous_response_id":"`+id+`"}`))
	two.want("previous_response_id", id, "instructions", nil, "output.0.content.0.text", "second")
	r := lastRequest(t, f.Requests())
	if r.System != "Always." || len(r.Messages) != 3 || r.Messages[1].Role != backend.Assistant || r.Messages[1].Parts[0].Text != "first" {
		t.Errorf("asked %q, %+v", r.System, r.Messages)
	}
	// Two go on from the same response, and do not meet.
	ok(t, c.post("/v1/responses", `{"input":"other","previous_response_id":"`+id+`"}`))
	third := ok(t, c.post("/v1/responses", `{"input":"third","previous_response_id":"`+two.at("id").(string)+`"}`))
	if r := lastRequest(t, f.Requests()); len(r.Messages) != 5 || r.Messages[2].Parts[0].Text != "second" {
		t.Errorf("asked %+v", r.Messages)
	}
	got := ok(t, c.get("/v1/responses/"+id))
	if !reflect.DeepEqual(got.v, one.v) {
		t.Errorf("kept %v, answered %v", got.v, one.v)
	}
	items := ok(t, c.get("/v1/responses/"+id+"/input_items?order=asc"))
	items.want("object", "list", "data.0.role", "system", "data.1.role", "user", "data.1.content", "first", "data.1.type", "message", "has_more", false)
	ok(t, c.get("/v1/responses/"+id+"/input_items?limit=1")).want("data.0.role", "user", "has_more", true)
	bob := c.as("bob")
	wantError(t, bob.get("/v1/responses/"+id), 404, "", "not_found", "not kept")
	wantError(t, bob.delete("/v1/responses/"+id), 404, "", "not_found", "not kept")
	wantError(t, bob.post("/v1/responses", `{"input":"x","previous_response_id":"`+id+`"}`), 404, "previous_response_id", "not_found", "not kept")
	wantError(t, c.get("/v1/responses/"+id+"?stream=true"), 400, "stream", "", "not streamed again")
	ok(t, c.delete("/v1/responses/"+id)).want("id", id, "object", "response", "deleted", true)
	wantError(t, c.get("/v1/responses/"+id), 404, "", "not_found", "not kept")
	// What went on from it stays.
	ok(t, c.get("/v1/responses/"+third.at("id").(string)))

	v := ok(t, c.post("/v1/responses", `{"input":"x","store":false}`))
	v.want("store", false)
	wantError(t, c.get("/v1/responses/"+v.at("id").(string)), 404, "", "not_found", "not kept")
}

func TestResponseStoreIsBounded(t *testing.T) {
	s := newResponseStore()
	put := func(owner, id string, size int64) {
		s.put(owner, &storedResponse{body: wireResponse{ID: id}, size: size})
	}
	has := func(owner, id string) bool { _, err := s.get(owner, id); return err == nil }
	put("ann", "a1", maxOwnerBytes/2)
	put("ann", "a2", maxOwnerBytes/2)
	if !has("ann", "a1") { // used later than a2 now
		t.Fatal("a1 is not kept")
	}
	put("ann", "a3", maxOwnerBytes/2)
	if !has("ann", "a1") || has("ann", "a2") || !has("ann", "a3") {
		t.Errorf("kept a1 %v, a2 %v, a3 %v", has("ann", "a1"), has("ann", "a2"), has("ann", "a3"))
	}
	for i := range 20 {
		put(fmt.Sprint("owner", i), fmt.Sprint("o", i), maxOwnerBytes)
	}
	if s.bytes > maxStoredBytes || has("ann", "a3") || !has("owner19", "o19") {
		t.Errorf("%d bytes are kept", s.bytes)
	}
	for i := range maxOwnerResponses + 10 {
		put("bob", fmt.Sprint("b", i), 1)
	}
	if has("bob", "b9") || !has("bob", "b10") {
		t.Error("the number of responses of an owner is not bounded")
	}
	if len(s.byID) != s.all.Len() {
		t.Errorf("%d by ID, %d in all", len(s.byID), s.all.Len())
	}
}

func TestResponseTooLargeToKeep(t *testing.T) {
	h := newHandler(backendtest.New(), Options{})
	h.responses.ownerBytes = 1000
	c := &client{t, h.mux(), "ann"}
	long := strings.Repeat("x", 600)
	v := ok(t, c.post("/v1/responses", `{"input":"`+long+`","max_output_tokens":1}`))
	v.want("store", false)
	wantError(t, c.post("/v1/responses", `{"input":"`+long+`","store":true}`), 400, "store", "", "at most")
}

func TestResponseRefusals(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, e := range []struct {
		body, param, text string
	}{
		{`{}`, "input", "missing"},
		{`{"input":[]}`, "input", "empty"},
		{`{"input":7}`, "input", "number"},
		{`{"input":[{"role":"system","content":"x"}]}`, "input", "of the user"},
		{`{"input":[{}]}`, "input[0].type", "missing"},
		{`{"input":[{"role":"tool","content":"x"}]}`, "input[0].role", "system, developer"},
		{`{"input":[{"role":"user","content":"x"},{"role":"developer","content":"x"}]}`, "input[1].content", "before the other"},
		{`{"input":[{"role":"user"}]}`, "input[0].content", "a string or a list"},
		{`{"input":[{"role":"user","content":[{"type":"input_file"}]}]}`, "input[0].content[0]", "exactly one"},
		{`{"input":[{"role":"user","content":[{"type":"input_file","file_url":"https://example.com/x.pdf"}]}]}`, "input[0].content[0].file_url", "--allow-remote-urls"},
		{`{"input":[{"type":"function_call","name":"x","arguments":"{}"}]}`, "input[0].call_id", "missing"},
		{`{"input":[{"type":"function_call","call_id":"c","name":"x","arguments":"no"}]}`, "input[0].arguments", "JSON object"},
		{`{"input":[{"type":"function_call_output","call_id":"c","output":"x"}]}`, "input[0].call_id", "no call before"},
		{`{"input":"x","background":true}`, "background", "not supported"},
		{`{"input":"x","conversation":"c"}`, "conversation", "not supported"},
		{`{"input":"x","prompt":{"id":"p"}}`, "prompt", "not supported"},
		{`{"input":"x","reasoning":{"effort":"high"}}`, "reasoning.effort", "not supported"},
		{`{"input":"x","reasoning":{"summary":"auto"}}`, "reasoning.summary", "not supported"},
		{`{"input":"x","context_management":[{"type":"compaction"}]}`, "context_management", "not supported"},
		{`{"input":"x","truncation":"auto"}`, "truncation", "nothing is ever left out"},
		{`{"input":"x","truncation":"some"}`, "truncation", "disabled"},
		{`{"input":"x","include":["everything"]}`, "include[0]", "message.output_text.logprobs"},
		{`{"input":"x","text":{"format":{"type":"xml"}}}`, "text.format.type", "json_schema"},
		{`{"input":"x","text":{"format":{"type":"json_schema","schema":{}}}}`, "text.format.name", "missing"},
		{`{"input":"x","text":{"verbosity":"high"}}`, "text.verbosity", "not supported"},
		{`{"input":"x","tools":[{"type":"web_search"}]}`, "tools[0].type", "web_search"},
		{`{"input":"x","tools":[{"type":"function","name":"a b"}]}`, "tools[0].name", "not a name"},
		{`{"input":"x","tools":[{"type":"function","name":"a"}],"tool_choice":{"type":"function","name":"b"}}`, "tool_choice.name", "not among"},
		{`{"input":"x","tools":[{"type":"function","name":"a"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}}`, "tool_choice.tools", "empty"},
		{`{"input":"x","max_output_tokens":0}`, "max_output_tokens", "less than 1"},
		{`{"input":"x","top_logprobs":30}`, "top_logprobs", "0 to 20"},
		{`{"input":"x","return_progress":true}`, "return_progress", "needs stream"},
		{`{"input":"x","temperature":"x"}`, "temperature", "string"},
	} {
		wantError(t, c.post("/v1/responses", e.body), 400, e.param, "", e.text)
	}
	wantError(t, c.post("/v1/responses", `{"input":[{"type":"reasoning","summary":[]}]}`), 415, "input[0].type", "unsupported_content", "reasoning")
	wantError(t, c.post("/v1/responses", `{"input":[{"type":"item_reference","id":"x"}]}`), 415, "input[0].type", "unsupported_content", "item_reference")
	wantError(t, c.post("/v1/responses", `{"model":"text-only","input":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}`),
		415, "input[1].content", "unsupported_content", "takes no IMAGE")
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
}

// kinds lists the names of events, and checks their numbers and types.
func names(t *testing.T, es []event) []string {
	t.Helper()
	var out []string
	for i, e := range es {
		e.want("sequence_number", i, "type", e.name)
		out = append(out, strings.TrimPrefix(e.name, "response."))
	}
	return out
}

func TestResponseStream(t *testing.T) {
	c, _ := newClient(t, Options{})
	es := events(t, c.post("/v1/responses", `{"stream":true,"input":[{"role":"user","content":[{"type":"input_file","filename":"a.txt","file_data":"data:,hi"},{"type":"input_text","text":"one two"}]}]}`))
	want := "created in_progress output_item.added content_part.added output_text.delta output_text.delta output_text.annotation.added " +
		"output_text.done content_part.done output_item.done completed"
	if got := strings.Join(names(t, es), " "); got != want {
		t.Fatalf("events\n%s, want\n%s", got, want)
	}
	id, item := es[0].at("response.id"), es[2].at("item.id")
	es[0].want("response.status", "in_progress", "response.output", []any{}, "response.usage", nil)
	es[2].want("output_index", 0, "item.type", "message", "item.status", "in_progress", "item.content", []any{})
	es[3].want("item_id", item, "content_index", 0, "part.type", "output_text", "part.text", "", "part.annotations", []any{})
	es[4].want("item_id", item, "delta", "one ", "logprobs", []any{})
	es[6].want("annotation.type", "file_citation", "annotation.filename", "a.txt", "annotation.file_id", "", "annotation.index", 0, "annotation_index", 0)
	es[7].want("text", "one two")
	es[8].want("part.text", "one two", "part.annotations.0.filename", "a.txt", "part.evidence.0.quote", "hi")
	es[9].want("item.id", item, "item.status", "completed", "item.content.0.text", "one two")
	es[10].want("response.id", id, "response.status", "completed", "response.output.0.id", item, "response.output.0.content.0.text", "one two",
		"response.usage.output_tokens", 2)
	if got := ok(t, c.get("/v1/responses/"+id.(string))); !reflect.DeepEqual(got.v, es[10].at("response")) {
		t.Error("what is kept is not what was streamed")
	}
	es = events(t, c.post("/v1/responses", `{"stream":true,"return_progress":true,"input":"one two three","max_output_tokens":1}`))
	if got := strings.Join(names(t, es), " "); !strings.HasPrefix(got, "created in_progress prompt_progress prompt_progress prompt_progress prompt_progress output_item.added") || !strings.HasSuffix(got, " incomplete") {
		t.Errorf("events %s", got)
	}
}

func TestResponseStreamOfCalls(t *testing.T) {
	c, _ := newClient(t, Options{})
	es := events(t, c.post("/v1/responses", `{"stream":true,"input":"call open","tools":[{"type":"function","name":"open","parameters":{"type":"object","properties":{"door":{"type":"integer"}}}}]}`))
	want := "created in_progress output_item.added function_call_arguments.delta function_call_arguments.done output_item.done completed"
	if got := strings.Join(names(t, es), " "); got != want {
		t.Fatalf("events\n%s, want\n%s", got, want)
	}
	es[2].want("output_index", 0, "item.type", "function_call", "item.name", "open", "item.call_id", "call-1", "item.arguments", "", "item.status", "in_progress")
	es[3].want("delta", `{"door":7}`, "item_id", es[2].at("item.id"))
	es[4].want("arguments", `{"door":7}`, "name", "open")
	es[5].want("item.arguments", `{"door":7}`, "item.status", "completed")
	es[6].want("response.output.0.type", "function_call")

	// What the tool says comes with the next request.
	v := ok(t, c.post("/v1/responses", `{"previous_response_id":"`+es[6].at("response.id").(string)+`","input":[{"type":"function_call_output","call_id":"call-1","output":"it is open"}]}`))
	v.want("status", "completed")
}

func TestResponseStreamFails(t *testing.T) {
	c, f := newClient(t, Options{})
	for _, e := range []struct {
		kind backend.Kind
		code string
	}{{backend.Unavailable, "server_error"}, {backend.Busy, "rate_limit_exceeded"}, {backend.TooLong, "invalid_prompt"}} {
		f.Fail("Stream", backend.Errorf(e.kind, "no more"))
		es := events(t, c.post("/v1/responses", `{"stream":true,"input":"one two"}`))
		n := len(es)
		names(t, es)
		es[n-2].want("type", "response.failed", "response.status", "failed", "response.error.code", e.code, "response.error.message", "no more")
		es[n-1].want("type", "error", "message", "no more", "error.message", "no more", "param", nil)
		wantError(t, c.get("/v1/responses/"+es[0].at("response.id").(string)), 404, "", "not_found", "not kept")
	}
	f.Fail("Generate", backend.Errorf(backend.Busy, "full"))
	wantError(t, c.post("/v1/responses", `{"stream":true,"input":"one two"}`), 429, "", "rate_limit_exceeded", "full")
}
