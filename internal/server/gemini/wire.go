package gemini

import (
	"encoding/json"
	"time"
)

// What clients send. Fields that are not here are ignored; see decode.go for the tags.

type generateRequest struct {
	Model             string            `json:"model"` // of countTokens and of embeddings; elsewhere the path's
	Contents          []content         `json:"contents"`
	SystemInstruction *content          `json:"systemInstruction"`
	Tools             []tool            `json:"tools"`
	ToolConfig        *toolConfig       `json:"toolConfig"`
	CachedContent     string            `json:"cachedContent"`
	GenerationConfig  *generationConfig `json:"generationConfig"`
}

type countRequest struct {
	Contents []content        `json:"contents"`
	Generate *generateRequest `json:"generateContentRequest"`
}

type content struct {
	Role  string `json:"role"`
	Parts []part `json:"parts"`
}

type part struct {
	Text             *string           `json:"text"`
	InlineData       *blob             `json:"inlineData"`
	FileData         *fileData         `json:"fileData"`
	FunctionCall     *functionCall     `json:"functionCall"`
	FunctionResponse *functionResponse `json:"functionResponse"`

	VideoMetadata    *videoMetadata  `json:"videoMetadata"`
	MediaResolution  *partResolution `json:"mediaResolution"`
	Thought          json.RawMessage `json:"thought" refuse:"thoughts of a model are not of the conversation; leave such parts out"`
	ThoughtSignature json.RawMessage `json:"thoughtSignature"`
	PartMetadata     json.RawMessage `json:"partMetadata"`

	ExecutableCode      json.RawMessage `json:"executableCode" refuse:"code is not run here"`
	CodeExecutionResult json.RawMessage `json:"codeExecutionResult" refuse:"code is not run here"`
	ToolCall            json.RawMessage `json:"toolCall" refuse:"there are no tools on the server; use functionCall"`
	ToolResponse        json.RawMessage `json:"toolResponse" refuse:"there are no tools on the server; use functionResponse"`
	AudioTranscription  json.RawMessage `json:"audioTranscription" refuse:"send the sound, or its text"`

	Unknown []string `json:"*"`
}

type blob struct {
	MIMEType    string `json:"mimeType"`
	Data        []byte `json:"data"`
	DisplayName string `json:"displayName"`
}

type fileData struct {
	MIMEType    string `json:"mimeType"`
	FileURI     string `json:"fileUri"`
	DisplayName string `json:"displayName"`
}

type functionCall struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Args         json.RawMessage `json:"args"`
	PartialArgs  json.RawMessage `json:"partialArgs" refuse:"send whole arguments"`
	WillContinue json.RawMessage `json:"willContinue" refuse:"send whole arguments"`
}

type functionResponse struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Response     json.RawMessage `json:"response"`
	Parts        []part          `json:"parts"`
	WillContinue json.RawMessage `json:"willContinue" refuse:"functions answer once"`
}

type videoMetadata struct {
	FPS         *float64      `json:"fps"`
	StartOffset time.Duration `json:"startOffset"`
	EndOffset   time.Duration `json:"endOffset"`
}

type partResolution struct {
	Level     string          `json:"level" enum:"MEDIA_RESOLUTION_UNSPECIFIED MEDIA_RESOLUTION_LOW MEDIA_RESOLUTION_MEDIUM MEDIA_RESOLUTION_HIGH MEDIA_RESOLUTION_ULTRA_HIGH"`
	NumTokens json.RawMessage `json:"numTokens" refuse:"the model decides how many tokens a picture takes"`
}

type tool struct {
	FunctionDeclarations []functionDeclaration `json:"functionDeclarations"`

	GoogleSearch          json.RawMessage `json:"googleSearch" refuse:"the server has no tools of its own; declare functions"`
	GoogleSearchRetrieval json.RawMessage `json:"googleSearchRetrieval" refuse:"the server has no tools of its own; declare functions"`
	CodeExecution         json.RawMessage `json:"codeExecution" refuse:"the server has no tools of its own; declare functions"`
	URLContext            json.RawMessage `json:"urlContext" refuse:"the server has no tools of its own; declare functions"`

	Unknown []string `json:"*"`
}

type functionDeclaration struct {
	Name                 string          `json:"name"`
	Description          string          `json:"description"`
	Parameters           *schema         `json:"parameters"`
	ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema"`
	Behavior             string          `json:"behavior" enum:"UNSPECIFIED BLOCKING NON_BLOCKING"`
}

type toolConfig struct {
	FunctionCallingConfig *functionCallingConfig `json:"functionCallingConfig"`

	RetrievalConfig       json.RawMessage `json:"retrievalConfig" refuse:"the server has no tools of its own"`
	ServerToolInvocations json.RawMessage `json:"includeServerSideToolInvocations" refuse:"the server has no tools of its own"`
}

type functionCallingConfig struct {
	Mode                 string   `json:"mode" enum:"MODE_UNSPECIFIED AUTO ANY NONE VALIDATED"`
	AllowedFunctionNames []string `json:"allowedFunctionNames"`

	StreamArguments json.RawMessage `json:"streamFunctionCallArguments" refuse:"calls come whole"`
}

type generationConfig struct {
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"topP"`
	TopK               *float64        `json:"topK"`
	CandidateCount     *int32          `json:"candidateCount"`
	MaxOutputTokens    *int32          `json:"maxOutputTokens"`
	StopSequences      []string        `json:"stopSequences"`
	Seed               *int32          `json:"seed"`
	PresencePenalty    *float64        `json:"presencePenalty"`
	FrequencyPenalty   *float64        `json:"frequencyPenalty"`
	ResponseMIMEType   string          `json:"responseMimeType"`
	ResponseSchema     *schema         `json:"responseSchema"`
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema"`
	ResponseLogprobs   bool            `json:"responseLogprobs"`
	Logprobs           *int32          `json:"logprobs"`
	ResponseModalities []string        `json:"responseModalities" enum:"MODALITY_UNSPECIFIED TEXT IMAGE AUDIO VIDEO DOCUMENT"`
	MediaResolution    string          `json:"mediaResolution" enum:"MEDIA_RESOLUTION_UNSPECIFIED MEDIA_RESOLUTION_LOW MEDIA_RESOLUTION_MEDIUM MEDIA_RESOLUTION_HIGH"`

	SpeechConfig             json.RawMessage `json:"speechConfig" refuse:"answers are text"`
	ImageConfig              json.RawMessage `json:"imageConfig" refuse:"answers are text"`
	ResponseFormat           json.RawMessage `json:"responseFormat" refuse:"use responseMimeType and responseJsonSchema"`
	TranslationConfig        json.RawMessage `json:"translationConfig" refuse:"ask for the translation"`
	AudioTranscriptionConfig json.RawMessage `json:"audioTranscriptionConfig" refuse:"ask for the transcript"`
	RoutingConfig            json.RawMessage `json:"routingConfig" refuse:"name the model"`
	ModelSelectionConfig     json.RawMessage `json:"modelSelectionConfig" refuse:"name the model"`
	AudioTimestamp           json.RawMessage `json:"audioTimestamp" refuse:"evidence has the times"`
}

type embedRequest struct {
	Model                string          `json:"model"`
	Content              *content        `json:"content"`
	Title                string          `json:"title"`
	OutputDimensionality *int32          `json:"outputDimensionality"`
	AutoTruncate         json.RawMessage `json:"autoTruncate" refuse:"nothing is truncated here"`
}

type batchEmbedRequest struct {
	Requests []embedRequest `json:"requests"`
}

type fileWrapper struct {
	File *newFile `json:"file"`
}

type newFile struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	MIMEType    string `json:"mimeType"`
}

type cachedRequest struct {
	Model             string         `json:"model"`
	DisplayName       string         `json:"displayName"`
	Contents          []content      `json:"contents"`
	SystemInstruction *content       `json:"systemInstruction"`
	Tools             []tool         `json:"tools"`
	ToolConfig        *toolConfig    `json:"toolConfig"`
	TTL               *time.Duration `json:"ttl"`
	ExpireTime        *time.Time     `json:"expireTime"`
}
