package openai

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

// counting counts the requests that go out.
func counting(n *int) option.Middleware {
	return func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		*n++
		return next(r)
	}
}

func asked(m, text string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: m, Input: responses.ResponseNewParamsInputUnion{OfString: sdk.String(text)}}
}

// gateItems is a file and a question about it.
func gateItems() responses.ResponseNewParamsInputUnion {
	return responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{
			{OfInputFile: &responses.ResponseInputFileParam{Filename: sdk.String("gate.txt"), FileData: sdk.String("data:text/plain," + url.PathEscape(fresh()))}},
			responses.ResponseInputContentParamOfInputText(gate),
		}, responses.EasyInputMessageRoleUser),
	}}
}

func TestResponses(t *testing.T) {
	m := model(t)
	for _, prefix := range []string{"/v1/", "/v1beta/openai/"} {
		c := client(prefix)
		p := responses.ResponseNewParams{
			Model: m, Input: gateItems(), Instructions: sdk.String("Answer from the file."), MaxOutputTokens: sdk.Int(100), Temperature: sdk.Float(0), TopP: sdk.Float(1),
			Metadata: shared.Metadata{"a": "b"}, Truncation: "disabled", ServiceTier: "auto",
		}
		r := must(c.Responses.New(t.Context(), p))(t)
		said(t, r.OutputText(), gate)
		if !server.Fake && !strings.Contains(r.OutputText(), "7421") {
			t.Errorf("answer %q", r.OutputText())
		}
		if r.Status != "completed" || r.Object != "response" || r.Model != m || r.Usage.TotalTokens == 0 || r.Metadata["a"] != "b" || r.CreatedAt == 0 {
			t.Errorf("response %s", r.RawJSON())
		}
		notes := r.Output[0].Content[0].Annotations
		if len(notes) == 0 || notes[0].Type != "file_citation" || notes[0].Filename != "gate.txt" {
			t.Errorf("annotations in %s", r.Output[0].RawJSON())
		}
		got := must(c.Responses.Get(t.Context(), r.ID, responses.ResponseGetParams{}))(t)
		if got.OutputText() != r.OutputText() || got.ID != r.ID {
			t.Errorf("kept %s", got.RawJSON())
		}
		items := must(c.Responses.InputItems.List(t.Context(), r.ID, responses.InputItemListParams{}))(t)
		if len(items.Data) != 1 || items.Data[0].Role != "user" {
			t.Errorf("items %s", items.RawJSON())
		}
		next := asked(m, "And what is behind the gate?")
		next.PreviousResponseID = sdk.String(r.ID)
		two := must(c.Responses.New(t.Context(), next))(t)
		said(t, two.OutputText(), "And what is behind the gate?")
		if two.PreviousResponseID != r.ID || two.Usage.InputTokens <= r.Usage.InputTokens-10 {
			t.Errorf("response %s", two.RawJSON())
		}
		if err := c.Responses.Delete(t.Context(), r.ID); err != nil {
			t.Error(err)
		}
		_, err := c.Responses.Get(t.Context(), r.ID, responses.ResponseGetParams{})
		wantError(t, err, 404, "not_found", "", "not kept")
		next.Store = sdk.Bool(false)
		_, err = c.Responses.New(t.Context(), next)
		wantError(t, err, 404, "not_found", "previous_response_id", "not kept")
		count := must(c.Responses.InputTokens.Count(t.Context(), responses.InputTokenCountParams{
			Model: sdk.String(m), Input: responses.InputTokenCountParamsInputUnion{OfString: sdk.String("one two three")},
		}))(t)
		if count.InputTokens < 3 {
			t.Errorf("counted %s", count.RawJSON())
		}
	}
}

func TestResponseStream(t *testing.T) {
	c := client("/v1/")
	for _, progress := range []bool{false, true} {
		stream := c.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{Model: model(t), Input: gateItems()}, option.WithJSONSet("return_progress", progress))
		var kinds []string
		text, seq := "", int64(0)
		var last *responses.Response
		for stream.Next() {
			e := stream.Current()
			if e.SequenceNumber != seq {
				t.Errorf("%s has number %d, want %d", e.Type, e.SequenceNumber, seq)
			}
			seq++
			if n := len(kinds); n == 0 || kinds[n-1] != e.Type {
				kinds = append(kinds, e.Type)
			}
			switch v := e.AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				text += v.Delta
			case responses.ResponseCompletedEvent:
				last = &v.Response
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		want := "response.created response.in_progress response.output_item.added response.content_part.added response.output_text.delta " +
			"response.output_text.annotation.added response.output_text.done response.content_part.done response.output_item.done response.completed"
		if progress {
			want = strings.Replace(want, "in_progress ", "in_progress response.prompt_progress ", 1)
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("events\n%s, want\n%s", got, want)
		}
		said(t, text, gate)
		if last == nil || last.OutputText() != text || last.Usage.OutputTokens == 0 {
			t.Errorf("streamed %q; at the end %+v", text, last)
		}
	}
}

func TestResponseOptions(t *testing.T) {
	needFake(t)
	c := client("/v1/")
	p := asked(model(t), "one two three")
	p.MaxOutputTokens = sdk.Int(2)
	r := must(c.Responses.New(t.Context(), p))(t)
	if r.Status != "incomplete" || r.IncompleteDetails.Reason != "max_output_tokens" || r.OutputText() != "one two" {
		t.Errorf("response %s", r.RawJSON())
	}
	p = asked(model(t), "x")
	p.Include, p.TopLogprobs = []responses.ResponseIncludable{"message.output_text.logprobs"}, sdk.Int(1)
	p.Text.Format.OfJSONSchema = &responses.ResponseFormatTextJSONSchemaConfigParam{Name: "n", Schema: map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "integer"}}}}
	r = must(c.Responses.New(t.Context(), p))(t)
	if r.OutputText() != `{"a":7}` || len(r.Output[0].Content[0].Logprobs) == 0 {
		t.Errorf("response %s", r.RawJSON())
	}
	p = asked(model(t), "x")
	p.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
		responses.ResponseInputItemParamOfMessage("Be brief.", responses.EasyInputMessageRoleDeveloper),
		responses.ResponseInputItemParamOfMessage(responses.ResponseInputMessageContentListParam{
			{OfInputImage: &responses.ResponseInputImageParam{ImageURL: sdk.String(tinyPNG), Detail: "auto"}},
			responses.ResponseInputContentParamOfInputText("what is it"),
		}, responses.EasyInputMessageRoleUser),
	}}
	r = must(c.Responses.New(t.Context(), p))(t)
	if r.OutputText() != "what is it" || r.Usage.InputTokens != 2+258+3 {
		t.Errorf("response %s", r.RawJSON())
	}
}

func TestResponseTools(t *testing.T) {
	needFake(t)
	c := client("/v1/")
	p := asked(model(t), "please call open")
	p.Tools = []responses.ToolUnionParam{responses.ToolParamOfFunction("open", map[string]any{"type": "object", "properties": map[string]any{"door": map[string]any{"type": "integer"}}}, true)}
	r := must(c.Responses.New(t.Context(), p))(t)
	call := r.Output[0].AsFunctionCall()
	if call.Name != "open" || call.Arguments != `{"door":7}` || call.CallID == "" {
		t.Fatalf("response %s", r.RawJSON())
	}
	two := must(c.Responses.New(t.Context(), responses.ResponseNewParams{
		Model: model(t), PreviousResponseID: sdk.String(r.ID), Tools: p.Tools,
		Input: responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
			{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{CallID: sdk.String(call.CallID), Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: sdk.String("it is open")}}},
			responses.ResponseInputItemParamOfMessage("thanks", responses.EasyInputMessageRoleUser),
		}},
	}))(t)
	said(t, two.OutputText(), "thanks")

	stream := c.Responses.NewStreaming(t.Context(), p)
	var kinds []string
	for stream.Next() {
		kinds = append(kinds, strings.TrimPrefix(stream.Current().Type, "response."))
	}
	want := "created in_progress output_item.added function_call_arguments.delta function_call_arguments.done output_item.done completed"
	if got := strings.Join(kinds, " "); stream.Err() != nil || got != want {
		t.Errorf("events\n%s, want\n%s (%v)", got, want, stream.Err())
	}
}

func TestResponseErrors(t *testing.T) {
	c := client("/v1/")
	_, err := c.Responses.New(t.Context(), asked("gpt-9", "x"))
	wantError(t, err, 404, "model_not_found", "model", model(t))
	p := asked(model(t), "x")
	p.Background = sdk.Bool(true)
	_, err = c.Responses.New(t.Context(), p)
	wantError(t, err, 400, "", "background", "not supported")
	if !server.Fake {
		return
	}
	stream := c.Responses.NewStreaming(t.Context(), asked(model(t), "one two"), option.WithHeader("X-Fake-Fail", "Stream"))
	failed := false
	for stream.Next() {
		failed = failed || stream.Current().Type == "response.failed"
	}
	if err := stream.Err(); !failed || err == nil || !strings.Contains(err.Error(), "queue is full") {
		t.Errorf("an error in the middle of a stream: failed %v, %v", failed, err)
	}
}
