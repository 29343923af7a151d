package openai

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func TestCompletions(t *testing.T) {
	needFake(t)
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		c := client(prefix)
		p := sdk.CompletionNewParams{
			Model: sdk.CompletionNewParamsModel(model(t)), MaxTokens: sdk.Int(1), Echo: sdk.Bool(true), Logprobs: sdk.Int(1), Temperature: sdk.Float(0),
			Prompt: sdk.CompletionNewParamsPromptUnion{OfArrayOfStrings: []string{"one two", "three"}},
		}
		a := must(c.Completions.New(t.Context(), p))(t)
		if len(a.Choices) != 2 || a.Choices[0].Text != "one two one" || a.Choices[1].Index != 1 || a.Choices[0].FinishReason != "length" || a.Usage.PromptTokens != 3 {
			t.Fatalf("answer %s", a.RawJSON())
		}
		lp := a.Choices[0].Logprobs
		if len(lp.Tokens) != 3 || len(lp.TokenLogprobs) != 3 || lp.TokenLogprobs[1] >= 0 || len(lp.TopLogprobs) != 3 || lp.TextOffset[1] != 4 {
			t.Errorf("log-probabilities %s", lp.RawJSON())
		}
		p = sdk.CompletionNewParams{
			Model: sdk.CompletionNewParamsModel(model(t)), N: sdk.Int(2), Seed: sdk.Int(1), TopP: sdk.Float(0.5), Prompt: sdk.CompletionNewParamsPromptUnion{OfString: sdk.String("a b")},
			Stop: sdk.CompletionNewParamsStopUnion{OfStringArray: []string{"z"}}, StreamOptions: sdk.ChatCompletionStreamOptionsParam{IncludeUsage: sdk.Bool(true)},
		}
		stream := c.Completions.NewStreaming(t.Context(), p)
		texts, usage := make([]string, 2), int64(0)
		for stream.Next() {
			for _, ch := range stream.Current().Choices {
				texts[ch.Index] += ch.Text
			}
			usage += stream.Current().Usage.TotalTokens
		}
		if err := stream.Err(); err != nil || texts[0] != "a b" || texts[1] != "a b #2" || usage != 7 {
			t.Errorf("streamed %q, usage %d, %v", texts, usage, err)
		}
		p = sdk.CompletionNewParams{Model: sdk.CompletionNewParamsModel(model(t)), Suffix: sdk.String("end"), Prompt: sdk.CompletionNewParamsPromptUnion{OfString: sdk.String("a")}}
		_, err := c.Completions.New(t.Context(), p)
		wantError(t, err, 400, "", "suffix", "not supported")
		p = sdk.CompletionNewParams{Model: sdk.CompletionNewParamsModel(model(t)), Prompt: sdk.CompletionNewParamsPromptUnion{OfArrayOfTokens: []int64{1, 2}}}
		_, err = c.Completions.New(t.Context(), p)
		wantError(t, err, 415, "unsupported_content", "prompt", "send text")
	}
}

// embedder is the first model that makes embeddings, "" if there is none.
func embedder(t *testing.T) string {
	t.Helper()
	for pages := client("/v1/").Models.ListAutoPaging(t.Context()); pages.Next(); {
		if m := pages.Current(); m.JSON.ExtraFields["embedding_dimensions"].Raw() != "" {
			return m.ID
		}
	}
	return ""
}

func TestEmbeddings(t *testing.T) {
	m := embedder(t)
	if m == "" {
		// Then that is what the server says.
		_, err := client("/v1/").Embeddings.New(t.Context(), sdk.EmbeddingNewParams{
			Model: model(t), Input: sdk.EmbeddingNewParamsInputUnion{OfString: sdk.String("a dog")},
		})
		wantError(t, err, 400, "", "model", "makes no embeddings")
		return
	}
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		c := client(prefix)
		e := must(c.Embeddings.New(t.Context(), sdk.EmbeddingNewParams{
			Model: m, Input: sdk.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a dog", "a cat"}},
		}))(t)
		if len(e.Data) != 2 || e.Data[1].Index != 1 || e.Usage.PromptTokens == 0 {
			t.Fatalf("answer %s", e.RawJSON())
		}
		for _, d := range e.Data {
			sum := 0.0
			for _, x := range d.Embedding {
				sum += x * x
			}
			if len(d.Embedding) == 0 || math.Abs(sum-1) > 1e-3 {
				t.Errorf("a vector of %d dimensions has length %v", len(d.Embedding), math.Sqrt(sum))
			}
		}
		if !server.Fake {
			continue
		}
		e = must(c.Embeddings.New(t.Context(), sdk.EmbeddingNewParams{
			Model: m, Dimensions: sdk.Int(16), EncodingFormat: "float", Input: sdk.EmbeddingNewParamsInputUnion{OfString: sdk.String("a dog")},
		}))(t)
		if len(e.Data[0].Embedding) != 16 {
			t.Errorf("%d dimensions", len(e.Data[0].Embedding))
		}
	}
}

func TestFiles(t *testing.T) {
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		c := client(prefix)
		var ids []string
		// The SDK sends the purpose after the file.
		for _, name := range []string{"gate.txt", "other.txt", "third.txt"} {
			f := must(c.Files.New(t.Context(), sdk.FileNewParams{
				File: sdk.File(strings.NewReader("The gate code is 7421.\n"), name, "text/plain"), Purpose: sdk.FilePurposeAssistants,
			}))(t)
			if f.Filename != name || f.Bytes != 23 || f.Purpose != "assistants" || f.Object != "file" || f.CreatedAt == 0 || f.Status == "error" {
				t.Fatalf("file %s", f.RawJSON())
			}
			ids = append(ids, f.ID)
		}
		seen := map[string]bool{}
		for pages := c.Files.ListAutoPaging(t.Context(), sdk.FileListParams{Limit: sdk.Int(2), Purpose: sdk.String("assistants"), Order: "desc"}); pages.Next(); {
			seen[pages.Current().ID] = true
		}
		for _, id := range ids {
			if !seen[id] {
				t.Errorf("%s is not in the list", id)
			}
		}
		if f := must(c.Files.Get(t.Context(), ids[0]))(t); f.ID != ids[0] || f.Filename != "gate.txt" {
			t.Errorf("file %s", f.RawJSON())
		}
		resp := must(c.Files.Content(t.Context(), ids[0]))(t)
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(data, []byte("The gate code is 7421.\n")) {
			t.Errorf("content %q, %v", data, err)
		}
		a := must(c.Chat.Completions.New(t.Context(), sdk.ChatCompletionNewParams{Model: model(t), Messages: []sdk.ChatCompletionMessageParamUnion{
			sdk.UserMessage([]sdk.ChatCompletionContentPartUnionParam{
				sdk.FileContentPart(sdk.ChatCompletionContentPartFileFileParam{FileID: sdk.String(ids[0])}), sdk.TextContentPart(gate),
			})}}))(t)
		said(t, a.Choices[0].Message.Content, gate)
		if raw := a.Choices[0].Message.RawJSON(); !strings.Contains(raw, `"file_id":"`+ids[0]+`"`) {
			t.Errorf("the evidence does not name the file: %s", raw)
		}
		for _, id := range ids {
			if d := must(c.Files.Delete(t.Context(), id))(t); !d.Deleted || d.ID != id {
				t.Errorf("deleted %s", d.RawJSON())
			}
		}
		_, err = c.Files.Get(t.Context(), ids[0])
		wantError(t, err, 404, "not_found", "", ids[0])
		_, err = c.Files.New(t.Context(), sdk.FileNewParams{File: sdk.File(strings.NewReader("x"), "a.txt", "text/plain"), Purpose: "fun"})
		wantError(t, err, 400, "", "purpose", "user_data")
		_, err = c.Files.New(t.Context(), sdk.FileNewParams{
			File: sdk.File(strings.NewReader("x"), "a.txt", "text/plain"), Purpose: "user_data", ExpiresAfter: sdk.FileNewParamsExpiresAfter{Seconds: 3600},
		})
		wantError(t, err, 400, "", "expires_after", "not supported")
	}
	if !server.Fake {
		return
	}
	other := client("/v1/", option.WithAPIKey("other"))
	c := client("/v1/")
	f := must(c.Files.New(t.Context(), sdk.FileNewParams{File: sdk.File(strings.NewReader("x"), "a.txt", "text/plain"), Purpose: "user_data"}))(t)
	_, err := other.Files.Get(t.Context(), f.ID)
	wantError(t, err, 404, "not_found", "", f.ID)
}

// TestRetries: the SDK itself waits as long as it is told, and tries again.
func TestRetries(t *testing.T) {
	needFake(t)
	c := client("/v1/", option.WithMaxRetries(1))
	tries := 0
	_, err := c.Chat.Completions.New(t.Context(), about(model(t), gate), option.WithHeader("X-Fake-Fail", "Generate"),
		option.WithMiddleware(counting(&tries)))
	wantError(t, err, 429, "rate_limit_exceeded", "", "queue")
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
}
