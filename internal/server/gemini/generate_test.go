package gemini

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

func unmarshal(t *testing.T, data []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

// text is that of an answer.
func (r *generateResponse) text(index int) string {
	var b strings.Builder
	for _, c := range r.Candidates {
		if c.Index == index && c.Content != nil {
			for _, p := range c.Content.Parts {
				if p.Text != nil {
					b.WriteString(*p.Text)
				}
			}
		}
	}
	return b.String()
}

// chunks reads a stream of either form, which must be well made to the byte.
func chunks(t *testing.T, res *http.Response) (out []generateResponse) {
	t.Helper()
	data := string(read(t, res))
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		unmarshal(t, []byte(data), &out)
		return out
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("a stream of %q: %s", got, data)
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(data, "\n\n"), "\n\n") {
		text, ok := strings.CutPrefix(event, "data: ")
		if !ok || strings.Contains(text, "\n") {
			t.Fatalf("the event %q is not one line of data", event)
		}
		var r generateResponse
		unmarshal(t, []byte(text), &r)
		out = append(out, r)
	}
	return out
}

func TestGenerate(t *testing.T) {
	s := serve(t, Options{})
	var r generateResponse
	s.json("POST", native+":generateContent", question("one two three"), &r)
	if len(r.Candidates) != 1 || r.text(0) != "one two three" || r.Candidates[0].FinishReason != "STOP" || r.Candidates[0].Content.Role != "model" {
		t.Errorf("%+v", r)
	}
	if r.ModelVersion != backendtest.Native || r.ResponseID == "" || r.Candidates[0].Found != nil {
		t.Errorf("%+v", r)
	}
	if u := r.Usage; u.Prompt != 3 || u.Candidates != 3 || u.Total != 6 || u.PromptDetails[0] != (modalityCount{"TEXT", 3}) || u.CandidateDetails[0] != (modalityCount{"TEXT", 3}) {
		t.Errorf("usage %+v", u)
	}
	s.json("POST", native+":generateContent", question("nowhere"), &r)
	if f := r.Candidates[0].Found; f == nil || *f {
		t.Errorf("found %v", f)
	}
	s.json("POST", native+":generateContent", `{"contents":[{"parts":[{"text":"a b c"}]}],"generationConfig":{"maxOutputTokens":2,"candidateCount":2}}`, &r)
	if len(r.Candidates) != 2 || r.Candidates[1].FinishReason != "MAX_TOKENS" || r.Candidates[1].Index != 1 {
		t.Errorf("%+v", r.Candidates)
	}
}

func TestStreams(t *testing.T) {
	const body = `{"contents":[{"parts":[{"text":"a b c"}]}],"generationConfig":{"candidateCount":2,"responseLogprobs":true,"logprobs":2}}`
	for _, query := range []string{"?alt=sse", "", "?alt=json"} {
		s := serve(t, Options{})
		list := chunks(t, s.do("POST", native+":streamGenerateContent"+query, body))
		var all generateResponse
		chosen := make([]int, 2)
		for _, r := range list {
			if r.ResponseID == "" || r.ResponseID != list[0].ResponseID || r.ModelVersion != backendtest.Native || r.Progress != nil {
				t.Errorf("%+v", r)
			}
			for _, c := range r.Candidates {
				if c.Logprobs != nil {
					chosen[c.Index] += len(c.Logprobs.Chosen)
					if top := c.Logprobs.Top[0].Candidates; len(top) != 2 {
						t.Errorf("%d likeliest", len(top))
					}
				}
			}
			all.Candidates = append(all.Candidates, r.Candidates...)
		}
		if all.text(0) != "a b c" || all.text(1) != "a b c #2" || chosen[0] != 3 || chosen[1] != 4 {
			t.Errorf("%q: %q, %q, %v tokens", query, all.text(0), all.text(1), chosen)
		}
		last := list[len(list)-1]
		for _, c := range last.Candidates {
			if len(c.Content.Parts) != 1 {
				t.Errorf("a last message of %d parts, which chats take for invalid", len(c.Content.Parts))
			}
		}
		if len(list) != 8 || last.Usage == nil || last.Usage.Candidates != 7 || len(last.Candidates) != 2 || last.Candidates[1].FinishReason != "STOP" {
			t.Errorf("%q: %d chunks, the last %+v", query, len(list), last)
		}
		if got := *last.Candidates[0].AvgLogprobs; got != math.Log(0.5) {
			t.Errorf("average log-probability %v", got)
		}
	}
}

func TestLogprobs(t *testing.T) {
	s := serve(t, Options{})
	var r generateResponse
	s.json("POST", native+":generateContent", `{"contents":[{"parts":[{"text":"a b"}]}],"generationConfig":{"responseLogprobs":true}}`, &r)
	l := r.Candidates[0].Logprobs
	if len(l.Chosen) != 2 || l.Chosen[0] != (tokenProb{"a ", 2, math.Log(0.5)}) || l.Top != nil {
		t.Errorf("%+v", l)
	}
	// What JSON has no number for is a token that could not come.
	for _, x := range []float64{math.Inf(-1), math.NaN(), -1e300} {
		if got := tokenOf(&handscroll.Token{LogProb: x}).LogProb; got != leastLogprob {
			t.Errorf("%v is %v", x, got)
		}
	}
}

func TestProgressIsToldOfWhenAskedFor(t *testing.T) {
	s := serve(t, Options{})
	for _, how := range [][]string{{"?alt=sse&progress=true"}, {"?alt=sse", "X-Handscroll-Progress", "1"}} {
		list := chunks(t, s.do("POST", native+":streamGenerateContent"+how[0], question("a b c d e f"), how[1:]...))
		n := 0
		for _, r := range list {
			if r.Progress == nil {
				continue
			}
			n++
			if len(r.Candidates) != 0 || r.Usage == nil || r.Usage.Prompt != r.Progress.Tokens || r.Progress.Waiting != (n == 1) {
				t.Errorf("%+v", r)
			}
		}
		if n != 4 {
			t.Errorf("%v: %d chunks tell of it", how, n)
		}
	}
}

func TestFunctionCalls(t *testing.T) {
	s := serve(t, Options{})
	const body = `{"contents":[{"parts":[{"text":"please call weather"}]}],"tools":[{"functionDeclarations":[{"name":"weather","parameters":{"type":"OBJECT","properties":{"days":{"type":"INTEGER"}}}}]}]}`
	var whole generateResponse
	s.json("POST", native+":generateContent", body, &whole)
	stream := chunks(t, s.do("POST", native+":streamGenerateContent?alt=sse", body))
	for _, r := range []generateResponse{whole, stream[len(stream)-1]} {
		c := r.Candidates[0]
		if len(c.Content.Parts) != 1 || c.Content.Parts[0].Call == nil || c.FinishReason != "STOP" {
			t.Fatalf("%+v", c)
		}
		if call := c.Content.Parts[0].Call; call.Name != "weather" || string(call.Args) != `{"days":7}` || call.ID == "" {
			t.Errorf("%+v", call)
		}
	}
}

func TestStructuredAnswers(t *testing.T) {
	s := serve(t, Options{})
	ask := func(config string) string {
		t.Helper()
		body := `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{` + config + `}}`
		var whole, streamed generateResponse
		s.json("POST", native+":generateContent", body, &whole)
		for _, r := range chunks(t, s.do("POST", native+":streamGenerateContent?alt=sse", body)) {
			streamed.Candidates = append(streamed.Candidates, r.Candidates...)
		}
		if whole.text(0) != streamed.text(0) {
			t.Errorf("%s: whole %q, streamed %q", config, whole.text(0), streamed.text(0))
		}
		return whole.text(0)
	}
	if got := ask(`"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}`); got != `{"a":7}` {
		t.Errorf("by a schema: %s", got)
	}
	if got := ask(`"responseMimeType":"application/json","responseJsonSchema":{"type":"array","items":{"type":"boolean"}}`); got != `[true]` {
		t.Errorf("by a JSON schema: %s", got)
	}
	if got := ask(`"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["yes \"or\" so","no"]}`); got != `yes "or" so` {
		t.Errorf("one of several: %s", got)
	}
}

func TestEvidence(t *testing.T) {
	s := serve(t, Options{})
	book := s.upload("book.txt", "text/plain", "Ishmael; the whale")
	s.upload("book.txt", "text/plain", "another of that name")
	body := fmt.Sprintf(`{"contents":[{"parts":[{"fileData":{"fileUri":%q}},{"inlineData":{"mimeType":"application/pdf","data":"AAE=","displayName":"a.pdf"}},
		{"inlineData":{"mimeType":"video/mp4","data":"AAE=","displayName":"b.mp4"}},{"text":"Ishmael"}]}]}`, book.URI)
	var whole generateResponse
	s.json("POST", native+":generateContent", body, &whole)
	list := chunks(t, s.do("POST", native+":streamGenerateContent?alt=sse", body))
	if got := list[len(list)-1].Usage; len(got.PromptDetails) != 3 || got.PromptDetails[1] != (modalityCount{"VIDEO", 3000}) || got.PromptDetails[2] != (modalityCount{"DOCUMENT", 258}) {
		t.Errorf("usage %+v", got)
	}
	for _, r := range []generateResponse{whole, list[len(list)-1]} {
		c := r.Candidates[0]
		if len(c.Evidence) != 3 || len(c.Grounding.Chunks) != 3 || len(c.Citations.Sources) != 3 {
			t.Fatalf("%+v", c)
		}
		text, doc, film := c.Evidence[0], c.Evidence[1], c.Evidence[2]
		if text.Source != "book.txt" || text.URI != book.URI || text.Quote != "Ishmael; the whale" || text.Line != 1 || text.Place != "book.txt:1" {
			t.Errorf("%+v", text)
		}
		if doc.Page != 1 || doc.Time != nil || doc.Place != "a.pdf#page=1" || film.Time == nil || *film.Time != 1 || !strings.HasPrefix(film.Place, "b.mp4@") {
			t.Errorf("%+v, %+v", doc, film)
		}
		ret := c.Grounding.Chunks[1].Retrieved
		if ret.Title != "a.pdf" || ret.Page != 1 || ret.RAGChunk.PageSpan != (pageSpan{1, 1}) {
			t.Errorf("%+v", ret)
		}
		if m := c.Grounding.Chunks[2].Retrieved.Metadata; len(m) != 2 || m[1] != (metadata{"time", 1}) {
			t.Errorf("%+v", m)
		}
		if len(c.Grounding.Supports) != 1 || len(c.Grounding.Supports[0].Chunks) != 3 || c.Grounding.Supports[0].Segment != (segment{0, 0, 7, "Ishmael"}) {
			t.Errorf("%+v", c.Grounding.Supports)
		}
	}
}

func TestSkipped(t *testing.T) {
	s := serve(t, Options{})
	f := s.upload("partly.zip", "text/plain", "Ishmael")
	want := skipped{2, []skippedFile{{"partly.zip/a.bin", "binary"}, {"partly.zip/b.zip", "encrypted"}}}
	check := func(what string, got *skipped) {
		t.Helper()
		if got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	part := fmt.Sprintf(`{"fileData":{"fileUri":%q}}`, f.URI)
	body := `{"contents":[{"parts":[` + part + `,{"text":"who?"}]}]}`
	var whole generateResponse
	s.json("POST", native+":generateContent", body, &whole)
	check("an answer", whole.Skipped)
	list := chunks(t, s.do("POST", native+":streamGenerateContent?alt=sse", body))
	check("the end of a stream", list[len(list)-1].Skipped)
	c := s.store(`"contents":[{"parts":[` + part + `]}]`)
	check("a context", c.Skipped)
	var again cachedContent
	s.json("GET", "/v1beta/"+c.Name, "", &again)
	check("a context, looked at", again.Skipped)
	var asked generateResponse
	s.json("POST", native+":generateContent", fmt.Sprintf(`{"cachedContent":%q,"contents":[{"parts":[{"text":"who?"}]}]}`, c.Name), &asked)
	check("a context, asked", asked.Skipped)
	if data := read(t, s.do("POST", native+":generateContent", question("hi"))); bytes.Contains(data, []byte("skipped")) {
		t.Errorf("nothing was skipped: %s", data)
	}
}

func TestSegments(t *testing.T) {
	for _, c := range []struct {
		text, quote string
		want        []segment
	}{
		{"blue", "it is blue", []segment{{0, 0, 4, "blue"}}},
		{"blue", "no colour", []segment{{0, 0, 4, "blue"}}},
		{"blue; été", "in été", []segment{{0, 6, 11, "été"}}},
		{"a; b; c", "c and a", []segment{{0, 0, 1, "a"}, {0, 6, 7, "c"}}},
		{"", "x", []segment{{}}},
	} {
		if got := segmentsOf(c.text, c.quote); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q in %q: %v, want %v", c.text, c.quote, got, c.want)
		}
	}
}

func TestSourcesOfFiles(t *testing.T) {
	f := &backend.File{ID: "f1", Name: "a.zip"}
	for source, want := range map[string]bool{
		"a.zip": true, "a.zip/b.txt": true, "a.zip#page=3": true, "a.zip2": false, "b": false, "f1": true, "f1.pdf": true, "f12": false,
	} {
		if got := named(source, f); got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
	if named("x", &backend.File{ID: "f"}) {
		t.Error("a file without a name has every name")
	}
}

// TestErrorsInTheMiddle has the backend fail after the first piece.
func TestErrorsInTheMiddle(t *testing.T) {
	s := serve(t, Options{})
	s.fake.Fail("Stream", &backend.Error{Kind: backend.Unavailable, Message: "no more memory", RetryAfter: time.Second})
	res := s.do("POST", native+":streamGenerateContent?alt=sse", question("a b"))
	text := string(read(t, res))
	at := strings.Index(text, `data: {"error":`)
	if res.StatusCode != 200 || at < 0 || !strings.Contains(text[at:], `"code":503`) || !strings.Contains(text[at:], `"retryDelay":"1s"`) || !strings.HasSuffix(text, "}\n\n") {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	var list []json.RawMessage
	unmarshal(t, read(t, s.do("POST", native+":streamGenerateContent", question("a b"))), &list)
	if len(list) != 2 || !strings.HasPrefix(string(list[1]), `{"error":{"code":503`) {
		t.Errorf("%s", list)
	}
}

func TestErrorsBeforeAStream(t *testing.T) {
	s := serve(t, Options{})
	s.fake.Fail("Generate", &backend.Error{Kind: backend.Busy, Message: "the queue is full", RetryAfter: 3 * time.Second})
	for _, verb := range []string{":generateContent", ":streamGenerateContent", ":streamGenerateContent?alt=sse"} {
		res := s.do("POST", native+verb, question("a"))
		if res.StatusCode != 429 || res.Header.Get("Retry-After") != "3" {
			t.Errorf("%s: %d, Retry-After %q", verb, res.StatusCode, res.Header.Get("Retry-After"))
		}
	}
}

func TestTheClientLeaves(t *testing.T) {
	s := serve(t, Options{})
	resume := s.fake.Pause()
	defer resume()
	for _, verb := range []string{":generateContent", ":streamGenerateContent?alt=sse"} {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "POST", s.url+native+verb, strings.NewReader(question("a b c")))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			res, err := http.DefaultClient.Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			done <- err
		}()
		if err := s.fake.AwaitRunning(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", verb, err)
		}
		// The backend stops although nobody lets it go on.
		if err := s.fake.AwaitRunning(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeadlines(t *testing.T) {
	s := serve(t, Options{})
	resume := s.fake.Pause()
	defer resume()
	if e := s.fails(504, "POST", native+":generateContent", question("a b"), "X-Server-Timeout", "0.01"); e.Status != "DEADLINE_EXCEEDED" {
		t.Errorf("%+v", e)
	}
	for _, bad := range []string{"soon", "-1", "0", "NaN"} {
		if e := s.fails(400, "POST", native+":generateContent", question("a b"), "X-Server-Timeout", bad); e.field() != "X-Server-Timeout" {
			t.Errorf("%s: %+v", bad, e)
		}
	}
}

func TestCount(t *testing.T) {
	s := serve(t, Options{})
	stored := s.store(`"contents":[{"parts":[{"text":"a b c"}]}]`)
	type counted struct {
		Total  int             `json:"totalTokens"`
		Cached int             `json:"cachedContentTokenCount"`
		Prompt []modalityCount `json:"promptTokensDetails"`
	}
	for body, want := range map[string]counted{
		question("a b"): {Total: 2, Prompt: []modalityCount{{"TEXT", 2}}},
		`{"generateContentRequest":{"model":"models/handscroll","contents":[{"parts":[{"text":"a b"}]}],"systemInstruction":{"parts":[{"text":"c"}]}}}`:                      {Total: 3, Prompt: []modalityCount{{"TEXT", 3}}},
		`{"generate_content_request":{"contents":[{"parts":[{"text":"d"},{"inline_data":{"mime_type":"image/png","data":"AA=="}}]}],"cachedContent":"` + stored.Name + `"}}`: {Total: 262, Cached: 3, Prompt: []modalityCount{{"TEXT", 4}, {"IMAGE", 258}}},
	} {
		var got counted
		s.json("POST", native+":countTokens", body, &got)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
	for body, field := range map[string]string{
		`{}`: "contents",
		`{"contents":[{"parts":[{"text":"a"}]}],"generateContentRequest":{}}`:                       "generateContentRequest",
		`{"generateContentRequest":{"model":"models/other","contents":[{"parts":[{"text":"a"}]}]}}`: "generateContentRequest.model",
	} {
		if e := s.fails(400, "POST", native+":countTokens", body); e.field() != field {
			t.Errorf("%s: %+v", body, e)
		}
	}
	if n := len(s.fake.Requests()); n != 0 {
		t.Errorf("counting asked the model %d times", n)
	}
}

func TestEmbed(t *testing.T) {
	s := serve(t, Options{})
	var one struct{ Embedding embedding }
	s.json("POST", native+":embedContent", `{"content":{"parts":[{"text":"a"},{"text":"b"}]},"title":"t","taskType":"RETRIEVAL_DOCUMENT","outputDimensionality":8}`, &one)
	var batch struct {
		Embeddings []embedding
		Usage      *usage `json:"usageMetadata"`
	}
	s.json("POST", native+":batchEmbedContents", `{"requests":[{"model":"models/handscroll","content":{"parts":[{"text":"t\na\nb"}]},"outputDimensionality":8},{"content":{"parts":{"text":"c"}},"outputDimensionality":8}]}`, &batch)
	if len(one.Embedding.Values) != 8 || len(batch.Embeddings) != 2 || batch.Usage.Prompt != 4 {
		t.Fatalf("%+v, %+v", one, batch)
	}
	if fmt.Sprint(one.Embedding) != fmt.Sprint(batch.Embeddings[0]) || fmt.Sprint(one.Embedding) == fmt.Sprint(batch.Embeddings[1]) {
		t.Error("one text has two vectors, or two texts one")
	}
	for _, c := range []struct{ verb, body, field string }{
		{":embedContent", `{}`, "content"},
		{":embedContent", `{"content":{"parts":[{"text":" "}]}}`, "content"},
		{":embedContent", `{"content":{"parts":[{"text":"a"},{"inlineData":{"data":"AA=="}}]}}`, "content.parts[1]"},
		{":embedContent", `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":0}`, "outputDimensionality"},
		{":embedContent", `{"content":{"parts":[{"text":"a"}]},"autoTruncate":true}`, "autoTruncate"},
		{":batchEmbedContents", `{}`, "requests"},
		{":batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"model":"other","content":{"parts":[{"text":"a"}]}}]}`, "requests[1].model"},
		{":batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"a"}]},"outputDimensionality":3}]}`, "requests[1].outputDimensionality"},
	} {
		if e := s.fails(400, "POST", native+c.verb, c.body); e.field() != c.field {
			t.Errorf("%s: %+v", c.body, e)
		}
	}
}
