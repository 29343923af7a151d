package openai

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
	"github.com/handscroll/handscroll/internal/server/sse"
)

// FuzzChat sends bodies to every route that takes JSON. Whatever comes, the answer is
// JSON in form or a stream that ends well, and a body is never this server's fault.
func FuzzChat(f *testing.F) {
	const tool = `"tools":[{"type":"function","function":{"name":"open","parameters":{"type":"object","properties":{"door":{"type":"integer"}}}}}]`
	for _, body := range []string{
		`{"model":"handscroll","messages":[{"role":"system","content":"a"},{"role":"user","content":"b c"}],"n":2,"stop":["x"],"seed":1,"temperature":1,"logprobs":true,"top_logprobs":2}`,
		`{"stream":true,"stream_options":{"include_usage":true},"return_progress":true,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"filename":"x","file_data":"data:,y"}}]}]}`,
		`{"messages":[{"role":"user","content":"call open"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"open","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"d"}],` + tool + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"open"}}]}}}`,
		`{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"type":"array"}}}}}}`,
		`{"prompt":["a b","c"],"echo":true,"logprobs":3,"max_tokens":0}`,
		`{"prompt":"a b","stream":true,"n":2}`,
		`{"input":"a b","store":false,"text":{"format":{"type":"json_object"}}}`,
		`{"stream":true,"input":[{"role":"user","content":[{"type":"input_text","text":"call open"},{"type":"input_file","file_data":"AAAA"}]},{"type":"function_call","call_id":"c","name":"open","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"}],"tools":[{"type":"function","name":"open"}]}`,
		`{"input":["a","b"],"dimensions":3,"encoding_format":"base64"}`,
		`{"input":[[1,2]]}`, `{"messages":null}`, `[]`, `{`, `null`,
	} {
		for route := range fuzzRoutes {
			f.Add(uint8(route), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		h := New(backendtest.New(), Options{MaxPart: 1 << 20}) // the fake keeps every prompt
		r := httptest.NewRequestWithContext(backend.WithOwner(t.Context(), "ann"), "POST", "/v1/"+fuzzRoutes[int(route)%len(fuzzRoutes)], bytes.NewReader(body))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("status %d for %q: %s", w.Code, body, w.Body)
		}
		if w.Header().Get("Content-Type") != "text/event-stream" {
			var v map[string]json.RawMessage
			if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
				t.Fatalf("%v in %s", err, w.Body)
			}
			if _, failed := v["error"]; w.Code >= 400 && !failed {
				t.Fatalf("status %d without an error: %s", w.Code, w.Body)
			}
			return
		}
		whole := w.Body.String()
		last := ""
		for s := sse.NewReader(w.Body); ; {
			_, data, err := s.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%v in %q", err, whole)
			}
			if last = string(data); last != "[DONE]" && !json.Valid(data) {
				t.Fatalf("%q is not JSON in %q", data, whole)
			}
		}
		if last != "[DONE]" && !strings.Contains(last, `"type":"response.completed"`) && !strings.Contains(last, `"type":"response.incomplete"`) && !strings.Contains(last, `"type":"error"`) {
			t.Fatalf("the stream ends with %q", last)
		}
	})
}

var fuzzRoutes = []string{"chat/completions", "completions", "responses", "responses/input_tokens", "embeddings"}
