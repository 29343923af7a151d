package gemini

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

func TestProtoJSON(t *testing.T) {
	raw := []byte{0xfb, 0xff, 0xfe, 1}
	for _, data := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		for _, body := range []string{
			`{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"video/mp4","data":"` + data + `"},"videoMetadata":{"fps":"2.5","startOffset":"1.5s","endOffset":"1000s"}}]}],
			  "generationConfig":{"topK":"40","candidateCount":"2","maxOutputTokens":1e2,"responseLogprobs":true,"mediaResolution":1,"stopSequences":null},"nobodyKnows":[{"a":[1]}]}`,
			`{"contents":{"parts":{"inline_data":{"mime_type":"video/mp4","data":"` + data + `"},"video_metadata":{"fps":2.5,"start_offset":"1.5s","end_offset":"1000s"}}},
			  "generation_config":{"top_k":40.0,"candidate_count":2.0,"max_output_tokens":100,"response_logprobs":true,"media_resolution":"MEDIA_RESOLUTION_LOW"}}`,
		} {
			var g generateRequest
			if err := readJSON(strings.NewReader(body), &g, false); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			p, c := g.Contents[0].Parts[0], g.GenerationConfig
			if string(p.InlineData.Data) != string(raw) || p.InlineData.MIMEType != "video/mp4" {
				t.Errorf("inline data %v", p.InlineData)
			}
			if v := p.VideoMetadata; *v.FPS != 2.5 || v.StartOffset != 1500*time.Millisecond || v.EndOffset != 1000*time.Second {
				t.Errorf("video metadata %+v", v)
			}
			if *c.TopK != 40 || *c.CandidateCount != 2 || *c.MaxOutputTokens != 100 || !c.ResponseLogprobs || c.StopSequences != nil {
				t.Errorf("configuration %+v", c)
			}
			if c.MediaResolution != "MEDIA_RESOLUTION_LOW" {
				t.Errorf("media resolution %q", c.MediaResolution)
			}
		}
	}
}

func TestBadBodies(t *testing.T) {
	deep := strings.Repeat(`{"items":`, 200)
	for _, c := range []struct{ body, field, says string }{
		{``, "", "empty"},
		{`[]`, "", "not a JSON object"},
		{`"x"`, "", "not a JSON object"},
		{`null`, "", "not a JSON object"},
		{`{`, "", "ends too early"},
		{`{"contents":[{"parts":[{"text":"a`, "", "ends too early"},
		{`{"contents":}`, "", "byte 12"},
		{`{"contents":[1,]}`, "contents[0]", "object"},
		{`{"a":1,}`, "", "not valid JSON"},
		{`{} {}`, "", "goes on"},
		{`{}x`, "", "not valid JSON"},
		{`{"contents":"x"}`, "contents", "object"},
		{`{"contents":[null]}`, "contents[0]", "null"},
		{`{"contents":[{"parts":[{"text":1}]}]}`, "contents[0].parts[0].text", "string"},
		{`{"contents":[{"parts":[{},{"inline_data":{"data":"a b"}}]}]}`, "contents[0].parts[1].inlineData.data", "base64"},
		{`{"contents":[{"parts":[{"inlineData":{"data":"data:image/png;base64,AA=="}}]}]}`, "contents[0].parts[0].inlineData.data", "data URL"},
		{`{"contents":[{"parts":[{"inlineData":{"data":12}}]}]}`, "contents[0].parts[0].inlineData.data", "base64"},
		{`{"contents":[{"parts":[{"thought":true,"text":"hm"}]}]}`, "contents[0].parts[0].thought", "not supported"},
		{`{"contents":[{"parts":[{"executableCode":{"code":"x"}}]}]}`, "contents[0].parts[0].executableCode", "not supported"},
		{`{"contents":[{"parts":[{"videoMetadata":{"startOffset":"1m"}}]}]}`, "contents[0].parts[0].videoMetadata.startOffset", "seconds"},
		{`{"contents":[{"parts":[{"videoMetadata":{"startOffset":5}}]}]}`, "contents[0].parts[0].videoMetadata.startOffset", "seconds"},
		{`{"contents":[{"parts":[{"videoMetadata":{"fps":"NaN"}}]}]}`, "contents[0].parts[0].videoMetadata.fps", "finite"},
		{`{"generationConfig":{"temperature":"warm"}}`, "generationConfig.temperature", "number"},
		{`{"generationConfig":{"temperature":true}}`, "generationConfig.temperature", "number"},
		{`{"generationConfig":{"candidateCount":1.5}}`, "generationConfig.candidateCount", "whole"},
		{`{"generationConfig":{"candidateCount":3000000000}}`, "generationConfig.candidateCount", "32 bits"},
		{`{"generationConfig":{"candidateCount":[1]}}`, "generationConfig.candidateCount", "number"},
		{`{"generationConfig":{"responseLogprobs":"yes"}}`, "generationConfig.responseLogprobs", "true or false"},
		{`{"generationConfig":{"mediaResolution":"HUGE"}}`, "generationConfig.mediaResolution", "MEDIA_RESOLUTION_HIGH"},
		{`{"generationConfig":{"mediaResolution":9}}`, "generationConfig.mediaResolution", "MEDIA_RESOLUTION_HIGH"},
		{`{"generationConfig":{"speechConfig":{}}}`, "generationConfig.speechConfig", "answers are text"},
		{`{"generationConfig":{"responseSchema":` + deep + `{}` + strings.Repeat("}", 200) + `}}`, "generationConfig.responseSchema", "too deep"},
		{`{"generationConfig":{"responseSchema":{"properties":[]}}}`, "generationConfig.responseSchema.properties", "object"},
		{`{"generationConfig":{"responseSchema":{"properties":{"a":{"type":"THING"}}}}}`, "generationConfig.responseSchema.properties.a.type", "STRING"},
		{`{"generationConfig":{"responseSchema":{"oneOf":[]}}}`, "generationConfig.responseSchema.oneOf", "anyOf"},
		{`{"tools":[{"googleSearch":{}}]}`, "tools[0].googleSearch", "not supported"},
		{strings.Repeat("[", 100_000), "", "not a JSON object"},
		{`{"x":` + strings.Repeat("[", 100_000), "", "not valid JSON"},
	} {
		var g generateRequest
		err := readJSON(strings.NewReader(c.body), &g, false)
		var e *backend.Error
		if !errors.As(err, &e) {
			t.Errorf("%.80s: %v", c.body, err)
			continue
		}
		at := e.Param
		if c.field == "generationConfig.responseSchema" {
			at = strings.TrimSuffix(strings.ReplaceAll(at, ".items", ""), ".")
		}
		if at != c.field || !strings.Contains(e.Message, c.says) || !strings.HasPrefix(e.Message, e.Param) {
			t.Errorf("%.80s: field %q, message %q", c.body, e.Param, e.Message)
		}
	}
}

func TestBodiesMayBeTooLarge(t *testing.T) {
	c := serve(t, Options{MaxBody: 100})
	e := c.fails(http.StatusRequestEntityTooLarge, "POST", native+":generateContent", question(strings.Repeat("long ", 100)))
	if !strings.Contains(e.Message, "100 bytes") {
		t.Errorf("%q", e.Message)
	}
	// The server may set a limit of its own, on uploads too.
	fake := serve(t, Options{}).fake
	for _, r := range []*http.Request{
		httptest.NewRequest("POST", native+":countTokens", strings.NewReader(question(strings.Repeat("long ", 100)))),
		httptest.NewRequest("POST", "/upload/v1beta/files?uploadType=media", strings.NewReader(strings.Repeat("long ", 100))),
	} {
		rec := httptest.NewRecorder()
		r.Body = http.MaxBytesReader(rec, r.Body, 50)
		New(fake, Options{}).ServeHTTP(rec, r)
		if rec.Code != http.StatusRequestEntityTooLarge || !strings.Contains(rec.Body.String(), "50 bytes") {
			t.Errorf("%s: %d %s", r.URL, rec.Code, rec.Body)
		}
	}
}

// The server may have its own reason not to go on reading a body.
func TestBodiesMayBeRefusedMidway(t *testing.T) {
	fake := serve(t, Options{}).fake
	begin := `{"contents":[{"parts":[{"text":"` + strings.Repeat("long ", 2000)
	for _, path := range []string{":generateContent", ":countTokens", ":embedContent"} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("POST", native+path, nil)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(begin), iotest.ErrReader(&backend.Error{Kind: backend.Busy, Message: "no memory for it", RetryAfter: 5 * time.Second})))
		New(fake, Options{}).ServeHTTP(rec, r)
		if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "5" || !strings.Contains(rec.Body.String(), `"retryDelay":"5s"`) {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func TestRepeatedKeysOverwrite(t *testing.T) {
	var g generateRequest
	if err := readJSON(strings.NewReader(`{"contents":[{"role":"a"}],"contents":[{"role":"b"}]}`), &g, false); err != nil {
		t.Fatal(err)
	}
	if len(g.Contents) != 1 || g.Contents[0].Role != "b" {
		t.Errorf("%+v", g.Contents)
	}
}

func TestSnake(t *testing.T) {
	for camel, want := range map[string]string{"topP": "top_p", "responseJsonSchema": "response_json_schema", "text": "text"} {
		if got := snake(camel); got != want {
			t.Errorf("%s is %s, want %s", camel, got, want)
		}
	}
}
