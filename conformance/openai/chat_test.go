package openai

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

const tinyPNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// silence is a tenth of a second of sound, as a WAV file of 8 bits at 8 kHz.
func silence() string {
	wav := []byte("RIFF\x44\x03\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x20\x03\x00\x00")
	for range 800 {
		wav = append(wav, 128)
	}
	return base64.StdEncoding.EncodeToString(wav)
}

func textFile(name, text string) sdk.ChatCompletionContentPartUnionParam {
	return sdk.FileContentPart(sdk.ChatCompletionContentPartFileFileParam{
		Filename: sdk.String(name), FileData: sdk.String("data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte(text))),
	})
}

// fresh is a text that was never read before: of one that was there is no progress.
func fresh() string { return "The gate code is 7421. " + rand.Text() + "\n" }

// about asks something of a text.
func about(m, question string) sdk.ChatCompletionNewParams {
	return sdk.ChatCompletionNewParams{Model: m, Messages: []sdk.ChatCompletionMessageParamUnion{
		sdk.UserMessage([]sdk.ChatCompletionContentPartUnionParam{textFile("gate.txt", "The gate code is 7421.\n"), sdk.TextContentPart(question)}),
	}}
}

const gate = "What is the gate code?"

func TestModels(t *testing.T) {
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		c := client(prefix)
		n := 0
		for pages := c.Models.ListAutoPaging(t.Context()); pages.Next(); n++ {
			m := must(c.Models.Get(t.Context(), pages.Current().ID))(t)
			if m.ID != pages.Current().ID || m.Object != "model" || m.OwnedBy == "" {
				t.Errorf("model %+v", m)
			}
		}
		if n == 0 {
			t.Error("no models")
		}
		_, err := c.Models.Get(t.Context(), "gpt-9")
		wantError(t, err, 404, "model_not_found", "model", model(t))
	}
}

func TestChat(t *testing.T) {
	m := model(t)
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		c := client(prefix)
		p := about(m, gate)
		p.Temperature, p.Seed, p.MaxCompletionTokens, p.User, p.Store = sdk.Float(0), sdk.Int(1), sdk.Int(100), sdk.String("u"), sdk.Bool(false)
		a := must(c.Chat.Completions.New(t.Context(), p))(t)
		if len(a.Choices) != 1 || a.Object != "chat.completion" || a.ID == "" || a.Created == 0 || a.Model != m {
			t.Fatalf("answer %s", a.RawJSON())
		}
		ch := a.Choices[0]
		said(t, ch.Message.Content, gate)
		if !server.Fake && !strings.Contains(ch.Message.Content, "7421") {
			t.Errorf("answer %q", ch.Message.Content)
		}
		if ch.FinishReason != "stop" || ch.Message.Role != "assistant" || a.Usage.PromptTokens == 0 || a.Usage.CompletionTokens == 0 ||
			a.Usage.TotalTokens != a.Usage.PromptTokens+a.Usage.CompletionTokens {
			t.Errorf("answer %s", a.RawJSON())
		}
		var evidence []struct {
			Source, Quote, Place string
			Line                 int
		}
		if err := json.Unmarshal([]byte(ch.Message.JSON.ExtraFields["evidence"].Raw()), &evidence); err != nil || len(evidence) == 0 ||
			evidence[0].Source != "gate.txt" || !strings.Contains(evidence[0].Quote, "7421") || evidence[0].Place != "gate.txt:1" {
			t.Errorf("evidence %+v (%v) in %s", evidence, err, ch.Message.RawJSON())
		}
		if len(ch.Message.Annotations) == 0 {
			t.Errorf("no annotations in %s", ch.Message.RawJSON())
		}
	}
	a := must(client("/v1/").Chat.Completions.New(t.Context(), about(m, gate)))(t)
	if a.Usage.PromptTokensDetails.CachedTokens == 0 {
		t.Errorf("a prompt that was read before was read again: %s", a.Usage.RawJSON())
	}
}

func TestChatStream(t *testing.T) {
	c := client("/v1/")
	for _, progress := range []bool{false, true} {
		p := about(model(t), gate)
		p.Messages[0].OfUser.Content.OfArrayOfContentParts[0] = textFile("gate.txt", fresh())
		p.StreamOptions.IncludeUsage = sdk.Bool(true)
		stream := c.Chat.Completions.NewStreaming(t.Context(), p, option.WithJSONSet("return_progress", progress))
		var acc sdk.ChatCompletionAccumulator
		chunks, reports := 0, 0
		for stream.Next() {
			ch := stream.Current()
			if !acc.AddChunk(ch) {
				t.Fatalf("the SDK cannot add %s", ch.RawJSON())
			}
			if ch.JSON.ExtraFields["prompt_progress"].Raw() != "" {
				reports++
			}
			chunks++
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		said(t, acc.Choices[0].Message.Content, gate)
		if acc.Usage.TotalTokens == 0 || acc.Choices[0].FinishReason != "stop" || chunks < 3 || (reports > 0) != progress {
			t.Errorf("usage %+v, finish %q, %d chunks, %d reports", acc.Usage, acc.Choices[0].FinishReason, chunks, reports)
		}
	}
}

func TestChatParts(t *testing.T) {
	c := client("/v1/")
	parts := []sdk.ChatCompletionContentPartUnionParam{
		sdk.ImageContentPart(sdk.ChatCompletionContentPartImageImageURLParam{URL: tinyPNG, Detail: "high"}),
		sdk.InputAudioContentPart(sdk.ChatCompletionContentPartInputAudioInputAudioParam{Data: silence(), Format: "wav"}),
		textFile("gate.txt", "The gate code is 7421.\n"),
		sdk.TextContentPart(gate),
	}
	a := must(c.Chat.Completions.New(t.Context(), sdk.ChatCompletionNewParams{Model: model(t), Messages: []sdk.ChatCompletionMessageParamUnion{
		sdk.SystemMessage("Answer from what you are given."),
		sdk.UserMessage(parts),
	}}))(t)
	said(t, a.Choices[0].Message.Content, gate)
	if server.Fake && a.Usage.PromptTokensDetails.AudioTokens != 250 {
		t.Errorf("usage %s", a.Usage.RawJSON())
	}
	a = must(c.Chat.Completions.New(t.Context(), about(model(t), gate), option.WithJSONSet("messages.0.content.-1",
		map[string]any{"type": "text", "text": ""})))(t)
	said(t, a.Choices[0].Message.Content, gate)
	_, err := c.Chat.Completions.New(t.Context(), about(model(t), gate), option.WithJSONSet("messages.0.content.0", map[string]any{"type": "hologram"}))
	wantError(t, err, 415, "unsupported_content", "messages[0].content[0].type", "hologram")
	_, err = c.Chat.Completions.New(t.Context(), sdk.ChatCompletionNewParams{Model: model(t), Messages: []sdk.ChatCompletionMessageParamUnion{
		sdk.UserMessage([]sdk.ChatCompletionContentPartUnionParam{
			sdk.ImageContentPart(sdk.ChatCompletionContentPartImageImageURLParam{URL: "https://example.com/a.png"}), sdk.TextContentPart("what is it?"),
		})}})
	wantError(t, err, 400, "", "messages[0].content[0].image_url.url", "--allow-remote-urls")
}

func TestChatSampling(t *testing.T) {
	needFake(t)
	c := client("/v1/")
	p := sdk.ChatCompletionNewParams{
		Model: model(t), N: sdk.Int(2), Temperature: sdk.Float(0.7), TopP: sdk.Float(0.9), PresencePenalty: sdk.Float(0.1), FrequencyPenalty: sdk.Float(0.1),
		Seed: sdk.Int(4), MaxTokens: sdk.Int(20), Logprobs: sdk.Bool(true), TopLogprobs: sdk.Int(2),
		Stop:     sdk.ChatCompletionNewParamsStopUnion{OfStringArray: []string{" four"}},
		Messages: []sdk.ChatCompletionMessageParamUnion{sdk.DeveloperMessage("Count."), sdk.UserMessage("one two three four five")},
	}
	a := must(c.Chat.Completions.New(t.Context(), p))(t)
	if len(a.Choices) != 2 || a.Choices[0].Message.Content != "one two three" {
		t.Fatalf("answer %s", a.RawJSON())
	}
	lp := a.Choices[0].Logprobs.Content
	if len(lp) != 3 || lp[0].Token != "one " || len(lp[0].Bytes) != 4 || lp[0].Logprob >= 0 || len(lp[0].TopLogprobs) != 2 {
		t.Errorf("log-probabilities %s", a.Choices[0].Logprobs.RawJSON())
	}
	p.MaxTokens, p.N, p.Stop = sdk.Int(2), sdk.Int(1), sdk.ChatCompletionNewParamsStopUnion{OfString: sdk.String("zzz")}
	a = must(c.Chat.Completions.New(t.Context(), p))(t)
	if a.Choices[0].FinishReason != "length" || a.Choices[0].Message.Content != "one two" {
		t.Errorf("answer %s", a.RawJSON())
	}
}

func TestChatStructured(t *testing.T) {
	needFake(t)
	c := client("/v1/")
	p := about(model(t), gate)
	schema := map[string]any{"type": "object", "properties": map[string]any{"code": map[string]any{"type": "integer"}}, "required": []string{"code"}}
	p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "answer", Strict: sdk.Bool(true), Schema: schema},
	}
	a := must(c.Chat.Completions.New(t.Context(), p))(t)
	if a.Choices[0].Message.Content != `{"code":7}` {
		t.Errorf("answer %q", a.Choices[0].Message.Content)
	}
	p.ResponseFormat = sdk.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &shared.ResponseFormatJSONObjectParam{}}
	a = must(c.Chat.Completions.New(t.Context(), p))(t)
	if !json.Valid([]byte(a.Choices[0].Message.Content)) {
		t.Errorf("answer %q", a.Choices[0].Message.Content)
	}
	p.ResponseFormat = sdk.ChatCompletionNewParamsResponseFormatUnion{OfText: &shared.ResponseFormatTextParam{}}
	a = must(c.Chat.Completions.New(t.Context(), p))(t)
	said(t, a.Choices[0].Message.Content, gate)
}

func TestChatTools(t *testing.T) {
	needFake(t)
	c := client("/v1/")
	tools := []sdk.ChatCompletionToolUnionParam{
		sdk.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: "open", Description: sdk.String("opens a door"), Strict: sdk.Bool(true),
			Parameters: shared.FunctionParameters{"type": "object", "properties": map[string]any{"door": map[string]any{"type": "integer"}}},
		}),
		sdk.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "shut"}),
	}
	ask := func(text string) sdk.ChatCompletionNewParams {
		return sdk.ChatCompletionNewParams{Model: model(t), Tools: tools, Messages: []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage(text)}}
	}
	p := ask("please call open")
	a := must(c.Chat.Completions.New(t.Context(), p))(t)
	call := a.Choices[0].Message.ToolCalls
	if a.Choices[0].FinishReason != "tool_calls" || len(call) != 1 || call[0].Function.Name != "open" || call[0].Function.Arguments != `{"door":7}` {
		t.Fatalf("answer %s", a.RawJSON())
	}
	p.Messages = append(p.Messages, a.Choices[0].Message.ToParam(), sdk.ToolMessage("it is open", call[0].ID), sdk.UserMessage("thanks"))
	a = must(c.Chat.Completions.New(t.Context(), p))(t)
	said(t, a.Choices[0].Message.Content, "thanks")

	stream := c.Chat.Completions.NewStreaming(t.Context(), ask("please call open"))
	var acc sdk.ChatCompletionAccumulator
	for stream.Next() {
		acc.AddChunk(stream.Current())
	}
	if err := stream.Err(); err != nil || len(acc.Choices[0].Message.ToolCalls) != 1 || acc.Choices[0].Message.ToolCalls[0].Function.Arguments != `{"door":7}` {
		t.Errorf("streamed %+v, %v", acc.Choices, err)
	}
	for _, choice := range []struct {
		c    sdk.ChatCompletionToolChoiceOptionUnionParam
		want string
	}{
		{sdk.ChatCompletionToolChoiceOptionUnionParam{OfAuto: sdk.String("auto")}, ""},
		{sdk.ChatCompletionToolChoiceOptionUnionParam{OfAuto: sdk.String("none")}, ""},
		{sdk.ChatCompletionToolChoiceOptionUnionParam{OfAuto: sdk.String("required")}, "open"},
		{sdk.ToolChoiceOptionFunctionToolChoice(sdk.ChatCompletionNamedToolChoiceFunctionParam{Name: "shut"}), "shut"},
		{sdk.ToolChoiceOptionAllowedTools(sdk.ChatCompletionAllowedToolsParam{Mode: "required", Tools: []map[string]any{
			{"type": "function", "function": map[string]any{"name": "shut"}}}}), "shut"},
	} {
		p := ask("hello")
		p.ToolChoice, p.ParallelToolCalls = choice.c, sdk.Bool(false)
		a := must(c.Chat.Completions.New(t.Context(), p))(t)
		got := ""
		if calls := a.Choices[0].Message.ToolCalls; len(calls) > 0 {
			got = calls[0].Function.Name
		}
		if got != choice.want {
			t.Errorf("%+v: called %q, want %q", choice.c, got, choice.want)
		}
	}
}

func TestChatErrors(t *testing.T) {
	c := client("/v1/")
	m := model(t)
	_, err := c.Chat.Completions.New(t.Context(), about("gpt-9", gate))
	wantError(t, err, 404, "model_not_found", "model", m)
	p := about(m, gate)
	p.Temperature = sdk.Float(9)
	_, err = c.Chat.Completions.New(t.Context(), p)
	wantError(t, err, 400, "", "temperature", "0 to 2")
	_, err = c.Chat.Completions.New(t.Context(), about(m, gate), option.WithRequestBody("application/json", []byte(`{"model":`)))
	wantError(t, err, 400, "", "", "not JSON")
	p = about(m, gate)
	p.ReasoningEffort = "high"
	_, err = c.Chat.Completions.New(t.Context(), p)
	wantError(t, err, 400, "", "reasoning_effort", "not supported")
	stream := c.Chat.Completions.NewStreaming(t.Context(), about("gpt-9", gate))
	for stream.Next() {
		t.Error("an unknown model streams")
	}
	wantError(t, stream.Err(), 404, "model_not_found", "model", m)

	if !server.Fake {
		return
	}
	wrong := client("/v1/", option.WithAPIKey("wrong"))
	_, err = wrong.Chat.Completions.New(t.Context(), about(m, gate))
	wantError(t, err, 401, "invalid_api_key", "", "key")
	_, err = c.Chat.Completions.New(t.Context(), about(m, strings.Repeat("x", 9<<20)))
	wantError(t, err, 413, "request_too_large", "", "8388608 bytes")
	_, err = c.Chat.Completions.New(t.Context(), about("small-limit", strings.Repeat("word ", 30)))
	wantError(t, err, 400, "context_length_exceeded", "", "takes 20")
	_, err = c.Chat.Completions.New(t.Context(), about(m, gate), option.WithHeader("X-Fake-Fail", "Generate"))
	wantError(t, err, 429, "rate_limit_exceeded", "", "queue")
	stream = c.Chat.Completions.NewStreaming(t.Context(), about(m, gate), option.WithHeader("X-Fake-Fail", "Stream"))
	n := 0
	for stream.Next() {
		n++
	}
	if err := stream.Err(); n == 0 || err == nil || !strings.Contains(err.Error(), "queue is full") {
		t.Errorf("an error in the middle of a stream: %d chunks, %v", n, err)
	}
}
