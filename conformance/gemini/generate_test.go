package gemini

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"
)

// What is asked of every model.
const (
	fact     = "The password of the vault is 7391."
	question = "What is the password of the vault?"
	answer   = "7391"
)

func TestModels(t *testing.T) {
	c := client(t)
	var names []string
	for m, err := range c.Models.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.Name)
		if m.InputTokenLimit <= 0 || m.OutputTokenLimit <= 0 || m.DisplayName == "" || m.MaxTemperature != 2 || m.Version == "" {
			t.Errorf("%+v", m)
		}
		if !strings.Contains(strings.Join(m.SupportedActions, " "), "generateContent") {
			t.Errorf("%s: methods %v", m.Name, m.SupportedActions)
		}
		got, err := c.Models.Get(t.Context(), m.Name, nil)
		if err != nil || got.Name != m.Name || got.InputTokenLimit != m.InputTokenLimit {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if len(names) == 0 {
		t.Fatal("no models")
	}
	page, err := c.Models.List(t.Context(), &genai.ListModelsConfig{PageSize: 1})
	if err != nil || len(page.Items) != 1 || (page.NextPageToken == "") != (len(names) == 1) {
		t.Fatalf("%+v, %v", page, err)
	}
	if len(names) > 1 {
		page, err = page.Next(t.Context())
		if err != nil || page.Items[0].Name != names[1] {
			t.Errorf("second page %+v, %v", page, err)
		}
	}
	_, err = c.Models.Get(t.Context(), "no-such-model", nil)
	wantError(t, err, 404, "NOT_FOUND", strings.TrimPrefix(names[0], "models/"))
}

func TestGenerate(t *testing.T) {
	c := client(t)
	contents := []*genai.Content{genai.NewContentFromText(fact, genai.RoleUser), genai.NewContentFromText("I see.", genai.RoleModel), genai.NewContentFromText(question, genai.RoleUser)}
	r, err := c.Models.GenerateContent(t.Context(), model(t, c), contents, nil)
	if err != nil {
		t.Fatal(err)
	}
	said(t, r.Text(), question, answer)
	if len(r.Candidates) != 1 || r.Candidates[0].FinishReason != genai.FinishReasonStop || r.Candidates[0].Content.Role != genai.RoleModel || r.ResponseID == "" || r.ModelVersion == "" {
		t.Errorf("%+v", r)
	}
	u := r.UsageMetadata
	if u.PromptTokenCount <= 0 || u.CandidatesTokenCount <= 0 || u.TotalTokenCount != u.PromptTokenCount+u.CandidatesTokenCount {
		t.Errorf("usage %+v", u)
	}
	if len(u.PromptTokensDetails) != 1 || u.PromptTokensDetails[0].Modality != genai.MediaModalityText || u.PromptTokensDetails[0].TokenCount != u.PromptTokenCount || len(u.CandidatesTokensDetails) != 1 {
		t.Errorf("details %+v, %+v", u.PromptTokensDetails, u.CandidatesTokensDetails)
	}
}

func TestGenerationConfig(t *testing.T) {
	needFake(t)
	c := client(t)
	r, err := c.Models.GenerateContent(t.Context(), model(t, c), genai.Text("one two three STOP four"), &genai.GenerateContentConfig{
		SystemInstruction: genai.NewContentFromText("be brief", genai.RoleUser),
		Temperature:       ptr(float32(0.7)), TopP: ptr(float32(0.9)), TopK: ptr(float32(40)), Seed: ptr(int32(7)),
		CandidateCount: 2, MaxOutputTokens: 2, StopSequences: []string{"STOP"},
		PresencePenalty: ptr(float32(0.5)), FrequencyPenalty: ptr(float32(0.5)),
		ResponseLogprobs: true, Logprobs: ptr(int32(3)), MediaResolution: genai.MediaResolutionLow,
		ThinkingConfig:     &genai.ThinkingConfig{ThinkingBudget: ptr(int32(0))},
		SafetySettings:     []*genai.SafetySetting{{Category: genai.HarmCategoryHarassment, Threshold: genai.HarmBlockThresholdBlockNone}},
		ResponseModalities: []string{"TEXT"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Candidates) != 2 || r.Candidates[1].Index != 1 {
		t.Fatalf("%+v", r.Candidates)
	}
	got := r.Candidates[0]
	if got.Content.Parts[0].Text != "one two" || got.FinishReason != genai.FinishReasonMaxTokens {
		t.Errorf("%+v", got)
	}
	if math.Abs(got.AvgLogprobs-math.Log(0.5)) > 1e-6 || len(got.LogprobsResult.ChosenCandidates) != 2 || len(got.LogprobsResult.TopCandidates) != 2 || len(got.LogprobsResult.TopCandidates[0].Candidates) != 3 {
		t.Errorf("log-probabilities %v %+v", got.AvgLogprobs, got.LogprobsResult)
	}
}

func TestStream(t *testing.T) {
	for _, progress := range []string{"false", "true"} {
		c := client(t, "X-Handscroll-Progress", progress)
		var text strings.Builder
		var last *genai.GenerateContentResponse
		chunks := 0
		for r, err := range c.Models.GenerateContentStream(t.Context(), model(t, c), genai.Text(fact+" "+question), nil) {
			if err != nil {
				t.Fatal(err)
			}
			chunks++
			text.WriteString(r.Text())
			last = r
		}
		said(t, text.String(), fact+" "+question, answer)
		if last == nil || last.Candidates[0].FinishReason != genai.FinishReasonStop || last.UsageMetadata.TotalTokenCount == 0 {
			t.Errorf("the last of %d chunks: %+v", chunks, last)
		}
		if server.Fake && chunks < 10 {
			t.Errorf("%d chunks", chunks)
		}
	}
}

func TestChat(t *testing.T) {
	c := client(t)
	chat, err := c.Chats.Create(t.Context(), model(t, c), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	// An answer that is streamed is remembered in pieces, and sent back so.
	for _, err := range chat.SendMessageStream(t.Context(), genai.Part{Text: fact}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		r, err := chat.SendMessage(t.Context(), genai.Part{Text: question})
		if err != nil {
			t.Fatal(err)
		}
		said(t, r.Text(), question, answer)
	}
	turns := 0
	for _, c := range chat.History(true) {
		if c.Role == genai.RoleUser {
			turns++
		}
	}
	if turns != 3 {
		t.Errorf("the chat remembers %d of 3 turns: %+v", turns, chat.History(true))
	}
}

var weather = &genai.Tool{FunctionDeclarations: []*genai.FunctionDeclaration{
	{Name: "weather", Description: "The weather of a place", Parameters: &genai.Schema{
		Type: genai.TypeObject, Properties: map[string]*genai.Schema{"place": {Type: genai.TypeString}}, Required: []string{"place"}}},
	{Name: "clock", Description: "The time of a place", ParametersJsonSchema: map[string]any{
		"type": "object", "properties": map[string]any{"place": map[string]any{"type": "string"}}}},
}}

func TestFunctions(t *testing.T) {
	needFake(t)
	c := client(t)
	name := model(t, c)
	ask := func(text string, f *genai.FunctionCallingConfig) *genai.GenerateContentResponse {
		t.Helper()
		r, err := c.Models.GenerateContent(t.Context(), name, genai.Text(text), &genai.GenerateContentConfig{
			Tools: []*genai.Tool{weather}, ToolConfig: &genai.ToolConfig{FunctionCallingConfig: f}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, test := range []struct {
		text string
		mode genai.FunctionCallingConfigMode
		only []string
		want string
	}{
		{"please call clock", genai.FunctionCallingConfigModeAuto, nil, "clock"},
		{"hello", genai.FunctionCallingConfigModeAuto, nil, ""},
		{"hello", genai.FunctionCallingConfigModeAny, nil, "weather"},
		{"hello", genai.FunctionCallingConfigModeAny, []string{"clock"}, "clock"},
		{"please call clock", genai.FunctionCallingConfigModeNone, nil, ""},
		{"please call clock", genai.FunctionCallingConfigModeValidated, []string{"clock"}, "clock"},
	} {
		calls := ask(test.text, &genai.FunctionCallingConfig{Mode: test.mode, AllowedFunctionNames: test.only}).FunctionCalls()
		switch {
		case test.want == "" && len(calls) == 0:
		case len(calls) == 1 && calls[0].Name == test.want && calls[0].Args["place"] == "word":
		default:
			t.Errorf("%+v: %+v", test, calls)
		}
	}
	call := ask("please call weather", nil).Candidates[0].Content
	r, err := c.Models.GenerateContent(t.Context(), name, []*genai.Content{
		genai.NewContentFromText("please call weather", genai.RoleUser), call,
		genai.NewContentFromFunctionResponse("weather", map[string]any{"output": "sunny"}, genai.RoleUser),
		genai.NewContentFromText("and now?", genai.RoleUser),
	}, &genai.GenerateContentConfig{Tools: []*genai.Tool{weather}})
	if err != nil || r.Text() != "and now?" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestStructuredAnswers(t *testing.T) {
	needFake(t)
	c := client(t)
	for name, test := range map[string]struct {
		config genai.GenerateContentConfig
		want   string
	}{
		"schema": {genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseSchema: &genai.Schema{
			Type: genai.TypeObject, Properties: map[string]*genai.Schema{"n": {Type: genai.TypeInteger, Nullable: ptr(true), Minimum: ptr(1.0)}}, PropertyOrdering: []string{"n"}}}, `{"n":7}`},
		"JSON schema": {genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseJsonSchema: map[string]any{"type": "boolean"}}, "true"},
		"enum":        {genai.GenerateContentConfig{ResponseMIMEType: "text/x.enum", ResponseSchema: &genai.Schema{Type: genai.TypeString, Format: "enum", Enum: []string{"yes", "no"}}}, "yes"},
	} {
		r, err := c.Models.GenerateContent(t.Context(), model(t, c), genai.Text("x"), &test.config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if r.Text() != test.want {
			t.Errorf("%s: %s, want %s", name, r.Text(), test.want)
		}
	}
}

func TestCountTokens(t *testing.T) {
	c := client(t)
	r, err := c.Models.CountTokens(t.Context(), model(t, c), genai.Text("one two three"), nil)
	if err != nil || r.TotalTokens < 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestEmbed(t *testing.T) {
	c := client(t)
	m, err := c.Models.Get(t.Context(), model(t, c), nil)
	if err != nil {
		t.Fatal(err)
	}
	contents := []*genai.Content{genai.NewContentFromText("a whale", genai.RoleUser), genai.NewContentFromText("a ship", genai.RoleUser)}
	r, err := c.Models.EmbedContent(t.Context(), m.Name, contents, &genai.EmbedContentConfig{TaskType: "RETRIEVAL_QUERY", Title: "of the sea"})
	if !strings.Contains(strings.Join(m.SupportedActions, " "), "embedContent") {
		wantError(t, err, 400, "INVALID_ARGUMENT")
		return
	}
	if err != nil || len(r.Embeddings) != 2 || len(r.Embeddings[0].Values) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	sum := 0.0
	for _, v := range r.Embeddings[0].Values {
		sum += float64(v) * float64(v)
	}
	if math.Abs(sum-1) > 1e-3 {
		t.Errorf("a vector of length %v", math.Sqrt(sum))
	}
}

func TestErrors(t *testing.T) {
	c := client(t)
	name := model(t, c)
	ask := func(contents []*genai.Content, config *genai.GenerateContentConfig) error {
		_, err := c.Models.GenerateContent(t.Context(), name, contents, config)
		for _, serr := range c.Models.GenerateContentStream(t.Context(), name, contents, config) {
			if (serr == nil) != (err == nil) {
				t.Errorf("whole: %v, streamed: %v", err, serr)
			}
		}
		return err
	}
	_, err := c.Models.GenerateContent(t.Context(), "no-such-model", genai.Text("x"), nil)
	wantError(t, err, 404, "NOT_FOUND", strings.TrimPrefix(name, "models/"))
	wantError(t, ask(genai.Text("x"), &genai.GenerateContentConfig{CachedContent: "cachedContents/gone"}), 404, "NOT_FOUND")
	about := func(uri string) []*genai.Content {
		return []*genai.Content{genai.NewContentFromParts([]*genai.Part{genai.NewPartFromURI(uri, "text/plain"), genai.NewPartFromText("x")}, genai.RoleUser)}
	}
	wantError(t, ask(about(server.URL+"/v1beta/files/gone"), nil), 404, "NOT_FOUND")
	wantError(t, ask(about("https://example.com/a.txt"), nil), 400, "INVALID_ARGUMENT", "contents[0].parts[0].fileData.fileUri")
	wantError(t, ask([]*genai.Content{genai.NewContentFromExecutableCode("1", genai.LanguagePython, genai.RoleUser)}, nil), 400, "INVALID_ARGUMENT", "contents[0].parts[0].executableCode")
	wantError(t, ask(genai.Text("x"), &genai.GenerateContentConfig{Tools: []*genai.Tool{{GoogleSearch: &genai.GoogleSearch{}}}}), 400, "INVALID_ARGUMENT", "tools[0].googleSearch")
	wantError(t, ask(genai.Text("x"), &genai.GenerateContentConfig{Temperature: ptr(float32(3))}), 400, "INVALID_ARGUMENT", "generationConfig.temperature")
	wantError(t, ask(genai.Text("x"), &genai.GenerateContentConfig{ResponseModalities: []string{"AUDIO"}}), 400, "INVALID_ARGUMENT", "generationConfig.responseModalities[0]")
	if server.Fake {
		_, err := c.Models.GenerateContent(t.Context(), "small-limit", genai.Text(strings.Repeat("word ", 21)), nil)
		wantError(t, err, 400, "INVALID_ARGUMENT", "21", "20")
		wantError(t, ask(genai.Text(strings.Repeat("long ", 1<<19)), nil), 413, "INVALID_ARGUMENT", "1048576")
		_, err = clientOf(t, "wrong").Models.List(t.Context(), nil)
		wantError(t, err, 401, "UNAUTHENTICATED")
		_, err = client(t, "X-Fake-Fail", "Generate").Models.GenerateContent(t.Context(), name, genai.Text("x"), nil)
		wantError(t, err, 429, "RESOURCE_EXHAUSTED", "queue")
	}
}

func TestErrorInTheMiddle(t *testing.T) {
	needFake(t)
	c := client(t, "X-Fake-Fail", "Stream")
	var text string
	var failed error
	for r, err := range c.Models.GenerateContentStream(t.Context(), model(t, client(t)), genai.Text("one two"), nil) {
		if err != nil {
			failed = err
			break
		}
		text += r.Text()
	}
	if text != "one " {
		t.Errorf("before the error came %q", text)
	}
	wantError(t, failed, 429, "RESOURCE_EXHAUSTED", "queue")
}

func TestTheClientLeaves(t *testing.T) {
	c := client(t)
	name := model(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range c.Models.GenerateContentStream(ctx, name, genai.Text("one two three"), nil) {
		break // which closes the connection
	}
	// The server goes on for others.
	if _, err := c.Models.GenerateContent(ctx, name, genai.Text("one two three"), nil); err != nil {
		t.Error(err)
	}
}
